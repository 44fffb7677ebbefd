"""A consumer group's member on the SQLite log: polls, commits, keeps its lease. The rules of groups are in `sqlite_groups`."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Mapping
from functools import partial

from onethread.errors import Conflict, Misconfigured, OnethreadError
from onethread.log import sqlite_groups as groups
from onethread.log import sqlite_records as records
from onethread.log.port import Reader, Record, TopicPartition
from onethread.log.sqlite_groups import Hand, Me, Standing
from onethread.sqlite import Database

# Another process's append is seen at the next look: SQLite has no way to tell, and a look costs some 0.1 ms.
_LOOK_EVERY = 0.05


class SqliteReader(Reader):
    """Made by `SqliteLog.join`. `lease` is in seconds; `heard` is set when this process appended; `now` is in milliseconds."""

    def __init__(
        self, database: Database, me: Me, topics: list[str], lease: float, heard: asyncio.Event, now: Callable[[], int]
    ) -> None:
        self._database = database
        self._me = me
        self._topics = topics
        self._lease = lease
        self._heard = heard
        self._now = now
        self._hand = Hand(-1, {}, {})
        self._turn = 0  # which partition is read first: a full one must not starve the others
        self._trouble: OnethreadError | None = None
        self._beating: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Become a member, and stay one until `stop`."""
        await self._enter()
        self._beating = asyncio.create_task(self._beat())

    async def stop(self) -> None:
        """Leave the group; others take over at once."""
        if self._beating is not None:
            self._beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beating
        await self._database.write(partial(groups.leave, me=self._me))

    @property
    def assignment(self) -> frozenset[TopicPartition]:
        """The partitions this member holds now."""
        return frozenset(self._hand.places)

    async def poll(self, limit: int = 500, wait: float = 1.0) -> list[Record]:
        """See the port. Raises Misconfigured when another member of the same name took over."""
        loop = asyncio.get_running_loop()
        end = loop.time() + wait
        while True:
            self._heard.clear()
            found = await self._look(limit)
            left = end - loop.time()
            if found or left <= 0:
                return found
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, _LOOK_EVERY)):
                    await self._heard.wait()

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """See the port. A group dealt anew since the last poll is a Conflict, even for partitions that stayed here."""
        hand = self._hand
        if foreign := [place for place in offsets if place not in hand.places]:
            raise Conflict(f"{self._me.member} does not hold {foreign[0].topic}/{foreign[0].partition}: poll again.")
        by_place = {hand.places[place]: offset for place, offset in offsets.items()}
        await self._database.write(partial(groups.commit, me=self._me, generation=hand.generation, offsets=by_place))

    async def rewind(self) -> None:
        """See the port."""
        self._hand = await self._database.read(partial(groups.hand, group=self._me.group, member=self._me.member))

    async def lag(self) -> dict[TopicPartition, int]:
        """See the port."""
        return await self._database.read(partial(_lag, group=self._me.group, where=self._hand.places))

    async def _look(self, limit: int) -> list[Record]:
        if self._trouble is not None:
            raise self._trouble
        stand, found = await self._database.read(
            partial(_take, me=self._me, hand=self._hand, turn=self._turn, limit=limit)
        )
        if stand.incarnation is None:  # the lease ran out; what was polled and not committed is somebody else's now
            await self._enter()
            return []
        if stand.incarnation != self._me.incarnation:
            raise Misconfigured(
                f"Another member called {self._me.member} joined the group {self._me.group}: give each replica a name of its own."
            )
        if stand.generation != self._hand.generation:
            await self.rewind()
            return []
        self._turn += 1
        self._hand.positions.update({record.place: record.offset + 1 for record in found})
        return found

    async def _enter(self) -> None:
        lease = round(self._lease * 1000)
        await self._database.write(
            lambda connection: groups.join(connection, self._me, self._topics, self._now(), lease)
        )
        await self.rewind()

    async def _beat(self) -> None:
        lease = round(self._lease * 1000)
        while True:
            await asyncio.sleep(self._lease / 3)
            try:
                await self._database.write(lambda connection: groups.beat(connection, self._me, self._now(), lease))
            except OnethreadError as error:
                self._trouble = error  # raised by the next poll; the next beat tries again
            else:
                self._trouble = None


def _take(connection: sqlite3.Connection, me: Me, hand: Hand, turn: int, limit: int) -> tuple[Standing, list[Record]]:
    """How the member stands, and records from its positions on if its hand still counts; one look at one state of the file."""
    stand = groups.standing(connection, me.group, me.member)
    found: list[Record] = []
    if stand != Standing(hand.generation, me.incarnation):
        return stand, found
    order = sorted(_with_news(connection, hand))
    start = turn % max(len(order), 1)
    for at in order[start:] + order[:start]:
        found += records.read(connection, at, hand.places[at], hand.positions[at], limit - len(found))
        if len(found) >= limit:
            break
    return stand, found


def _with_news(connection: sqlite3.Connection, hand: Hand) -> list[TopicPartition]:
    ends = {topic: records.extents(connection, topic) for topic in {at.topic for at in hand.places}}
    return [at for at, position in hand.positions.items() if position < ends[at.topic][at.partition].end]


def _lag(connection: sqlite3.Connection, group: str, where: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
    lags = {}
    for at, position in groups.begins(connection, group, where).items():
        extent = records.extents(connection, at.topic)[at.partition]
        lags[at] = max(extent.end - max(position, extent.begin), 0)
    return lags
