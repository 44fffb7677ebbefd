"""One thread that owns one SQLite connection, so that the event loop never waits for a disk. It knows transactions, no tables."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Literal, NamedTuple, TypeVar

from onethread.errors import Misconfigured, OnethreadError, Retryable, Unconfirmed

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]

_TOGETHER = 500  # jobs in one transaction at most, so that a transaction stays short


class _Call(NamedTuple):
    job: Job[Any]
    done: asyncio.Future[Any]


class _Outcome(NamedTuple):
    done: asyncio.Future[Any]
    result: Any
    error: BaseException | None


class SqliteWorker:
    """Runs jobs, in the order they were given, on a connection of its own.

    Jobs that wait at the same time share one transaction (group commit): one wait for the disk confirms them all. Each has its
    own savepoint, so that one that raises undoes its own writes and no other's. `vet` looks at the file before anything in it is
    changed, and raises if it is not to be.
    """

    def __init__(
        self, path: Path, begin: Literal["BEGIN IMMEDIATE", "BEGIN DEFERRED"], deadline: float, vet: Job[None]
    ) -> None:
        self._path = path
        self._vet = vet
        self._begin = begin
        self._deadline = deadline
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._serve, name=f"sqlite {path.name}", daemon=True)

    def start(self) -> None:
        """Start the thread; the connection is opened by it, before the first job."""
        self._thread.start()

    async def run(self, job: Job[T]) -> T:
        """The job's result, once its transaction is durable.

        Raises what the job raises; the translation of an error of SQLite; Unconfirmed when the deadline passes first.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        self._calls.put(_Call(job, done))
        try:
            async with asyncio.timeout(self._deadline):
                return await done
        except TimeoutError as error:
            raise Unconfirmed(
                f"{self._path} did not answer within {self._deadline:g} s; its disk may be stuck."
            ) from error
        except sqlite3.Error as error:
            ours = translate(error, self._path)
            if ours is error:
                raise
            raise ours from error

    async def close(self) -> None:
        """Run what was given before, close the connection, end the thread; a stuck disk is left alone after the deadline."""
        if self._thread.ident is None:  # never started
            return
        self._calls.put(None)
        await asyncio.wait([self._ended], timeout=self._deadline)
        if self._ended.done():
            self._thread.join()

    # --- the thread's side ---

    def _serve(self) -> None:
        try:
            connection = _connect(self._path, self._deadline, self._vet)
        except (sqlite3.Error, OnethreadError) as error:
            self._refuse_all(error)
        else:
            try:
                while calls := self._take():
                    self._settle(self._transact(connection, calls))
            finally:
                connection.close()
        self._tell(self._end)

    def _take(self) -> list[_Call]:
        first = self._calls.get()
        if first is None:
            return []
        calls = [first]
        while len(calls) < _TOGETHER:
            try:
                call = self._calls.get_nowait()
            except Empty:
                break
            if call is None:
                self._calls.put(None)  # the end comes after what is in hand
                break
            calls.append(call)
        return calls

    def _transact(self, connection: sqlite3.Connection, calls: list[_Call]) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        try:
            connection.execute(self._begin)
            outcomes.extend(_attempt(connection, call) for call in calls)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            return [_Outcome(call.done, None, error) for call in calls]
        return outcomes

    def _refuse_all(self, error: Exception) -> None:
        while calls := self._take():
            self._settle([_Outcome(call.done, None, error) for call in calls])

    def _settle(self, outcomes: list[_Outcome]) -> None:
        self._tell(lambda: _resolve(outcomes))

    def _end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    def _tell(self, callback: Callable[[], None]) -> None:
        # A loop that was closed without closing the log has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback)


def _connect(path: Path, deadline: float, vet: Job[None]) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(
            f"{path.parent} cannot be made: check log.url and the rights of its folder ({error})."
        ) from error
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    try:
        # Shorter than the deadline: "locked" is certain that nothing was written, a deadline that passes is not.
        connection.execute(f"PRAGMA busy_timeout = {int(deadline * 800)}")
        vet(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # in WAL, NORMAL could lose acknowledged writes with the power
        connection.execute("PRAGMA temp_store = MEMORY")
    except BaseException:
        connection.close()
        raise
    return connection


def _attempt(connection: sqlite3.Connection, call: _Call) -> _Outcome:
    connection.execute("SAVEPOINT job")
    try:
        outcome = _Outcome(call.done, call.job(connection), None)
    except Exception as error:  # whatever it is belongs to the caller of run(), not to this thread
        if not connection.in_transaction:  # SQLite gave up the whole transaction (disk full, I/O error)
            raise
        connection.execute("ROLLBACK TO job")
        outcome = _Outcome(call.done, None, error)
    connection.execute("RELEASE job")
    return outcome


def _resolve(outcomes: list[_Outcome]) -> None:
    for done, result, error in outcomes:
        if done.done():  # given up meanwhile
            continue
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)


_TRANSLATIONS: dict[int, tuple[type[OnethreadError], str]] = {
    sqlite3.SQLITE_BUSY: (Retryable, "is locked by another process; nothing was written"),
    sqlite3.SQLITE_LOCKED: (Retryable, "is locked by another process; nothing was written"),
    sqlite3.SQLITE_FULL: (Retryable, "is on a full disk; nothing was written. Free space, or shorten the retention"),
    sqlite3.SQLITE_IOERR: (Unconfirmed, "is on a disk that fails; what was given may have been written"),
    sqlite3.SQLITE_CANTOPEN: (Misconfigured, "cannot be opened: check log.url and the rights of its folder"),
    sqlite3.SQLITE_READONLY: (Misconfigured, "cannot be written: check log.url and the rights of its folder"),
    sqlite3.SQLITE_PERM: (Misconfigured, "may not be opened: check log.url and the rights of its folder"),
    sqlite3.SQLITE_NOTADB: (Misconfigured, "is no SQLite file: check log.url"),
    sqlite3.SQLITE_CORRUPT: (Misconfigured, "is damaged: restore it from a backup"),
}
"""By SQLite's primary result code, the low byte of the extended one (https://www.sqlite.org/rescode.html)."""


def translate(error: sqlite3.Error, path: Path) -> Exception:
    """Ours for an error of SQLite that running can meet; any other is a mistake of the program, and stays itself."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code not in _TRANSLATIONS:
        return error
    kind, what = _TRANSLATIONS[code]
    return kind(f"{path} {what} ({error}).")
