"""What Onethread asks of a state store: small documents, changed by compare-and-set. It knows no database.

Cursors, leases, rotating tokens, API keys, channel states: one document each, a few kilobytes, rarely written. What they
mean is said by the modules beside this one, once for both adapters.
"""

from abc import abstractmethod

import msgspec

from onethread.opening import Opening


class Document(msgspec.Struct, frozen=True):
    """A stored document. `version` grows by one with every write of this id, and is never given twice."""

    id: str
    version: int
    value: bytes


class StateStore(Opening):
    """Documents by (collection, id). Every write is durable (majority, journal) when it returns. Open it with `async with`.

    All methods raise Retryable while the store cannot be reached, naming the setting.
    """

    @abstractmethod
    async def get(self, collection: str, key: str) -> Document | None:
        """The document as it is now, not as a replica remembers it."""

    @abstractmethod
    async def put(self, collection: str, key: str, value: bytes, expect: int) -> Document:
        """Write if the stored version is `expect` (0: there is none). Raises Conflict, changing nothing, otherwise."""

    @abstractmethod
    async def delete(self, collection: str, key: str, expect: int) -> None:
        """Remove if the stored version is `expect`. Raises Conflict otherwise. A later `put` goes on above it."""

    @abstractmethod
    async def remove(self, collection: str, key: str, expect: int) -> None:
        """As `delete`, without a trace: a later `put` begins at 1 again.

        For ids that are so many that nothing may be kept of them, where a writer that is late, and takes a new document for the
        old one of that version, does no harm.
        """

    @abstractmethod
    async def scan(self, collection: str, prefix: str = "") -> list[Document]:
        """All documents of a collection whose id begins with `prefix`, in id order."""
