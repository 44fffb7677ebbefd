"""The conversation store in one SQLite file: the default, for one machine. Several processes may share the file."""

from unifier.store.sqlite.store import SqliteConversations

__all__ = ["SqliteConversations"]
