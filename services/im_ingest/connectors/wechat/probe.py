"""What `onethread check` asks WeChat, and what is to be changed where. It knows the API's answers, and no message."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from im_ingest.weixin_api import NoFile, WeixinApi
from onethread.connector import Step
from onethread.errors import OnethreadError

ENTER = (
    "Under Basic configuration, Server configuration (服务器配置), enter the channel's URL, its token and key, and enable it;"
    " if that is done, look at the error."
)


class _Address(msgspec.Struct):
    ip: str


class _Callback(msgspec.Struct):
    dns: list[_Address] | None = None


async def steps(api: WeixinApi, *, safe: bool) -> AsyncIterator[Step]:
    """`safe`: whether only encrypted deliveries are taken."""
    try:
        await api.log_in()
    except OnethreadError as error:
        yield Step("token", ok=False, todo=str(error))
        return
    yield Step("token", ok=True)
    yield await _callback(api)
    yield await _people(api)
    yield await _files(api)
    todo = "Plain deliveries can be forged by whoever saw one; choose safe mode at WeChat, and set `mode` to safe."
    yield Step("encryption", ok=safe, todo="" if safe else todo)


async def _callback(api: WeixinApi) -> Step:
    """WeChat tells no URL, but it looks up the host of the one it has ("Network communication detection")."""
    try:
        found = await api.post("callback/check", _Callback, action="dns", check_operator="DEFAULT")
    except OnethreadError as error:
        return Step("callback", ok=False, todo=f"{error} {ENTER}")
    addresses = ", ".join(one.ip for one in found.dns or [])
    if not addresses:
        return Step("callback", ok=False, todo=f"WeChat finds no address of the URL's host. {ENTER}")
    return Step("callback", ok=True, todo=f"WeChat delivers to {addresses}; is that the address of `http.public_url`?")


async def _people(api: WeixinApi) -> Step:
    try:
        await api.get("user/get", dict[str, Any])
    except OnethreadError as error:
        return Step("people", ok=False, todo=f"{error} Without it nobody is recognised at other accounts of yours.")
    return Step("people", ok=True)


async def _files(api: WeixinApi) -> Step:
    """An id that is none does: an account without the permission hears of that."""
    try:
        await api.media("none")
    except NoFile:
        return Step("files", ok=True)
    except OnethreadError as error:
        return Step("files", ok=False, todo=f"{error} Without it only pictures are fetched.")
    return Step("files", ok=True)
