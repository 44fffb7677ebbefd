"""Slack: what people write in channels and direct messages where our app is. It knows entrances and calls, no content."""

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Annotated, Literal, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from im_ingest.connectors.slack import checks, entrance, interactions, records
from im_ingest.connectors.slack.content import FILE, GONE
from im_ingest.connectors.slack.entities import File
from im_ingest.connectors.slack.scene import USER
from im_ingest.connectors.slack.socket_mode import SocketMode
from im_ingest.connectors.slack.web_api import DEFAULT_URL, SlackError, WebApi
from im_ingest.connectors.slack.who import Us
from onethread.connector import (
    Answer,
    Checks,
    Connector,
    Downloads,
    Host,
    Lookups,
    Media,
    Raw,
    Rejected,
    Request,
    Step,
    Stream,
    Wake,
    Webhook,
    fingerprint,
    signed,
    utc,
)
from onethread.errors import Poison
from onethread.event import Event

SIGNATURE, TIMESTAMP = "x-slack-signature", "x-slack-request-timestamp"
OLDEST = 300
"""Seconds that a signature is good for, either way (Slack API docs, "Verifying requests from Slack")."""
CHALLENGE = re.compile(r"[\x21-\x7e]{1,512}")
HTML = "text/html"


class Settings(BaseModel):
    """One workspace in which the app is installed."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account: str = Field(
        pattern=r"^[TE][A-Z0-9]+$", description="Workspace ID (T…): part of its address at app.slack.com."
    )
    signing_secrets: list[SecretStr] = Field(
        default=[],
        description="Signing secret, under Basic Information; two while you rotate it, the new one first. For `edge` webhook.",
    )
    bot_token: SecretStr = Field(
        description="Bot User OAuth Token (xoxb-…) of this workspace, under OAuth & Permissions."
    )
    app_token: SecretStr = Field(
        SecretStr(""),
        description="App-level token (xapp-…) with connections:write, under Basic Information. For `edge` socket.",
    )
    edge: Literal["webhook", "socket"] = Field(
        "webhook", description="webhook: Slack calls us; socket: we connect to Slack (no public address needed)."
    )
    agents: list[Annotated[str, Field(pattern=r"^[UWTE][A-Z0-9]+$")]] = Field(
        default=[],
        description="User IDs (U…) of your staff, whose messages are outbound; a workspace's ID (T…) stands for all its people.",
    )
    api_url: str = Field(DEFAULT_URL, description="The Web API; change it only for GovSlack, or to test.")

    @model_validator(mode="after")
    def _has_what_its_edge_needs(self) -> Self:
        if self.edge == "webhook" and not self.signing_secrets:
            raise ValueError("signing_secrets: is needed for edge webhook; it is under Basic Information of the app")
        if self.edge == "socket" and not self.app_token.get_secret_value():
            raise ValueError("app_token: is needed for edge socket; make one under Basic Information, App-Level Tokens")
        return self


class Slack(Connector[Settings], Webhook, Stream, Downloads, Lookups, Checks):
    """One workspace. Workspaces of one app share a URL, or connections: a record says whose it is."""

    name = network = "slack"
    answer_within = 3.0

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.app = fingerprint(settings.signing_secrets[0] if settings.signing_secrets else settings.app_token)
        self._us = Us(settings.account, frozenset(settings.agents))

    @property
    def edges(self) -> tuple[type, ...]:
        """One of the two: with Socket Mode turned on, Slack calls no URL."""
        return (Stream,) if self.settings.edge == "socket" else (Webhook,)

    def normalize(self, raw: Raw) -> Iterable[Event]:
        match raw.form:
            case entrance.EVENT:
                return records.events(raw.data, self._us)
            case entrance.INTERACTION:
                return interactions.interaction(raw.data, self._us)
            case entrance.COMMAND:
                return (interactions.command(raw.data, raw.about, self._us),)
            case entrance.USER:
                return (records.profile(raw.data, self._us),)
            case _:
                raise Poison("an envelope of a type that is not known, or damaged")

    # --- webhook ---

    def authenticate(self, request: Request) -> None:
        at = request.headers.get(TIMESTAMP, "")
        if not (at.isascii() and at.isdecimal() and len(at) < 12):
            raise Rejected(f"{TIMESTAMP} is missing, or no number")
        base = b"v0:" + at.encode() + b":" + request.body
        if not signed(request.headers.get(SIGNATURE, ""), self.settings.signing_secrets, base, prefix="v0="):
            raise Rejected(f"{SIGNATURE} does not match time and body under any of `signing_secrets`")
        if abs((request.arrived_at - utc(int(at))).total_seconds()) > OLDEST:
            raise Rejected(f"{TIMESTAMP} is more than five minutes away")

    def handshake(self, request: Request) -> Answer | None:
        """The answer to the challenge by which Slack verifies a URL, and to its look at the certificate of a command's URL."""
        if request.method != "POST":
            return None
        try:
            asked = msgspec.json.decode(request.body, type=_Verification)
        except entrance.DAMAGED:
            return Answer() if request.form().get("ssl_check") == "1" else None
        if asked.type != "url_verification":
            return None
        if not CHALLENGE.fullmatch(asked.challenge):
            raise Rejected("challenge is missing, or of a strange form", status=400)
        return Answer(asked.challenge.encode())

    def unpack(self, request: Request) -> Iterable[Raw | Wake]:
        return entrance.records(request)

    # --- socket ---

    async def session(self, host: Host, resource: str, cursor: str | None) -> None:  # noqa: ARG002 -- Slack keeps the place
        await SocketMode(host, self._sockets(host)).run()

    # --- calls ---

    async def download(self, host: Host, locator: str) -> Media:
        """Where a file is now. Slack answers a wrong token with a log-in page and status 200."""
        api = self._api(host)
        file = (await api.call("files.info", _FileAnswer, file=locator.removeprefix(FILE))).file
        url = file.url_private_download or file.url_private or ""
        if not url or file.mode in GONE:
            raise Poison("the file was deleted at Slack")
        page = () if (file.mimetype or "").startswith(HTML) else (HTML,)
        return Media(url, headers=api.headers if api.trusts(url) else {}, unexpected=page)

    async def lookup(self, host: Host, locator: str) -> Sequence[Raw]:
        """Name, address and time zone of a person; none of who is not known to this workspace."""
        user = locator.removeprefix(USER)
        try:
            found = await self._api(host).call("users.info", _UserAnswer, user=user, include_locale="true")
        except SlackError as error:
            if error.code in {"user_not_found", "user_not_visible"}:
                return ()
            raise
        return (Raw(bytes(found.user), form=entrance.USER, account=self.settings.account),)

    async def check(self, host: Host) -> AsyncIterator[Step]:
        own = self.settings
        sockets = self._sockets(host) if own.edge == "socket" else None
        async for step in checks.steps(self._api(host), sockets, own.account, own.agents):
            yield step

    def _api(self, host: Host) -> WebApi:
        own = self.settings
        return WebApi(host, own.api_url, own.bot_token.get_secret_value(), "`bot_token` (OAuth & Permissions)")

    def _sockets(self, host: Host) -> WebApi:
        own = self.settings
        where = "`app_token` (Basic Information, App-Level Tokens)"
        return WebApi(host, own.api_url, own.app_token.get_secret_value(), where)


class _Verification(msgspec.Struct):
    """Just enough of a body to know a challenge."""

    type: str = ""
    challenge: str = ""


class _FileAnswer(msgspec.Struct):
    file: File


class _UserAnswer(msgspec.Struct):
    user: msgspec.Raw
