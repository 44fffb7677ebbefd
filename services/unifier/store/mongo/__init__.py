"""The conversation store in a MongoDB: for many machines. It uses no transaction over two documents."""

from unifier.store.mongo.store import MongoConversations

__all__ = ["MongoConversations"]
