"""What can be configured, and where it is read from: one YAML file and the environment. It opens nothing.

Order: environment (`ONETHREAD_LOG__URL`) over the file (`log: {url: …}`) over the defaults. An unknown key is refused, in the
file as in the environment: a typing error must not fall back to a default in silence. A secret is written in the file as
`${env:NAME}` or `${file:/run/secrets/name}`, so that the file itself can be shown to anybody.
"""

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from onethread.errors import Misconfigured

PREFIX = "ONETHREAD_"
NOT_SETTINGS = ("ONETHREAD_TEST_", "ONETHREAD_REQUIRE_", "ONETHREAD_CONFIG", "ONETHREAD_API_KEY")
"""Variables of the tests and of the command, which are no settings."""

M = TypeVar("M", bound=BaseModel)

_REFERENCE = re.compile(r"\$\{(env|file):([^}]+)\}")


class _Part(BaseModel):
    """A part of the settings: unknown keys are refused, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LogSettings(_Part):
    """The event log."""

    url: str = Field(
        default="",
        description="sqlite:///path/log.sqlite, or kafka://host:9092,host:9092. Empty: log.sqlite in the data folder.",
    )
    deadline_seconds: float = Field(
        default=10.0, gt=0, description="When a write that is not confirmed counts as unknown."
    )
    partitions: int = Field(default=12, ge=1, description="Of topic messages and conversations, when they are created.")
    retention_hours: int | None = Field(default=None, description="How long messages stay in the log; empty: for ever.")
    feed_hours: int = Field(default=168, ge=1, description="How long changes stay for desks that were away.")
    replication: int = Field(default=-1, description="Copies of each topic; -1: the broker's default.")
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="Kafka's security protocol."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="How to log in at Kafka."
    )
    username: str = Field(default="", description="Kafka user.")
    password: SecretStr = Field(default=SecretStr(""), description="Kafka password.")
    ca_file: Path | None = Field(default=None, description="Certificate authority of the brokers, PEM.")


class StoreSettings(_Part):
    """The conversation store, and the small state beside it."""

    url: SecretStr = Field(
        default=SecretStr(""),
        description="mongodb://host/?replicaSet=rs0, or sqlite:///folder. Empty: files in the data folder.",
    )
    database: str = Field(default="onethread", description="Name of the MongoDB database.")


class BlobSettings(_Part):
    """Attachments and large originals."""

    url: str = Field(
        default="", description="file:///folder, s3://bucket, gs://bucket, az://container. Empty: data folder."
    )


class HttpSettings(_Part):
    """The entrance."""

    host: str = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 in a container.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on.")
    public_url: str = Field(
        default="", description="How providers reach us; signatures cover it. Empty: where it listens, for trying out."
    )
    max_body_bytes: int = Field(default=3 * 1024 * 1024, ge=1024, description="Largest webhook body.")
    max_waiting: int = Field(default=512, ge=1, description="Webhooks in work at once; beyond it the answer is 503.")
    max_waiting_bytes: int = Field(
        default=64 * 1024 * 1024, ge=1024 * 1024, description="Memory that they take at most; beyond it, too."
    )


class UnifierSettings(_Part):
    """What threads messages into conversations."""

    halt_after: int = Field(
        default=20, ge=1, description="So many records in a row that cannot be processed halt their partition."
    )


class ParsingSettings(_Part):
    """What one record of a stranger may take, before it is stored as an excerpt instead."""

    seconds: float = Field(
        default=2.0, gt=0, le=60, description="Of a processor; three times that on the clock. For one record."
    )
    megabytes: int = Field(
        default=256, ge=96, description="Memory of a parser process, in MiB; a mail takes up to four times its size."
    )
    processes: int = Field(default=2, ge=1, le=64, description="Parser processes at most; started when needed.")


class MediaSettings(_Part):
    """What fetching the files of messages may take."""

    max_bytes: int = Field(
        default=64 * 1024 * 1024, ge=1024, description="Largest file; it is on disk while it arrives, not in memory."
    )
    seconds: float = Field(default=120.0, gt=0, le=3600, description="For one file, or one look-up.")
    parallel: int = Field(
        default=16,
        ge=1,
        le=64,
        description="Messages whose files are fetched at once, a process; a fourth of them of one channel. As many look-ups.",
    )


class GroupingSettings(_Part):
    """How messages become conversations."""

    grouping: Literal["episodes", "threads"] | None = Field(
        default=None,
        description="episodes: one conversation of a customer over all channels; threads: each mail thread or post its own.",
    )
    idle_hours: float | None = Field(
        default=None, gt=0, description="Silence after which a message that answers nothing opens a new conversation."
    )


class TenantSettings(GroupingSettings):
    """A tenant: customers and channels of one company."""


class ChannelSettings(GroupingSettings):
    """One configured account of a connector."""

    id: str = Field(pattern=r"^chn_[a-z0-9_]{1,58}$", description="chn_ and letters, digits, _. It never changes.")
    connector: str = Field(description="Folder of the connector: imap, telegram, mastodon, …")
    tenant: str = Field(default="default", pattern=r"^[a-z0-9-]{1,32}$", description="Whose channel it is.")
    name: str = Field(default="", description="What people call it.")
    created_at: datetime = Field(
        default=datetime(2000, 1, 1, tzinfo=UTC), description="What the provider dates before it is history."
    )
    since: datetime | None = Field(
        default=None,
        description="Where a channel that pulls begins at its first start. Empty: with what comes from then on.",
    )
    hook_secret: SecretStr = Field(
        default=SecretStr(""), description="Unguessable part of the webhook's URL, 16 characters or more."
    )
    allow_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(), description="Private networks that its connector may reach, as 127.0.0.0/8."
    )
    settings: dict[str, Any] = Field(
        default_factory=dict, repr=False, description="The connector's own settings, secrets among them."
    )

    @field_validator("created_at", "since")
    @classmethod
    def _has_zone(cls, at: datetime | None) -> datetime | None:
        return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)


class Settings(_Part):
    """All settings."""

    data: Path = Field(
        default=Path(".onethread"), description="Folder of the embedded default: log, store, blobs, keys."
    )
    log: LogSettings = Field(default_factory=LogSettings, description="The event log.")
    store: StoreSettings = Field(default_factory=StoreSettings, description="The conversation store.")
    blobs: BlobSettings = Field(default_factory=BlobSettings, description="Attachments.")
    http: HttpSettings = Field(default_factory=HttpSettings, description="The entrance.")
    unifier: UnifierSettings = Field(default_factory=UnifierSettings, description="The unifier.")
    parsing: ParsingSettings = Field(default_factory=ParsingSettings, description="What a record may take.")
    media: MediaSettings = Field(default_factory=MediaSettings, description="Files that messages refer to.")
    keys: tuple[SecretStr, ...] = Field(
        default=(),
        description="Master keys, 32 characters or more, newest first: they encrypt tokens and sign deep links. "
        "Empty: one is made in the data folder.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="What is logged.")
    grouping: GroupingSettings = Field(default_factory=GroupingSettings, description="For tenants that say nothing.")
    tenants: dict[str, TenantSettings] = Field(default_factory=dict, description="Tenants with settings of their own.")
    channels: tuple[ChannelSettings, ...] = Field(default=(), description="The channels.")

    @field_validator("keys")
    @classmethod
    def _long_enough(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < 32 for key in keys):
            raise ValueError("a key needs 32 characters or more")
        return keys

    @model_validator(mode="after")
    def _ids_are_unique(self) -> "Settings":
        ids = [channel.id for channel in self.channels]
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            raise ValueError(f"channel ids are used twice: {', '.join(twice)}")
        return self


def load(file: Path | None, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of a file (None: defaults) and an environment. Raises Misconfigured, naming each wrong key."""
    environment = os.environ if environment is None else environment
    values = _from_file(file, environment) if file else {}
    _merge(values, _from_environment(environment))
    return validated(Settings, values, "")


def validated(model: type[M], values: Mapping[str, Any], where: str) -> M:
    """The values as a model; `where` prefixes the names of wrong keys. Raises Misconfigured, never showing a value."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        problems = error.errors(include_input=False)
        raise Misconfigured("\n".join(_problem(item, model, where) for item in problems)) from None


def _problem(item: Mapping[str, Any], model: type[BaseModel], where: str) -> str:
    key = ".".join(str(part) for part in item["loc"])
    name = f"{where}{key}".rstrip(".") or "settings"
    if item["type"] == "extra_forbidden":
        return f"{name}: there is no such setting; see `onethread config` for those there are"
    if item["type"] == "missing":
        return f"{name}: is needed and not set"
    field = model.model_fields.get(key)
    if item["type"] == "string_pattern_mismatch" and field and field.description:
        return f"{name}: is not of the right form. What belongs there: {field.description}"
    return f"{name}: {item['msg'].removeprefix('Value error, ')}"


# --- the file ------------------------------------------------------------------------------------------------------


def _from_file(file: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Misconfigured(f"{file}: there is no such settings file; set ONETHREAD_CONFIG or --config") from None
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise Misconfigured(f"{file}: cannot be read as YAML: {_where(error)}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise Misconfigured(f"{file}: must be a mapping of settings, as in `log: {{url: …}}`")
    resolved: dict[str, Any] = _resolve(values, environment, "")
    return resolved


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else type(error).__name__


def _resolve(value: Any, environment: Mapping[str, str], name: str) -> Any:
    """References to the environment and to files, replaced by what they hold."""
    match value:
        case dict():
            return {str(key): _resolve(item, environment, f"{name}.{key}".strip(".")) for key, item in value.items()}
        case list():
            return [_resolve(item, environment, f"{name}.{index}") for index, item in enumerate(value)]
        case str():
            return _REFERENCE.sub(lambda found: _referred(found[1], found[2], environment, name), value)
        case _:
            return value


def _referred(kind: str, what: str, environment: Mapping[str, str], name: str) -> str:
    if kind == "env":
        if what not in environment:
            raise Misconfigured(f"{name}: the environment variable {what} is not set")
        return environment[what]
    try:
        return Path(what).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise Misconfigured(f"{name}: the file {what} cannot be read: {type(error).__name__}") from None


# --- the environment -----------------------------------------------------------------------------------------------


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """`ONETHREAD_LOG__URL` → log.url. A list or a mapping is written as YAML: `["…", "…"]`."""
    values: dict[str, Any] = {}
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name.startswith(NOT_SETTINGS):
            continue
        *parents, last = name.removeprefix(PREFIX).lower().split("__")
        kind = _kind(name, [*parents, last])
        place = values
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise Misconfigured(f"{name}: another variable sets {parent} as a whole; unset one of the two")
        if isinstance(place.get(last), dict):
            raise Misconfigured(f"{name}: other variables set parts of {last}; unset it, or those")
        place[last] = text if kind in _TEXTS else _typed(text)
    return values


_TEXTS = (str, SecretStr)
"""What is taken as it is: a password may begin with a bracket."""


def _kind(name: str, path: list[str]) -> Any:
    """The type of a setting, Any within free ones. Raises Misconfigured for a setting that is not there."""
    model: Any = Settings
    for part in path:
        fields = getattr(model, "model_fields", None)
        if fields is None:
            return Any
        if part not in fields:
            raise Misconfigured(f"{name}: there is no setting {'.'.join(path)}; unset it, or mend its name")
        model = fields[part].annotation
    return model


def _typed(text: str) -> Any:
    if text[:1] in "[{":
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError:
            return text
    return text


def _merge(values: dict[str, Any], over: Mapping[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value


def masked(settings: BaseModel) -> dict[str, Any]:
    """The effective values with secrets masked, for showing."""
    shown = settings.model_dump(mode="json")
    for channel in shown.get("channels", ()):
        channel["settings"] = dict.fromkeys(channel["settings"], "***")
    return shown
