"""The servers of the test kit: each answers a real client, keeps its data through SIGKILL, and meets the faults of the proxy."""

import asyncio
import imaplib
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from imapclient import IMAPClient
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, DuplicateKeyError, NetworkTimeout
from pymongo.server_api import ServerApi

from onethread.testing.backends import USERS
from onethread.testing.servers.dovecot import DovecotServer
from onethread.testing.servers.imap import ImapServer
from onethread.testing.servers.kafka import ExternalKafka, KafkaServer
from onethread.testing.servers.mongodb import ExternalMongo, MongoServer
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


def mongo_client(url: str, **options: Any) -> MongoClient[dict[str, object]]:
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
    # Not imapclient: its `idle_check` does not wait for the rest of a line that arrives in two segments, and pymap sends such lines.
    with imaplib.IMAP4(imap_server.host, imap_server.port, timeout=15) as client:
        client.login(USER, imap_server.users[USER])
        client.select(f'"{folder}"')
        client.send(b"A IDLE\r\n")
        assert client.readline().startswith(b"+")
        imap_server.deliver(USER, MAIL, folder)
        assert b"* 2 EXISTS\r\n" in iter(client.readline, b"")
        client.send(b"DONE\r\n")
        assert any(line.startswith(b"A OK") for line in iter(client.readline, b""))


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
