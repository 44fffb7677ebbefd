"""How the checks look: in bounded memory, again before they say so, while messages flow, and at a part if that is asked for."""

import asyncio
import tracemalloc
import uuid
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from healing.site import POLICIES, TENANT, Site, events, longer_story, work
from pymongo import MongoClient

from onethread import envelope
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import CONVERSATIONS, MESSAGES, topics
from onethread.testing.servers.mongodb import MongoServer
from unifier.identity import identities
from unifier.model import ClockClaim, Head
from unifier.reading import read
from unifier.store.port import ConversationStore
from unifier.store.sqlite import SqliteConversations
from unifier.testing.samples import entry
from unifier.verify.extent import Extent
from unifier.verify.findings import Report
from unifier.verify.ledger import Ledger
from unifier.verify.verification import Verification, check

MEBIBYTE = 1 << 20


@pytest.fixture
async def site(tmp_path: Path) -> Site:
    """The story, over SQLite."""
    one = Site(tmp_path)
    await one.prepare()
    await one.tell(events())
    return one


async def test_memory_does_not_grow_with_the_store(tmp_path: Path) -> None:
    async with SqliteConversations(tmp_path / "conversations.sqlite") as store:
        await store.create_indexes()
        peaks = []
        for begin, end in ((0, 500), (500, 2_500)):
            await fill(store, begin, end)
            tracemalloc.start()
            report = await looked(store)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert report.looked["entries"] == 2_500
    assert report.broken["I1"].count == 2_500  # the samples' ids are made up: nor need so many findings memory
    assert all(len(one.findings) <= 20 for one in report.broken.values())
    small, large = peaks
    assert large < small + MEBIBYTE / 2, (small, large)


async def fill(store: ConversationStore, begin: int, end: int) -> None:
    """One strand of 250 entries after the other, all on one clock."""
    for start in range(begin, end, 250):
        entries = [entry(f"{TENANT}/cnv_{start:020d}", seq) for seq in range(1, 251)]
        await store.insert(entries)
        for one in (entries[0], entries[-1]):
            assert one.event
            reading = read(msgspec.structs.replace(one.event, tenant=TENANT), POLICIES.default)
            assert reading.clock
            clock = reading.clock._replace(bucket=one.at // reading.clock.window)
            await store.claim({}, [ClockClaim(clock, one.strand, one.at, free=True)], list(identities(reading)))


async def looked(store: ConversationStore) -> Report:
    ledger = Ledger(None)
    with closing(ledger):
        return await Verification(store, ledger, POLICIES, Extent(), page=50, most=200, looks=0).run()


async def test_a_suspicion_that_passes_is_not_told(site: Site) -> None:
    async with site.opened() as (log, store):
        head = (await store.audit.heads_after(TENANT, "", 1))[0]
        ledger = Ledger(log)
        with closing(ledger):
            looking = Verification(store, ledger, POLICIES, Extent(), looks=4, patience=0.05)
            # As a batch leaves it that is about to fold: the first look meets it, the second does not.
            await store.audit.put_heads([msgspec.structs.replace(head, through=head.through - 1)])
            mending = asyncio.create_task(mend_after_the_first_look(looking, store, head))
            report = await looking.run()
            await mending
    assert report.sentences() == []
    assert report.unjudged == {}


async def mend_after_the_first_look(looking: Verification, store: ConversationStore, head: Head) -> None:
    async with asyncio.timeout(10):
        while "keys" not in looking.report.looked:  # noqa: ASYNC110 -- a report is a plain value
            await asyncio.sleep(0.001)
    await store.audit.put_heads([head])


async def test_what_stays_broken_is_told_after_a_second_look(site: Site) -> None:
    async with site.opened() as (log, store):
        head = (await store.audit.heads_after(TENANT, "", 1))[0]
        await store.audit.put_heads([msgspec.structs.replace(head, message_count=99)])
        ledger = Ledger(log)
        with closing(ledger):
            report = await Verification(store, ledger, POLICIES, Extent(), looks=4, patience=0.01).run()
    assert list(report.broken) == ["I5"]


async def test_nothing_is_broken_while_messages_flow(tmp_path: Path) -> None:
    site = Site(tmp_path)
    await site.prepare()
    async with site.opened() as (log, store), site.opened() as (log_too, store_too):
        flowing = asyncio.create_task(flow(log, store))
        rounds = 0
        while not flowing.done() or not rounds:
            ledger = Ledger(log_too)
            with closing(ledger):
                report = await Verification(
                    store_too, ledger, POLICIES, Extent(), page=20, looks=50, patience=0.2
                ).run()
            assert report.sentences() == []
            rounds += 1
        await flowing
        assert (await check(store_too, log_too, POLICIES)).sentences() == []


async def flow(log, store) -> None:  # noqa: ANN001 -- as `Site.opened` gives them
    story = longer_story(120, 5)
    for start in range(0, len(story), 10):
        await log.append(MESSAGES, [envelope.draft(event) for event in story[start : start + 10]])
        await work(log, store)


async def test_a_part_is_looked_at_if_that_is_asked_for(site: Site) -> None:
    async with site.opened() as (log, store):
        heads = await store.audit.heads_after("", "", 100)
        born = sorted(int(head.id.split("cnv_")[1][:14]) for head in heads)
        counts = []
        for extent in (
            Extent(tenant="other"),
            Extent(tenant="nobody"),
            Extent(since=born[-1]),
            Extent(percent=1),
            Extent(percent=99),
        ):
            ledger = Ledger(log)
            with closing(ledger):
                report = await Verification(store, ledger, POLICIES, extent, looks=0).run()
            assert report.sentences() == []
            counts.append(report.looked.get("strands", 0))
    assert counts[:3] == [1, 0, 1]
    assert counts[3] < counts[4] <= len(heads)


async def test_changes_that_expired_are_not_missed(tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    site = Site(tmp_path)
    async with SqliteLog(tmp_path / "log.sqlite", clock=lambda: now[0]) as log, site.store() as store:
        await log.apply(topics(partitions=1, feed_hours=1))
        await store.create_indexes()
        story = longer_story(60, 5)
        for part in (story[:30], story[30:]):
            await log.append(MESSAGES, [envelope.draft(event) for event in part])
            await work(log, store)
            now[0] += 3000
            await log.apply(topics(partitions=1, feed_hours=1))  # what is too old is deleted
        assert (await log.extents(CONVERSATIONS))[0].begin > 0
        assert (await check(store, log, POLICIES)).sentences() == []


async def test_an_index_that_is_missing_is_named_and_two_at_one_place_too(
    mongo_server: MongoServer, tmp_path: Path
) -> None:
    site = Site(tmp_path, mongo_server.url, f"healing_{uuid.uuid4().hex}")
    await site.prepare()
    await site.tell(events())
    with closing(MongoClient(site.mongodb)) as client:
        entries = client[site.database]["entries"]
        entries.drop_index("strand_seq")
        last = entries.find_one({"seq": 5})
        assert last
        entries.update_one({"_id": last["_id"]}, {"$set": {"seq": 4}})
    before = await asyncio.to_thread(site.verified)
    assert [one["invariant"] for one in before["broken"]] == ["I3", "I9"]
    said = [finding["what"] for finding in before["broken"][0]["findings"]]
    assert said == [
        "the unique index of (strand, seq) is missing: two workers can write one place",
        "entry 4 is there twice",
    ]
    for command in before["mend"]:
        result = await asyncio.to_thread(site.command, *command.split()[1:])
        assert result.exit_code == 0, result.output
    assert (await asyncio.to_thread(site.verified))["broken"] == []
