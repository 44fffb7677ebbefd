"""The app at Meta through which deliveries come: its secret, its URL, its fields, the rights of a token. It knows no product.

Meta for Developers, "Graph API Reference: Application Subscriptions", "Graph API Reference: Debug-Token", "Access Tokens: App
Access Tokens".
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec
from pydantic import SecretStr

from im_ingest.graph_api import GraphApi, GraphError
from onethread.connector import Host, Step
from onethread.errors import Misconfigured, OnethreadError, Poison

STEP = "webhook"
RIGHTS = "permissions"
WHERE = "in the app's dashboard, where its webhooks are configured"
HOOKS = "/hooks/"
"""Part of every channel's URL."""
UNVERIFIED = 2200
"""Meta called the URL, and did not get its challenge back."""


class _Id(msgspec.Struct):
    id: str


class _Field(msgspec.Struct):
    name: str = ""


class Subscription(msgspec.Struct):
    """What the app sends of one product, and where to."""

    object: str = ""
    callback_url: str = ""
    active: bool = True
    fields: list[_Field] = []

    @property
    def names(self) -> set[str]:
        """The names of the fields."""
        return {field.name for field in self.fields}


class _Subscriptions(msgspec.Struct):
    data: list[Subscription] = []


class _Token(msgspec.Struct):
    """`expires_at`: Unix seconds, 0 for never."""

    scopes: list[str] = []
    expires_at: int = 0


class _Debugged(msgspec.Struct):
    data: _Token = msgspec.field(default_factory=_Token)


class App:
    """An app, asked by its own token: id and secret."""

    def __init__(self, host: Host, api: GraphApi, app_id: str, secret: SecretStr) -> None:
        self.id = app_id
        self._api = GraphApi(host, api.url, f"{app_id}|{secret.get_secret_value()}", api.made_at)

    @classmethod
    async def of(cls, host: Host, api: GraphApi, secret: SecretStr) -> "App":
        """The app that the token of `api` belongs to. Raises ours for every error."""
        return cls(host, api, (await api.get("app", _Id, fields="id")).id, secret)

    async def subscription(self, product: str) -> Subscription | None:
        """What is set for a product. Raises ours for every error: Misconfigured if the secret is not the app's."""
        try:
            found = await self._api.get(f"{self.id}/subscriptions", _Subscriptions)
        except (Misconfigured, Poison) as error:
            raise Misconfigured(
                f"Meta does not take the first of `app_secrets` for app {self.id}, which `access_token` belongs to: "
                "copy it again, from App settings, Basic"
            ) from error
        return next((one for one in found.data if one.object == product), None)

    async def rights(self, token: SecretStr, scopes: Collection[str]) -> Step:
        """Whether a token has these permissions, and lasts."""
        try:
            found = (await self._api.get("debug_token", _Debugged, input_token=token.get_secret_value())).data
        except OnethreadError as error:
            return Step(RIGHTS, ok=False, todo=str(error))
        missing = sorted(set(scopes) - set(found.scopes))
        if missing:
            return Step(RIGHTS, ok=False, todo=f"make `access_token` anew, with {' and '.join(missing)}")
        if found.expires_at:
            end = datetime.fromtimestamp(found.expires_at, UTC).isoformat(timespec="minutes")
            todo = f"`access_token` ends at {end}: make one that does not, at {self._api.made_at}"
            return Step(RIGHTS, ok=False, todo=todo)
        return Step(RIGHTS, ok=True)

    async def register(self, product: str, fields: Collection[str], url: str, verify_token: SecretStr) -> None:
        """Have the app send these fields of the product to `url`, unless it sends them elsewhere: it has but one URL a product.

        What it sends already stays; a URL that Meta gave up is entered anew. Raises ours for every error.
        """
        found = await self.subscription(product) or Subscription(callback_url=url, active=False)
        if found.callback_url != url or (found.active and found.names.issuperset(fields)):
            return
        with explained():
            await self._api.post(
                f"{self.id}/subscriptions",
                object=product,
                callback_url=url,
                verify_token=verify_token.get_secret_value(),
                fields=",".join(sorted(found.names.union(fields))),
            )


@contextmanager
def explained() -> Iterator[None]:
    """Meta verifies a URL before it takes it; says what to do if that failed."""
    try:
        yield
    except GraphError as error:
        if error.code != UNVERIFIED:
            raise
        raise Misconfigured(
            f"{error}. Meta calls `http.public_url` from outside: it must be reachable by https, with a certificate that "
            "everybody trusts, and nothing in front of it may change the answer."
        ) from error


def verdict(found: Subscription | None, wanted: Collection[str], ours: str, *, elsewhere: bool = False) -> Step:
    """Whether the app sends the wanted fields here. `ours`: see `is_hook`; `elsewhere`: deliveries come here whatever its URL is."""
    todo = _todo(found, wanted, ours, elsewhere=elsewhere)
    return Step(STEP, ok=not todo, todo=todo)


def _todo(found: Subscription | None, wanted: Collection[str], ours: str, *, elsewhere: bool) -> str:
    if found is None:
        return f"no URL is set: start the channel with a public URL, or enter it and `verify_token` {WHERE}"
    if not found.active:
        return f"Meta no longer calls the URL: start the channel with a public URL, or verify it again {WHERE}"
    if not elsewhere and not is_hook(found.callback_url, ours):
        return (
            f"deliveries go to {urlsplit(found.callback_url).netloc}, and to no channel of ours: enter its URL {WHERE}"
        )
    missing = sorted(set(wanted) - found.names)
    return f"subscribe to {', '.join(missing)} {WHERE}" if missing else ""


def is_hook(url: str, ours: str) -> bool:
    """Whether a URL may be that of a channel, since channels of one app share theirs. `ours`: one of them; "" if unknown."""
    here = ours.partition(HOOKS)[0] + HOOKS
    return url.startswith(here) if ours else HOOKS in urlsplit(url).path
