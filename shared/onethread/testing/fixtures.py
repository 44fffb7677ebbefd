"""Recorded inputs of connectors and what becomes of them. It knows the two file formats, and no test runner.

`fixtures/<case>.in.json` is one record or one request; `<case>.out.json` what the connector makes of it:

    {"raw": {"json": … | "text": "…" | "data_base64": "…", "form": "", "account": "", "about": {}, "media_type": "…"}}
    {"request": {"method": "POST", "path": "", "query": {}, "headers": {}, "json": … | "body": "…" | "body_base64": "…",
                 "arrived_at": "2026-01-01T00:00:00Z", "keys": {}}}

Either may add `"settings": {…}`, over those of `fixtures/settings.json`, which hold for all cases of the folder. The output
is a list of events, defaults omitted; `{"error": "Poison"}` in place of what was refused. A whole request gives `{"error": "Rejected", "status": 401}`
where it was refused, `{"answer": …}` where it was a handshake.
"""

import base64
import importlib
import inspect
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, cast, get_args

import msgspec
from pydantic import BaseModel, SecretStr, ValidationError

from onethread.connector import Answer, Connector, Host, Keys, Raw, Request, Wake, Webhook
from onethread.errors import Misconfigured, OnethreadError, Poison, Rejected
from onethread.event import Event

REFUSED = (OnethreadError, msgspec.MsgspecError, UnicodeError, RecursionError)
"""What a connector may raise over a record or request: ours, and what the host takes for Poison."""

SAMPLE_SECRET = "sample-secret"  # noqa: S105 -- no secret, but what stands for one


class RawInput(msgspec.Struct, forbid_unknown_fields=True):
    """One record; exactly one of `json`, `text`, `data_base64` is set."""

    json: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    text: str | None = None
    data_base64: str | None = None
    form: str = ""
    account: str = ""
    about: dict[str, str] = {}
    media_type: str = "application/json"

    def record(self) -> Raw:
        """As the connector gets it."""
        data = _bytes(self.json, self.text, self.data_base64)
        return Raw(data, form=self.form, account=self.account, about=self.about, media_type=self.media_type)


class RequestInput(msgspec.Struct, forbid_unknown_fields=True):
    """One request to an entrance; at most one of `json`, `body`, `body_base64` is set."""

    method: str = "POST"
    url: str = "https://hooks.example.com/in"
    path: str = ""
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    json: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    body: str | None = None
    body_base64: str | None = None
    arrived_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    keys: dict[str, str] = {}

    def request(self) -> Request:
        """As the connector gets it, with the `keys` that `Keys.load_key` would have fetched."""
        body = _bytes(self.json, self.body, self.body_base64)
        keys = {name: key.encode() for name, key in self.keys.items()}
        return Request(self.method, self.url, self.path, self.query, self.headers, body, self.arrived_at, keys)


class Input(msgspec.Struct, forbid_unknown_fields=True):
    """One fixture: a record, or a request."""

    raw: RawInput | None = None
    request: RequestInput | None = None
    settings: dict[str, Any] = {}


class Case(msgspec.Struct, frozen=True):
    """One fixture of one connector."""

    connector: type[Connector[Any]]
    path: Path

    @property
    def name(self) -> str:
        """The file's name without `.in.json`."""
        return self.path.name.removesuffix(".in.json")

    @property
    def output(self) -> Path:
        """Where the recorded output is."""
        return self.path.with_name(f"{self.name}.out.json")

    def input(self) -> Input:
        """The file's content. Raises Misconfigured when it is no fixture."""
        try:
            read = msgspec.json.decode(self.path.read_bytes(), type=Input)
        except msgspec.MsgspecError as error:
            raise Misconfigured(f"{self.path.name} is no fixture: {error}") from error
        if (read.raw is None) == (read.request is None):
            raise Misconfigured(f"{self.path.name} must hold either `raw` or `request`")
        return read

    def instance(self) -> Connector[Any]:
        """The connector with the settings of this case."""
        return self.connector(settings_for(self.connector, self.input().settings))


def _bytes(json: msgspec.Raw | msgspec.UnsetType, text: str | None, encoded: str | None) -> bytes:
    if isinstance(json, msgspec.Raw):
        return msgspec.json.encode(msgspec.json.decode(json))
    return base64.b64decode(encoded) if encoded is not None else (text or "").encode()


def folder_of(connector: type[Connector[Any]]) -> Path:
    """The folder of a connector's code, README and fixtures."""
    return Path(inspect.getfile(connector)).parent


def cases(connector: type[Connector[Any]]) -> list[Case]:
    """The fixtures of a connector, by name."""
    return [Case(connector, path) for path in sorted((folder_of(connector) / "fixtures").glob("*.in.json"))]


def connector_in(folder: Path) -> type[Connector[Any]]:
    """The connector class that the module `connector` in this folder defines. Raises Misconfigured."""
    names, parent = [folder.resolve().name], folder.resolve().parent
    while (parent / "__init__.py").exists():
        names.insert(0, parent.name)
        parent = parent.parent
    module = _imported(".".join([*names, "connector"]), parent)
    for name, value in vars(module).items():
        own = inspect.isclass(value) and issubclass(value, Connector) and value.__module__ == module.__name__
        if own and not name.startswith("_"):
            return cast("type[Connector[Any]]", value)
    raise Misconfigured(f"{module.__name__} defines no subclass of onethread.connector.Connector")


def _imported(name: str, above: Path) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            raise  # not the connector is missing, but something that it needs
        raise Misconfigured(
            f"cannot import {name}: set PYTHONPATH={above}, which is the folder above the package"
        ) from error


def settings_for(connector: type[Connector[Any]], given: dict[str, Any]) -> BaseModel:
    """The settings of a case: samples for what is required, then `settings.json`, then the case's own. Raises Misconfigured."""
    model, shared = connector.settings_model(), folder_of(connector) / "fixtures" / "settings.json"
    common = msgspec.json.decode(shared.read_bytes()) if shared.exists() else {}
    try:
        return model.model_validate({**_samples(model), **common, **given})
    except ValidationError as error:
        raise Misconfigured(f"write settings that fit into {shared}: {error}") from error


def _samples(model: type[BaseModel]) -> dict[str, Any]:
    samples: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if field.is_required():
            lists = getattr(field.annotation, "__origin__", None) is list
            sample = SAMPLE_SECRET if name in secret_fields(model) else "sample"
            samples[name] = [sample] if lists else sample
    return samples


def secret_fields(model: type[BaseModel]) -> frozenset[str]:
    """The names of the fields that hold secrets, singly or in a list."""
    return frozenset(name for name, field in model.model_fields.items() if _holds_secret(field.annotation))


def _holds_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_holds_secret(argument) for argument in get_args(annotation))


def outcome(connector: Connector[Any], given: Input) -> Any:
    """What becomes of an input, as JSON can write it."""
    if given.raw is not None:
        return _of_record(connector, given.raw.record())
    assert given.request is not None
    return _of_request(connector, given.request.request())


def _of_record(connector: Connector[Any], raw: Raw) -> Any:
    try:
        return [msgspec.to_builtins(event) for event in connector.normalize(raw)]
    except REFUSED as error:
        return _refused(error)


def _of_request(connector: Connector[Any], request: Request) -> Any:
    try:
        answer, raws = received(connector, request)
    except REFUSED as error:
        return _refused(error)
    if answer is not None:
        body = answer.body.decode()
        return {"answer": {"status": answer.status, "body": body, "media_type": answer.media_type}}
    together: list[Any] = []
    for raw in raws:
        made = [{"wake": msgspec.to_builtins(raw)}] if isinstance(raw, Wake) else _of_record(connector, raw)
        together += made if isinstance(made, list) else [made]
    return together


def received(connector: Connector[Any], request: Request) -> tuple[Answer | None, list[Raw | Wake]]:
    """A request's way through an entrance, as the host walks it: the answer of a handshake, else its records."""
    if not isinstance(connector, Webhook):
        raise Misconfigured(f"{connector.name} has request fixtures, but it is no Webhook")
    if request.method != "GET":
        connector.authenticate(request)
    answer = connector.handshake(request)
    return (answer, []) if answer is not None else (None, list(connector.unpack(request)))


def records(connector: Connector[Any], given: Input) -> list[Raw]:
    """The records of an input; none of a handshake, or of a request that is refused."""
    if given.raw is not None:
        return [given.raw.record()]
    assert given.request is not None
    try:
        _, raws = received(connector, given.request.request())
    except REFUSED:
        return []
    return [raw for raw in raws if isinstance(raw, Raw)]


def events_of(connector: Connector[Any], raw: Raw) -> list[Event]:
    """The events of one record; none of one that is refused."""
    try:
        return list(connector.normalize(raw))
    except REFUSED:
        return []


def _refused(error: Exception) -> dict[str, Any]:
    """The error of ours that it amounts to: what msgspec and Unicode raise is Poison."""
    if isinstance(error, Rejected):
        return {"error": Rejected.__name__, "status": error.status}
    return {"error": type(error).__name__ if isinstance(error, OnethreadError) else Poison.__name__}


def with_keys(connector: Connector[Any], keys: dict[str, bytes]) -> Connector[Any]:
    """The same connector, to which the provider publishes these keys: those recorded with a request, and no other."""
    if not isinstance(connector, Keys):
        return connector

    async def load_key(_self: object, _host: Host, name: str) -> bytes:
        if name not in keys:
            raise Rejected("nobody's key")
        return keys[name]

    kind = type(connector)
    made: Connector[Any] = type(kind.__name__, (kind,), {"load_key": load_key})(connector.settings)
    return made
