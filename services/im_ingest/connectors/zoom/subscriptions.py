"""Event subscriptions by Zoom's API, so that nobody enters a URL by hand. It knows no event's content.

Source: Zoom's documentation, "Using webhooks: Configure webhooks via Zoom API", and its Marketplace reference. Zoom challenges the URL before it
takes a subscription. What was made in the app's pages is not to be seen or changed by the API.
"""

from collections.abc import Iterable

import msgspec

from im_ingest.connectors.zoom.zoom_api import ZoomApi, part

NAME = "Onethread"
PATH = "marketplace/app/event_subscription"


class Subscription(msgspec.Struct):
    """One that the app has in an account."""

    event_subscription_id: str = ""
    events: list[str] = []
    event_subscription_name: str = ""
    event_webhook_url: str = ""


class _Page(msgspec.Struct):
    event_subscriptions: list[Subscription] = []
    next_page_token: str = ""


async def ours(api: ZoomApi, account: str) -> list[Subscription]:
    """Those that we made. Raises ours for every error."""
    query = {"account_id": account, "subscription_scope": "account", "user_id": "me"}
    found: list[Subscription] = []
    token = ""
    while True:
        page = await api.get(PATH, _Page, **query, **({"next_page_token": token} if token else {}))
        found += page.event_subscriptions
        token = page.next_page_token
        if not token:
            return [one for one in found if one.event_subscription_name == NAME]


async def keep(api: ZoomApi, account: str, url: str | None, events: Iterable[str]) -> None:
    """Have one subscription to these events at this URL, none if it is None. The new one is made before the old one goes."""
    wanted = sorted(set(events))
    known = await ours(api, account)
    right = [one for one in known if one.event_webhook_url == url and sorted(one.events) == wanted][:1]
    if url is not None and not right:
        made = {"event_subscription_name": NAME, "event_webhook_url": url, "subscription_scope": "account"}
        await api.post(PATH, {**made, "events": wanted, "account_id": account})
    for one in known:
        if one not in right:
            await api.delete(f"{PATH}/{part(one.event_subscription_id)}")
