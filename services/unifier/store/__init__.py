"""The conversation store: one port, an adapter for the MongoDB protocol and one for SQLite."""
