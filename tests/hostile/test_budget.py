"""Real parser processes under records that loop, eat, wait and crash: each costs itself, and nobody else."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hostile.greedy import Excerpting, Greedy, NeedsItsSecret, Settings
from hostkit import Kit, channel, until

from onethread import metrics
from onethread.connector import Raw
from onethread.errors import Misconfigured, Retryable
from onethread.event import Event, Message
from onethread.host.batch import Streak
from onethread.host.ingest import BUGS_IN_A_ROW, Ingest, Stopped
from onethread.host.parsing.pool import INLINE_BYTES, Parsers, inline
from onethread.host.parsing.worker import Budget

LARGE = "x" * INLINE_BYTES
Ingesting = Callable[[Parsers], Ingest]


def record(name: str, do: str = "", padding: str = LARGE) -> Raw:
    return Raw(msgspec.json.encode({"id": name, "do": do, "padding": padding}))


def greedy(kind: type[Greedy] = Greedy) -> Any:
    return channel(kind(Settings()), id=f"chn_{kind.name}")


def texts(events: list[Event]) -> list[str]:
    return [event.fact.body.text for event in events if isinstance(event.fact, Message)]


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


# --- one record costs itself --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("do", "cause", "says"),
    [
        ("loop", "time", "parsing.seconds (0.4)"),
        ("wait", "time", "parsing.seconds (0.4)"),
        ("eat", "memory", "parsing.megabytes (128)"),
        ("abort", "crash", "3 times"),
    ],
)
async def test_what_goes_over_its_budget_is_set_aside_alone(
    kit: Kit, parsers: Parsers, ingest: Ingesting, do: str, cause: str, says: str
) -> None:
    before = metrics.PARSERS_ENDED.value(cause)
    page = [record("m1"), record("m2"), record("bad", do), record("m3"), record("m4", padding="")]
    outcome = await ingest(parsers).records(greedy(), page)
    assert [event.external_id for event in await kit.events()] == ["m1", "m2", "m3", "m4"]
    (letter,) = await kit.letters()
    assert outcome.dead_letters == (letter.id,)
    assert (letter.stage, letter.reason, letter.data) == ("normalize", "budget", page[2].data)
    assert says in letter.detail
    # In a new process, too: memory may have been what was read before, and anybody may kill.
    assert metrics.PARSERS_ENDED.value(cause) == before + {"time": 1, "memory": 2, "crash": 3}[cause]


async def test_what_a_process_has_not_let_go_is_not_counted_against_the_next_record(
    kit: Kit, parsers: Parsers, ingest: Ingesting
) -> None:
    before = metrics.PARSERS_ENDED.value("memory")
    await ingest(parsers).records(greedy(), [record(f"m{n}", "hoard") for n in range(5)])
    assert [event.external_id for event in await kit.events()] == [f"m{n}" for n in range(5)]
    assert metrics.PARSERS_ENDED.value("memory") > before


@pytest.mark.parametrize(("do", "cause"), [("loop", "time"), ("raise", "bug")])
async def test_where_there_is_an_excerpt_it_is_stored_in_its_place_under_the_same_id(
    kit: Kit, parsers: Parsers, ingest: Ingesting, do: str, cause: str
) -> None:
    before = metrics.DEGRADED.value("chn_excerpting", cause)
    excerpting = greedy(Excerpting)
    outcome = await ingest(parsers).records(excerpting, [record("m1"), record("m2", do), record("m3")])
    assert texts(await kit.events()) == ["read", "its beginning", "read"]
    assert await kit.letters() == []
    fact = (await kit.events())[1].fact
    assert isinstance(fact, Message)
    assert fact.degraded.startswith("not read: ")
    assert metrics.DEGRADED.value("chn_excerpting", cause) == before + 1
    mended = await ingest(parsers).records(excerpting, [record("m2")])
    assert mended.events == outcome.events[1:2]


@pytest.mark.parametrize(("do", "reason"), [("loop", "budget"), ("raise", "bug")])
async def test_where_not_even_the_excerpt_can_be_made_it_is_set_aside(
    kit: Kit, parsers: Parsers, ingest: Ingesting, do: str, reason: str
) -> None:
    await ingest(parsers).records(greedy(Excerpting), [record("m1"), record("hard", do)])
    (letter,) = await kit.letters()
    assert (letter.stage, letter.reason) == ("normalize", reason)
    assert [event.external_id for event in await kit.events()] == ["m1"]


async def test_what_a_process_says_of_a_record_is_what_would_be_said_here(
    kit: Kit, parsers: Parsers, ingest: Ingesting
) -> None:
    for padding in (LARGE, ""):
        deeds = ("refuse", "raise", "wrong type")
        await ingest(parsers).records(greedy(), [record(f"{do} {len(padding)}", do, padding) for do in deeds])
    letters = {msgspec.json.decode(one.data)["id"]: one for one in await kit.letters()}
    for do in ("refuse", "raise"):
        there, here = letters[f"{do} {len(LARGE)}"], letters[f"{do} 0"]
        assert (there.stage, there.reason, there.detail) == (here.stage, here.reason, here.detail)
        assert "customer" not in there.detail
    for padding in (LARGE, ""):
        assert letters[f"wrong type {len(padding)}"].reason == "poison"


async def test_a_row_of_bugs_stops_a_pull_before_all_its_records_become_excerpts(
    kit: Kit, parsers: Parsers, ingest: Ingesting
) -> None:
    with pytest.raises(Stopped):
        await ingest(parsers).records(
            greedy(Excerpting), [record(f"m{n}", "raise") for n in range(BUGS_IN_A_ROW + 5)], Streak()
        )
    assert len(await kit.events()) < BUGS_IN_A_ROW


# --- and nobody else ----------------------------------------------------------------------------------------------------


async def test_a_process_that_is_killed_from_outside_loses_nothing(kit: Kit, ingest: Ingesting, tmp_path: Path) -> None:
    names = [f"m{n:02}" for n in range(40)]
    async with Parsers(Budget(seconds=30.0)) as parsers:
        page = [record(name, "doze", "x" * 70_000) for name in names]
        reading = asyncio.create_task(ingest(parsers).records(greedy(), page))
        for share in (5, 15, 25):  # the bytes of each record are kept as soon as it is normalised
            await until(lambda least=share: sum(1 for one in (tmp_path / "blobs").rglob("*") if one.is_file()) > least)
            pid, *_ = await until(lambda: parsers.pids)
            os.kill(pid, signal.SIGKILL)
        assert not reading.done()
        await reading
    assert [event.external_id for event in await kit.events()] == names
    assert await kit.letters() == []


async def test_others_go_on_while_a_process_is_held(kit: Kit, ingest: Ingesting) -> None:
    async with Parsers(Budget(seconds=30.0)) as parsers:
        way_in, patient = ingest(parsers), greedy(Excerpting)
        held = asyncio.create_task(way_in.records(greedy(), [record("bad", "wait")]))
        await until(lambda: parsers.pids)
        small = [await way_in.records(patient, [record(f"s{n}", padding="")]) for n in range(40)]
        large = [await way_in.records(patient, [record(f"l{n}")]) for n in range(10)]
        assert all(outcome.events for outcome in small + large)
        assert not held.done()
        held.cancel()
        await asyncio.wait({held})
    assert len(await kit.events()) == 50


async def test_a_record_that_nobody_waits_for_any_more_leaves_no_answer_for_the_next(parsers: Parsers) -> None:
    connector = Greedy(Settings())
    left = asyncio.create_task(parsers.parsed(connector, record("left", "doze")))
    await until(lambda: parsers.pids)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    parsed = await parsers.parsed(connector, record("next"))
    assert [event.external_id for event in parsed.outcome.events] == ["next"]  # type: ignore[union-attr]


# --- what a process is given, and its end -------------------------------------------------------------------------------


async def test_a_process_gets_no_secret(monkeypatch: pytest.MonkeyPatch, parsers: Parsers) -> None:
    monkeypatch.setenv("ONETHREAD_KEYS", "a-master-key")
    parsed = await parsers.parsed(Greedy(Settings()), record("m1", "tell"))
    (event,) = parsed.outcome.events  # type: ignore[union-attr]
    (told,) = texts([event])
    assert told.startswith("other other ")
    assert "ONETHREAD" not in told
    assert "real" not in told


async def test_a_connector_that_wants_its_secrets_at_once_says_so(parsers: Parsers) -> None:
    with pytest.raises(Misconfigured, match="needy cannot be made without its secrets"):
        await parsers.parsed(NeedsItsSecret(Settings()), record("m1"))
    assert (await parsers.parsed(Greedy(Settings()), record("m2"))).instead_of is None


async def test_processes_are_started_when_needed_and_end_at_the_close() -> None:
    parsers = Parsers(Budget())
    connector = Greedy(Settings())
    await parsers.parsed(connector, record("small", padding=""))
    assert parsers.pids == []
    await asyncio.gather(*[parsers.parsed(connector, record(f"m{n}", "doze")) for n in range(8)])
    pids = parsers.pids
    assert len(pids) == 2
    await parsers.close()
    assert not any(map(lives, pids))
    with pytest.raises(Retryable, match="stopped"):
        await parsers.parsed(connector, record("late"))


def test_mail_and_large_records_are_read_in_a_process() -> None:
    assert inline(Raw(b"{}"))
    assert not inline(Raw(b"x" * (INLINE_BYTES + 1)))
    assert not inline(Raw(b"Subject: x\r\n\r\n", media_type="message/rfc822"))


PROGRAM = """
import asyncio, sys
from hostile.greedy import Greedy, Settings
from hostile.test_budget import record
from onethread.host.parsing.pool import Parsers
from onethread.host.parsing.worker import Budget

async def main():
    parsers, connector = Parsers(Budget(seconds=1.0)), Greedy(Settings())
    await asyncio.gather(*[parsers.parsed(connector, record(str(n), "doze")) for n in range(4)])
    busy = asyncio.create_task(parsers.parsed(connector, record("busy", "loop")))
    await asyncio.sleep(0)
    print(*parsers.pids, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_processes_end_with_the_host_that_was_killed() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    host = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert host.stdout is not None
    pids = [int(pid) for pid in (await host.stdout.readline()).split()]
    host.kill()
    await host.wait()
    assert len(pids) == 2
    await until(lambda: not any(map(lives, pids)), seconds=30)
