"""What a connector is, and what the host lends it: the whole API an outside connector is written against.

One rule: code that may do I/O gets `host` as an argument; code that gets none is pure (no I/O, clock or randomness).

    webhook  authenticate ─► handshake? ─► unpack ─┐                                          ┌─► answer (2xx)
    polling  fetch(cursor) ────────────────────────┼─► Raw ─► normalize ─► Event ─► durable ──┼─► cursor saved
    stream, mounted  host.emit(records) ───────────┘                                          └─► emit returns
"""

import hashlib
import hmac
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from urllib.parse import parse_qsl

import httpx
import msgspec
from pydantic import BaseModel, SecretStr

from onethread.errors import Misconfigured, Poison, Rejected, Retryable, Unauthorised
from onethread.event import Attachment, Body, Event, Party

__all__ = [
    "Answer", "Checks", "Connector", "DeepLinks", "Downloads", "Excerpts", "Host", "Keys", "Lookups", "Media", "Misconfigured", "Mounted",
    "Outbound", "Page", "Poison", "Polling", "Raw", "Rejected", "Request", "Retryable", "Sends", "Sent", "Step", "Stream",
    "Subscribes", "Token", "Unauthorised", "Wake", "WebSocket", "Webhook", "fingerprint", "signed", "utc",
]  # fmt: skip

S = TypeVar("S", bound=BaseModel)


# --- what passes between host and connector -------------------------------------------------------------------------


class Request(msgspec.Struct, frozen=True):
    """A request as it reached an entrance.

    `url`: as set at the provider, never from the Host header; `path`: what follows the channel's own URL;
    `headers`: lower-case names; `arrived_at`: the only clock an entrance may read; `keys`: what `Keys.load_key` fetched.
    """

    method: str
    url: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    arrived_at: datetime
    keys: dict[str, bytes] = {}

    def form(self) -> dict[str, str]:
        """The body as a form; blank values are kept, since signatures cover them."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


class Answer(msgspec.Struct, frozen=True):
    """What an entrance answers."""

    body: bytes = b""
    status: int = 200
    media_type: str = "text/plain"


class Raw(msgspec.Struct, frozen=True):
    """One record of the provider: clear, complete, without secrets.

    `form`: which of our record shapes it is ("rest", "user"); `account`: whom it is for, where an entrance serves many;
    `about`: what the record does not say itself (folder, own user id); `ingested_at`: stamped by the host.
    """

    data: bytes
    form: str = ""
    account: str = ""
    about: dict[str, str] = {}
    media_type: str = "application/json"
    ingested_at: datetime | None = None


class Wake(msgspec.Struct, frozen=True):
    """A request to pull now: the host calls fetch(resource) with `host.hint`. Not durable: losing one only delays."""

    resource: str = ""
    hint: str = ""


class Page(msgspec.Struct, frozen=True):
    """One fetch. `more`: again at once, even if empty; `wait`: seconds the provider's budget asks for."""

    records: Sequence[Raw]
    cursor: str | None
    more: bool = False
    wait: float | None = None


class Media(msgspec.Struct, frozen=True):
    """What the host is to GET. `unexpected`: media types that mean an error sent with status 200."""

    url: str
    headers: dict[str, str] = {}
    unexpected: tuple[str, ...] = ()


class Token(msgspec.Struct, frozen=True):
    """An access token, with what renews it."""

    value: str
    expires_at: datetime
    refresh: str = ""


class Step(msgspec.Struct, frozen=True):
    """One probe of `check`. A step that is not ok says in `todo` what to change, and where."""

    name: str
    ok: bool
    todo: str = ""


class Sent(msgspec.Struct, frozen=True):
    """What the provider called the message it took."""

    external_id: str
    external_thread_id: str = ""
    sent_at: datetime | None = None


class Outbound(msgspec.Struct, frozen=True):
    """A reply to be sent. `id` is the idempotency key; `in_reply_to` the provider's id of what it answers."""

    id: str
    recipients: tuple[Party, ...]
    body: Body
    external_thread_id: str = ""
    in_reply_to: str = ""
    subject: str = ""
    attachments: tuple[Attachment, ...] = ()
    reply_context: dict[str, str] = {}


class WebSocket(Protocol):
    """An open WebSocket; closes raise Retryable."""

    async def send(self, message: str | bytes) -> None:
        """Send one message."""

    async def receive(self) -> str | bytes:
        """The next message. Raises Retryable when the connection is closed or silent too long."""


class Host(Protocol):
    """What the host lends a connector, per channel and resource."""

    http: httpx.AsyncClient
    """With time-outs, address guard and tracing; raises on a status of 400 and above."""
    url: str
    """Where the provider is to call this channel; "" where nobody says, or it has no `hook_secret`. It is a secret: show its host only."""
    since: datetime | None
    """Where to begin while the cursor is None; None: now."""
    hint: str
    """That of the Wake behind this fetch, and behind those that go on where it ended with `more`."""

    def now(self) -> datetime:
        """The clock."""

    def websocket(self, url: str, headers: Mapping[str, str] = {}) -> AbstractAsyncContextManager[WebSocket]:
        """Connect; the address guard of `http` applies."""

    async def token(self, name: str, renew: Callable[[Token | None], Awaitable[Token]]) -> str:
        """A durable token, renewed by one replica at a time and stored before use."""

    async def emit(self, records: Sequence[Raw], cursor: str | None = None) -> None:
        """Normalise and publish; returns when all is durable: acknowledge on the next line. A cursor is saved after."""


# --- the connector --------------------------------------------------------------------------------------------------


class Connector(ABC, Generic[S]):
    """The code for one provider. The class line says what it can do: `class Slack(Connector[Settings], Webhook, Stream)`.

    `name`: its folder; `network`: what people call the channel's kind ("email", "sms"); ids and claims are scoped by it.
    `settings`: the pydantic model named in the class line; secrets are SecretStr, rotating ones lists. Immutable.
    """

    name: ClassVar[str]
    network: ClassVar[str]
    app: str = ""
    """`fingerprint(app secret)`; channels of equal, non-empty `app` share an entrance."""

    def __init__(self, settings: S) -> None:
        self.settings: S = settings

    @property
    def account(self) -> str:
        """Ours, in the provider's words (a page, a number, a mailbox)."""
        return str(getattr(self.settings, "account", ""))

    @property
    def edges(self) -> tuple[type, ...]:
        """The edges this channel uses; by default all it has."""
        return tuple(edge for edge in (Webhook, Polling, Stream, Mounted) if isinstance(self, edge))

    @abstractmethod
    def normalize(self, raw: Raw) -> Iterable[Event]:
        """The events of one record. Pure, and reads no secret. msgspec and Unicode errors count as Poison.

        It may run in a process of its own, where the connector was made again, of settings whose secrets are placeholders.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}(account={self.account!r})"

    @classmethod
    def settings_model(cls) -> type[BaseModel]:
        """The S of `Connector[S]`."""
        for parent in cls.__mro__:
            for base in getattr(parent, "__orig_bases__", ()):
                arguments: tuple[Any, ...] = getattr(base, "__args__", ())
                for argument in arguments:
                    if isinstance(argument, type) and issubclass(argument, BaseModel):
                        return argument
        raise Misconfigured(f"connector {cls.__name__} names no settings model: write class …(Connector[Settings], …)")


class Webhook(ABC):
    """The provider calls us. All of it is pure; the time is `request.arrived_at`."""

    answer_within: ClassVar[float] = 2.0
    """Seconds the provider waits."""

    @abstractmethod
    def authenticate(self, request: Request) -> None:
        """Over raw bytes; raises Rejected. Every POST, before anything else."""

    def handshake(self, request: Request) -> Answer | None:  # noqa: ARG002 -- the default has none
        """A computed answer, which needs no store, log or network; None: not a handshake. A GET verifies by itself."""
        return None

    def unpack(self, request: Request) -> Iterable[Raw | Wake]:
        """Decrypt, split, drop secrets. By default the body is one record."""
        return (Raw(request.body),)

    def answer(self, request: Request) -> Answer:  # noqa: ARG002 -- the default answers all alike
        """Once all is durable."""
        return Answer()


class Polling(ABC):
    """We ask the provider."""

    interval: ClassVar[float] = 60.0
    """Seconds between fetches, unless a Page says otherwise."""

    def resources(self) -> Sequence[str]:
        """What is fetched with a cursor each."""
        return ("",)

    @abstractmethod
    async def fetch(self, host: Host, resource: str, cursor: str | None) -> Page:
        """One page. The cursor moves only once the page is durable."""


class Stream(ABC):
    """We hold a connection."""

    async def resources(self, host: Host) -> Sequence[str]:  # noqa: ARG002 -- the default asks nobody
        """What needs a session and a cursor each: folders, accounts."""
        return ("",)

    @abstractmethod
    async def session(self, host: Host, resource: str, cursor: str | None) -> None:
        """Connect, back-fill from the cursor, then read on, calling `host.emit`. Returns: opened again; raises: backs off."""


class Mounted(ABC):
    """An application of its own (a chat widget, an SMTP server), served by the host's process."""

    @abstractmethod
    def asgi(self, host: Host) -> Any:
        """An ASGI application that calls `host.emit`."""


class Keys(ABC):
    """The provider's public keys come over the network; the host caches them for 24 hours."""

    @abstractmethod
    def key_names(self, request: Request) -> Iterable[str]:
        """What `authenticate` will need. Pure."""

    @abstractmethod
    async def load_key(self, host: Host, name: str) -> bytes:
        """One key. Rejected means that it is nobody's: 401."""


class Downloads(ABC):
    """Media need the provider's help; an https URL as locator needs none."""

    @abstractmethod
    async def download(self, host: Host, locator: str) -> Media:
        """What to GET for a locator."""


class Excerpts(ABC):
    """What takes too much to read is shown all the same, as its beginning. Without it, such a record is a dead letter."""

    @abstractmethod
    def excerpt(self, raw: Raw, because: str) -> Iterable[Event]:
        """The events of `normalize`, with the same ids, at a small price: `degraded` says `because`. Pure, never empty."""


class Lookups(ABC):
    """Facts that the record lacks, brought later as events of their own."""

    @abstractmethod
    async def lookup(self, host: Host, locator: str) -> Sequence[Raw]:
        """Records about a locator."""


class DeepLinks(ABC):
    """The channel can be opened by a link that carries a token of ours."""

    @abstractmethod
    async def deep_link(self, host: Host, token: str) -> str:
        """The link; some providers have to be asked for it. Misconfigured says what is missing for it."""


class Sends(ABC):
    """Replies can go out."""

    sends_once: ClassVar[bool] = False
    """True: the provider ignores a repeated `message.id`."""

    @abstractmethod
    async def send(self, host: Host, message: Outbound) -> Sent:
        """Send once; what the provider refuses for good is Rejected or Poison."""


class Checks(ABC):
    """Probes for `onethread check`."""

    @abstractmethod
    def check(self, host: Host) -> AsyncIterator[Step]:
        """Step by step; each failure says what to change."""


class Subscribes(ABC):
    """The provider must be told where to call."""

    @abstractmethod
    async def subscribe(self, host: Host, url: str | None) -> datetime | None:
        """Register (None: stop). Returns when to renew."""


# --- small things that every entrance needs -------------------------------------------------------------------------


def signed(
    given: str, secrets: Iterable[SecretStr], body: bytes, *, algorithm: str = "sha256", prefix: str = ""
) -> bool:
    """Whether `given` is `prefix` + the hex HMAC of the body under one of the secrets; compared in constant time.

    An empty secret signs nothing: anyone has it.
    """
    answer = False
    for secret in secrets:
        expected = prefix + hmac.new(secret.get_secret_value().encode(), body, algorithm).hexdigest()
        answer |= same(given, expected) and bool(secret.get_secret_value())
    return answer


def same(given: str, expected: str) -> bool:
    """Equality in constant time; text that is not ASCII, or not Unicode, is compared like any other."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass"))


def fingerprint(secret: SecretStr) -> str:
    """What tells whether two channels hold the same secret, without telling the secret; "" where there is none."""
    if not secret.get_secret_value():
        return ""
    return hashlib.sha256(b"onethread app\0" + secret.get_secret_value().encode()).hexdigest()[:32]


def utc(seconds: float) -> datetime:
    """Unix seconds as a moment. Raises Poison for what no calendar holds."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError, TypeError) as error:
        raise Poison("a time that no calendar holds") from error
