"""Messenger: messages that people write to a Facebook page. It knows entrances and calls, no content."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import msgspec
from pydantic import Field, SecretStr

from im_ingest import meta
from im_ingest.connectors.messenger.items import events, page_change, profile
from im_ingest.connectors.messenger.scene import PROFILE
from im_ingest.graph_api import GraphApi, GraphError
from im_ingest.meta_connector import MetaConnector, MetaSettings
from onethread.connector import DeepLinks, Host, Lookups, Raw, Request, Step, Wake
from onethread.errors import OnethreadError, Poison
from onethread.event import Event

NO_PROFILE = 2018218
"""Subcode: this person's profile is told to nobody (Messenger Platform, "User Profile API")."""
TOLD = "first_name,last_name,name,locale,timezone"
TOKENS = ("notification_messages_token", "one_time_notif_token")
"""Whoever has one may write to the person."""


class Settings(MetaSettings):
    """One page."""

    account: str = Field(pattern=r"^\d+$", description="Page ID, under About, Page transparency.")
    access_token: SecretStr = Field(description="Page access token with pages_messaging and pages_manage_metadata.")


class Messenger(MetaConnector[Settings], Lookups, DeepLinks):
    """One page. Pages of one app share a URL: a delivery says whom each of its entries is for."""

    name = network = "messenger"
    product = "page"
    fields = needed = (
        "messages", "message_echoes", "message_edits", "message_reactions", "message_deliveries", "message_reads",
        "messaging_postbacks", "messaging_referrals", "messaging_optins", "messaging_handovers",
        "messaging_account_linking", "messaging_feedback", "messaging_policy_enforcement", "standby",
    )  # fmt: skip
    scopes = ("pages_messaging", "pages_manage_metadata")
    renewed_at = "Messenger API Settings, Generate access tokens"
    compared = "`account` and `access_token`: the token must be one of this page"

    def unpack(self, request: Request) -> Iterable[Raw | Wake]:
        for item in meta.items(request.body, self.product):
            about = {"entry_time": item.time} if item.time else {}
            form, data = self._item_of_a_change(item.data) if item.kind == "changes" else (item.kind, item.data)
            yield Raw(_without_tokens(data), form=form, account=item.owner, about=about)

    def _item_of_a_change(self, data: bytes) -> tuple[str, bytes]:
        """The dashboard's test button writes as a change what real deliveries write as an item; the reference shows both."""
        try:
            change = msgspec.json.decode(data, type=_Change)
        except meta.DAMAGED:
            return "changes", data
        if change.field not in self.fields:
            return "changes", data
        return "standby" if change.field == "standby" else "messaging", bytes(change.value)

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
            found = await self.api(host).get(user, dict[str, Any], fields=TOLD)
        except GraphError as error:
            if error.code == 100 or error.subcode == NO_PROFILE:
                return ()
            raise
        told = {name: value for name, value in found.items() if name in TOLD.split(",")}
        return (Raw(msgspec.json.encode(told), form="profile", account=self.settings.account, about={"user": user}),)

    async def deep_link(self, host: Host, token: str) -> str:  # noqa: ARG002 -- Meta need not be asked
        """Messenger hands `ref` on, in a referral, or with "Get started" (Messenger Platform, "m.me Links")."""
        return f"https://m.me/{self.settings.account}?ref={token}"

    async def subscribe_to(self, host: Host, url: str | None) -> None:
        """The app gets the page's events, and sends them to `url` unless it sends those of pages elsewhere."""
        path = f"{self.settings.account}/subscribed_apps"
        if url is None:
            await self.api(host).delete(path)
            return
        there = await self._subscribed(self.api(host))
        if not there.issuperset(self.fields):
            await self.api(host).post(path, subscribed_fields=",".join(sorted(there.union(self.fields))))
        await self.register(host, url)

    async def check(self, host: Host) -> AsyncIterator[Step]:
        api = self.api(host)
        try:
            page = await api.get("me", _Page, fields="id,name")
        except OnethreadError as error:
            yield Step("token", ok=False, todo=self.todo(error))
            return
        ours = page.id == self.settings.account
        todo = (
            ""
            if ours
            else f"`access_token` belongs to {page.id}, `account` says another: generate the token of that very page"
        )
        yield Step("token", ok=ours, todo=todo)
        async for step in self.app_steps(host):
            yield step
        yield await self._subscription(api)

    async def _subscribed(self, api: GraphApi) -> set[str]:
        found = await api.get(f"{self.settings.account}/subscribed_apps", _Apps, fields="subscribed_fields")
        return {field for app in found.data for field in app.subscribed_fields}

    async def _subscription(self, api: GraphApi) -> Step:
        try:
            missing = sorted(set(self.fields) - await self._subscribed(api))
        except OnethreadError as error:
            return Step("subscription", ok=False, todo=self.todo(error))
        todo = f"the page does not send {', '.join(missing)}; starting the channel with a public URL subscribes to them"
        return Step("subscription", ok=not missing, todo=todo if missing else "")


def _without_tokens(data: bytes) -> bytes:
    """An opt-in brings a token to write to the person with; it is not kept."""
    if b'"optin"' not in data:
        return data
    try:
        item = msgspec.json.decode(data, type=meta.Json)
        optin = msgspec.json.decode(item.get("optin", msgspec.Raw(b"{}")), type=meta.Json)
    except meta.DAMAGED:
        return data  # no item, so nobody reads it
    kept = {name: value for name, value in optin.items() if name not in TOKENS}
    return msgspec.json.encode({**item, "optin": kept} if "optin" in item else item)


class _Change(msgspec.Struct):
    """What happened on the page."""

    field: str
    value: msgspec.Raw


class _Page(msgspec.Struct):
    """Whose token it is."""

    id: str = ""


class _App(msgspec.Struct):
    """An app that gets the page's events."""

    subscribed_fields: list[str] = []


class _Apps(msgspec.Struct):
    """The apps that get the page's events; a page token sees its own."""

    data: list[_App] = []
