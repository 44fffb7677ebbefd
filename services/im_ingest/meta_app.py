"""The app at Meta through which deliveries come: whether its secret, its URL and its fields are right. It knows no product.

Meta for Developers, "Graph API Reference: Application Subscriptions", "Access Tokens: App Access Tokens".
"""

from collections.abc import Collection

import msgspec
from pydantic import SecretStr

from im_ingest.graph_api import GraphApi
from onethread.connector import Host, Step
from onethread.errors import Misconfigured, OnethreadError, Poison

STEP = "webhook"
WHERE = "in the app's dashboard, where its webhooks are configured"


class _App(msgspec.Struct):
    id: str


class _Field(msgspec.Struct):
    name: str = ""


class _Subscription(msgspec.Struct):
    object: str = ""
    active: bool = True
    fields: list[_Field] = []


class _Subscriptions(msgspec.Struct):
    data: list[_Subscription] = []


async def webhook(host: Host, api: GraphApi, secret: SecretStr, product: str, wanted: Collection[str]) -> Step:
    """Whether the app that the token belongs to has this secret, and sends the wanted fields of this product to a URL."""
    try:
        app = (await api.get("app", _App, fields="id")).id
    except OnethreadError as error:
        return Step(STEP, ok=False, todo=str(error))
    try:
        own = GraphApi(host, api.url, f"{app}|{secret.get_secret_value()}")
        found = await own.get(f"{app}/subscriptions", _Subscriptions)
    except (Misconfigured, Poison):
        todo = f"Meta does not take the first of `app_secrets` for app {app}, which `access_token` belongs to: copy it again"
        return Step(STEP, ok=False, todo=todo)
    except OnethreadError as error:
        return Step(STEP, ok=False, todo=str(error))
    return _verdict(next((one for one in found.data if one.object == product), None), wanted)


def _verdict(found: _Subscription | None, wanted: Collection[str]) -> Step:
    if found is None:
        return Step(STEP, ok=False, todo=f"no URL is set: enter the channel's public URL and `verify_token` {WHERE}")
    if not found.active:
        return Step(STEP, ok=False, todo=f"Meta no longer calls the URL: verify it again {WHERE}")
    missing = sorted(set(wanted) - {field.name for field in found.fields})
    todo = f"subscribe to {', '.join(missing)} {WHERE}"
    return Step(STEP, ok=not missing, todo=todo if missing else "")
