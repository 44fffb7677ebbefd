"""WeCom customer service: a notice says that there is something, and messages are pulled. It knows entrances and calls, no content."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from im_ingest import weixin
from im_ingest.connectors.wecom_kf.probe import steps
from im_ingest.connectors.wecom_kf.pull import page
from im_ingest.connectors.wecom_kf.records import events, notice, profile
from im_ingest.connectors.wecom_kf.scene import CUSTOMER
from im_ingest.weixin_api import Grant, Platform, WeixinApi
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
from onethread.errors import Misconfigured, Poison
from onethread.event import Event

NOTICE = "kf_msg_or_event"
SECRETS = frozenset({"Token", "SuiteTicket", "AuthCode", "WelcomeCode"})
"""Fields of other notices that open doors, and are not kept."""
PLATFORM = Platform(
    "WeCom",
    refills=60.0,  # calls are counted by the minute, or more
    settings="Copy the Corp ID, under My company (我的企业), into `account`, and the Secret of the app into `secret`.",
    addresses="On the app's page, add the address that is named there to the trusted IPs (企业可信IP).",
    rights="Under Customer service (微信客服), API, choose the app in 可调用接口的应用, and its accounts in 通过API管理微信客服账号;"
    " `secret` must be of the same console that keeps the accounts.",
)
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
        "",
        pattern=r"^(https://.+[?&]enc_scene=.+)?$",
        description="Link of an account with a scene, if links of ours should lead there; `onethread check` tells one.",
    )
    api_url: str = Field("https://qyapi.weixin.qq.com", description="The API's server.")


class _Customers(msgspec.Struct):
    customer_list: list[dict[str, Any]] | None = None


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
        sealed = _echo(request)
        weixin.authenticate(request, self.settings.tokens, "msg_signature", sealed)
        try:
            return Answer(_opened(sealed, self.settings))
        except Poison as error:
            raise Rejected(f"echostr cannot be answered: {error}") from error

    def unpack(self, request: Request) -> Iterable[Raw | Wake]:
        """A notice holds no message: it says which account has some. Old ones do not say which."""
        found = weixin.fields(_opened(weixin.sealed_in(request.body), self.settings))
        if found.get("Event") == NOTICE:
            named = found.get("OpenKfId", "")
            for account in [named] if named else self.settings.open_kfids:
                yield Wake(account, hint=found.get("Token", ""))
            return
        kept = {name: text for name, text in found.items() if name not in SECRETS}
        yield Raw(msgspec.json.encode(kept), form="notice")

    def signed_anew(self, request: Request, sample: "WeComKf", now: datetime) -> Request:
        """See `onethread.testing.signing.SignsAnew`."""
        own = self.settings
        if request.method == "GET":
            echo = weixin.sealed(_opened(_echo(request), sample.settings), own.aes_keys[0], own.account)
            asked = msgspec.structs.replace(request, query={**request.query, "echostr": echo})
            return weixin.signed(asked, own.tokens, "msg_signature", now, echo)
        notice = _opened(weixin.sealed_in(request.body), sample.settings)
        ciphertext, body = weixin.sealed_delivery(notice, own.aes_keys, own.account)
        closed = msgspec.structs.replace(request, body=body)
        return weixin.signed(closed, own.tokens, "msg_signature", now, ciphertext)

    # --- the pull ---

    def resources(self) -> Sequence[str]:
        return list(dict.fromkeys(self.settings.open_kfids))

    async def fetch(self, host: Host, resource: str, cursor: str | None) -> Page:
        """Up to a thousand messages. Without a cursor WeCom begins three days ago; an empty page may have more behind it."""
        return await page(self._api(host), resource, cursor, host.hint, host.now())

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
        return await self._api(host).media(locator)

    async def lookup(self, host: Host, locator: str) -> Sequence[Raw]:
        """Name, picture and union id of a customer; none of somebody whom WeCom does not know."""
        asked = [locator.removeprefix(CUSTOMER)]
        found = await self._api(host).post("kf/customer/batchget", _Customers, external_userid_list=asked)
        told = [{name: one[name] for name in TOLD if name in one} for one in found.customer_list or []]
        return [Raw(msgspec.json.encode(one), form="customer") for one in told]

    async def deep_link(self, host: Host, token: str) -> str:  # noqa: ARG002 -- WeCom made the link before
        """WeCom hands `scene_param` on when the chat is opened by a link with a scene (document 94665)."""
        if not self.settings.contact_url:
            raise Misconfigured("set `contact_url` to the link of an account; `onethread check` tells one")
        return f"{self.settings.contact_url}&scene_param={quote(token, safe='')}"

    async def check(self, host: Host) -> AsyncIterator[Step]:
        async for step in steps(self._api(host), self.settings.open_kfids, linked=bool(self.settings.contact_url)):
            yield step

    def _api(self, host: Host) -> WeixinApi:
        query = {"corpid": self.settings.account, "corpsecret": self.settings.secret.get_secret_value()}
        return WeixinApi(host, self.settings.api_url, PLATFORM, Grant("GET", "gettoken", {"params": query}))


def _opened(sealed: str, settings: Settings) -> bytes:
    return weixin.opened(sealed, settings.aes_keys, settings.account)


def _echo(request: Request) -> str:
    return request.query["echostr"].replace(" ", "+")  # a plus that was not written as %2B
