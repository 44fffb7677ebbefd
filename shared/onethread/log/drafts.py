"""What every adapter computes of a draft alike: its size, whether it may be written, its partition. It writes nothing."""

from collections.abc import Sequence
from functools import lru_cache

from aiokafka.partitioner import murmur2

from onethread.errors import Poison
from onethread.log.port import Draft

MAX_RECORD_BYTES = 900_000
"""Key, value and headers together. Kafka's brokers refuse batches over 1,048,588 bytes by default (`message.max.bytes`)."""


def size(draft: Draft) -> int:
    """Bytes of key, value and headers."""
    total = len(draft.key) + len(draft.value)
    for name, value in draft.headers:
        total += len(value) + (len(name) if name.isascii() else len(name.encode()))
    return total


def refuse_oversized(drafts: Sequence[Draft]) -> None:
    """Raises Poison if any draft is over `MAX_RECORD_BYTES`; called before anything of the same append is written."""
    for draft in drafts:
        if (bytes_ := size(draft)) > MAX_RECORD_BYTES:
            raise Poison(
                f"A record of {bytes_:,} bytes is over the log's limit of {MAX_RECORD_BYTES:,}; store the large part elsewhere."
            )


@lru_cache(maxsize=65_536)
def key_hash(key: bytes) -> int:
    """Kafka's hash of a key: murmur2 without its sign bit (`org.apache.kafka.common.utils.Utils`)."""
    # Cached because it is a loop in Python, some 20 µs a key, and the keys of a conversation repeat.
    return int(murmur2(key)) & 0x7FFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key among `partitions`, as Kafka's own producers choose it."""
    return key_hash(key) % partitions
