"""What is the SQLite log's own: crashes, locks, leases, retention, files that are no log."""

import asyncio
import json
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from onethread.errors import Conflict, Misconfigured, Retryable
from onethread.log.port import Extent, Topic, TopicPartition
from onethread.log.sqlite import SqliteLog
from onethread.testing.event_log import (
    assert_dense,
    drafts_of,
    ends_of,
    fetch_all,
    fresh,
    poll_until,
    read,
    shared_out,
    values_of,
)

# Eight writers side by side; a number is printed once it is confirmed.
_WRITER = """
import asyncio, sys
from pathlib import Path
from onethread.log.port import Draft
from onethread.log.sqlite import SqliteLog

async def write(log, numbers):
    for number in numbers:
        await log.append("test.crash", [Draft(b"key-%d" % (number % 5), b"%d" % number)])
        print(number, flush=True)

async def main(path, start):
    async with SqliteLog(Path(path)) as log:
        await asyncio.gather(*(write(log, range(start + n, start + 1_000_000, 8)) for n in range(8)))

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""

# A member that says what it holds, and polls on until it is killed.
_MEMBER = """
import asyncio, json, sys
from pathlib import Path
from onethread.log.sqlite import SqliteLog

async def main(path, topic):
    async with SqliteLog(Path(path), member_timeout=1.0) as log, log.join("group", [topic], "b") as reader:
        while True:
            for record in await reader.poll():
                await reader.commit({record.place: record.offset + 1})
            print(json.dumps([place.partition for place in reader.assignment]), flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@contextmanager
def python(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A child that is killed with SIGKILL at the end."""
    child = subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


@pytest.mark.parametrize("seed", range(3))
async def test_what_a_killed_writer_was_confirmed_is_there_once(path: Path, seed: int) -> None:
    moments = random.Random(seed)
    confirmed: list[int] = []
    async with SqliteLog(path) as log:
        await log.apply([Topic("test.crash", 3, None)])
        for round_ in range(4):
            with python(_WRITER, str(path), str(round_ * 1_000_000)) as writer:
                assert writer.stdout is not None
                confirmed += [int(writer.stdout.readline()) for _ in range(moments.randint(1, 400))]
                writer.kill()
                confirmed += [int(line) for line in writer.stdout if line.endswith("\n")]
            found = await fetch_all(log, "test.crash")
            values = values_of(found)
            assert len(values) == len(set(values))
            assert set(values) >= set(confirmed)
            assert_dense(found)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


async def test_a_killed_members_partitions_pass_on_when_its_lease_ends(path: Path) -> None:
    async with SqliteLog(path, member_timeout=1.0) as log:
        topic = await fresh(log, partitions=2)
        async with log.join("group", [topic], "a") as stays:
            with python(_MEMBER, str(path), topic) as goes:
                assert goes.stdout is not None
                await poll_until([stays], lambda _: len(stays.assignment) == 1)
                while json.loads(goes.stdout.readline()) != [1 - next(iter(stays.assignment)).partition]:
                    await stays.poll(wait=0)
                # The other process sees what this one appends, and the other way round.
                await log.append(topic, drafts_of(range(20)))
                await poll_until([stays], lambda _: True)
            await poll_until([stays], lambda _: shared_out(topic, 2, stays))
            commits = await log.commits("group", topic)
            await log.append(topic, drafts_of(range(20, 40)))
            found = await poll_until([stays], lambda found: {*range(20, 40)} <= set(values_of(found)))
            for number, extent in (await log.extents(topic)).items():
                offsets = [record.offset for record in found if record.partition == number]
                assert offsets[-1] == extent.end - 1
                assert min(offsets) >= commits.get(number, 0)


async def test_a_member_that_was_silent_for_too_long_joins_again_and_cannot_commit_before(path: Path) -> None:
    now = [time.time()]
    async with SqliteLog(path, clock=lambda: now[0]) as one, SqliteLog(path, clock=lambda: now[0]) as later:
        topic = await fresh(one, partitions=2)
        await one.append(topic, drafts_of(range(10)))
        async with one.join("group", [topic], "a") as silent:
            found = await read(silent, 10)
            now[0] += 60
            async with later.join("group", [topic], "b") as other:
                assert len(other.assignment) == 2
                with pytest.raises(Conflict):
                    await silent.commit(ends_of(found))
                await poll_until([silent, other], lambda _: shared_out(topic, 2, silent, other))


async def test_a_group_sees_partitions_that_are_added(path: Path) -> None:
    async with SqliteLog(path) as log:
        topic = await fresh(log, partitions=1)
        async with log.join("group", [topic], "a") as reader:
            await log.apply([Topic(topic, 3, None)])
            await poll_until([reader], lambda _: shared_out(topic, 3, reader))
            await log.append(topic, drafts_of(range(30)))
            assert sorted(values_of(await read(reader, 30))) == list(range(30))


async def test_retention_deletes_the_old_and_never_gives_an_offset_out_again(path: Path) -> None:
    now = [time.time()]
    async with SqliteLog(path, clock=lambda: now[0]) as log:
        topic = await fresh(log, partitions=1, retention_hours=2)
        kept = await fresh(log, partitions=1)
        for name in (topic, kept):
            await log.append(name, drafts_of(range(5)))
        now[0] += 3600
        await log.append(topic, drafts_of(range(5, 8)))
        now[0] += 3601
        await log.apply([])
        assert await log.extents(topic) == {0: Extent(5, 8)}
        assert values_of(await log.fetch(TopicPartition(topic, 0), 0)) == [5, 6, 7]
        now[0] += 3 * 3600
        await log.apply([])
        assert await log.extents(topic) == {0: Extent(8, 8)}
        await log.append(topic, drafts_of([8]))
        async with log.join("group", [topic], "a") as reader:
            assert await reader.lag() == {TopicPartition(topic, 0): 1}
            (record,) = await read(reader, 1)
            assert (record.offset, record.value) == (8, b"8")
        assert await log.extents(kept) == {0: Extent(0, 5)}


async def test_a_locked_file_is_retryable_with_nothing_written_and_reading_goes_on(path: Path) -> None:
    async with SqliteLog(path, deadline=1.0) as log:
        topic = await fresh(log, partitions=1)
        await log.append(topic, drafts_of([1]))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(log.append(topic, drafts_of([2])))
        assert values_of(await log.fetch(TopicPartition(topic, 0), 0)) == [1]
        assert not waiting.done()
        with pytest.raises(Retryable, match="locked"):
            await waiting
        other.execute("ROLLBACK")
        other.close()
        await log.append(topic, drafts_of([2]))
        assert values_of(await fetch_all(log, topic)) == [1, 2]


async def test_one_append_that_is_refused_takes_no_other_along(path: Path) -> None:
    async with SqliteLog(path) as log:
        topic = await fresh(log)
        results = await asyncio.gather(
            *(log.append(topic if n % 2 else "test.absent", drafts_of([n])) for n in range(20)), return_exceptions=True
        )
        assert [isinstance(result, Misconfigured) for result in results] == [n % 2 == 0 for n in range(20)]
        assert sorted(values_of(await fetch_all(log, topic))) == list(range(1, 20, 2))


def _bytes_of(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _garbage(path: Path) -> None:
    path.write_bytes(b"no database at all, but a text that is longer than a header of SQLite's" * 20)


def _somebody_elses(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE notes (text TEXT)")
    connection.close()


def _of_a_newer_version(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 1000")
    connection.close()


@pytest.mark.parametrize("spoil", [_garbage, _somebody_elses, _of_a_newer_version])
async def test_a_file_that_is_no_log_is_misconfigured_and_left_as_it_is(
    path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(path)
    before = _bytes_of(path)
    log = SqliteLog(path)
    for _ in range(2):  # open() may be called again
        with pytest.raises(Misconfigured):
            await log.open()
    assert _bytes_of(path) == before


async def test_a_file_that_cannot_be_made_is_retryable_and_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "log.sqlite", tmp_path):
        with pytest.raises(Retryable, match=r"log\.url"):
            await SqliteLog(path).open()


async def test_it_can_be_closed_and_opened_again(path: Path) -> None:
    log = SqliteLog(path)
    await log.close()
    for n in range(3):
        async with log:
            await log.open()
            await log.apply([Topic("test.again", 1, None)])
            await log.append("test.again", drafts_of([n]))
    async with log:
        assert values_of(await fetch_all(log, "test.again")) == [0, 1, 2]
