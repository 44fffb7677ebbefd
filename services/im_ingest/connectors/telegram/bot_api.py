"""Calls of the Bot API over the host's HTTP client. It knows addresses and error codes; it knows no update.

The address of every call holds the bot's token. So no error leaves this module with the address in it, and none carries
the client's own exception: its text would bring the token into a log.
"""

import re
from typing import Any

import httpx
import msgspec

from onethread.connector import Host
from onethread.errors import Misconfigured, OnethreadError, Poison, Retryable

LONG_POLL = 50
"""Seconds that getUpdates may wait for the first update."""

TIMEOUT = httpx.Timeout(15, read=LONG_POLL + 20)

UNREACHABLE = "Let `http.public_url` lead from the Internet to this service, by https on port 443, 80, 88 or 8443."
SIGNS = (
    (
        r"\b40[13]\b",
        "The secret that is set at Telegram is none of `secrets`: start the channel once, it sets the first one.",
    ),
    (
        r"\b40[45]\b",
        "The address leads elsewhere: compare `http.public_url`, then start the channel once, it sets the address.",
    ),
    (
        r"\b5\d\d\b",
        "The service, or the proxy before it, refuses for now: see `onethread channels`, and the proxy's log.",
    ),
    (
        r"(?i)ssl|certificate",
        "Telegram does not accept the certificate: it needs a public one, with all between it and the root.",
    ),
)
"""What Telegram's words about a failed delivery mean; they are those of the open-source Bot API server."""


class _Parameters(msgspec.Struct, frozen=True):
    retry_after: float | None = None


class _Reply(msgspec.Struct):
    """Every answer has this shape, errors too (Bot API, "Making requests")."""

    ok: bool = False
    result: msgspec.Raw = msgspec.Raw(b"null")
    description: str = ""
    parameters: _Parameters = _Parameters()


class WebhookInfo(msgspec.Struct):
    """What Telegram says about our webhook. `allowed_updates` is missing while Telegram's own choice is in force."""

    url: str = ""
    pending_update_count: int = 0
    last_error_message: str = ""
    allowed_updates: list[str] = []

    @property
    def failing(self) -> bool:
        """Whether deliveries fail now: an error that was mended is told on, but nothing waits any more."""
        return bool(self.last_error_message and self.pending_update_count)

    def trouble(self) -> str:
        """What fails, and what to do about it."""
        todo = next((todo for sign, todo in SIGNS if re.search(sign, self.last_error_message)), UNREACHABLE)
        return f"{self.pending_update_count} updates wait; Telegram's last error: {self.last_error_message}. {todo}"


class Bot(msgspec.Struct):
    """Who the token belongs to."""

    id: int
    username: str = ""
    can_read_all_group_messages: bool = False


class File(msgspec.Struct):
    """Where a file is now: for at least an hour."""

    file_path: str = ""


class BotApi:
    """One bot's calls."""

    def __init__(self, host: Host, api_url: str, token: str) -> None:
        self._http = host.http
        self._base = api_url.rstrip("/")
        self._token = token

    def file_url(self, path: str) -> str:
        """The address of a file's bytes. It holds the token: only the host may see it."""
        return f"{self._base}/file/bot{self._token}/{path}"

    async def call(self, method: str, **parameters: Any) -> msgspec.Raw:
        """The result of one method, as JSON. Raises ours for every error."""
        try:
            url = f"{self._base}/bot{self._token}/{method}"
            response = await self._http.post(url, json=parameters, timeout=TIMEOUT)
            status, body = response.status_code, response.content
        except httpx.HTTPStatusError as error:
            status, body = error.response.status_code, _body(error.response)
        except httpx.HTTPError as error:
            # `from None`, as the client's text may name the address.
            raise Retryable(f"Telegram did not answer {method}: {type(error).__name__}") from None
        reply = _reply(body)
        if status >= 400 or not reply.ok:
            raise failure(method, status, reply.description, reply.parameters.retry_after)
        return reply.result

    async def bot(self) -> Bot:
        """Whose token it is."""
        return msgspec.json.decode(await self.call("getMe"), type=Bot)

    async def webhook(self) -> WebhookInfo:
        """The state of the webhook; `url` "" means that none is set."""
        return msgspec.json.decode(await self.call("getWebhookInfo"), type=WebhookInfo)


def _body(response: httpx.Response) -> bytes:
    try:
        return response.content
    except httpx.ResponseNotRead:  # the client gave up on the status alone
        return b""


def _reply(body: bytes) -> _Reply:
    try:
        return msgspec.json.decode(body, type=_Reply)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _Reply()  # a proxy's page, say: the status decides


def failure(method: str, status: int, description: str, wait: float | None) -> OnethreadError:
    """What a refused call means, by the codes of the open-source Bot API server."""
    said = f"Telegram refused {method} ({status}): {description or 'no description'}"
    todo = _todo(method, status, description)
    if todo:
        return Misconfigured(f"{said}. {todo}")
    if status == 400 and "temporarily" not in description:
        return Poison(said)
    if status == 409:
        said += ". Another program polls with this token: stop it."
    return Retryable(said, after=wait)


def _todo(method: str, status: int, description: str) -> str:
    """What a person must change; "" where nobody can. 409 without a webhook is another poller, which may stop by itself."""
    match status:
        case 401 | 404:
            return "Copy the token from @BotFather again into `token`; check `api_url`."
        case 403:
            return "The bot is blocked or may not do this: see its rights at @BotFather."
        case 409 if "webhook" in description:
            return "Telegram delivers either by webhook or by polling: set `edge` to one of them."
        case 400 if method == "setWebhook":
            return "The public URL must be https on port 443, 80, 88 or 8443."
        case _:
            return ""
