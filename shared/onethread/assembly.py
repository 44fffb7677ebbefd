"""From settings to parts: which adapter a URL means, where the keys are, which channels there are. It starts nothing."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from onethread.blobs import Blobs
from onethread.connector import Connector
from onethread.errors import Misconfigured
from onethread.host.channel import Channel, Channels
from onethread.host.parsing.pool import Parsers
from onethread.host.parsing.worker import Budget
from onethread.log.port import EventLog
from onethread.settings import ChannelSettings, Settings, validated
from onethread.state.port import StateStore

DATABASE_PREFIXES = ("mongodb://", "mongodb+srv://")


def event_log(settings: Settings, client_id: str) -> EventLog:
    """The log that `log.url` names. Raises Misconfigured for a URL of no adapter."""
    url = settings.log.url
    if not url or url.startswith("sqlite://"):
        from onethread.log.sqlite import SqliteLog

        return SqliteLog(_file(url, settings, "log.sqlite"), deadline=settings.log.deadline_seconds)
    if not url.startswith("kafka://"):
        raise Misconfigured("log.url: give kafka://host:9092,host:9092 or sqlite:///path/log.sqlite, or leave it empty")
    from onethread.log.kafka import KafkaLog

    log = settings.log
    return KafkaLog(
        url.removeprefix("kafka://").rstrip("/"),
        client_id=client_id,
        deadline=log.deadline_seconds,
        replication_factor=log.replication,
        security_protocol=log.security,
        sasl_mechanism=log.sasl_mechanism,
        sasl_username=log.username,
        sasl_password=log.password.get_secret_value(),
        ssl_cafile=str(log.ca_file) if log.ca_file else None,
    )


def state_store(settings: Settings) -> StateStore:
    """The state beside the conversations, in the database that `store.url` names."""
    url = settings.store.url.get_secret_value()
    if url.startswith(DATABASE_PREFIXES):
        from onethread.state.mongo import MongoState

        return MongoState(url, settings.store.database)
    from onethread.state.sqlite import SqliteState

    return SqliteState(store_folder(settings) / "state.sqlite")


def store_folder(settings: Settings) -> Path:
    """The folder of the embedded stores. Raises Misconfigured for a URL of no adapter."""
    url = settings.store.url.get_secret_value()
    if url and not url.startswith("sqlite://"):
        raise Misconfigured("store.url: give mongodb://host/?replicaSet=name or sqlite:///folder, or leave it empty")
    return Path(urlsplit(url).path) if url else settings.data


def _file(url: str, settings: Settings, name: str) -> Path:
    return Path(urlsplit(url).path) if url else settings.data / name


def blob_store(settings: Settings) -> Blobs:
    """Attachments and large originals."""
    return Blobs(settings.blobs.url or f"file://{(settings.data / 'blobs').resolve()}")


def master_keys(settings: Settings) -> tuple[SecretStr, ...]:
    """The keys of the settings; without any, one that is made once, in the data folder, readable by its owner alone.

    Several machines need the same keys: with Kafka or MongoDB and none configured, raises Misconfigured.
    """
    if settings.keys:
        return settings.keys
    if settings.log.url.startswith("kafka://") or settings.store.url.get_secret_value().startswith(DATABASE_PREFIXES):
        raise Misconfigured("keys: give at least one of 32 characters or more; every service needs the same")
    settings.data.mkdir(parents=True, exist_ok=True)
    file = settings.data / "key"
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return (SecretStr(file.read_text(encoding="ascii").strip()),)
    with os.fdopen(handle, "w", encoding="ascii") as out:
        key = secrets.token_urlsafe(32)
        out.write(key)
        out.flush()
        os.fsync(out.fileno())
    return (SecretStr(key),)


def parsers(settings: Settings) -> Parsers:
    """The parser processes, none of them started yet."""
    given = settings.parsing
    return Parsers(Budget(given.seconds, given.megabytes, given.processes))


def channels(settings: Settings, connectors: Mapping[str, type[Connector[Any]]]) -> Channels:
    """The configured channels of these connectors; those of others are left to other services."""
    return Channels(channel(one, connectors[one.connector]) for one in settings.channels if one.connector in connectors)


def channel(one: ChannelSettings, connector: type[Connector[Any]]) -> Channel:
    """One channel with its connector. Raises Misconfigured, naming each wrong setting."""
    own = validated(connector.settings_model(), one.settings, f"channels.{one.id}.settings.")
    return Channel(
        id=one.id,
        tenant=one.tenant,
        connector=connector(own),
        created_at=one.created_at,
        since=one.since,
        hook_secret=one.hook_secret,
        allow_networks=one.allow_networks,
        idle_hours=one.idle_hours,
        grouping=one.grouping,
    )


def unknown_connectors(settings: Settings, connectors: Mapping[str, type[Connector[Any]]]) -> None:
    """Raises Misconfigured if a channel names a connector that is not installed."""
    for one in settings.channels:
        if one.connector not in connectors:
            known = ", ".join(sorted(connectors))
            raise Misconfigured(
                f"channels.{one.id}.connector: there is no connector {one.connector!r}; there are: {known}; "
                "an outside package must be installed where onethread is"
            )
