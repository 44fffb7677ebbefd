"""A connector of one of Meta's products: the settings, the entrance and the app that all of them have. It knows no product."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from datetime import datetime
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from im_ingest import meta
from im_ingest.graph_api import DEFAULT_URL, GraphApi, GraphError
from im_ingest.meta_app import STEP, App, verdict
from onethread.connector import Answer, Checks, Connector, Host, Request, Step, Subscribes, Webhook, fingerprint
from onethread.errors import Misconfigured, OnethreadError


class MetaSettings(BaseModel):
    """What a channel of any product needs."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account: str = Field(pattern=r"^\d+$", description="Id of the account at Meta.")
    app_secrets: list[SecretStr] = Field(
        min_length=1,
        description="App secret, under App settings, Basic; two while you rotate it, the new one first.",
    )
    verify_token: SecretStr = Field(
        min_length=1, description="A word of your choice that Meta repeats when it verifies the URL."
    )
    access_token: SecretStr = Field(description="Token of a system user with the permissions of the product.")
    api_url: str = Field(DEFAULT_URL, description="The Graph API with its version.")


S = TypeVar("S", bound=MetaSettings)


class MetaConnector(Connector[S], Webhook, Checks, Subscribes):
    """One account. Accounts of one app may share a URL: a delivery says whom each of its parts is for."""

    answer_within = 5.0  # the FAQ of Messenger says 20 s, newer pages are said to ask for 5 s; others name no figure
    product: ClassVar[str]
    """The `object` of its bodies."""
    fields: ClassVar[tuple[str, ...]]
    """What the app is subscribed to."""
    needed: ClassVar[tuple[str, ...]]
    """Those of them without which `check` fails."""
    scopes: ClassVar[tuple[str, ...]]
    """Permissions of the access token."""
    renewed_at: ClassVar[str]
    """Where at Meta people make a new one."""
    compared: ClassVar[str]
    """Which settings to look at when Meta does not know what a call names."""

    def __init__(self, settings: S) -> None:
        super().__init__(settings)
        self.app = fingerprint(settings.app_secrets[0])

    def authenticate(self, request: Request) -> None:
        """See `meta.authenticate`."""
        meta.authenticate(request, self.settings.app_secrets)

    def handshake(self, request: Request) -> Answer | None:
        """See `meta.handshake`."""
        return meta.handshake(request, self.settings.verify_token)

    def api(self, host: Host) -> GraphApi:
        """Calls by the access token."""
        own = self.settings
        return GraphApi(host, own.api_url, own.access_token.get_secret_value(), self.renewed_at)

    async def subscribe(self, host: Host, url: str | None) -> datetime | None:
        """A subscription lasts until it is changed, so there is nothing to renew."""
        try:
            await self.subscribe_to(host, url)
        except GraphError as error:
            raise Misconfigured(self.todo(error)) from error
        return None

    @abstractmethod
    async def subscribe_to(self, host: Host, url: str | None) -> None:
        """Let deliveries of this account come to `url`; None: no more. Raises ours for every error."""

    def todo(self, error: OnethreadError) -> str:
        """What a person is to do after a call failed."""
        return str(error) if isinstance(error, Misconfigured) else f"{error}. Check {self.compared}."

    async def register(self, host: Host, url: str) -> None:
        """Enter the URL in the app, unless there is another."""
        app = await App.of(host, self.api(host), self.settings.app_secrets[0])
        await app.register(self.product, self.fields, url, self.settings.verify_token)

    async def app_steps(self, host: Host, *, elsewhere: bool = False) -> AsyncIterator[Step]:
        """Probes of the app and of what the token may do. `elsewhere`: deliveries come here whatever the app's URL is."""
        try:
            app = await App.of(host, self.api(host), self.settings.app_secrets[0])
            found = await app.subscription(self.product)
        except OnethreadError as error:
            yield Step(STEP, ok=False, todo=str(error))
            return
        yield verdict(found, self.needed, host.url, elsewhere=elsewhere)
        yield await app.rights(self.settings.access_token, self.scopes)
