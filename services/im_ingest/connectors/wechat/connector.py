"""WeChat: messages that people write to an Official Account. It knows entrances and calls, no content."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal, Self
from urllib.parse import urlencode

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from im_ingest import weixin
from im_ingest.connectors.wechat.messages import fallback
from im_ingest.connectors.wechat.probe import steps
from im_ingest.connectors.wechat.records import events, profile
from im_ingest.connectors.wechat.scene import USER
from im_ingest.weixin_api import Grant, NoFile, NotAllowed, Platform, WeixinApi, WeixinError
from onethread.connector import (
    Answer,
    Checks,
    Connector,
    DeepLinks,
    Downloads,
    Host,
    Lookups,
    Media,
    Raw,
    Rejected,
    Request,
    Step,
    Wake,
    Webhook,
)
from onethread.errors import Misconfigured, Retryable
from onethread.event import Event

ECHO = 128
"""Characters that an echostr may have; it comes back as it is."""
NO_SUCH_USER = frozenset({40003, 46004, 50002})
"""An openid of another account, one that is gone, or one that WeChat shut out."""
SELDOM = 6 * 3600.0
"""Seconds until what the account may not call is called again."""
TOLD = ("subscribe", "openid", "unionid", "language", "subscribe_time", "remark", "subscribe_scene")
"""What is kept of a profile. WeChat tells names and pictures no longer (since December 2021)."""

SCENE_SECONDS = 7 * 86400
"""For so long a QR code is good: our tokens are not good for longer, and WeChat allows 30 days."""
SHOWN_AT = "https://mp.weixin.qq.com/cgi-bin/showqrcode"

PLATFORM = Platform(
    "WeChat",
    refills=3600.0,  # calls are counted by the day
    settings="Copy AppID and AppSecret again, from Basic configuration (基本配置), into `app_id` and `app_secret`.",
    addresses="Add the address that is named there under Basic configuration, IP allow-list (IP白名单).",
    rights="See under API permissions (接口权限) what the account may call; most of it needs a verified account (微信认证).",
)


class Settings(BaseModel):
    """One Official Account."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account: str = Field(
        pattern=r"^gh_[0-9A-Za-z]+$", description="Original ID of the account (gh_…), under Settings, Account info."
    )
    app_id: str = Field(pattern=r"^wx[0-9A-Za-z]+$", description="AppID, under Basic configuration.")
    app_secret: SecretStr = Field(description="AppSecret, under Basic configuration.")
    tokens: list[SecretStr] = Field(
        min_length=1, description="Token of the server configuration; two while you rotate it, the new one first."
    )
    aes_keys: list[weixin.AesKey] = Field(
        [], description="EncodingAESKey of the server configuration; two while you rotate it, the new one first."
    )
    mode: Literal["safe", "plain"] = Field(
        "safe",
        description="safe: only encrypted deliveries are taken (safe and compatible mode at WeChat); plain: clear ones, too.",
    )
    api_url: str = Field("https://api.weixin.qq.com", description="The API's server; another region has another one.")

    @model_validator(mode="after")
    def _safe_mode_has_a_key(self) -> Self:
        if self.mode == "safe" and not self.aes_keys:
            raise ValueError("mode safe needs aes_keys")
        return self


class WeChat(Connector[Settings], Webhook, Downloads, Lookups, Checks, DeepLinks):
    """One Official Account."""

    name = network = "wechat"
    answer_within = 5.0  # then WeChat hangs up, tries again, three times in all, and tells the person that we are away

    def authenticate(self, request: Request) -> None:
        if request.query.get("encrypt_type", "") == "aes":
            weixin.authenticate(request, self.settings.tokens, "msg_signature", weixin.sealed_in(request.body))
        elif self.settings.mode == "safe":
            raise Rejected("the delivery is not encrypted: choose safe mode at WeChat, or set `mode` to plain")
        else:
            weixin.authenticate(request, self.settings.tokens, "signature")

    def handshake(self, request: Request) -> Answer | None:
        """The echostr is sent in clear, whatever the mode."""
        if request.method != "GET" or "echostr" not in request.query:
            return None
        weixin.authenticate(request, self.settings.tokens, "signature")
        echo = request.query["echostr"]
        if not (echo.isascii() and echo.isalnum() and len(echo) <= ECHO):
            raise Rejected("echostr is of a strange form")
        return Answer(echo.encode())

    def unpack(self, request: Request) -> Iterable[Raw | Wake]:
        body = _message(request, self.settings)
        found = weixin.fields(body)
        about = weixin.order(found.get("CreateTime", ""), request.arrived_at)
        yield Raw(body, account=found.get("ToUserName", ""), about=about, media_type="text/xml")

    def signed_anew(self, request: Request, sample: "WeChat", now: datetime) -> Request:
        """See `onethread.testing.signing.SignsAnew`. Sealed in mode safe, else in clear."""
        own = self.settings
        if request.method == "GET":
            return weixin.signed(request, own.tokens, "signature", now)
        message, query = _message(request, sample.settings), {"nonce": request.query.get("nonce", "")}
        clear = msgspec.structs.replace(request, query=query, body=message)
        if own.mode == "plain":
            return weixin.signed(clear, own.tokens, "signature", now)
        ciphertext, body = weixin.sealed_delivery(message, own.aes_keys, own.app_id)
        closed = msgspec.structs.replace(request, query={**query, "encrypt_type": "aes"}, body=body)
        return weixin.signed(closed, own.tokens, "msg_signature", now, ciphertext)

    def answer(self, request: Request) -> Answer:  # noqa: ARG002 -- answers all alike
        """Anything else would be shown to the person."""
        return Answer(b"success")

    def normalize(self, raw: Raw) -> Iterable[Event]:
        if raw.form == "user":
            return (profile(raw.data, self.settings.account),)
        return events(raw, self.settings.account)

    async def download(self, host: Host, locator: str) -> Media:
        """An account that may not call the API still gets pictures, from where WeChat shows them."""
        name, picture = fallback(locator)
        with _seldom():
            try:
                return await self._api(host).media(name)
            except (Misconfigured, NoFile, WeixinError):
                if not picture:
                    raise
                return Media(picture)

    async def lookup(self, host: Host, locator: str) -> Sequence[Raw]:
        """Union id and language of a person who follows the account."""
        openid = locator.removeprefix(USER)
        with _seldom():
            try:
                found = await self._api(host).get("user/info", dict[str, Any], openid=openid)
            except WeixinError as error:
                if error.code not in NO_SUCH_USER:
                    raise
                return ()
        told = {name: found[name] for name in TOLD if found.get(name) is not None}
        return (Raw(msgspec.json.encode({**told, "openid": openid}), form="user", account=self.settings.account),)

    async def deep_link(self, host: Host, token: str) -> str:
        """A QR code whose scene is the token, for as long as tokens live; it is scanned with WeChat ("Generating Parametric QR Codes")."""
        scene = {"scene": {"scene_str": token}}
        asked = {"expire_seconds": SCENE_SECONDS, "action_name": "QR_STR_SCENE", "action_info": scene}
        made = await self._api(host).post("qrcode/create", _Code, **asked)
        return f"{SHOWN_AT}?{urlencode({'ticket': made.ticket})}"

    async def check(self, host: Host) -> AsyncIterator[Step]:
        async for step in steps(self._api(host), safe=self.settings.mode == "safe"):
            yield step

    def _api(self, host: Host) -> WeixinApi:
        given = {"appid": self.settings.app_id, "secret": self.settings.app_secret.get_secret_value()}
        content = {"json": {"grant_type": "client_credential", **given}}
        return WeixinApi(host, self.settings.api_url, PLATFORM, Grant("POST", "stable_token", content))


def _message(request: Request, settings: Settings) -> bytes:
    """In compatible mode a body holds both forms: the clear one, which nothing signs, is not looked at."""
    if request.query.get("encrypt_type", "") != "aes":
        return request.body
    return weixin.opened(weixin.sealed_in(request.body), settings.aes_keys, settings.app_id)


@contextmanager
def _seldom() -> Iterator[None]:
    """An account that is not verified may never call, and has a job for every person and file: each is tried again some hours later."""
    try:
        yield
    except NotAllowed as error:
        raise Retryable(str(error), after=SELDOM) from error


class _Code(msgspec.Struct):
    """A QR code that was made."""

    ticket: str
