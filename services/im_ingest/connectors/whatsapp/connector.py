"""WhatsApp: messages that people write to a business number of the Cloud API. It knows entrances and calls, no content."""

from collections.abc import AsyncIterator, Iterable
from itertools import count

import msgspec
from pydantic import Field, SecretStr

from im_ingest import meta
from im_ingest.connectors.whatsapp.changes import normalised
from im_ingest.connectors.whatsapp.split import records
from im_ingest.graph_api import GraphApi
from im_ingest.meta_app import explained, is_hook
from im_ingest.meta_connector import MetaConnector, MetaSettings
from onethread.connector import Downloads, Host, Media, Raw, Request, Step, Wake
from onethread.errors import OnethreadError, Poison
from onethread.event import Event

NUMBERS = "100"
"""Numbers of an account that are looked through; few have more than twenty."""


class Settings(MetaSettings):
    """One business phone number."""

    account: str = Field(
        pattern=r"^\d+$", description="Phone number ID: not the number, but the id beside it under WhatsApp, API Setup."
    )
    business_account: str = Field(
        "",
        pattern=r"^\d*$",
        description="WhatsApp Business Account ID; given it, the app is subscribed to it and deliveries come to this channel.",
    )
    access_token: SecretStr = Field(
        description="Token of a system user with whatsapp_business_messaging and whatsapp_business_management."
    )


class WhatsApp(MetaConnector[Settings], Downloads):
    """One number. Numbers of one app may share a URL: a delivery says whom each of its changes is for."""

    name = network = "whatsapp"
    product = "whatsapp_business_account"
    fields = (
        "messages", "smb_message_echoes", "smb_app_state_sync", "history", "calls", "user_preferences", "account_update",
    )  # fmt: skip
    needed = ("messages",)
    scopes = ("whatsapp_business_messaging", "whatsapp_business_management")
    renewed_at = "business.facebook.com/settings, System users"
    compared = "`account`, `business_account` and `access_token`: all three belong to one business"

    def unpack(self, request: Request) -> Iterable[Raw | Wake]:
        place = count()
        for item in meta.items(request.body, self.product):
            for raw in records(item):
                came = {"came": request.arrived_at.isoformat(), "place": str(next(place))}
                yield msgspec.structs.replace(raw, about={**raw.about, **came})

    def normalize(self, raw: Raw) -> Iterable[Event]:
        return normalised(raw.data, raw.about)

    async def download(self, host: Host, locator: str) -> Media:
        """The address of a file, good for five minutes; it wants the token as well (Meta, "WhatsApp Cloud API: Media")."""
        api = self.api(host)
        file = await api.get(locator, _File, phone_number_id=self.settings.account)
        if not api.trusts(file.url):
            raise Poison("the Graph API names an address that is not Meta's: the token stays here")
        return Media(file.url, headers=api.headers)

    async def subscribe_to(self, host: Host, url: str | None) -> None:
        """Deliveries of this number come to `url`, whatever the app's own URL is (Meta, "Webhook overrides")."""
        own, api = self.settings, self.api(host)
        if url is not None:
            await self.register(host, url)
        if not own.business_account:
            return
        there = await self._own_url(api)
        if url is None:
            if is_hook(there, host.url):  # that of another program stays
                await api.post(own.account, webhook_configuration={"override_callback_uri": ""})
            return
        await api.post(f"{own.business_account}/subscribed_apps")
        if there != url:
            configuration = {"override_callback_uri": url, "verify_token": own.verify_token.get_secret_value()}
            with explained():
                await api.post(own.account, webhook_configuration=configuration)

    async def check(self, host: Host) -> AsyncIterator[Step]:
        api = self.api(host)
        try:
            own_url = await self._own_url(api)
        except OnethreadError as error:
            yield Step("token", ok=False, todo=self.todo(error))
            return
        yield Step("token", ok=True)
        async for step in self.app_steps(host, elsewhere=is_hook(own_url, host.url)):
            yield step
        yield await self._subscription(api, own_url, host.url)

    async def _own_url(self, api: GraphApi) -> str:
        """Where deliveries of this number go, if not to the app's URL."""
        number = await api.get(self.settings.account, _Number, fields="display_phone_number,webhook_configuration")
        return (number.webhook_configuration or {}).get("phone_number") or ""

    async def _subscription(self, api: GraphApi, own_url: str, ours: str) -> Step:
        account = self.settings.business_account
        if not account:
            todo = "set `business_account` to let the app be subscribed to it, and to see here whether it is"
            return Step("subscription", ok=True, todo=todo)
        try:
            app = await api.get("app", _Id, fields="id")
            numbers = await api.get(f"{account}/phone_numbers", _Ids, fields="id", limit=NUMBERS)
            apps = await api.get(f"{account}/subscribed_apps", _Apps)
        except OnethreadError as error:
            return Step("subscription", ok=False, todo=self.todo(error))
        todo = ""
        if self.settings.account not in {number.id for number in numbers.data}:
            todo = (
                f"`account` is none of the {len(numbers.data)} numbers of `business_account`: see WhatsApp, API Setup"
            )
        elif app.id not in {one.whatsapp_business_api_data.id for one in apps.data}:
            todo = (
                "the app is not subscribed to `business_account`; starting the channel with a public URL subscribes it"
            )
        elif own_url and not is_hook(own_url, ours):
            todo = "deliveries of this number go to another URL; starting the channel with a public URL takes them here"
        return Step("subscription", ok=not todo, todo=todo)


class _File(msgspec.Struct):
    """Where a file is now."""

    url: str


class _Number(msgspec.Struct):
    """Our number, as the API tells it; the URLs its deliveries may go to, the number's own first."""

    display_phone_number: str = ""
    webhook_configuration: dict[str, str | None] | None = None


class _Id(msgspec.Struct):
    id: str = ""


class _Ids(msgspec.Struct):
    data: list[_Id] = []


class _App(msgspec.Struct):
    whatsapp_business_api_data: _Id = msgspec.field(default_factory=_Id)


class _Apps(msgspec.Struct):
    """The apps that get an account's deliveries."""

    data: list[_App] = []
