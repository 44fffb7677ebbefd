"""The one module that imports Motor: connection, guarantees, errors of the MongoDB protocol. It knows no document.

Every write is acknowledged by a majority and its journal; every read asks the primary for what a majority has. Sessions are
left to the driver: a causally consistent one must not be shared by concurrent tasks, and adds nothing here. A write is
acknowledged by a majority only through the current primary, whose newer election the driver then knows; so a later read of
the same client never goes back to a primary that was deposed, and a majority read there contains that write. The same holds for a
write that was refused or changed nothing: the server waits until a majority has what it met.

Only commands of the Stable API, version 1, are used (https://www.mongodb.com/docs/manual/reference/stable-api/): a newer server
that still speaks it cannot change what they mean.
"""

import asyncio
import threading
import warnings
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, NamedTuple, TypeAlias

from bson.errors import InvalidDocument
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import DeleteOne, IndexModel, InsertOne, ReturnDocument, UpdateOne
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    DuplicateKeyError,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)
from pymongo.server_api import ServerApi

from onethread.errors import Misconfigured, OnethreadError, Poison, Retryable, Unconfirmed

Document: TypeAlias = dict[str, Any]
Operation: TypeAlias = InsertOne[Document] | UpdateOne | DeleteOne
Sort: TypeAlias = Sequence[tuple[str, int]]

__all__ = [
    "Collection",
    "DeleteOne",
    "Document",
    "IndexModel",
    "InsertOne",
    "Mongo",
    "Operation",
    "Sort",
    "UpdateOne",
    "Written",
]

_DUPLICATE = 11000
_ONE_ANSWER = 10_000
"""Documents of an answer at most. The default is 101, and each further answer is a round trip; 16 MB bound it anyway."""
_FORBIDDEN = frozenset({13, 18, 8000})
"""Unauthorized, AuthenticationFailed, and what MongoDB Atlas answers instead."""
_TOO_LARGE = frozenset({10334, 17280, 17419, 17420})
"""BSONObjectTooLarge in its several forms: no retry makes such a document fit."""
_LATER = frozenset({6, 7, 50, 63, 64, 89, 91, 189, 262, 365, 9001, 10058, 10107, 11600, 11602, 13435, 13436, 14031})
"""Unreachable, timed out, shutting down, not primary (any more), disk full, interrupted: from MongoDB's error_codes.yml."""


class Written(NamedTuple):
    """What became of a bulk.

    `matched`: how many updates found their document; `modified`: how many changed it. `upserted`: places of those that made one. `duplicates`: places of those
    refused by a unique index, with its fields; an ordered bulk has one at most, and has tried nothing behind it.
    """

    matched: int
    modified: int
    upserted: frozenset[int]
    duplicates: dict[int, tuple[str, ...]]


class Mongo:
    """One database.

    `setting` names the setting that holds the URL, for messages. `deadline`: seconds for each step of an operation (finding a
    server, waiting for a majority); it ends after twice that, whatever happens.
    """

    def __init__(self, url: str, database: str, *, setting: str, deadline: float = 10.0) -> None:
        self._url = url
        self._name = database
        self._setting = setting
        self._deadline = deadline
        self._client: AsyncIOMotorClient[Document] | None = None

    async def open(self) -> None:
        """Connect. Raises Retryable when nobody answers, Misconfigured for a wrong URL or password."""
        if self._client is not None:
            return
        try:
            with warnings.catch_warnings(action="error"):  # the driver only warns of an option it does not know
                client = self._connected()
        except (ConfigurationError, InvalidURI, ValueError, UserWarning) as error:
            # Without the URL, and without the cause's text: both may hold a password.
            raise Misconfigured(
                f"{self._setting} is no valid MongoDB URL, or names options that are unknown."
            ) from error
        try:
            with translated(self._setting, writing=False):
                await client[self._name].command("ping")
        except BaseException:
            client.close()
            raise
        self._client = client

    async def close(self) -> None:
        """Close all connections; who hangs while they are told goodbye is left alone after half the deadline."""
        client, self._client = self._client, None
        if client is None:
            return
        # The driver tells the server that its sessions end, and waits for it: not in the event loop.
        loop, closed = asyncio.get_running_loop(), asyncio.Event()

        def close() -> None:
            client.close()
            with suppress(RuntimeError):  # a loop that is closed by now waits for nobody
                loop.call_soon_threadsafe(closed.set)

        threading.Thread(target=close, name="mongodb closes", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._deadline / 2):
                await closed.wait()

    def collection(self, name: str) -> "Collection":
        """A collection, usable once `open` has returned."""
        return Collection(self, name)

    def _connected(self) -> AsyncIOMotorClient[Document]:
        milliseconds = int(self._deadline * 1000)
        return AsyncIOMotorClient(
            self._url,
            appname="onethread",
            server_api=ServerApi("1", strict=True, deprecation_errors=True),
            w="majority",
            journal=True,
            wTimeoutMS=milliseconds,
            readConcernLevel="majority",
            readPreference="primary",
            retryWrites=True,
            retryReads=True,
            serverSelectionTimeoutMS=milliseconds,
            connectTimeoutMS=milliseconds,
            waitQueueTimeoutMS=milliseconds,
            socketTimeoutMS=2 * milliseconds,  # longer than the server's own wait for its majority
        )


class Collection:
    """The few operations that adapters need, with errors translated. Duplicate keys are answers, not errors."""

    def __init__(self, mongo: Mongo, name: str) -> None:
        self._mongo = mongo
        self._name = name

    async def find(
        self,
        where: Mapping[str, Any],
        *,
        fields: Mapping[str, Any] | None = None,
        sort: Sort | None = None,
        limit: int = 0,
    ) -> list[Document]:
        """Documents; `limit` 0: all."""
        async with self._errors(writing=False):
            cursor = self._collection().find(where, fields, sort=sort, limit=limit, batch_size=_ONE_ANSWER)
            found: list[Document] = await cursor.to_list(None)
            return found

    async def find_one(self, where: Mapping[str, Any], *, fields: Mapping[str, Any] | None = None) -> Document | None:
        """The first document, or None."""
        found = await self.find(where, fields=fields, limit=1)
        return found[0] if found else None

    async def change_one(
        self, where: Mapping[str, Any], change: Mapping[str, Any], *, upsert: bool = False
    ) -> Document | None:
        """The document after the change; None: there is none, or (upsert) there is one that `where` does not match."""
        async with self._errors(writing=True):
            try:
                changed: Document | None = await self._collection().find_one_and_update(
                    where, change, upsert=upsert, return_document=ReturnDocument.AFTER
                )
            except DuplicateKeyError:
                return None
            return changed

    async def remove_one(self, where: Mapping[str, Any]) -> bool:
        """False: there is none."""
        async with self._errors(writing=True):
            return await self._collection().find_one_and_delete(where) is not None

    async def write(self, operations: Sequence[Operation], *, ordered: bool = False) -> Written:
        """One bulk, on disk when this returns. Raises for everything but duplicate keys; others may have been done then."""
        if not operations:
            return Written(0, 0, frozenset(), {})
        async with self._errors(writing=True):
            try:
                result = (await self._collection().bulk_write(operations, ordered=ordered)).bulk_api_result
            except BulkWriteError as error:
                if not _only_duplicates(error):
                    raise
                result = error.details
        duplicates = {one["index"]: tuple(one["keyPattern"]) for one in result["writeErrors"]}
        upserted = frozenset(one["index"] for one in result["upserted"])
        return Written(result["nMatched"], result["nModified"], upserted, duplicates)

    async def index_names(self) -> set[str]:
        """Names of the indexes that exist."""
        async with self._errors(writing=False):
            return set(await self._collection().index_information())

    async def create_index(self, index: IndexModel) -> None:
        """Create it; one that is there already is left as it is."""
        async with self._errors(writing=True):
            await self._collection().create_indexes([index])

    @asynccontextmanager
    async def _errors(self, *, writing: bool) -> AsyncIterator[None]:
        mongo = self._mongo
        try:
            # The driver waits and retries in several steps; all of them together are to end as well.
            async with asyncio.timeout(2 * mongo._deadline):  # noqa: SLF001 -- these two are one
                with translated(mongo._setting, writing=writing):  # noqa: SLF001
                    yield
        except TimeoutError as error:
            kind = Unconfirmed if writing else Retryable
            raise kind(f"the database of {mongo._setting} did not answer in time.") from error  # noqa: SLF001

    def _collection(self) -> Any:
        mongo = self._mongo
        if mongo._client is None:  # noqa: SLF001
            raise RuntimeError("the database is not open: use `async with`")
        return mongo._client[mongo._name][self._name]  # noqa: SLF001


@contextmanager
def translated(setting: str, *, writing: bool) -> Iterator[None]:
    """Ours for the driver's errors; those that only a mistake of the program can cause stay themselves."""
    try:
        yield
    except (PyMongoError, InvalidDocument, OverflowError) as error:
        ours = _translation(error, setting, Unconfirmed if writing else Retryable)
        if ours is None:
            raise
        raise ours from error


def _translation(error: Exception, setting: str, unknown: type[Retryable]) -> OnethreadError | None:
    # The driver's texts can hold addresses and documents: they stay in the cause, and out of our sentence.
    if isinstance(error, ConfigurationError):
        return Misconfigured(f"{setting} is no valid MongoDB URL, or names options that are unknown.")
    if isinstance(error, ServerSelectionTimeoutError | WaitQueueTimeoutError):
        return Retryable(f"the database of {setting} has no primary that answers; nothing was written.")
    if isinstance(error, DocumentTooLarge | InvalidDocument | OverflowError):
        return Poison("a document that MongoDB cannot hold: over 16 MB, or with a number over 64 bits.")
    if isinstance(error, ConnectionFailure | WriteConcernError):
        return unknown(f"the database of {setting} did not confirm in time; it may have done what was asked.")
    if isinstance(error, OperationFailure):
        codes = _codes(error) if isinstance(error, BulkWriteError) else {error.code}
        return _of_codes(codes, setting, unknown)
    return None


def _of_codes(codes: set[int | None], setting: str, unknown: type[Retryable]) -> OnethreadError | None:
    if codes & _FORBIDDEN:
        return Misconfigured(f"the database refuses the user of {setting}: check name, password and rights.")
    if codes & _TOO_LARGE:
        return Poison("a document that MongoDB cannot hold: over 16 MB.")
    if codes & _LATER:
        return unknown(f"the database of {setting} is busy, full or changing its primary; it is tried again.")
    return None


def _codes(error: BulkWriteError) -> set[int | None]:
    details: Mapping[str, Any] = error.details or {}
    # A write concern that failed means: done, but not yet by a majority. That is a matter of waiting, whatever its code.
    waiting: set[int | None] = {64} if details.get("writeConcernErrors") else set()
    return waiting | {one.get("code") for one in details.get("writeErrors", ())} - {_DUPLICATE}


def _only_duplicates(error: BulkWriteError) -> bool:
    return not _codes(error)
