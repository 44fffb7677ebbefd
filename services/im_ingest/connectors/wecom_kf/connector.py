"""WeCom customer service: a notice says that there is something, and messages are pulled. It knows entrances and calls, no content."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from im_ingest import weixin
from im_ingest.connectors.wecom_kf.records import events, notice, profile
from im_ingest.connectors.wecom_kf.scene import CUSTOMER
from im_ingest.weixin_api import Grant, WeixinApi, WeixinError
from onethread.connector import (
    Answer,
    Checks,
    Connector,
    DeepLinks,
    Downloads,
    Host,
    Lookups,
    Media,
    Page,
    Polling,
    Raw,
    Rejected,
    Request,
    Step,
    Wake,
    Webhook,
)
from onethread.errors import Misconfigured, OnethreadError, Poison
from onethread.event import Event

NOTICE = "kf_msg_or_event"
PAGE = 1000
"""Messages that sync_msg gives at most."""
AMR = 0
"""Format of voice messages; the other one is Silk, which few programs play."""
CODES = ("welcome_code", "msg_code")
"""Whoever has one may write to the customer once. They last for seconds, and are not kept."""
SECRETS = frozenset({"Token", "SuiteTicket", "AuthCode", "WelcomeCode"})
"""The same in notices of other kinds."""
TOLD = ("external_userid", "nickname", "avatar", "gender", "unionid")


class Settings(BaseModel):
    """One corporation's customer service."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account: str = Field(pattern=r"^(ww|wx)[0-9A-Za-z]+$", description="Corp ID, under My company.")
    open_kfids: list[str] = Field(
        min_length=1, description="Customer-service accounts (wk…) to read; `onethread check` names those there are."
    )
    secret: SecretStr = Field(description="Secret of the app that may use the customer-service API.")
    tokens: list[SecretStr] = Field(
        min_length=1, description="Token of the callback configuration; two while you rotate it, the new one first."
    )
    aes_keys: list[weixin.AesKey] = Field(
        min_length=1, description="EncodingAESKey of the callback; two while you rotate it, the new one first."
    )
    contact_url: str = Field(
        "", description="Link of an account (https://work.weixin.qq.com/kfid/…), if links of ours should lead to it."
    )
    api_url: str = Field("https://qyapi.weixin.qq.com", description="The API's server.")


class _Synced(msgspec.Struct):
    next_cursor: str = ""
    has_more: int = 0
    msg_list: list[msgspec.Raw] = []


class _Timed(msgspec.Struct):
    send_time: int


class _Customers(msgspec.Struct):
    customer_list: list[dict[str, Any]] = []


class _Account(msgspec.Struct):
    open_kfid: str
    name: str = ""


class _Accounts(msgspec.Struct):
    account_list: list[_Account] = []


class WeComKf(Connector[Settings], Webhook, Polling, Downloads, Lookups, Checks, DeepLinks):
    """One corporation. A resource is one of its customer-service accounts; the cursor is WeCom's own."""

    name = "wecom_kf"
    network = "wecom"
    answer_within = 5.0  # then WeCom hangs up, and tries again, three times in all
    interval = 300.0  # beside the notices, should one be lost; calls without a notice's token are few

    # --- the notice ---

    def authenticate(self, request: Request) -> None:
        weixin.authenticate(request, self.settings.tokens, "msg_signature", weixin.sealed_in(request.body))

    def handshake(self, request: Request) -> Answer | None:
        """The echostr is encrypted, and answered in clear."""
        if request.method != "GET" or "echostr" not in request.query:
            return None
        sealed = request.query["echostr"].replace(" ", "+")  # a plus that was not written as %2B
        weixin.authenticate(request, self.settings.tokens, "msg_signature", sealed)
        try:
            return Answer(weixin.opened(sealed, self.settings.aes_keys, self.settings.account))
        except Poison as error:
            raise Rejected(f"echostr cannot be answered: {error}") from error

    def unpack(self, request: Request) -> Iterable[Raw | Wake]:
        """A notice holds no message: it says which account has some. Old ones do not say which."""
        sealed = weixin.sealed_in(request.body)
        found = weixin.fields(weixin.opened(sealed, self.settings.aes_keys, self.settings.account))
        if found.get("Event") == NOTICE:
            named = found.get("OpenKfId", "")
            for account in [named] if named else self.settings.open_kfids:
                yield Wake(account, hint=found.get("Token", ""))
            return
        kept = {name: text for name, text in found.items() if name not in SECRETS}
        yield Raw(msgspec.json.encode(kept), form="notice")

    # --- the pull ---

    def resources(self) -> Sequence[str]:
        return self.settings.open_kfids

    async def fetch(self, host: Host, resource: str, cursor: str | None) -> Page:
        """Up to a thousand messages. Without a cursor WeCom begins three days ago; an empty page may have more behind it."""
        asked = {"cursor": cursor or "", "limit": PAGE, "voice_format": AMR, "open_kfid": resource}
        api = self._api(host)
        try:
            found = await api.post("kf/sync_msg", _Synced, **asked, **({"token": host.hint} if host.hint else {}))
        except WeixinError:
            if not host.hint:
                raise
            found = await api.post("kf/sync_msg", _Synced, **asked)  # the notice's token lasts ten minutes
        moved = found.next_cursor not in {"", cursor}
        records = list(_in_order(found.msg_list, host.now()))
        return Page(records, cursor=found.next_cursor or cursor, more=bool(found.has_more) and moved)

    def normalize(self, raw: Raw) -> Iterable[Event]:
        match raw.form:
            case "notice":
                return (notice(raw.data),)
            case "customer":
                return (profile(raw.data, self.settings.account),)
            case _:
                return events(raw, self.settings.account)

    # --- calls ---

    async def download(self, host: Host, locator: str) -> Media:
        return await self._api(host).media(locator, "application/json")

    async def lookup(self, host: Host, locator: str) -> Sequence[Raw]:
        """Name, picture and union id of somebody who wrote within the last 48 hours; none of others."""
        asked = [locator.removeprefix(CUSTOMER)]
        found = await self._api(host).post("kf/customer/batchget", _Customers, external_userid_list=asked)
        told = [{name: one[name] for name in TOLD if name in one} for one in found.customer_list]
        return [Raw(msgspec.json.encode(one), form="customer") for one in told]

    def deep_link(self, token: str) -> str:
        """WeCom hands `scene_param` on when the chat is opened (document 94665)."""
        if not self.settings.contact_url:
            raise Misconfigured("set `contact_url` to the link of a customer-service account")
        joint = "&" if "?" in self.settings.contact_url else "?"
        return f"{self.settings.contact_url}{joint}scene_param={quote(token, safe='')}"

    async def check(self, host: Host) -> AsyncIterator[Step]:
        try:
            found = await self._api(host).post("kf/account/list", _Accounts, offset=0, limit=100)
        except OnethreadError as error:
            yield Step("token", ok=False, todo=str(error))
            return
        yield Step("token", ok=True)
        there = {one.open_kfid: one.name for one in found.account_list}
        missing = [name for name in self.settings.open_kfids if name not in there]
        others = ", ".join(f"{name} ({there[name]})" for name in there if name not in self.settings.open_kfids)
        todo = f"the app does not see {', '.join(missing)}: give it these accounts under Customer service, API. "
        more = f"These are there, too: {others}. Add them to `open_kfids`, if they should be polled." if others else ""
        yield Step("accounts", ok=not missing, todo=((todo if missing else "") + more).strip())

    def _api(self, host: Host) -> WeixinApi:
        query = {"corpid": self.settings.account, "corpsecret": self.settings.secret.get_secret_value()}
        return WeixinApi(host, self.settings.api_url, "WeCom", Grant("GET", "gettoken", {"params": query}))


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
