"""What `onethread check` asks WeCom, and what is to be changed where. It knows the API's answers, and no message."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from im_ingest.weixin_api import WeixinApi
from onethread.connector import Step
from onethread.errors import OnethreadError, Retryable

LISTED = 100
"""Accounts that a list gives at most."""
SCENE = "onethread"


class _Account(msgspec.Struct):
    open_kfid: str
    name: str = ""
    manage_privilege: bool = True
    """Whether the app may receive its messages; not told to some kinds of apps."""


class _Accounts(msgspec.Struct):
    account_list: list[_Account] | None = None


class _Link(msgspec.Struct):
    url: str


async def steps(api: WeixinApi, ours: Sequence[str], *, linked: bool) -> AsyncIterator[Step]:
    """`ours`: the accounts of the settings; `linked`: whether they name a link."""
    try:
        await api.log_in()
        there = {one.open_kfid: one async for one in _accounts(api)}
    except OnethreadError as error:
        yield Step("token", ok=False, todo=str(error))
        return
    yield Step("token", ok=True)
    yield _seen(there, ours)
    yield await _messages(api, ours[0])
    if not linked:
        yield await _link(api, ours[0])


def _seen(there: dict[str, _Account], ours: Sequence[str]) -> Step:
    """Messages are told only of accounts that the app manages."""
    unseen = [name for name in ours if name not in there or not there[name].manage_privilege]
    others = ", ".join(f"{one.open_kfid} ({one.name})" for one in there.values() if one.open_kfid not in ours)
    if unseen:
        todo = f"Give the app {', '.join(unseen)}: under Customer service (微信客服), API, 通过API管理微信客服账号."
        instead = f" It sees {others}: if one of these is meant, write its id into `open_kfids`." if others else ""
        return Step("accounts", ok=False, todo=todo + instead)
    todo = f"These are there, too: {others}. Add them to `open_kfids`, if they should be polled." if others else ""
    return Step("accounts", ok=True, todo=todo)


async def _messages(api: WeixinApi, account: str) -> Step:
    """Whether the app may pull: another right than to list accounts. WeCom allows few pulls that no notice asked for."""
    try:
        await api.post("kf/sync_msg", dict[str, Any], open_kfid=account, limit=1)
    except Retryable as error:
        return Step("messages", ok=True, todo=f"Not tried, since WeCom is asked too often at the moment: {error}")
    except OnethreadError as error:
        return Step(
            "messages", ok=False, todo=f"{str(error).rstrip('.')}. Is {account} one of this corporation's accounts?"
        )
    return Step("messages", ok=True)


async def _link(api: WeixinApi, account: str) -> Step:
    """A link that hands a parameter on has a scene, and is told by the API alone."""
    try:
        link = await api.post("kf/add_contact_way", _Link, open_kfid=account, scene=SCENE)
    except OnethreadError as error:
        return Step("links", ok=False, todo=str(error))
    return Step("links", ok=True, todo=f"For links that prove who opens them, set `contact_url` to {link.url}")


async def _accounts(api: WeixinApi) -> AsyncIterator[_Account]:
    offset = 0
    while True:
        page = (await api.post("kf/account/list", _Accounts, offset=offset, limit=LISTED)).account_list or []
        for account in page:
            yield account
        if len(page) < LISTED:
            return
        offset += LISTED
