"""Zoom: Team Chat, chatbots, text messages, meeting chats and Contact Center of one account. It knows entrances and calls, no content."""

import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from im_ingest.connectors.zoom import subscriptions
from im_ingest.connectors.zoom.frame import BY_URL, USER, Us
from im_ingest.connectors.zoom.records import events, profile, record
from im_ingest.connectors.zoom.zoom_api import NotThere, ZoomApi, part
from onethread.connector import (
    Answer,
    Checks,
    Connector,
    Downloads,
    Host,
    Lookups,
    Media,
    Raw,
    Request,
    Step,
    Subscribes,
    Wake,
    Webhook,
    fingerprint,
    signed,
)
from onethread.errors import OnethreadError, Poison, Rejected
from onethread.event import Event

SIGNATURE, TIMESTAMP = "x-zm-signature", "x-zm-request-timestamp"
OLDEST = 6000.0
"""Seconds. Zoom tries again after 5, 20 and 60 minutes, and does not say whether it signs anew; refusing it by 401 would lose the event."""
AHEAD = 300.0
"""Seconds that Zoom's clock may be ahead."""
CHALLENGE = "endpoint.url_validation"
PLAIN = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""No colon: what is signed for a delivery holds two, so no answer to a challenge is the signature of one."""


class Settings(BaseModel):
    """One account."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account: str = Field(min_length=1, description="Account ID: App credentials of a Server-to-Server OAuth app.")
    secret_tokens: list[SecretStr] = Field(
        min_length=1, description="Secret token of the app, under Features, Access; two while you rotate it, new first."
    )
    agents: list[str] = Field(
        default=[], description="Those of you who answer, by email address or user ID: what they write is outbound."
    )
    events: list[str] = Field(
        default=[],
        description="Events to subscribe to by Zoom's API; empty: you enter the URL and choose events in the app's pages.",
    )
    client_id: str = Field("", description="Client ID of the Server-to-Server OAuth app; needed for names and files.")
    client_secret: SecretStr = Field(SecretStr(""), description="Its client secret.")
    api_url: str = Field("https://api.zoom.us/v2", description="Zoom's API with its version.")
    login_url: str = Field("https://zoom.us", description="The server that gives access tokens.")


class Zoom(Connector[Settings], Webhook, Downloads, Lookups, Checks, Subscribes):
    """One account. Accounts of one app share its URL: an event says whose it is."""

    name = network = "zoom"
    answer_within = 3.0  # "Using webhooks": 200 or 204 within three seconds

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.app = fingerprint(settings.secret_tokens[0])
        self._us = Us(settings.account, frozenset(one.casefold() for one in settings.agents))

    def authenticate(self, request: Request) -> None:
        at = request.headers.get(TIMESTAMP, "")
        if not (at.isascii() and at.isdecimal() and len(at) <= 12):
            raise Rejected(f"{TIMESTAMP} is missing, or no number")
        if not self._signed(request, self.settings.secret_tokens):
            raise Rejected(f"{SIGNATURE} does not match the body under any of `secret_tokens`")
        if not -AHEAD <= request.arrived_at.timestamp() - int(at) <= OLDEST:
            raise Rejected(f"{TIMESTAMP} is too old, or in the future")

    def handshake(self, request: Request) -> Answer | None:
        """The challenge that Zoom repeats every 72 hours; it is answered by the secret that signed it."""
        if request.method != "POST" or CHALLENGE.encode() not in request.body:
            return None
        try:
            asked = msgspec.json.decode(request.body, type=_Challenge)
        except (ValueError, RecursionError):
            return None
        if asked.event != CHALLENGE:
            return None
        plain = asked.payload.plain_token
        if not PLAIN.fullmatch(plain):
            raise Rejected("plainToken is missing, or of a strange form", status=400)
        secrets = [one for one in self.settings.secret_tokens if self._signed(request, [one])]
        if not secrets:
            raise Rejected(f"{SIGNATURE} does not match the challenge")
        secret = secrets[0].get_secret_value().encode()
        token = hmac.new(secret, plain.encode(), hashlib.sha256).hexdigest()
        return Answer(
            msgspec.json.encode({"plainToken": plain, "encryptedToken": token}), media_type="application/json"
        )

    def unpack(self, request: Request) -> Iterable[Raw | Wake]:
        yield record(request.body)

    def normalize(self, raw: Raw) -> Iterable[Event]:
        if raw.form == "user":
            return (profile(raw.data, self._us, raw.about["user"]),)
        return events(raw.data, self._us)

    async def download(self, host: Host, locator: str) -> Media:
        """A chat's message says where its files are now; other files come with an address. Only Zoom's servers see the token."""
        api = self._api(host)
        url = locator.removeprefix(BY_URL) if locator.startswith(BY_URL) else await self._address(api, locator)
        return Media(url, headers=await api.headers() if api.trusts(url) else {})

    async def _address(self, api: ZoomApi, locator: str) -> str:
        try:
            user, side, chat, message, file_id = msgspec.json.decode(locator, type=tuple[str, str, str, str, str])
        except msgspec.MsgspecError as error:
            raise Poison("a locator of another form") from error
        found = await api.get(f"chat/users/{part(user)}/messages/{part(message)}", _Message, **{side: chat})
        for file in (found, *found.files):
            if file.file_id == file_id and file.download_url:
                return file.download_url
        raise Poison("the message no longer names this file")

    async def lookup(self, host: Host, locator: str) -> Sequence[Raw]:
        """Name, address, number and time zone of somebody of the account; none of somebody else."""
        user = locator.removeprefix(USER)
        try:
            found = await self._api(host).raw(f"users/{part(user)}")
        except NotThere:
            return ()
        told = {
            name: value
            for name, value in msgspec.json.decode(found, type=dict[str, msgspec.Raw]).items()
            if name in TOLD
        }
        return (Raw(msgspec.json.encode(told), form="user", account=self.account, about={"user": user}),)

    async def subscribe(self, host: Host, url: str | None) -> datetime | None:
        """It lasts until it is taken away. Without `events` a person does it."""
        own = self.settings
        if own.events:
            await subscriptions.keep(self._api(host), own.account, url, own.events)
        return None

    async def check(self, host: Host) -> AsyncIterator[Step]:
        api, own = self._api(host), self.settings
        if own.client_id:
            try:
                await api.log_in()
            except OnethreadError as error:
                yield Step("token", ok=False, todo=str(error))
                return
            yield Step("token", ok=True)
            yield await self._people(api)
        else:
            todo = "without `client_id` and `client_secret` files are not fetched and names not looked up"
            yield Step("token", ok=True, todo=todo)
        if not own.agents:
            yield Step("agents", ok=True, todo="no `agents`: what colleagues say in channels counts as inbound")
        yield await self._endpoint(api)

    async def _people(self, api: ZoomApi) -> Step:
        """Whether `agents` are people of the account; it takes the scope for look-ups to find out."""
        unknown = []
        for name in self.settings.agents[:MOST] or ["me"]:
            try:
                await api.raw(f"users/{part(name)}")
            except NotThere:
                unknown.append(name)
            except OnethreadError as error:
                return Step("people", ok=False, todo=str(error))
        todo = f"not users of this account: {', '.join(unknown)}; compare `agents` with Zoom's pages, User Management, Users"
        return Step("people", ok=not unknown or unknown == ["me"], todo=todo if unknown and unknown != ["me"] else "")

    async def _endpoint(self, api: ZoomApi) -> Step:
        if not self.settings.events:
            todo = "Zoom tells nobody where it sends: enter the channel's URL in the app, under Features, Access, and press Validate."
            return Step("endpoint", ok=True, todo=todo)
        try:
            found = await subscriptions.ours(api, self.account)
        except OnethreadError as error:
            return Step("endpoint", ok=False, todo=str(error))
        lacking = sorted(set(self.settings.events) - {event for one in found for event in one.events})
        todo = f"not subscribed to {', '.join(lacking)}: start the channel, which subscribes; its state says what Zoom refuses"
        return Step("endpoint", ok=not lacking, todo=todo if lacking else "")

    def _signed(self, request: Request, secrets: Sequence[SecretStr]) -> bool:
        message = b"v0:" + request.headers.get(TIMESTAMP, "").encode("utf-8", "replace") + b":" + request.body
        return signed(request.headers.get(SIGNATURE, ""), secrets, message, prefix="v0=")

    def _api(self, host: Host) -> ZoomApi:
        own = self.settings
        client = (own.client_id, own.client_secret.get_secret_value())
        return ZoomApi(host, own.api_url, own.login_url, own.account, client)


MOST = 20
"""People that a probe looks up."""
TOLD = frozenset({"id", "first_name", "last_name", "display_name", "email", "phone_number", "timezone", "language"})
"""What is kept of a user."""


class _Plain(msgspec.Struct):
    plain_token: str = msgspec.field(default="", name="plainToken")


class _Challenge(msgspec.Struct):
    event: str = ""
    payload: _Plain = msgspec.field(default_factory=_Plain)


class _File(msgspec.Struct):
    file_id: str = ""
    download_url: str = ""


class _Message(_File):
    """The first file stands in the message itself, too."""

    files: list[_File] = []
