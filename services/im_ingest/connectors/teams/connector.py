"""Microsoft Teams: messages that people write to a bot. It knows entrances and calls, no content."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from im_ingest.connectors.teams import invokes
from im_ingest.connectors.teams.activities import events, profile
from im_ingest.connectors.teams.bot_api import LOGINS, SCOPES, BotApi, endorsed, explained
from im_ingest.connectors.teams.content import WITH_TOKEN
from im_ingest.connectors.teams.scene import MEMBER
from im_ingest.connectors.teams.trust import CHANNEL, CLOUDS, Trust
from im_ingest.connectors.teams.who import Us
from onethread.connector import (
    Answer,
    Checks,
    Connector,
    Downloads,
    Host,
    Keys,
    Lookups,
    Media,
    Raw,
    Request,
    Step,
    Wake,
    Webhook,
    fingerprint,
)
from onethread.errors import OnethreadError, Poison
from onethread.event import Event

GUID = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"


class Settings(BaseModel):
    """One bot in one tenant."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account: str = Field(pattern=GUID, description="Tenant id of the company whose people write: Entra, Overview.")
    app_id: str = Field(pattern=GUID, description="Microsoft App ID of the bot: Azure Bot, Configuration.")
    client_secret: SecretStr = Field(
        min_length=1, description="Client secret of the app: Entra, App registrations, Certificates & secrets."
    )
    token_tenant: str = Field(
        "",
        pattern=r"^[A-Za-z0-9.-]*$",
        description="Tenant that the app is registered in, if not `account`; `botframework.com` for a multi-tenant bot.",
    )
    agents: list[Annotated[str, Field(pattern=GUID)]] = Field(
        default=[], description="Entra object ids of your people who answer: what they write is outbound."
    )
    cloud: Literal["public", "us_gov"] = Field("public", description="us_gov: Azure Government.")
    openid_url: str = Field("", description="Metadata of the Bot Connector's keys; empty: that of `cloud`.")
    login_url: str = Field("", description="Microsoft Entra's token server; empty: that of `cloud`.")

    @field_validator("account", "app_id")
    @classmethod
    def _as_microsoft_writes_it(cls, guid: str) -> str:
        return guid.lower()


class Teams(Connector[Settings], Webhook, Keys, Downloads, Lookups, Checks):
    """One bot in one tenant. Tenants of one bot share its URL: an activity says whose it is."""

    name = network = "teams"
    answer_within = 10.0
    """After 15 s it comes again (MicrosoftDocs/msteams-docs, issue 6084); an invoke wants its answer earlier."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.app = fingerprint(settings.client_secret)
        issuer, self._openid_url = CLOUDS[settings.cloud]
        self._openid_url = settings.openid_url or self._openid_url
        self._trust = Trust(issuer, settings.app_id)
        self._us = Us(settings.account, settings.app_id, frozenset(one.casefold() for one in settings.agents))

    def key_names(self, request: Request) -> Iterable[str]:
        return (self._trust.claimed(request).header.kid,)

    async def load_key(self, host: Host, name: str) -> bytes:
        return await self._api(host).key(name)

    def authenticate(self, request: Request) -> None:
        self._trust.authenticate(request)

    def unpack(self, request: Request) -> Iterable[Raw | Wake]:
        yield invokes.record(request.body)

    def answer(self, request: Request) -> Answer:
        return invokes.answer(request.body)

    def normalize(self, raw: Raw) -> Iterable[Event]:
        if raw.form == "member":
            return (profile(raw.data, self._us, raw.about),)
        return events(raw.data, self._us)

    async def download(self, host: Host, locator: str) -> Media:
        """Pictures in the text want the bot's token; files of a drive carry what opens them in their address."""
        if not locator.startswith(WITH_TOKEN):
            return Media(locator)
        return Media(locator.removeprefix(WITH_TOKEN), headers=await self._api(host).headers())

    async def lookup(self, host: Host, locator: str) -> Sequence[Raw]:
        """Name and address of a member of a conversation, from the company's directory."""
        try:
            asked = msgspec.json.decode(locator.removeprefix(MEMBER), type=tuple[str, str, str, str])
        except msgspec.MsgspecError as error:
            raise Poison("a locator of another form") from error
        service_url, conversation, user, tenant = asked
        found = await self._api(host).member(service_url, conversation, user)
        about = {"user": user, "tenant": tenant}
        return () if found is None else (Raw(found, form="member", account=self.account, about=about),)

    async def check(self, host: Host) -> AsyncIterator[Step]:
        api = self._api(host)
        try:
            await api.fresh()
        except OnethreadError as error:
            yield Step("token", ok=False, todo=explained(str(error)))
        else:
            yield Step("token", ok=True)
        yield await self._keys_are_there(api)
        todo = (
            "Azure cannot be asked where it sends: see that the channel's URL stands at the Azure Bot, Configuration, Messaging "
            "endpoint, and Microsoft Teams under its Channels. `onethread listen` shows what comes."
        )
        yield Step("endpoint", ok=True, todo=todo)

    async def _keys_are_there(self, api: BotApi) -> Step:
        try:
            found = endorsed(await api.keys(), CHANNEL)
        except OnethreadError as error:
            return Step("keys", ok=False, todo=f"{error}. Let the service reach {self._openid_url}.")
        todo = "" if found else f"no key is endorsed for Teams; check `cloud` and `openid_url` ({self._openid_url})"
        return Step("keys", ok=bool(found), todo=todo)

    def _api(self, host: Host) -> BotApi:
        own = self.settings
        return BotApi(
            host,
            app_id=own.app_id,
            secret=own.client_secret.get_secret_value(),
            grant_url=f"{(own.login_url or LOGINS[own.cloud]).rstrip('/')}/{own.token_tenant or own.account}/oauth2/v2.0/token",
            scope=SCOPES[own.cloud],
            openid_url=self._openid_url,
        )
