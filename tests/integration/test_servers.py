"""The servers of the test kit: each answers a real client, keeps its data through SIGKILL, and meets the faults of the proxy."""

import asyncio
import contextlib
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from imapclient import IMAPClient
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, DuplicateKeyError, NetworkTimeout
from pymongo.server_api import ServerApi

from onethread.errors import Misconfigured
from onethread.testing.backends import USERS
from onethread.testing.servers.dovecot import DovecotServer
from onethread.testing.servers.imap import ImapServer
from onethread.testing.servers.kafka import ExternalKafka, KafkaServer
from onethread.testing.servers.mongodb import ExternalMongo, MongoServer
from onethread.testing.servers.ports import LOOPBACK, free_port, is_free
from onethread.testing.servers.process import ServerProcess, wait_until
from onethread.testing.servers.proxy import TcpProxy

USER = "support@example.com"
MAIL = b"From: Mia Lang <mia@example.com>\r\nSubject: Late parcel\r\n\r\nWhere is it?\r\n"


async def new_topic(bootstrap: str) -> str:
    topic = f"test-{secrets.token_hex(6)}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    await admin.close()
    return topic


async def produce(bootstrap: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        await asyncio.wait_for(producer.send_and_wait(topic, value), 20)


async def consume(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=f"group-{topic}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        return [(await asyncio.wait_for(consumer.getone(), 20)).value for _ in range(count)]


async def test_kafka_gives_back_what_was_produced(kafka_server: KafkaServer | ExternalKafka) -> None:
    topic = await new_topic(kafka_server.bootstrap)
    await produce(kafka_server.bootstrap, topic, b"one")
    assert await consume(kafka_server.bootstrap, topic, 1) == [b"one"]


async def test_kafka_keeps_what_it_acknowledged_through_sigkill(new_kafka_server: Callable[..., KafkaServer]) -> None:
    kafka = new_kafka_server()
    topic = await new_topic(kafka.bootstrap)
    await produce(kafka.bootstrap, topic, b"before")
    await asyncio.to_thread(kafka.restart)
    await produce(kafka.bootstrap, topic, b"after")
    assert await consume(kafka.bootstrap, topic, 2) == [b"before", b"after"]


async def test_clients_of_kafka_stay_behind_its_proxy(new_kafka_server: Callable[..., KafkaServer]) -> None:
    with TcpProxy() as proxy:
        kafka = new_kafka_server(proxy=proxy)
        topic = await new_topic(kafka.bootstrap)
        async with AIOKafkaProducer(bootstrap_servers=kafka.proxied_bootstrap) as producer:
            await producer.send_and_wait(topic, b"flowing")
            proxy.freeze()
            pending = await producer.send(topic, b"frozen")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(pending), 1)
            await produce(kafka.bootstrap, topic, b"around")
            proxy.thaw()
            await asyncio.wait_for(pending, 20)
        assert await consume(kafka.bootstrap, topic, 3) == [b"flowing", b"around", b"frozen"]


def mongo_client(url: str, **options: object) -> MongoClient[dict[str, object]]:
    return MongoClient(url, server_api=ServerApi("1", strict=True), serverSelectionTimeoutMS=3_000, **options)


def test_mongodb_finds_what_was_inserted_and_keeps_indexes_unique(mongo_server: MongoServer | ExternalMongo) -> None:
    name = f"test-{secrets.token_hex(6)}"
    with mongo_client(mongo_server.url) as client:
        entries = client[name]["entries"]
        entries.create_index([("strand", 1), ("seq", 1)], unique=True)
        entries.insert_one({"_id": 1, "strand": "s", "seq": 1})
        with pytest.raises(DuplicateKeyError):
            entries.insert_one({"_id": 2, "strand": "s", "seq": 1})
        assert entries.find_one({"strand": "s"}) == {"_id": 1, "strand": "s", "seq": 1}
        client.drop_database(name)


def test_mongodb_keeps_what_it_acknowledged_through_sigkill(new_mongo_server: Callable[..., MongoServer]) -> None:
    mongo = new_mongo_server()
    with mongo_client(mongo.url, w="majority", journal=True) as client:
        client["test"]["entries"].insert_one({"_id": 1})
        mongo.restart()
        client["test"]["entries"].insert_one({"_id": 2})
        assert [entry["_id"] for entry in client["test"]["entries"].find().sort("_id")] == [1, 2]


def test_a_frozen_mongodb_times_out_and_a_refusing_one_is_met_again(mongo_server: MongoServer | ExternalMongo) -> None:
    if not mongo_server.can_be_killed:
        pytest.skip("the proxy is put before a server of our own only")
    assert isinstance(mongo_server, MongoServer)
    with TcpProxy((mongo_server.host, mongo_server.port)) as proxy:
        url = f"mongodb://{proxy.host}:{proxy.port}/?directConnection=true&retryWrites=false&socketTimeoutMS=500"
        with mongo_client(url) as client:
            client["test"].command("ping")
            proxy.freeze()
            with pytest.raises(NetworkTimeout):
                client["test"].command("ping")
            proxy.thaw()
            client["test"].command("ping")
            proxy.refuse()
            with pytest.raises(AutoReconnect):
                client["test"].command("ping")
            proxy.accept()
            client["test"].command("ping")


@pytest.fixture(params=["dovecot_server", "pymap_server"])
def imap_server(request: pytest.FixtureRequest) -> ImapServer:
    server: ImapServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture(params=["new_dovecot_server", "new_pymap_server"])
def new_imap_server(request: pytest.FixtureRequest) -> Callable[..., ImapServer]:
    factory: Callable[..., ImapServer] = request.getfixturevalue(request.param)
    return factory


@pytest.fixture
def folder() -> str:
    return f"Inbound/{secrets.token_hex(6)}"


def logged_in(server: ImapServer, port: int | None = None) -> IMAPClient:
    client = IMAPClient(server.host, port or server.port, ssl=False, timeout=10)
    client.login(USER, server.users[USER])
    return client


def subjects(client: IMAPClient, folder: str) -> list[bytes]:
    client.select_folder(folder, readonly=True)
    return [message[b"ENVELOPE"].subject for message in client.fetch(client.search(), ["ENVELOPE"]).values()]


def test_imap_serves_a_delivered_mail(imap_server: ImapServer, folder: str) -> None:
    imap_server.deliver(USER, MAIL, folder)
    with logged_in(imap_server) as client:
        assert folder in {name for _, _, name in client.list_folders()}
        client.select_folder(folder)
        [message] = client.fetch(client.search(), ["BODY.PEEK[]", "FLAGS"]).values()
        assert b"Where is it?" in message[b"BODY[]"]
        assert b"\\Seen" not in message[b"FLAGS"]


def test_dovecot_serves_the_bytes_that_were_delivered(dovecot_server: DovecotServer, folder: str) -> None:
    raw = b"Subject:  Gr\xfc\xdfe\r\nX-Odd:a\r\n\r\n\xff\x00 no text at all\r\n"
    dovecot_server.deliver(USER, raw.replace(b"\x00", b""), folder)
    with logged_in(dovecot_server) as client:
        client.select_folder(folder)
        [message] = client.fetch(client.search(), ["BODY.PEEK[]"]).values()
        assert message[b"BODY[]"] == raw.replace(b"\x00", b"")


def test_imap_tells_an_idle_client_of_a_delivery(imap_server: ImapServer, folder: str) -> None:
    imap_server.deliver(USER, MAIL, folder)
    with logged_in(imap_server) as client:
        client.select_folder(folder)
        client.idle()
        imap_server.deliver(USER, MAIL, folder)
        told: list[object] = []
        wait_until(lambda: bool(told.extend(client.idle_check(timeout=1)) or (2, b"EXISTS") in told), 15)
        client.idle_done()


def test_imap_keeps_mail_and_its_uids_through_sigkill(new_imap_server: Callable[..., ImapServer]) -> None:
    server = new_imap_server(USERS)
    server.deliver(USER, MAIL)
    with logged_in(server) as client:
        before = client.select_folder("INBOX")
        assert client.search() == [1]
        server.kill()
        server.deliver(USER, MAIL.replace(b"Late parcel", b"Still late"))
        server.start()
    with logged_in(server) as client:
        assert client.select_folder("INBOX")[b"UIDVALIDITY"] == before[b"UIDVALIDITY"]
        assert subjects(client, "INBOX") == [b"Late parcel", b"Still late"]


def test_imap_through_a_frozen_proxy_times_out(imap_server: ImapServer) -> None:
    with TcpProxy((imap_server.host, imap_server.port)) as proxy:
        client = logged_in(imap_server, proxy.port)
        client.socket().settimeout(0.5)
        proxy.freeze()
        with pytest.raises(TimeoutError):
            client.noop()
        client.shutdown()


class Echo:
    """A server that returns what it is sent, and remembers it."""

    def __init__(self) -> None:
        self.heard = b""
        self._listener = socket.create_server((LOOPBACK, 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(peer,), daemon=True).start()

    def _echo(self, peer: socket.socket) -> None:
        with peer:
            try:
                while chunk := peer.recv(4096):
                    self.heard += chunk
                    peer.sendall(chunk)
            except OSError:
                return


@pytest.fixture
def echo() -> Iterator[Echo]:
    with contextlib.closing(Echo()) as server:
        yield server


@pytest.fixture
def proxy(echo: Echo) -> Iterator[TcpProxy]:
    with TcpProxy(echo.address) as made:
        yield made


@pytest.fixture
def peer(proxy: TcpProxy) -> Iterator[socket.socket]:
    with socket.create_connection((proxy.host, proxy.port), timeout=5) as made:
        made.sendall(b"hello")
        assert made.recv(100) == b"hello"
        yield made


def test_the_proxy_passes_an_end_on_and_forgets_the_connection(proxy: TcpProxy, peer: socket.socket) -> None:
    peer.shutdown(socket.SHUT_WR)
    assert peer.recv(100) == b""
    wait_until(lambda: proxy.connections == 0)


def test_a_cut_resets_and_the_next_connection_passes(proxy: TcpProxy, peer: socket.socket) -> None:
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        peer.recv(100)
    with socket.create_connection((proxy.host, proxy.port), timeout=5) as again:
        again.sendall(b"again")
        assert again.recv(100) == b"again"


def test_a_refusing_proxy_resets_new_connections_until_it_accepts(proxy: TcpProxy, peer: socket.socket) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionResetError), socket.create_connection((proxy.host, proxy.port), timeout=5) as refused:
        refused.recv(100)
    proxy.accept()
    with socket.create_connection((proxy.host, proxy.port), timeout=5) as again:
        again.sendall(b"again")
        assert again.recv(100) == b"again"


def test_a_half_closed_connection_still_carries_what_the_client_says(
    echo: Echo, proxy: TcpProxy, peer: socket.socket
) -> None:
    proxy.half_close()
    assert peer.recv(100) == b""
    peer.sendall(b" you")
    peer.sendall(b" there")
    wait_until(lambda: echo.heard == b"hello you there")


def test_a_frozen_connection_stands_and_flows_on_when_thawed(proxy: TcpProxy, peer: socket.socket) -> None:
    proxy.freeze()
    peer.sendall(b"wait")
    peer.settimeout(0.5)
    with pytest.raises(TimeoutError):
        peer.recv(100)
    assert proxy.connections == 1
    proxy.thaw()
    assert peer.recv(100) == b"wait"


def test_a_cut_reaches_a_connection_that_is_frozen_or_whose_client_does_not_read(
    proxy: TcpProxy, peer: socket.socket
) -> None:
    peer.setblocking(False)
    with contextlib.suppress(BlockingIOError):  # until every buffer on the way is full
        while True:
            peer.send(b"x" * 65536)
    proxy.freeze()
    proxy.cut()
    assert proxy.connections == 0


def test_a_delay_counts_in_both_directions(proxy: TcpProxy, peer: socket.socket) -> None:
    proxy.delay = 0.2
    began = time.monotonic()
    peer.sendall(b"slow")
    assert peer.recv(100) == b"slow"
    assert time.monotonic() - began >= 0.4


def test_free_ports_are_distinct_and_below_the_ephemeral_range() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert max(ports) < 32768


class Broken(ServerProcess):
    """A server that says why it cannot start."""

    name = "Broken"

    @classmethod
    def missing(cls) -> str | None:
        return None

    def prepare(self) -> None:
        """Nothing to lay out."""

    def command(self) -> list[str]:
        return ["sh", "-c", "echo the disk is on fire; exit 3"]

    def answers(self) -> bool:
        return False


class Sleeper(Broken):
    """A server with a child that only a signal to its whole group reaches."""

    name = "Sleeper"

    def command(self) -> list[str]:
        return ["sh", "-c", "sleep 600 & echo $! > child; wait"]

    def answers(self) -> bool:
        return (self.folder / "child").exists()


def test_a_server_that_does_not_start_says_what_its_log_says(tmp_path: Path) -> None:
    server = Broken(tmp_path)
    with pytest.raises(Misconfigured, match=r"(?s)Broken did not start.*the disk is on fire") as error:
        server.start()
    assert str(server.log_path) in str(error.value)
    assert not server.running
    assert is_free(server.port)


def alive(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return state.strip() != "" and not state.startswith("Z")


def test_a_kill_reaches_the_children(tmp_path: Path) -> None:
    server = Sleeper(tmp_path)
    server.start()
    wait_until(lambda: (tmp_path / "child").read_text() != "")
    child = int((tmp_path / "child").read_text())
    assert alive(child)
    server.kill()
    wait_until(lambda: not alive(child))


def test_a_server_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = f"""
import os
from pathlib import Path
from onethread.testing.servers.pymap import PymapServer
server = PymapServer(Path({str(tmp_path)!r}), {{}})
server.start()
print(server.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == -9, ended.stderr
    wait_until(lambda: not alive(int(ended.stdout)))
