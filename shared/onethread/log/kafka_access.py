"""How to reach a Kafka cluster: settings as aiokafka's options, and why it cannot be reached. It keeps no connection."""

import asyncio
import contextlib
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.helpers import create_ssl_context

from onethread.errors import Misconfigured, OnethreadError, Retryable
from onethread.log.kafka_errors import FOREIGN, translate

_METADATA_SECONDS = 60  # until partitions that were added are noticed
_RETRY_SECONDS = 0.25


def options_of(
    bootstrap: str,
    client_id: str,
    deadline: float,
    *,
    security_protocol: str,
    sasl_mechanism: str | None,
    sasl_username: str | None,
    sasl_password: str | None,
    ssl_cafile: str | None,
) -> dict[str, Any]:
    """What every client of the cluster is made with. Raises Misconfigured for a file that cannot be read."""
    options: dict[str, Any] = {
        "bootstrap_servers": bootstrap,
        "client_id": client_id,
        "request_timeout_ms": round(deadline * 1000),
        "retry_backoff_ms": round(_RETRY_SECONDS * 1000),
        "metadata_max_age_ms": _METADATA_SECONDS * 1000,
        "security_protocol": security_protocol,
        "sasl_mechanism": sasl_mechanism or "PLAIN",
        "sasl_plain_username": sasl_username,
        "sasl_plain_password": sasl_password,
    }
    if security_protocol.endswith("SSL"):
        try:
            options["ssl_context"] = create_ssl_context(cafile=ssl_cafile)
        except OSError as error:
            raise Misconfigured(f"log.ssl_cafile {ssl_cafile} cannot be read as certificates ({error}).") from error
    return options


async def why_unreachable(options: dict[str, Any], deadline: float) -> OnethreadError:
    """Ask each bootstrap server once more, since aiokafka says "unable to bootstrap" of refused credentials too."""
    servers = options["bootstrap_servers"]
    shared = {name: value for name, value in options.items() if name not in _NOT_OF_A_CONNECTION}
    for host, port, _ in collect_hosts(servers):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline / 4):
                try:
                    (await create_conn(host, port, **shared)).close()
                except FOREIGN as error:
                    if isinstance(ours := translate(error, f"Connecting to {servers} (log.url)"), Misconfigured):
                        return ours
    return Retryable(f"Kafka cannot be reached at {servers}: check log.url, and that its brokers run.")


_NOT_OF_A_CONNECTION = {"bootstrap_servers", "retry_backoff_ms", "metadata_max_age_ms"}
