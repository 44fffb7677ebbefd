"""Pytest fixtures of the real servers: `pytest_plugins = ["onethread.testing.backends"]`. It knows when to start, share and skip.

One server per test session, started by the first test that asks: `kafka_server`, `mongo_server`, `dovecot_server`,
`pymap_server`. For a test that kills or fills its server, one of its own: `new_kafka_server(...)` and so on, called with the
server's own arguments but the folder; they are stopped after the test.

Environment: `ONETHREAD_TEST_KAFKA` (bootstrap servers) and `ONETHREAD_TEST_MONGODB_URL` replace the started ones, and tests
that want one of their own are skipped. `ONETHREAD_REQUIRE_BACKENDS=1` makes a backend that is missing a failure, not a skip.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NoReturn, TypeVar

import pytest

from onethread.errors import Misconfigured
from onethread.testing.servers.dovecot import DovecotServer
from onethread.testing.servers.kafka import ExternalKafka, KafkaServer
from onethread.testing.servers.mongodb import ExternalMongo, MongoServer
from onethread.testing.servers.process import ServerProcess
from onethread.testing.servers.pymap import PymapServer

USERS = {"support@example.com": "a:pass word", "sales@example.com": "another"}
"""Login names and passwords of the shared IMAP servers."""

Server = TypeVar("Server", bound=ServerProcess)
Replacement = TypeVar("Replacement", ExternalKafka, ExternalMongo)

_LOUD = "BACKEND MISSING: "


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer | ExternalKafka]:
    """The session's Kafka; `bootstrap` is what clients are given. Make fresh topics for each test."""
    if bootstrap := os.environ.get("ONETHREAD_TEST_KAFKA"):
        yield _external(ExternalKafka(bootstrap))
    else:
        with ExitStack() as stack:
            yield _started(stack, KafkaServer, lambda: KafkaServer(tmp_path_factory.mktemp("kafka")))


@pytest.fixture(scope="session")
def mongo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer | ExternalMongo]:
    """The session's MongoDB; `url` is what clients are given. Use a fresh database for each test."""
    if url := os.environ.get("ONETHREAD_TEST_MONGODB_URL"):
        yield _external(ExternalMongo(url))
    else:
        with ExitStack() as stack:
            yield _started(stack, MongoServer, lambda: MongoServer(tmp_path_factory.mktemp("mongodb")))


@pytest.fixture(scope="session")
def dovecot_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DovecotServer]:
    """The session's Dovecot with `USERS`. Use a fresh folder for each test."""
    with ExitStack() as stack:
        yield _started(stack, DovecotServer, lambda: DovecotServer(tmp_path_factory.mktemp("dovecot"), USERS))


@pytest.fixture(scope="session")
def pymap_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PymapServer]:
    """The session's pymap with `USERS`. Use a fresh folder for each test."""
    with ExitStack() as stack:
        yield _started(stack, PymapServer, lambda: PymapServer(tmp_path_factory.mktemp("pymap"), USERS))


@pytest.fixture
def new_kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., KafkaServer]]:
    """Call it, with a `proxy` if you like, for a Kafka of the test's own, started."""
    _skip_if_replaced("ONETHREAD_TEST_KAFKA", "Kafka")
    yield from _factory(KafkaServer, tmp_path_factory)


@pytest.fixture
def new_mongo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., MongoServer]]:
    """Call it for a MongoDB of the test's own, started."""
    _skip_if_replaced("ONETHREAD_TEST_MONGODB_URL", "MongoDB")
    yield from _factory(MongoServer, tmp_path_factory)


@pytest.fixture
def new_dovecot_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., DovecotServer]]:
    """Call it with the users for a Dovecot of the test's own, started."""
    yield from _factory(DovecotServer, tmp_path_factory)


@pytest.fixture
def new_pymap_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., PymapServer]]:
    """Call it with the users for a pymap of the test's own, started."""
    yield from _factory(PymapServer, tmp_path_factory)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say once more, at the end, what was skipped for want of a backend; each only once, from all workers."""
    reasons = [
        report.longrepr[2] for report in terminalreporter.stats.get("skipped", []) if isinstance(report.longrepr, tuple)
    ]
    missing = [reason.removeprefix("Skipped: ") for reason in reasons if _LOUD in reason]
    for sentence in sorted(set(missing)):
        count = missing.count(sentence)
        terminalreporter.write_line(f"{sentence} ({count} skipped)", red=True, bold=True)


def _factory(kind: type[Server], folders: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    with ExitStack() as stack:
        yield lambda *arguments, **options: _started(
            stack, kind, lambda: kind(folders.mktemp(kind.name.lower()), *arguments, **options)
        )


def _started(stack: ExitStack, kind: type[Server], make: Callable[[], Server]) -> Server:
    """A server that stops with `stack`."""
    if sentence := kind.missing():
        _unavailable(sentence)
    server = make()
    stack.callback(server.discard)
    try:
        server.start()
    except Misconfigured as error:
        _unavailable(str(error))
    return server


def _external(server: Replacement) -> Replacement:
    try:
        server.start()
    except Misconfigured as error:
        _unavailable(str(error))
    return server


def _skip_if_replaced(variable: str, name: str) -> None:
    if os.environ.get(variable):
        pytest.skip(f"this test kills its {name}, and {variable} names one that is not ours to kill")


def _unavailable(sentence: str) -> NoReturn:
    if os.environ.get("ONETHREAD_REQUIRE_BACKENDS") == "1":
        pytest.fail(f"{sentence} (ONETHREAD_REQUIRE_BACKENDS=1 makes this a failure)", pytrace=False)
    first, *rest = sentence.splitlines()
    pytest.skip(" ".join([_LOUD + first, *rest[-1:]]))
