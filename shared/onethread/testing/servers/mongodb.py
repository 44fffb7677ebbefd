"""A server that speaks MongoDB's wire protocol, for tests: SecantusDB, or any MongoDB that somebody runs.

It is not MongoDB: it says replica-set primary, one member. A figure that depends on MongoDB's planner does not hold on it.
Source of the protocol: MongoDB's "Wire Protocol" manual, OP_MSG (https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/).
"""

import importlib.util
import struct
import sys
from typing import ClassVar

import bson
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from onethread.errors import Misconfigured
from onethread.testing.servers.process import ServerProcess, connect

_OP_MSG = 2013


class MongoServer(ServerProcess):
    """SecantusDB on WiredTiger files in its data folder.

    It names its own address to clients, as each member of a replica set does: through a `TcpProxy`, connect with
    `directConnection=True`, or the client leaves the proxy after its first answer.
    """

    name = "SecantusDB"

    @classmethod
    def missing(cls) -> str | None:
        """None, or that the package is not installed."""
        if importlib.util.find_spec("secantus") is not None:
            return None
        return "SecantusDB is not installed: pip install SecantusDB==0.7.0b3, or make test, which installs it."

    @property
    def url(self) -> str:
        """`mongodb://…`, as clients take it."""
        return f"mongodb://{self.host}:{self.port}/"

    def prepare(self) -> None:
        """Write an empty configuration, so that it reads no other from the user's or the working folder."""
        (self.folder / "secantusd.toml").touch()

    def command(self) -> list[str]:
        """The daemon, in the foreground, with a cache that fits beside a broker."""
        return [
            *[sys.executable, "-c", "import sys; from secantus.cli import main; sys.exit(main())"],
            *["--config", str(self.folder / "secantusd.toml"), "--storage-path", str(self.folder / "data")],
            *["--host", self.host, "--port", str(self.port), "--cache-size", "256M"],
        ]

    def answers(self) -> bool:
        """Whether `hello` is answered with ok."""
        hello = b"\0" + bson.encode({"hello": 1, "$db": "admin"})  # section of kind 0
        with connect(self.host, self.port) as peer, peer.makefile("rb") as answer:
            peer.sendall(struct.pack("<iiiiI", 20 + len(hello), 1, 0, _OP_MSG, 0) + hello)
            head = answer.read(21)  # length, request, response to, opcode, flags, section's kind
            if len(head) < 21:
                return False
            body = answer.read(struct.unpack("<i", head[:4])[0] - 21)
        return bool(bson.decode(body).get("ok") == 1)


class ExternalMongo:
    """A MongoDB that somebody else runs, named by `ONETHREAD_TEST_MONGODB_URL`. It is used, and never started or killed."""

    can_be_killed: ClassVar[bool] = False

    def __init__(self, url: str) -> None:
        self.url = url

    def start(self) -> None:
        """Ask once, for ten seconds. Raises `Misconfigured` when it does not answer."""
        client: MongoClient[dict[str, object]] = MongoClient(self.url, serverSelectionTimeoutMS=10_000)
        try:
            client.admin.command("hello")
        except PyMongoError as error:
            # Without the address: the URL may hold a password.
            raise Misconfigured(
                "ONETHREAD_TEST_MONGODB_URL does not answer: start it, or unset the variable."
            ) from error
        finally:
            client.close()

    def stop(self) -> None:
        """Leave it as it is."""
