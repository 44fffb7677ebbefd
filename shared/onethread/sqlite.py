"""How to hold an SQLite file: one thread per connection, transactions, errors. It knows no table and no meaning.

Writers share transactions (group commit), readers have a connection of their own and wait for no writer (WAL). The file must lie
on a local disk: SQLite's locks cannot be trusted on a network file system (https://www.sqlite.org/faq.html#q5).
"""

import asyncio
import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Literal, NamedTuple, TypeVar

from onethread.errors import Misconfigured, OnethreadError, Retryable, Unconfirmed

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]

_TOGETHER = 500  # jobs in one transaction at most, so that a transaction stays short


class Database:
    """One file: `write` and `read` run a function on a connection, each in a transaction, off the event loop.

    `setting`: the setting that names the file, for messages. `deadline`: seconds until an operation counts as failed.
    `prepare` is run once at every opening, as the first write: it makes the tables that are missing. `vet` looks at the file
    before that, while not one byte of it is changed, and raises if it is not to be.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        setting: str,
        prepare: Job[object] | None = None,
        vet: Job[object] | None = None,
        deadline: float = 10.0,
    ) -> None:
        self.path = Path(path)
        self._setting = setting
        self._prepare = prepare
        self._vet = vet or _probe
        self._deadline = deadline
        self._workers: tuple[Worker, Worker] | None = None

    async def open(self) -> None:
        """Make file and folders if needed, and see that both connections work."""
        if self._workers is not None:
            return
        writer = Worker(self.path, "BEGIN IMMEDIATE", self._deadline, self._setting, self._vet)
        reader = Worker(self.path, "BEGIN DEFERRED", self._deadline, self._setting, self._vet)
        try:
            # One after the other: two connections that make one new file at once can find it locked.
            writer.start()
            await writer.run(self._prepare or _probe)
            reader.start()
            await reader.run(_probe)
        except BaseException:
            await _close(writer, reader)
            raise
        self._workers = (writer, reader)

    async def close(self) -> None:
        """Finish what was given before, then release the file."""
        workers, self._workers = self._workers, None
        if workers is not None:
            await _close(*workers)

    async def write(self, job: Job[T]) -> T:
        """The job's result, once what it wrote is on the disk. It sees no half of another's work; if it raises, it wrote nothing."""
        return await self._opened()[0].run(job)

    async def read(self, job: Job[T]) -> T:
        """The job's result. All its statements see one state: everything whose `write` returned before."""
        return await self._opened()[1].run(job)

    def _opened(self) -> tuple["Worker", "Worker"]:
        if self._workers is None:
            raise RuntimeError(f"{self.path} is not open: use `async with`")
        return self._workers


class _Call(NamedTuple):
    job: Job[Any]
    done: asyncio.Future[Any]


class _Outcome(NamedTuple):
    done: asyncio.Future[Any]
    result: Any
    error: BaseException | None


class Worker:
    """Runs jobs, in the order they were given, on a connection of its own.

    Jobs that wait at the same time share one transaction: one wait for the disk confirms them all. Each has its own savepoint,
    so that one that raises undoes its own writes and no other's.
    """

    def __init__(
        self,
        path: Path,
        begin: Literal["BEGIN IMMEDIATE", "BEGIN DEFERRED"],
        deadline: float,
        setting: str,
        vet: Job[object],
    ) -> None:
        self._path = path
        self._vet = vet
        self._begin = begin
        self._deadline = deadline
        self._setting = setting
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._serve, name=f"sqlite {path.name}", daemon=True)

    def start(self) -> None:
        """Start the thread; it opens the connection before the first job."""
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
            sentence = f"{self._path} ({self._setting}) did not answer within {self._deadline:g} s: is its disk stuck?"
            raise Unconfirmed(sentence) from error
        except sqlite3.Error as error:
            ours = translated(error, self._path, self._setting)
            if ours is None:
                raise
            raise ours from error

    async def close(self) -> None:
        """Run what was given before, close the connection, end the thread; a stuck disk is left alone after the deadline."""
        if not self._thread.ident:
            return
        self._calls.put(None)
        await asyncio.wait([self._ended], timeout=self._deadline)
        if self._ended.done():
            self._thread.join()

    # --- the thread's side ---

    def _serve(self) -> None:
        try:
            connection = _connect(self._path, self._deadline, self._setting, self._vet)
            connection.execute(f"PRAGMA query_only = {self._begin == 'BEGIN DEFERRED'}")
        except (sqlite3.Error, OnethreadError) as error:
            self._refuse_all(error)
        else:
            try:
                while calls := self._take():
                    self._tell(self._transact(connection, calls))
            finally:
                connection.close()
        self._tell([_Outcome(self._ended, None, None)])

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
            outcomes.extend(_attempt(connection, call) for call in calls if not call.done.done())
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001  # the transaction is lost: every caller in it must hear of it
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            return [_Outcome(call.done, None, error) for call in calls]
        return outcomes

    def _refuse_all(self, error: Exception) -> None:
        while calls := self._take():
            self._tell([_Outcome(call.done, None, error) for call in calls])

    def _tell(self, outcomes: list[_Outcome]) -> None:
        # A loop that was closed without closing the file has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_resolve, outcomes)


def _probe(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT 1").fetchone()


async def _close(*workers: Worker) -> None:
    for worker in workers:
        await worker.close()


def _connect(path: Path, deadline: float, setting: str, vet: Job[object]) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Customers' messages: nobody else's to read. The -wal and -shm files take their rights from this one.
        # Only ever a new file: closing a descriptor of one that is open already drops all of this process's locks on it
        # (https://www.sqlite.org/howtocorrupt.html section 2.2), and a process that leaves then deletes our log of writes.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise Retryable(f"{path} cannot be made: check {setting} and the rights of its folder ({error}).") from error
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    try:
        # Shorter than the deadline: "locked" is certain that nothing was written, a deadline that passes is not.
        connection.execute(f"PRAGMA busy_timeout = {int(deadline * 800)}")
        vet(connection)
        _use_wal(connection, time.monotonic() + deadline * 0.8)
        connection.execute("PRAGMA synchronous = FULL")  # in WAL, NORMAL could lose acknowledged writes with the power
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection, until: float) -> None:
    # The change of a new file's journal does not wait for another process that is doing the same.
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


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
    sqlite3.SQLITE_FULL: (Retryable, "is on a full disk; nothing was written. Free space on it"),
    sqlite3.SQLITE_IOERR: (
        Unconfirmed,
        "is on a disk that fails; what was given may have been written. Look at the disk: its health, its quota",
    ),
    sqlite3.SQLITE_CANTOPEN: (Retryable, "cannot be opened: check the setting and the rights of the folder"),
    sqlite3.SQLITE_READONLY: (Retryable, "cannot be written: check the rights of file and folder"),
    sqlite3.SQLITE_PERM: (Retryable, "may not be opened: check the rights of file and folder"),
    sqlite3.SQLITE_NOTADB: (Misconfigured, "is no SQLite file: check the setting"),
    sqlite3.SQLITE_CORRUPT: (Misconfigured, "is damaged: restore it from a backup"),
}
"""By SQLite's primary result code, the low byte of the extended one (https://www.sqlite.org/rescode.html)."""


def translated(error: sqlite3.Error, path: Path, setting: str) -> OnethreadError | None:
    """Ours for an error of SQLite that running can meet; None: it is a mistake of the program, and stays itself."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code not in _TRANSLATIONS:
        return None
    kind, what = _TRANSLATIONS[code]
    return kind(f"{path} ({setting}) {what} ({error}).")
