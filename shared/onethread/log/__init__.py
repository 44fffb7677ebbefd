"""The event log: one port, an adapter for Apache Kafka and one for SQLite."""
