import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from onethread.arriving import Arriving
from onethread.blobs import Blobs
from onethread.connector import Host, Polling, Stream, WebSocket
from onethread.errors import Poison
from onethread.log.port import Draft, EventLog, Reader, Topic, TopicPartition
from onethread.log.sqlite import SqliteLog
from onethread.state.port import StateStore
from onethread.testing.failpoints import FailPoints, Moment, answering, kinds_of, point_names, pointed

PLACE = TopicPartition("news", 0)


async def test_effects_have_a_point_before_and_after_and_reads_have_none(tmp_path: Path) -> None:
    points = FailPoints()
    async with pointed(EventLog, SqliteLog(tmp_path / "log.sqlite"), "log", points) as log:
        await log.apply([Topic("news", 1, None)])
        await log.append("news", [Draft(b"k", b"v")])
        await log.append("news", [Draft(b"k", b"w")])
        assert [record.value for record in await log.fetch(PLACE, 0)] == [b"v", b"w"]
    assert points.trace == [
        Moment("log.apply:before", 1),
        Moment("log.apply:after", 1),
        Moment("log.append(news):before", 1),
        Moment("log.append(news):after", 1),
        Moment("log.append(news):before", 2),
        Moment("log.append(news):after", 2),
    ]


async def test_a_reader_is_pointed_and_what_arrives_has_one_point(tmp_path: Path) -> None:
    points = FailPoints()
    async with pointed(EventLog, SqliteLog(tmp_path / "log.sqlite"), "log", FailPoints()) as log:
        await log.apply([Topic("news", 1, None)])
        await log.append("news", [Draft(b"k", b"v")])
        async with pointed(EventLog, log, "log", points).join("desk", ["news"], "one") as reader:
            assert isinstance(reader, Reader)
            assert len(await reader.poll(10, 0.5)) == 1
            assert await reader.poll(10, 0) == []
            assert reader.assignment == {PLACE}
            await reader.commit({PLACE: 1})
    names = ["log.join:before", "log.join:after", "reader.poll:after", "reader.commit:before", "reader.commit:after"]
    assert [moment.point for moment in points.trace] == names


async def test_a_fate_may_end_it_before_anything_is_done(tmp_path: Path) -> None:
    def fate(moment: Moment) -> None:
        if moment == Moment("blobs.put:before", 2):
            raise asyncio.CancelledError

    blobs = pointed(Blobs, Blobs(tmp_path.as_uri()), "blobs", FailPoints(fate))
    first = await blobs.put(b"one")
    with pytest.raises(asyncio.CancelledError):
        await blobs.put(b"two")
    assert await blobs.get(first) == b"one"
    with pytest.raises(Poison):
        await blobs.get(hashlib.sha256(b"two").hexdigest())


async def test_an_answer_has_points_around_both_its_messages() -> None:
    points, sent = FailPoints(), list[Any]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        sent.append(message)

    await answering(app, "http", points)({}, None, send)
    assert len(sent) == 2
    assert [moment.point for moment in points.trace] == [
        "http.start:before",
        "http.start:after",
        "http.body:before",
        "http.body:after",
    ]


def test_every_method_of_every_port_has_a_kind() -> None:
    assert kinds_of(StateStore) == {
        "open": "read",
        "close": "read",
        "get": "read",
        "scan": "read",
        "put": "effect",
        "delete": "effect",
        "remove": "effect",
    }
    assert kinds_of(WebSocket) == {"receive": "arrival", "send": "effect"}
    assert kinds_of(Host) == {"websocket": "effect", "token": "effect", "emit": "effect"}
    assert kinds_of(Polling) == {"fetch": "arrival"}
    assert kinds_of(Stream) == {"resources": "read", "session": "read"}
    assert point_names(Reader, "reader") == ["reader.commit:before", "reader.commit:after", "reader.poll:after"]


async def test_what_a_port_makes_is_pointed_too(tmp_path: Path) -> None:
    points = FailPoints()
    blobs = pointed(Blobs, Blobs(tmp_path.as_uri()), "blobs", points)
    with blobs.arriving() as coming:
        await coming.write(b"one ")
        await coming.write(b"blob")
        assert isinstance(coming, Arriving)
        assert (coming.size, coming.content) == (8, b"one blob")
        assert await blobs.get(await blobs.put(coming)) == b"one blob"
    assert not list((tmp_path / "incoming").iterdir())
    names = ["arriving.write:before", "arriving.write:after"] * 2 + ["blobs.put:before"]
    names += ["arriving.whole:before", "arriving.whole:after", "blobs.put:after"]
    assert [moment.point for moment in points.trace] == names
