"""What the unifier is held against: consume, and insert the same entries in bulk into the same indexes. It threads nothing.

Written as one would who wants only that: no typed decoding, no port, no thread between; one insert and one commit a batch, as
durable as ours. An entry's strand and number come from a dictionary, so that documents and indexes are as large as ours.
"""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from pymongo import AsyncMongoClient, WriteConcern

from bench.contender import Contender, Incomplete
from bench.traffic import Traffic
from onethread.event import Claim
from onethread.identity import identity_id
from onethread.log.kafka import KafkaLog
from onethread.log.port import Reader, Record, Topic
from onethread.log.sqlite import SqliteLog
from unifier.store.mongo import MongoConversations
from unifier.store.sqlite import schema
from unifier.worker import BATCH

TOPIC = Topic("bench.messages", partitions=4, retention_hours=None)
_INSERT = """INSERT OR IGNORE INTO entries (id, strand, seq, kind, at, target, home, moved_at, moved, body, source)
    VALUES (:id, :strand, :seq, :kind, :at, NULL, :strand, NULL, NULL, :body, :source)"""


class Entries:
    """Entries as the unifier would store them, made of records without asking any store."""

    def __init__(self) -> None:
        self._people: dict[str, tuple[str, str]] = {}
        self._last: Counter[str] = Counter()

    def entry(self, value: bytes) -> dict[str, Any]:
        """The entry of one record."""
        event = msgspec.json.decode(value)
        at = int(datetime.fromisoformat(event["received_at"]).timestamp() * 1000)
        identity, strand = self._of(event, at)
        self._last[strand] += 1
        return {
            "id": f"{event['tenant']}/{event['id']}",
            "strand": strand,
            "seq": self._last[strand],
            "kind": event["fact"]["kind"],
            "at": at,
            "stored_at": at,
            "sender": identity,
            "own": identity,
            "placement": {"rule": "idle_window", "matched": {"type": "clock"}},
            "event": event,
        }

    def _of(self, event: dict[str, Any], at: int) -> tuple[str, str]:
        claim = event["sender"]["claims"][0]
        if claim["value"] not in self._people:
            tenant = event["tenant"]
            who = identity_id(
                tenant, Claim(claim["type"], claim["value"], claim["scope"], canonical=claim["canonical"])
            )
            self._people[claim["value"]] = (f"{tenant}/{who}", f"{tenant}/cnv_{at:014d}{event['id'][4:]}")
        return self._people[claim["value"]]


class Baseline(Contender):
    """Rounds of traffic, consumed and inserted. A message is a unit."""

    def __init__(self, name: str, traffic: Traffic) -> None:
        self.name, self._traffic = name, traffic
        self._round = 0

    async def open(self, folder: Path) -> None:
        """See Contender."""
        self._stack = contextlib.AsyncExitStack()
        self._entries = Entries()
        await self._start(folder)

    async def close(self) -> None:
        """See Contender."""
        await self._stack.aclose()

    async def prepare(self) -> None:
        """See Contender."""
        await self._log.append(TOPIC.name, self._traffic.drafts(self._round))
        self._round += 1

    async def check(self) -> None:
        """See Contender."""
        stored, lag = await self._state()
        if lag or stored != self._round * self._traffic.messages:
            raise Incomplete(f"{stored} of {self._round * self._traffic.messages} entries stored, lag {lag}")

    def stored(self, ids: Collection[str]) -> None:
        """These entries are durable from now on; told after each insert."""

    async def _start(self, folder: Path) -> None:
        raise NotImplementedError

    async def _state(self) -> tuple[int, int]:
        """Entries stored, and the lag."""
        raise NotImplementedError

    _log: SqliteLog | KafkaLog


class SqliteBaseline(Baseline):
    """The SQLite log's reader and the driver's `executemany`, in one transaction a batch."""

    async def _start(self, folder: Path) -> None:
        self._log = await self._stack.enter_async_context(SqliteLog(folder / "log.sqlite"))
        await self._log.apply([TOPIC])
        joined = self._log.join("baseline", [TOPIC.name], "bench")
        self._reader: Reader = await self._stack.enter_async_context(joined)
        self._file = sqlite3.connect(folder / "entries.sqlite", isolation_level=None)
        self._stack.callback(self._file.close)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")
        schema.prepare(self._file)
        schema.create_indexes(self._file)

    async def run(self) -> int:
        """See Contender."""
        done = 0
        while done < self._traffic.messages:
            records = await self._reader.poll(BATCH, 0.5)
            rows = [self._row(record) for record in records]
            self._file.execute("BEGIN IMMEDIATE")
            self._file.executemany(_INSERT, rows)
            self._file.execute("COMMIT")
            self.stored([row["id"] for row in rows])
            await self._reader.commit({record.place: record.offset + 1 for record in records})
            done += len(records)
        return done

    def _row(self, record: Record) -> dict[str, Any]:
        entry = self._entries.entry(record.value)
        source = entry["event"].pop("source")
        body = msgspec.json.encode(entry).decode()
        return {**entry, "body": body, "source": msgspec.json.encode(source).decode()}

    async def _state(self) -> tuple[int, int]:
        (stored,) = self._file.execute("SELECT count(*) FROM entries").fetchone()
        return stored, sum((await self._reader.lag()).values())


class ServersBaseline(Baseline):
    """aiokafka's `getmany` and pymongo's unordered `insert_many`, majority and journal."""

    def __init__(self, name: str, traffic: Traffic, bootstrap: str, url: str, database: str) -> None:
        super().__init__(name, traffic)
        self._bootstrap, self._url, self._database = bootstrap, url, database

    async def _start(self, folder: Path) -> None:  # noqa: ARG002 -- its data is in the servers
        self._log = await self._stack.enter_async_context(KafkaLog(self._bootstrap, client_id="baseline"))
        await self._log.apply([TOPIC])
        async with MongoConversations(self._url, self._database) as store:
            await store.create_indexes()
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(self._url)
        self._stack.push_async_callback(client.close)
        durably = WriteConcern("majority", j=True)
        self._collection = client[self._database].get_collection("entries", write_concern=durably)
        self._consumer = AIOKafkaConsumer(
            TOPIC.name,
            bootstrap_servers=self._bootstrap,
            group_id=f"baseline.{self._database}",
            enable_auto_commit=False,
            auto_offset_reset="latest",
            fetch_max_wait_ms=100,
        )
        await self._consumer.start()
        self._stack.push_async_callback(self._consumer.stop)
        # Or "latest" would be that of the first poll, or of a rebalance before the first commit.
        await self._consumer.commit(
            {place: await self._consumer.position(place) for place in self._consumer.assignment()}
        )

    async def run(self) -> int:
        """See Contender. What was fetched ahead is fetched anew: reading is part of the work."""
        for place in self._consumer.assignment():
            self._consumer.seek(place, await self._consumer.position(place))
        done = 0
        while done < self._traffic.messages:
            found = await self._consumer.getmany(timeout_ms=500, max_records=BATCH)
            documents = [self._document(record.value) for batch in found.values() for record in batch]
            if documents:
                await self._collection.insert_many(documents, ordered=False)
                self.stored([document["_id"] for document in documents])
                await self._consumer.commit({place: batch[-1].offset + 1 for place, batch in found.items()})
            done += len(documents)
        return done

    def _document(self, value: bytes) -> dict[str, Any]:
        entry = self._entries.entry(value)
        return {**entry, "_id": entry.pop("id"), "home": entry["strand"]}

    async def _state(self) -> tuple[int, int]:
        places: list[TopicPartition] = list(self._consumer.assignment())
        ends = await self._consumer.end_offsets(places)
        lags = [ends[place] - (await self._consumer.committed(place) or 0) for place in places]
        return await self._collection.count_documents({}), sum(lags)
