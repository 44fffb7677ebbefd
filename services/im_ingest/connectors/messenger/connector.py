"""Messenger: messages that people write to a Facebook page. It knows entrances and calls, no content."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from im_ingest import meta, meta_app
from im_ingest.connectors.messenger.items import events, page_change, profile
from im_ingest.connectors.messenger.scene import PROFILE
from im_ingest.graph_api import DEFAULT_URL, GraphApi, GraphError
from onethread.connector import (
    Answer,
    Checks,
    Connector,
    DeepLinks,
    Host,
    Lookups,
    Raw,
    Request,
    Step,
    Subscribes,
    Wake,
    Webhook,
    fingerprint,
)
from onethread.errors import Misconfigured, OnethreadError, Poison
from onethread.event import Event

PRODUCT = "page"
FIELDS = (
    "messages", "message_echoes", "message_edits", "message_reactions", "message_deliveries", "message_reads",
    "messaging_postbacks", "messaging_referrals", "messaging_optins", "messaging_handovers", "messaging_account_linking",
    "messaging_feedback", "messaging_policy_enforcement", "response_feedback", "standby",
)  # fmt: skip
"""What we subscribe the page to. `response_feedback` shows thumbs under what the app sends."""

NO_PROFILE = 2018218
"""Subcode: this person's profile is told to nobody (Messenger Platform, "User Profile API")."""
TOLD = "first_name,last_name,name,locale,timezone"
TOKENS = ("notification_messages_token", "one_time_notif_token")
"""Whoever has one may write to the person."""


class Settings(BaseModel):
    """One page."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account: str = Field(pattern=r"^\d+$", description="Page ID, under About, Page transparency.")
    app_secrets: list[SecretStr] = Field(
        min_length=1,
        description="App secret, under App settings, Basic; two while you rotate it, the new one first.",
    )
    verify_token: SecretStr = Field(
        min_length=1, description="A word of your choice that Meta repeats when it verifies the URL."
    )
    access_token: SecretStr = Field(description="Page access token with pages_messaging and pages_manage_metadata.")
    api_url: str = Field(DEFAULT_URL, description="The Graph API with its version.")


class Messenger(Connector[Settings], Webhook, Lookups, Checks, Subscribes, DeepLinks):
    """One page. Pages of one app share a URL: a delivery says whom each of its entries is for."""

    name = network = "messenger"
    answer_within = 5.0  # the platform's FAQ says 20 s, newer pages are said to ask for 5 s

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.app = fingerprint(settings.app_secrets[0])

    def authenticate(self, request: Request) -> None:
        meta.authenticate(request, self.settings.app_secrets)

    def handshake(self, request: Request) -> Answer | None:
        return meta.handshake(request, self.settings.verify_token)

    def unpack(self, request: Request) -> Iterable[Raw | Wake]:
        for item in meta.items(request.body, PRODUCT):
            about = {"entry_time": item.time} if item.time else {}
            yield Raw(_without_tokens(item.data), form=item.kind, account=item.owner, about=about)

    def normalize(self, raw: Raw) -> Iterable[Event]:
        page = self.settings.account
        match raw.form:
            case "messaging" | "standby":
                return events(raw.data, page, raw.about, standby=raw.form == "standby")
            case "profile":
                return (profile(raw.data, page, raw.about["user"]),)
            case "changes":
                return (page_change(raw.data, raw.about.get("entry_time", "")),)
            case _:
                raise Poison("an entry without items, or of a strange form")

    async def lookup(self, host: Host, locator: str) -> Sequence[Raw]:
        """Name, language and time zone of a person; none where Messenger tells nobody."""
        user = locator.removeprefix(PROFILE)
        try:
            found = await self._api(host).get(user, dict[str, Any], fields=TOLD)
        except GraphError as error:
            if error.code == 100 or error.subcode == NO_PROFILE:
                return ()
            raise
        told = {name: value for name, value in found.items() if name in TOLD.split(",")}
        return (Raw(msgspec.json.encode(told), form="profile", account=self.settings.account, about={"user": user}),)

    def deep_link(self, token: str) -> str:
        """Messenger hands `ref` on, in a referral, or with "Get started" (Messenger Platform, "m.me Links")."""
        return f"https://m.me/{self.settings.account}?ref={token}"

    async def subscribe(self, host: Host, url: str | None) -> datetime | None:
        """The app gets the page's events; where to, is set in the app's dashboard."""
        path = f"{self.settings.account}/subscribed_apps"
        api = self._api(host)
        if url is None:
            await api.delete(path)
        else:
            await api.post(path, subscribed_fields=",".join(FIELDS))
        return None

    async def check(self, host: Host) -> AsyncIterator[Step]:
        api = self._api(host)
        try:
            page = await api.get("me", _Page, fields="id,name")
        except OnethreadError as error:
            yield Step("token", ok=False, todo=_todo(error))
            return
        ours = page.id == self.settings.account
        todo = "" if ours else f"the token belongs to page {page.id}: set `account` to it, or change `access_token`"
        yield Step("token", ok=ours, todo=todo)
        yield await meta_app.webhook(host, api, self.settings.app_secrets[0], PRODUCT, FIELDS)
        yield await self._subscription(api)

    async def _subscription(self, api: GraphApi) -> Step:
        try:
            found = await api.get(f"{self.settings.account}/subscribed_apps", _Apps, fields="subscribed_fields")
        except OnethreadError as error:
            return Step("subscription", ok=False, todo=_todo(error))
        fields = {field for app in found.data for field in app.subscribed_fields}
        missing = [field for field in FIELDS if field not in fields]
        todo = f"the page does not send {', '.join(missing)}; starting the channel with a public URL subscribes to them"
        return Step("subscription", ok=not missing, todo=todo if missing else "")

    def _api(self, host: Host) -> GraphApi:
        return GraphApi(host, self.settings.api_url, self.settings.access_token.get_secret_value())


def _todo(error: OnethreadError) -> str:
    if isinstance(error, Misconfigured):
        return str(error)
    return f"{error}. Check `account` and `access_token`: the token must be one of this page."


def _without_tokens(data: bytes) -> bytes:
    """An opt-in brings a token to write to the person with; it is not kept."""
    if b'"optin"' not in data:
        return data
    try:
        item = msgspec.json.decode(data, type=meta.Json)
        optin = msgspec.json.decode(item.get("optin", msgspec.Raw(b"{}")), type=meta.Json)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return data  # no item, so nobody reads it
    kept = {name: value for name, value in optin.items() if name not in TOKENS}
    return msgspec.json.encode({**item, "optin": kept} if "optin" in item else item)


class _Page(msgspec.Struct):
    """Whose token it is."""

    id: str = ""


class _App(msgspec.Struct):
    """An app that gets the page's events."""

    subscribed_fields: list[str] = []


class _Apps(msgspec.Struct):
    """The apps that get the page's events; a page token sees its own."""

    data: list[_App] = []
