"""The topics of Onethread, defined once: `onethread topics apply` creates them from here."""

from onethread.log.port import Topic

MESSAGES = "onethread.messages"
"""Every event of every connector, and the commands of persons. Key: the event's ordering key."""

CONVERSATIONS = "onethread.conversations"
"""Every change of every conversation, for desks. Key: the strand."""

DEAD_LETTERS = "onethread.dead_letters"
"""What could not be processed, with reason and original bytes. Key: the channel."""


def topics(partitions: int = 12, retention_hours: int | None = None, feed_hours: int = 168) -> list[Topic]:
    """All topics. `retention_hours` is that of messages (None: for ever, so that everything can be replayed)."""
    return [
        Topic(MESSAGES, partitions, retention_hours),
        Topic(CONVERSATIONS, partitions, feed_hours),
        Topic(DEAD_LETTERS, 1, None),
    ]
