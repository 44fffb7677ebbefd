"""The house of these tests, as fixtures: over SQLite, and over Kafka and a server that speaks MongoDB's protocol."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from failures.house import Backend, House, built

from onethread.testing.servers.imap import ImapServer


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Everything in one folder."""
    async with built(Backend(tmp_path)) as made:
        yield made


@pytest.fixture(params=["sqlite", "kafka_and_mongodb"])
async def each_house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """One after the other: for what replicas and crashes do. Brokers are shared, so that tenants and databases are fresh."""
    backend = Backend(tmp_path)
    if request.param != "sqlite":
        kafka, mongo = request.getfixturevalue("kafka_server"), request.getfixturevalue("mongo_server")
        backend = Backend(tmp_path, kafka.bootstrap, mongo.url, f"failures_{uuid4().hex[:12]}")
    async with built(backend) as made:
        yield made


@pytest.fixture(params=["dovecot", "pymap"])
def mail_server(request: pytest.FixtureRequest) -> ImapServer:
    """A real IMAP server."""
    found: ImapServer = request.getfixturevalue(f"{request.param}_server")
    return found
