"""What `onethread check` says of a Slack channel, step by step: what to change, and where. It knows no event.

Slack tells an app neither its Request URL nor the events that it is subscribed to; what an event needs are scopes, which it does tell.
"""

from collections.abc import AsyncIterator, Sequence

import httpx
import msgspec

from im_ingest.connectors.slack.socket_mode import Connection
from im_ingest.connectors.slack.web_api import SlackError, WebApi
from onethread.connector import Step
from onethread.errors import OnethreadError

SCOPES = ("users:read", "users:read.email", "files:read", "channels:history")
"""Without which something is missing in every workspace."""
PLACES = {
    "groups:history": "private channels",
    "im:history": "direct messages with the app",
    "mpim:history": "group messages",
    "reactions:read": "reactions",
}
"""Scopes that depend on where the app is used, with what is not heard without them."""
CONVERSATIONS = {"channels:read": "public_channel", "groups:read": "private_channel"}
MOST = 20
"""People that are looked up."""


class _Some(msgspec.Struct):
    channels: list[msgspec.Raw] = []


class _User(msgspec.Struct):
    user: msgspec.Raw


async def steps(api: WebApi, sockets: WebApi | None, account: str, agents: Sequence[str]) -> AsyncIterator[Step]:
    """The steps, in the order in which one sets a channel up. `sockets`: calls with the app's token, for Socket Mode."""
    try:
        auth, scopes = await api.auth()
    except (httpx.HTTPError, OnethreadError) as error:
        yield Step("token", ok=False, todo=f"{described(error)} See `api_url`, if it is set.")
        return
    if auth.team_id != account:
        todo = f"the token belongs to workspace {auth.team_id}: set `account` to it, or change `bot_token`"
        yield Step("token", ok=False, todo=todo)
    elif not auth.bot_id:
        todo = "the token is a person's: copy the Bot User OAuth Token (xoxb-…) under OAuth & Permissions"
        yield Step("token", ok=False, todo=todo)
    else:
        yield Step("token", ok=True)
    yield _scopes(scopes)
    unheard = [f"{what} ({scope})" for scope, what in PLACES.items() if scope not in scopes]
    yield Step("places", ok=True, todo=f"not heard without a scope: {', '.join(unheard)}" if unheard else "")
    if scopes & CONVERSATIONS.keys():
        yield await _channels(api, scopes)
    if users := [one for one in agents if one.startswith(("U", "W"))]:
        yield await _agents(api, users[:MOST])
    yield await _entrance(sockets)


def _scopes(scopes: frozenset[str]) -> Step:
    missing = [scope for scope in SCOPES if scope not in scopes]
    todo = f"add {', '.join(missing)} under OAuth & Permissions, and install the app again"
    return Step("scopes", ok=not missing, todo=todo if missing else "")


async def _channels(api: WebApi, scopes: frozenset[str]) -> Step:
    """Whether the app was invited anywhere: of other channels it hears nothing."""
    types = ",".join(kind for scope, kind in CONVERSATIONS.items() if scope in scopes)
    try:
        found = await api.call("users.conversations", _Some, types=types, exclude_archived="true", limit="1")
    except (httpx.HTTPError, OnethreadError) as error:
        return Step("channels", ok=False, todo=described(error))
    todo = "" if found.channels else "the app is in no channel yet: write /invite @your-app where it is to read"
    return Step("channels", ok=True, todo=todo)


async def _agents(api: WebApi, users: Sequence[str]) -> Step:
    unknown = []
    for user in users:
        try:
            await api.call("users.info", _User, user=user)
        except SlackError as error:
            unknown.append(f"{user} ({error.code})")
        except (httpx.HTTPError, OnethreadError) as error:
            return Step("agents", ok=False, todo=described(error))
    todo = f"not people of this workspace: {', '.join(unknown)}; a person's profile has Copy member ID under its three dots"
    return Step("agents", ok=not unknown, todo=todo if unknown else "")


async def _entrance(sockets: WebApi | None) -> Step:
    """Whether events can reach us."""
    if sockets is None:
        todo = "Slack does not tell apps which Request URL is set: see Event Subscriptions; it must say Verified."
        return Step("webhook", ok=True, todo=todo)
    try:
        await sockets.call("apps.connections.open", Connection)
    except (httpx.HTTPError, OnethreadError) as error:
        return Step("socket", ok=False, todo=f"{described(error)} See that Socket Mode is on.")
    return Step("socket", ok=True)


def described(error: Exception) -> str:
    """What went wrong, without an address."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"Slack answers {error.response.status_code}."
    return str(error) if isinstance(error, OnethreadError) else f"Slack cannot be reached ({type(error).__name__})."
