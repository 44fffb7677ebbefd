"""WhatsApp: messages that people write to a business number of the Cloud API. It knows entrances and calls, no content."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from im_ingest import meta, meta_app
from im_ingest.connectors.whatsapp.changes import normalised
from im_ingest.connectors.whatsapp.split import records
from im_ingest.graph_api import DEFAULT_URL, GraphApi
from onethread.connector import (
    Answer,
    Checks,
    Connector,
    Downloads,
    Host,
    Media,
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

PRODUCT = "whatsapp_business_account"


class Settings(BaseModel):
    """One business phone number."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account: str = Field(
        pattern=r"^\d+$", description="Phone number ID: not the number, but the id beside it under WhatsApp, API Setup."
    )
    business_account: str = Field(
        "",
        pattern=r"^\d*$",
        description="WhatsApp Business Account ID; given it, the app is subscribed to it and deliveries come to this channel.",
    )
    app_secrets: list[SecretStr] = Field(
        min_length=1,
        description="App secret, under App settings, Basic; two while you rotate it, the new one first.",
    )
    verify_token: SecretStr = Field(
        min_length=1, description="A word of your choice that Meta repeats when it verifies the URL."
    )
    access_token: SecretStr = Field(
        description="Token of a system user with whatsapp_business_messaging and whatsapp_business_management."
    )
    api_url: str = Field(DEFAULT_URL, description="The Graph API with its version.")


class WhatsApp(Connector[Settings], Webhook, Downloads, Checks, Subscribes):
    """One number. Numbers of one app may share a URL: a delivery says whom each of its changes is for."""

    name = network = "whatsapp"
    answer_within = 5.0  # Meta names no figure for WhatsApp; five seconds is the shortest it names for any product

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.app = fingerprint(settings.app_secrets[0])

    def authenticate(self, request: Request) -> None:
        meta.authenticate(request, self.settings.app_secrets)

    def handshake(self, request: Request) -> Answer | None:
        return meta.handshake(request, self.settings.verify_token)

    def unpack(self, request: Request) -> Iterable[Raw | Wake]:
        for item in meta.items(request.body, PRODUCT):
            yield from records(item)

    def normalize(self, raw: Raw) -> Iterable[Event]:
        return normalised(raw.data, raw.about)

    async def download(self, host: Host, locator: str) -> Media:
        """The address of a file, good for five minutes; it wants the token as well (Meta, "WhatsApp Cloud API: Media")."""
        api = self._api(host)
        file = await api.get(locator, _File, phone_number_id=self.settings.account)
        if not api.trusts(file.url):
            raise Poison("the Graph API names an address that is not Meta's: the token stays here")
        return Media(file.url, headers=api.headers)

    async def subscribe(self, host: Host, url: str | None) -> datetime | None:
        """Deliveries of this number come to `url`, whatever the app's own URL is (Meta, "Webhook overrides")."""
        if not self.settings.business_account:
            return None
        api = self._api(host)
        if url is None:
            await api.post(self.settings.account, webhook_configuration={"override_callback_uri": ""})
            return None
        await api.post(f"{self.settings.business_account}/subscribed_apps")
        token = self.settings.verify_token.get_secret_value()
        configuration = {"override_callback_uri": url, "verify_token": token}
        await api.post(self.settings.account, webhook_configuration=configuration)
        return None

    async def check(self, host: Host) -> AsyncIterator[Step]:
        api = self._api(host)
        try:
            number = await api.get(self.settings.account, _Number, fields="display_phone_number,webhook_configuration")
        except OnethreadError as error:
            yield Step("token", ok=False, todo=_todo(error))
            return
        yield Step("token", ok=True)
        yield await meta_app.webhook(host, api, self.settings.app_secrets[0], PRODUCT, ("messages",))
        if not self.settings.business_account:
            todo = "set `business_account` to let the app be subscribed to it, and to see here whether it is"
            yield Step("subscription", ok=True, todo=todo)
            return
        yield await self._subscription(api, number)

    async def _subscription(self, api: GraphApi, number: "_Number") -> Step:
        try:
            found = await api.get(f"{self.settings.business_account}/subscribed_apps", _Apps)
        except OnethreadError as error:
            return Step("subscription", ok=False, todo=_todo(error))
        if not found.data:
            todo = "no app is subscribed to `business_account`; starting the channel with a public URL subscribes it"
            return Step("subscription", ok=False, todo=todo)
        ours = (number.webhook_configuration or {}).get("phone_number")
        todo = "" if ours else "deliveries go to the URL in the app's dashboard"
        return Step("subscription", ok=True, todo=todo)

    def _api(self, host: Host) -> GraphApi:
        return GraphApi(host, self.settings.api_url, self.settings.access_token.get_secret_value())


def _todo(error: OnethreadError) -> str:
    if isinstance(error, Misconfigured):
        return str(error)
    return f"{error}. Check `account`, `business_account` and `access_token`: all three belong to one business."


class _File(msgspec.Struct):
    """Where a file is now."""

    url: str


class _Number(msgspec.Struct):
    """Our number, as the API tells it; the URLs its deliveries may go to, the number's own first."""

    display_phone_number: str = ""
    webhook_configuration: dict[str, str | None] | None = None


class _Apps(msgspec.Struct):
    """The apps that get an account's deliveries."""

    data: list[msgspec.Raw] = []
