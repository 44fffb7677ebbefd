"""What somebody who listens to a channel is shown of requests, records and events: secrets masked, cut to size. It knows no store.

Masked are the secrets of the channel's own settings, wherever they stand, and values whose name sounds secret, in headers,
queries, forms and JSON. All of it takes time in proportion to what is shown, since anybody can send anything.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from pydantic import BaseModel, SecretStr

from onethread.connector import Raw, Request, Wake
from onethread.dead_letters import DeadLetter
from onethread.event import Event
from onethread.host.channel import Channel

LONGEST = 16 * 1024
"""Characters shown of one body, record or event."""
LARGEST = 64 * 1024
"""Bytes shown of one request with all that became of it."""

_SECRET = re.compile(r"authorization|cookie|token|secret|passw|api[-_]?key|response_url", re.IGNORECASE)
_HEADER = 1024
_STRING = r'"(?:[^"\\]|\\.)*+\\?(?:"|\Z)'
_JSON = re.compile(rf"({_STRING})(?:(\s*+:\s*+)({_STRING}))?", re.DOTALL)
_PARAMETER = re.compile(r"""(\A|[?&])([^=&?"\s<>]*+)=([^&"\s<>\\]*+)""")


class Seen(msgspec.Struct, frozen=True):
    """What became of one record: `events`, or `letter`, or the pull that `wake` asks for. `raw` None: a whole body."""

    channel_id: str
    raw: Raw | None = None
    events: tuple[Event, ...] = ()
    letter: DeadLetter | None = None
    wake: Wake | None = None


class Showing:
    """Shows for one channel."""

    def __init__(self, channel: Channel) -> None:
        secrets = {*secrets_in(channel.connector.settings), channel.hook_secret.get_secret_value()} - {""}
        self._secrets = sorted(secrets, key=len, reverse=True)
        self._margin = len(self._secrets[0]) if self._secrets else 0

    def request(self, request: Request) -> dict[str, Any]:
        """Method, path, query, headers and body."""
        named = {"query": self._named(request.query), "headers": self._named(request.headers)}
        return {"method": request.method, "path": self.masked(request.path), **named, "body": self.body(request.body)}

    def record(self, raw: Raw) -> dict[str, Any]:
        """A record, with what the connector says of it."""
        said = {"form": raw.form, "account": raw.account, "about": self._named(raw.about)}
        return {**{name: value for name, value in said.items() if value}, "data": self.body(raw.data)}

    def body(self, data: bytes) -> str:
        """As text; what is too long ends with the number of bytes that are left out."""
        cut = len(data) > LONGEST
        text = data[: LONGEST + self._margin].decode("utf-8", "replace")
        masked = self.masked(_JSON.sub(_json, text) if text.lstrip()[:1] in {"{", "["} else text)
        masked = _PARAMETER.sub(_parameter, masked)
        # What is masked moves up what follows: the margin, in which half a secret may stand, goes whatever its place.
        return f"{masked[: max(len(masked) - self._margin, 0)]}… ({len(data)} bytes)" if cut else masked

    def made(self, seen: Iterable[Seen]) -> list[Any]:
        """The events of records; of a refused one, why, and its dead letter."""
        found: list[Any] = []
        for one in seen:
            if one.letter is not None:
                why = {"error": one.letter.reason, "stage": one.letter.stage, "reason": self.masked(one.letter.detail)}
                found.append({**why, "dead_letter": one.letter.id})
            elif one.wake is not None:
                found.append({"wake": self.hidden(msgspec.to_builtins(one.wake))})
            else:
                found += [self.event(event) for event in one.events] or [{"nothing": "this record makes no event"}]
        return found

    def event(self, event: Event) -> Any:
        """An event as it is written; `source`, which repeats the record, is left out."""
        whole = {name: value for name, value in msgspec.to_builtins(event).items() if name != "source"}
        document = self.hidden(whole)
        text = msgspec.json.encode(document)
        if len(text) <= LONGEST:
            return document
        return {"kind": event.kind, "id": event.id, "cut": text[:LONGEST].decode("utf-8", "replace")}

    def masked(self, text: str) -> str:
        """Without a secret of the channel's settings."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def hidden(self, document: Any) -> Any:
        """The same document without such a secret, should a connector let one through."""
        if isinstance(document, str):
            return self.masked(document)
        if isinstance(document, dict):
            return {name: self.hidden(value) for name, value in document.items()}
        return [self.hidden(each) for each in document] if isinstance(document, list | tuple) else document

    def _named(self, values: Mapping[str, str]) -> dict[str, str]:
        return {name: "***" if _SECRET.search(name) else self.masked(value)[:_HEADER] for name, value in values.items()}


def fitted(document: dict[str, Any]) -> bytes:
    """As JSON of at most `LARGEST` bytes: the last events, then all but a few words, give way."""
    events, left = list(document.get("events", ())), 0
    while True:
        shown = [*events, {"not_shown": left}] if left else events
        value = msgspec.json.encode({**document, "events": shown})
        if len(value) <= LARGEST:
            return value
        if not events:
            small = {name: one[:_HEADER] for name, one in document.items() if isinstance(one, str)}
            return msgspec.json.encode({**small, "events": [], "not_shown": len(value)})
        keep = len(events) // 2
        left, events = left + len(events) - keep, events[:keep]


def secrets_in(value: Any) -> list[str]:
    """Every secret that is set, at any depth: what is never to be shown."""
    match value:
        case SecretStr():
            return [value.get_secret_value()] if value.get_secret_value() else []
        case BaseModel():
            return secrets_in([getattr(value, name) for name in type(value).model_fields])
        case Mapping():
            return secrets_in(list(value.values()))
        case list() | tuple() | set() | frozenset():
            return [secret for one in value for secret in secrets_in(one)]
        case _:
            return []


def _json(found: re.Match[str]) -> str:
    name, colon, value = found.groups()
    return f'{name}{colon}"***"' if value and _SECRET.search(name) else found[0]


def _parameter(found: re.Match[str]) -> str:
    before, name, value = found.groups()
    return f"{before}{name}=***" if value and _SECRET.search(name) else found[0]
