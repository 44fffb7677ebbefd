"""More than fits: the entrance says 503 and when to come again, acknowledges nothing it has not stored, and keeps its memory."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from e2e.deployment import Deployment
from faults.site import HEADERS, HOOK, SERVICE, external_id, linked, update

from onethread import assembly
from onethread.log.topics import MESSAGES
from onethread.settings import load
from onethread.testing.figures import Figures, report
from onethread.testing.servers.kafka import KafkaServer

MIB = 1024 * 1024
MEMORY = 8 * MIB
IN_THE_LOG = 64 * MIB
"""What the Kafka adapter holds at most of what is not confirmed."""


class Answer(NamedTuple):
    status: int
    retry_after: int


class Crowd:
    """Providers that send without a pause, each over a connection of its own; `accepted`: ids that were acknowledged."""

    def __init__(self, onethread: Deployment, length: int, *, polite: bool = False) -> None:
        self._port = int(onethread.hooks_url.rpartition(":")[2])
        self._length, self._polite = length, polite
        self._next = 0
        self.accepted: set[str] = set()
        self.answers: dict[int, int] = {}

    async def send(self, connections: int, seconds: float) -> float:
        """For so long; acknowledged messages per second."""
        before, began = len(self.accepted), time.monotonic()
        await asyncio.gather(*(self._one(began + seconds) for _ in range(connections)))
        return (len(self.accepted) - before) / (time.monotonic() - began)

    async def _one(self, end: float) -> None:
        connection = None
        while time.monotonic() < end:
            self._next += 1
            number = self._next
            try:
                connection = connection or await asyncio.open_connection("127.0.0.1", self._port)
                answer = await self._post(*connection, number)
            except (OSError, asyncio.IncompleteReadError):
                self._close(connection)
                connection = None
                continue
            self.answers[answer.status] = self.answers.get(answer.status, 0) + 1
            if answer.status == 200:
                self.accepted.add(external_id(number))
            else:
                assert (answer.status, answer.retry_after > 0) == (503, True)
                if self._polite:
                    await asyncio.sleep(min(answer.retry_after, max(end - time.monotonic(), 0)))
        self._close(connection)

    async def _post(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> Answer:
        body = json.dumps(update(number, self._length)).encode()
        (name, text), *_ = HEADERS.items()
        head = f"POST /hooks/chn_telegram/{HOOK} HTTP/1.1\r\nHost: x\r\n{name}: {text}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        fields = dict(line.split(": ", 1) for line in answer.split("\r\n")[1:] if ": " in line)
        await reader.readexactly(int(fields["content-length"]))
        if fields.get("connection") == "close":
            raise ConnectionResetError if answer.split(" ")[1] != "503" else OSError
        return Answer(int(answer.split(" ")[1]), int(fields.get("retry-after", 0)))

    @staticmethod
    def _close(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None) -> None:
        if connection is not None:
            connection[1].close()


def resident(onethread: Deployment, name: str = "VmRSS") -> int:
    """Bytes of the process; `VmHWM`: at most so far."""
    status = Path(f"/proc/{onethread._processes[SERVICE].pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(name))


async def stored(onethread: Deployment) -> set[str]:
    """External ids of the messages in the log."""
    from onethread import envelope
    from onethread.log.port import TopicPartition

    found: set[str] = set()
    async with assembly.event_log(load(onethread.config(), {}), "test") as log:
        for number, extent in (await log.extents(MESSAGES)).items():
            offset = extent.begin
            while offset < extent.end and (records := await log.fetch(TopicPartition(MESSAGES, number), offset)):
                offset = records[-1].offset + 1
                found |= {envelope.read(one.value, one.headers).external_id for one in records}
    return found


async def memory_stays_and_nothing_is_acknowledged_in_vain(
    folder: Path, kafka: Callable[..., Any], mongo: Any, seconds: float
) -> None:
    limits = {"max_waiting": 512, "max_waiting_bytes": MEMORY}
    with ExitStack() as stack:
        onethread, _, _, broker = stack.enter_context(linked(kafka, mongo, folder, http=limits))
        onethread.start_one(SERVICE)
        await onethread.ready(SERVICE)
        crowd = Crowd(onethread, 3000)
        await crowd.send(16, seconds / 4)  # warm: what it takes anyhow
        assert crowd.accepted
        before = resident(onethread)
        await asyncio.to_thread(broker.kill)
        await crowd.send(128, seconds)
        peak = resident(onethread, "VmHWM") - before
        gone_at = time.monotonic()
        await asyncio.to_thread(broker.start)
        while not await crowd.send(4, 0.5):
            assert time.monotonic() - gone_at < 60
        recovery = time.monotonic() - gone_at
        there = await stored(onethread)
        assert onethread.stop()[SERVICE] in {0, 70}
    report(
        Figures(
            "broker gone, senders go on", 1, len(crowd.accepted), len(crowd.accepted & there),
            lost=len(crowd.accepted - there), recovery=(recovery,), on="Kafka", peak=peak,
        )
    )  # fmt: skip
    assert crowd.answers[503] > 0
    assert crowd.accepted <= there
    assert peak < 1.1 * (MEMORY + IN_THE_LOG), f"{peak / MIB:.0f} MiB more than before"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory of a process from /proc")
async def test_memory_stays_under_its_cap_with_the_broker_gone(
    tmp_path: Path, new_kafka_server: Callable[..., KafkaServer], mongo_server: Any
) -> None:
    await memory_stays_and_nothing_is_acknowledged_in_vain(tmp_path, new_kafka_server, mongo_server, 6.0)


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_memory_stays_under_its_cap_for_a_minute_without_a_broker(
    tmp_path: Path, new_kafka_server: Callable[..., KafkaServer], mongo_server: Any
) -> None:
    await memory_stays_and_nothing_is_acknowledged_in_vain(tmp_path, new_kafka_server, mongo_server, 60.0)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("polite", [True, False])
async def test_five_times_what_it_takes_leaves_nine_tenths_of_the_peak(
    tmp_path: Path, new_kafka_server: Callable[..., KafkaServer], mongo_server: Any, *, polite: bool
) -> None:
    at_once = 32
    with ExitStack() as stack:
        site = linked(new_kafka_server, mongo_server, tmp_path, http={"max_waiting": at_once})
        onethread, *_ = stack.enter_context(site)
        onethread.start_one(SERVICE)
        await onethread.ready(SERVICE)
        crowd = Crowd(onethread, 100, polite=polite)
        await crowd.send(at_once, 5.0)
        peaks, goodputs = [], []
        for _ in range(5):  # in turns: the machine is not always equally fast
            peaks.append(await crowd.send(at_once, 6.0))
            goodputs.append(await crowd.send(5 * at_once, 6.0))
        there = await stored(onethread)
        onethread.stop()
    share = max(goodputs) / max(peaks)  # what else the machine does can only slow either down
    how = "" if polite else ", again at once when refused"
    kind = f"five times what it takes{how}: {share:.0%} of peak"
    report(
        Figures(
            kind, 5, len(crowd.accepted), len(crowd.accepted & there), lost=len(crowd.accepted - there), on="Kafka",
        )
    )  # fmt: skip
    assert crowd.accepted <= there
    assert crowd.answers[503] > 0
    # Who waits as long as we ask leaves room unused meanwhile; who does not is the load that is meant.
    assert share >= (0.5 if polite else 0.9), (share, peaks, goodputs, crowd.answers)
