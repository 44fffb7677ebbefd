"""What whoever writes an adapter of the conversation store tests it with. Shipped; it imports pytest and hypothesis."""
