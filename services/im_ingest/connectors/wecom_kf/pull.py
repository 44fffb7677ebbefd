"""One page of `sync_msg` as records. It knows the call, and of an item only its second and what must not be kept.

Source: WeCom Developers, "Receiving messages and events" (document 94670).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec

from im_ingest import weixin
from im_ingest.weixin_api import WeixinApi, WeixinError
from onethread.connector import Page, Raw

LIMIT = 1000
"""Items of a page at most."""
AMR = 0
"""Format of voice messages; the other one is Silk, which few programs play."""
CODES = ("welcome_code", "msg_code")
"""Whoever has one may write to the customer once. They last for seconds, and are not kept."""


class _Synced(msgspec.Struct):
    next_cursor: str = ""
    has_more: int | bool = 0
    msg_list: list[msgspec.Raw] | None = None


class _Timed(msgspec.Struct):
    send_time: int


STRANGE_ACCOUNT = 95000
"""`invalid open_kfid` (WeCom Developers, "Global error codes")."""


async def page(api: WeixinApi, account: str, cursor: str | None, token: str, now: datetime) -> Page:
    """What follows the cursor; without one, the last three days. An empty page may have more behind it.

    `token`: the notice's, "" without one: then WeCom allows few calls. It lasts ten minutes; a stale one is done without. A cursor that is
    refused, too, is done without: what is read again changes nothing, and else the account would be silent for good.
    """
    asked = {"cursor": cursor or "", "limit": LIMIT, "voice_format": AMR, "open_kfid": account}
    tries = [{**asked, "token": token}] if token else []
    tries += [asked, {**asked, "cursor": ""}] if cursor else [asked]
    try:
        found = await _first(api, tries)
    except WeixinError as error:
        if error.code != STRANGE_ACCOUNT:
            raise
        raise WeixinError(
            f"{error}. Compare `open_kfids` with the accounts that `onethread check` names.", error.code
        ) from error
    moved = found.next_cursor not in {"", cursor}  # else it would be asked for in an endless loop
    records = list(_in_order(found.msg_list or [], now))
    return Page(records, cursor=found.next_cursor or cursor, more=bool(found.has_more) and moved)


async def _first(api: WeixinApi, tries: Sequence[dict[str, Any]]) -> _Synced:
    """What the first try brings that is not refused. Raises the first refusal if each is."""
    try:
        return await api.post("kf/sync_msg", _Synced, **tries[0])
    except WeixinError as error:
        if len(tries) > 1:
            with suppress(WeixinError):
                return await _first(api, tries[1:])
        raise error from None


def _in_order(items: Sequence[msgspec.Raw], now: datetime) -> Iterator[Raw]:
    """Each item as a record that knows its place among those of its second."""
    seen: Counter[str] = Counter()
    for item in items:
        data = _without_codes(bytes(item))
        try:
            second = str(msgspec.json.decode(data, type=_Timed).send_time)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            second = ""  # no record, which whoever reads it sets aside alone
        yield Raw(data, about=weixin.order(second, now, seen[second]))
        seen[second] += 1


def _without_codes(data: bytes) -> bytes:
    """A record as it came, but for the codes to write to the customer with."""
    if not any(f'"{code}"'.encode() in data for code in CODES):
        return data
    try:
        item = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        event = msgspec.json.decode(item.get("event", msgspec.Raw(b"{}")), type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return data  # no record, so nobody reads it
    kept = {name: value for name, value in event.items() if name not in CODES}
    return msgspec.json.encode({**item, "event": kept} if "event" in item else item)
