"""`onethread replay`: a store that was set back is healed from the log, and what is there already does not change."""

import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from desk.said import Company
from desk.site import opened
from healing.backups import Backup, put_back, taken
from healing.site import POLICIES, Site, longer_story, run
from restart.story import Seen, seen

from onethread import envelope
from onethread.blobs import Blobs
from onethread.errors import Conflict, Misconfigured
from onethread.log.port import Record
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import DEAD_LETTERS, MESSAGES, topics
from onethread.testing.servers.kafka import KafkaServer
from onethread.testing.servers.mongodb import MongoServer
from unifier.halting import Verdict
from unifier.restoring import Replay, Since, raise_epoch
from unifier.store.sqlite import SqliteConversations
from unifier.worker import GROUP, Worker

COUNT, SEED = 160, 3
EVENTS = longer_story(COUNT, SEED)
EARLY, LATE = EVENTS[:70], EVENTS[70:]


@pytest.fixture
def sqlite_site(tmp_path: Path) -> Site:
    one = Site(tmp_path)
    run(one.prepare())
    return one


class Past(NamedTuple):
    """What a site was at two moments, and when the first one was."""

    site: Site
    early: Backup
    late: Backup
    at: str
    reference: Seen


def lived(site: Site) -> Past:
    """The story is told; in the middle of it, and at its end, a backup is taken."""
    run(site.tell(EARLY))
    early, at = taken(site), f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    run(site.tell(LATE))
    return Past(site, early, taken(site), at, run(look(site)))


async def look(site: Site) -> Seen:
    async with site.opened() as (_, store):
        return await seen(store)


def healed(past: Past) -> None:
    """Nothing is broken, and all is as if the store had never been set back."""
    report = past.site.verified()
    assert report["broken"] == []
    found = run(look(past.site))
    assert sorted(found.ids) == sorted(past.reference.ids)
    assert found.hash == past.reference.hash
    assert run(set_aside(past.site)) == 0


async def set_aside(site: Site) -> int:
    """Commands that were read before what they name would be dead letters."""
    async with site.opened() as (log, _):
        return sum(extent.end for extent in (await log.extents(DEAD_LETTERS)).values())


def replayed(site: Site, *arguments: str) -> str:
    result = site.command("replay", "--since", *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_store_that_was_set_back_is_healed_from_the_log(sqlite_site: Site) -> None:
    set_back(lived(sqlite_site))


def test_a_replay_from_zero_changes_nothing_in_a_full_store(sqlite_site: Site) -> None:
    full(lived(sqlite_site))


def test_a_replay_from_zero_into_an_empty_store_gives_the_same_state(sqlite_site: Site) -> None:
    empty(lived(sqlite_site))


def test_all_of_it_over_kafka_and_mongodb(
    new_kafka_server: Callable[[], KafkaServer], mongo_server: MongoServer, tmp_path: Path
) -> None:
    site = Site(tmp_path, mongo_server.url, f"healing_{uuid.uuid4().hex}", new_kafka_server().bootstrap)
    run(site.prepare())
    past = lived(site)
    full(past)
    set_back(past)
    empty(past)


def full(past: Past) -> None:
    site = past.site
    replayed(site, "0", "--beside")
    assert contents(taken(site)) == contents(past.late)
    assert f"{len(EVENTS)} records" in replayed(site, "0")  # with a new epoch, as after a restore
    healed(past)
    assert contents(taken(site)) == contents(past.late)


def set_back(past: Past) -> None:
    site, known = past.site, epoch(past.site)
    put_back(site, past.early)
    report = site.verified()
    assert [one["invariant"] for one in report["broken"]] == ["I9"], report
    assert f"the epoch is {known + 1}" in replayed(site, past.at)
    healed(past)
    # Set back once more, to the same backup: its epoch is smaller than one that desks know already.
    put_back(site, past.early)
    assert epoch(site) <= known
    said = [finding["what"] for one in site.verified()["broken"] for finding in one["findings"]]
    assert any(f"changes of epoch {known + 1} are published: it was set back" in what for what in said), said
    assert f"the epoch is {known + 2}" in replayed(site, past.at)
    healed(past)


def empty(past: Past) -> None:
    nothing = {
        name: [] if past.site.mongodb else [[] for _ in rows] for name, rows in past.late.items() if name != "meta"
    }
    put_back(past.site, nothing)
    replayed(past.site, "0")
    healed(past)


def epoch(site: Site) -> int:
    async def asked() -> int:
        async with site.opened() as (_, store):
            return await store.epoch()

    found: int = run(asked())
    return found


def contents(backup: Backup) -> dict[str, list[str]]:
    """Without an order, what the database keeps for itself, and numbers that only say that somebody wrote."""
    return {name: sorted(map(repr, map(bare, documents))) for name, documents in backup.items() if name != "meta"}


def bare(document: Any) -> Any:
    return (
        sorted((k, repr(v)) for k, v in document.items() if k != "mark")
        if isinstance(document, dict)
        else sorted(document)
    )


@pytest.mark.parametrize("seed", range(4))
def test_collections_of_different_times_are_rebuilt_first(sqlite_site: Site, seed: int) -> None:
    of_different_times(sqlite_site, seed)


def test_collections_of_different_times_are_rebuilt_first_over_mongodb(
    mongo_server: MongoServer, tmp_path: Path
) -> None:
    site = Site(tmp_path, mongo_server.url, f"healing_{uuid.uuid4().hex}")
    run(site.prepare())
    of_different_times(site, 1)


def of_different_times(site: Site, seed: int) -> None:
    past, chance = lived(site), random.Random(seed)
    put_back(site, {name: chance.choice((past.early, past.late))[name] for name in past.early})
    replayed(site, past.at, "--rebuild")
    healed(past)


# --- being interrupted, and refusing ---------------------------------------------------------------------------------


class Dying(Worker):
    """A worker whose process ends in the middle of a page."""

    async def apply(self, records: list[Record]) -> Verdict:  # type: ignore[override]
        await super().apply(records[: len(records) // 2])
        raise KeyboardInterrupt


def test_what_an_interrupted_replay_left_the_unifier_reads(sqlite_site: Site) -> None:
    past = lived(sqlite_site)
    put_back(sqlite_site, past.early)
    with pytest.raises(KeyboardInterrupt):
        run(interrupted(sqlite_site))
    run(sqlite_site.tell([]))  # a unifier that goes on where the group's commits are
    healed(past)


async def interrupted(site: Site) -> None:
    async with site.opened() as (log, store):
        worker = Dying(log, store, Blobs("memory:///"), member="replay", policies=POLICIES)
        replay = Replay(log, worker, now=lambda: 0)
        extents = await replay.claim(await replay.extents(Since(offset=0)))
        await raise_epoch(store, log)
        await replay.run(extents, commit=True)


async def test_it_is_refused_while_a_unifier_runs(sqlite_site: Site) -> None:
    async with sqlite_site.opened() as (log, store):
        replay = Replay(log, Worker(log, store, Blobs("memory:///"), member="replay"), now=lambda: 0)
        extents = await replay.extents(Since(offset=0))
        async with log.join(GROUP, [MESSAGES], "unifier"):
            with pytest.raises(Conflict, match=r"a unifier is running.*stop all of them"):
                await replay.claim(extents)
        assert await replay.claim(extents) == extents


async def test_it_begins_at_the_time_named_and_is_refused_where_the_log_begins_later(tmp_path: Path) -> None:
    hour, now = 3600.0, [1_800_000_000.0]
    async with SqliteLog(tmp_path / "log.sqlite", clock=lambda: now[0]) as log, Site(tmp_path).store() as store:
        await log.apply(topics(partitions=1, retention_hours=10))
        for event in EVENTS[:20]:
            await log.append(MESSAGES, [envelope.draft(event)])
            now[0] += hour
        worker = Worker(log, store, Blobs("memory:///"), member="replay")
        replay = Replay(log, worker, now=lambda: int(now[0] * 1000))
        at = int((now[0] - 4.5 * hour) * 1000)
        assert (await replay.extents(Since(at=at)))[0] == (16, 20)  # ten minutes are allowed for clocks
        assert (await replay.extents(Since(offset=3)))[0] == (3, 20)
        await log.apply(topics(partitions=1, retention_hours=10))  # what is too old is deleted
        begin = (await log.extents(MESSAGES))[0].begin
        assert begin > 0
        assert (await replay.extents(Since(at=at)))[0] == (16, 20)
        with pytest.raises(Misconfigured, match=r"does not reach back so far.*log\.retention_hours"):
            await replay.extents(Since(at=int((now[0] - 15 * hour) * 1000)))
        with pytest.raises(Misconfigured, match="does not reach back so far"):
            await replay.extents(Since(offset=3))


async def test_a_time_that_is_younger_than_the_retention_needs_no_record_before_it(tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    async with SqliteLog(tmp_path / "log.sqlite", clock=lambda: now[0]) as log, Site(tmp_path).store() as store:
        await log.apply(topics(partitions=1, retention_hours=10))
        await log.append(MESSAGES, [envelope.draft(EVENTS[0])])
        now[0] += 12 * 3600
        await log.append(MESSAGES, [envelope.draft(EVENTS[1])])
        await log.apply(topics(partitions=1, retention_hours=10))
        worker = Worker(log, store, Blobs("memory:///"), member="replay")
        replay = Replay(log, worker, now=lambda: int(now[0] * 1000), retention_hours=10)
        assert (await replay.extents(Since(at=int((now[0] - 3600) * 1000))))[0] == (1, 2)


def test_a_time_that_is_none_is_refused(sqlite_site: Site) -> None:
    result = sqlite_site.command("replay", "--since", "yesterday")
    assert result.exit_code == 2
    assert "2026-01-05T09:00:00Z" in result.output


# --- what desks see --------------------------------------------------------------------------------------------------


async def test_cursors_from_before_a_restore_are_refused_with_what_to_do(tmp_path: Path) -> None:
    acme = Company("acme")
    async with opened(SqliteConversations(tmp_path / "conversations.sqlite"), tmp_path) as site:
        await site.tell(*(acme.mail(f"m{number}", number) for number in range(3)))
        async with await site.desk() as desk:
            (conversation,) = (await desk.get("/v1/conversations")).json()["items"]
            path = f"/v1/conversations/{conversation['id']}/entries"
            before = (await desk.get(path, params={"limit": 1})).json()["next_cursor"]
            assert (await desk.get(path, params={"cursor": before})).status_code == 200
            assert await raise_epoch(site.store, site.log) == 2
            refused = await desk.get(path, params={"cursor": before})
            assert refused.status_code == 410
            assert refused.json()["type"].endswith("cursor-expired")
            assert refused.json()["epoch"] == 2
            assert "list again from the start" in refused.json()["detail"]
            again = (await desk.get(path, params={"limit": 1})).json()["next_cursor"]
            assert (await desk.get(path, params={"cursor": again})).status_code == 200
