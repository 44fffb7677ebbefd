"""Which customer, which conversation: the unifier threads events and serves the conversation API."""
