"""How an SQLite file is held: transactions that are shared, and errors that say what to do."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from onethread.errors import Misconfigured, Retryable, Unconfirmed
from onethread.sqlite import Database


def prepare(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS numbers (n INTEGER PRIMARY KEY)")


def add(number: int) -> Callable[[sqlite3.Connection], int]:
    def job(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO numbers VALUES (?)", (number,))
        return number

    return job


def numbers(connection: sqlite3.Connection) -> list[int]:
    return [n for (n,) in connection.execute("SELECT n FROM numbers ORDER BY n")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "file.sqlite"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    database = Database(path, setting="store.url", prepare=prepare, deadline=2)
    await database.open()
    yield database
    await database.close()


async def test_what_was_written_is_seen_by_the_next_read(database: Database) -> None:
    for number in range(20):
        assert await database.write(add(number)) == number
        assert len(await database.read(numbers)) == number + 1


async def test_writers_at_the_same_time_share_a_transaction(database: Database) -> None:
    def version(connection: sqlite3.Connection) -> int:
        return connection.execute("PRAGMA data_version").fetchone()[0]  # grows with each commit of another connection

    before = await database.read(version)
    await asyncio.gather(*(database.write(add(number)) for number in range(200)))
    assert await database.read(numbers) == list(range(200))
    assert await database.read(version) - before < 50


async def test_a_job_that_fails_undoes_its_own_writes_only(database: Database) -> None:
    def failing(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO numbers VALUES (100)")
        raise LookupError("on purpose")

    jobs = [database.write(add(1)), database.write(failing), database.write(add(2)), database.write(add(2))]
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert results[0] == 1
    assert isinstance(results[1], LookupError)
    assert results[2] == 2
    assert isinstance(results[3], sqlite3.IntegrityError)  # a mistake of the program stays itself
    assert await database.read(numbers) == [1, 2]


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(Retryable):
        await database.read(add(1))
    assert await database.read(numbers) == []


async def test_several_processes_may_open_one_new_file_at_once(path: Path) -> None:
    several = [Database(path, setting="store.url", prepare=prepare) for _ in range(6)]
    await asyncio.gather(*(one.open() for one in several))
    await asyncio.gather(*(one.write(add(number)) for number, one in enumerate(several)))
    assert await several[0].read(numbers) == list(range(6))
    await asyncio.gather(*(one.close() for one in several))


async def test_a_file_locked_for_too_long_is_retryable_and_named(database: Database, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Retryable, match=r"store\.url.*locked.*nothing was written") as caught:
        await database.write(add(1))
    assert not isinstance(caught.value, Unconfirmed)
    assert await database.read(numbers) == []  # readers wait for nobody
    other.execute("COMMIT")
    other.close()
    await database.write(add(1))
    assert await database.read(numbers) == [1]


async def test_a_full_disk_is_retryable_and_undoes_all(path: Path) -> None:
    def small(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA max_page_count = 10")
        connection.execute("CREATE TABLE IF NOT EXISTS texts (text TEXT)")

    def fill(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO texts VALUES (?)", ("x" * 100_000,))

    database = Database(path, setting="store.url", prepare=small)
    await database.open()
    with pytest.raises(Retryable, match=r"store\.url.*full disk"):
        await database.write(fill)
    await database.write(lambda connection: connection.execute("INSERT INTO texts VALUES ('small')"))
    assert await database.read(lambda c: c.execute("SELECT count(*) FROM texts").fetchone()) == (1,)
    await database.close()


async def test_a_file_that_cannot_be_made_is_retryable_and_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(Retryable, match=r"store\.url"):
        await Database(tmp_path / "file" / "x.sqlite", setting="store.url").open()
    with pytest.raises(Retryable, match=r"store\.url"):
        await Database(tmp_path, setting="store.url").open()


async def test_a_file_that_is_no_database_needs_a_person(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear customer, " * 1000)
    with pytest.raises(Misconfigured, match=r"store\.url.*no SQLite file"):
        await Database(tmp_path / "letter", setting="store.url").open()


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:-100] = b"\xa5" * (len(content) - 4096 - 100)  # all but the first page
    path.write_bytes(content)


async def test_a_damaged_file_needs_a_person(path: Path) -> None:
    database = Database(path, setting="store.url", prepare=prepare)
    await database.open()
    await asyncio.gather(*(database.write(add(number)) for number in range(5000)))
    await database.close()
    damage(path)
    database = Database(path, setting="store.url")
    await database.open()
    with pytest.raises(Misconfigured, match=r"store\.url.*damaged"):
        await database.read(numbers)
    await database.close()


async def test_a_caller_that_gives_up_harms_nobody(database: Database) -> None:
    first = asyncio.create_task(database.write(add(1)))
    given_up = asyncio.create_task(database.write(add(2)))
    await asyncio.sleep(0)
    given_up.cancel()
    await first
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert await database.write(add(3)) == 3
    assert {1, 3} <= set(await database.read(numbers))


async def test_closing_finishes_what_was_given(path: Path) -> None:
    database = Database(path, setting="store.url", prepare=prepare)
    await database.open()
    given = [asyncio.create_task(database.write(add(number))) for number in range(50)]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*given) == list(range(50))
    with pytest.raises(RuntimeError, match="not open"):
        await database.read(numbers)


async def test_opening_a_file_again_in_one_process_keeps_its_locks_against_others(path: Path) -> None:
    """POSIX drops all of a process's locks on a file when any of its descriptors is closed.

    (https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_) Without them
    another process that leaves takes itself for the last, removes the log of writes, and what is written later is lost.
    """
    first, second = (Database(path, setting="store.url", prepare=prepare, deadline=2) for _ in range(2))
    await first.open()
    await second.open()
    try:
        script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM numbers').fetchall(); c.close()"
        visitor = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(path))
        assert await visitor.wait() == 0
        await first.write(add(4711))
        assert path.with_name(path.name + "-wal").exists()
        outside = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT n FROM numbers').fetchall())",
            str(path), stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        printed, _ = await outside.communicate()
        assert b"4711" in printed
    finally:
        await second.close()
        await first.close()
