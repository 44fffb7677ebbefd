"""A simulator of WeChat Official Accounts: people write to it, and it calls the server in one of three modes. It knows no connector.

Sources: WeChat Developers, "Receiving standard messages", "Receiving event pushes", "Getting users' basic information", "Getting temporary
materials" (of a video it tells the place), "Generating Parametric QR Codes", "Network communication detection"; see `weixin_server` for what both platforms share.
"""

from typing import Any, Literal

from onethread.testing.weixin_server import Json, WeixinServer, refusal, xml

LONGEST_SCENE = 64
Mode = Literal["safe", "compatible", "plain"]


class WeChatServer(WeixinServer):
    """`async with WeChatServer() as wechat: wechat.say("Hello", "oOPENID0001")`."""

    elsewhere = frozenset({"video/mp4"})

    def __init__(
        self,
        app_id: str = "wx0000000000000001",
        *,
        account: str = "gh_0000000001",
        mode: Mode = "safe",
        **named: Any,
    ) -> None:
        super().__init__(app_id, **named)
        self.account, self.mode = account, mode
        self.people: dict[str, Json] = {}
        """Followers, by openid: what is told of them."""
        self.codes: dict[str, str] = {}
        """QR codes that were made: their scenes, by ticket."""

    # --- what people do ------------------------------------------------------------------------------------------------

    def say(self, text: str, person: str, **more: str | float) -> str:
        """A person writes. Returns the message, to be delivered again."""
        return self.message("text", person, Content=text, **more)

    def message(self, kind: str, person: str, **fields: str | float) -> str:
        """A message of any kind. Returns it."""
        return self._happens(person, MsgType=kind, **fields, MsgId=24000000000000000 + next(self._numbers))

    def event(self, kind: str, person: str, **fields: str | float) -> str:
        """An event of any kind; it has no id. Returns it."""
        return self._happens(person, MsgType="event", Event=kind, **fields)

    def scan(self, ticket: str, person: str, **fields: str | float) -> str:
        """A person scans a QR code, and so follows, or followed before. Returns the event."""
        if person in self.people:
            return self.event("SCAN", person, EventKey=self.codes[ticket], Ticket=ticket, **fields)
        self.people[person] = {}
        return self.event("subscribe", person, EventKey=f"qrscene_{self.codes[ticket]}", Ticket=ticket, **fields)

    def _happens(self, person: str, **fields: str | float) -> str:
        who: dict[str, str | float] = {
            "ToUserName": self.account,
            "FromUserName": person,
            "CreateTime": int(self.now()),
        }
        document = xml(**{**who, **fields})
        self.deliver(document)
        return document

    # --- deliveries ----------------------------------------------------------------------------------------------------

    def _question(self, echo: str) -> dict[str, str]:
        """The echo is never sealed here."""
        return {**self.query(name="signature"), "echostr": echo}

    def _delivery(self, message: str) -> tuple[dict[str, str], str]:
        if self.mode == "plain":
            return self.query(name="signature"), message
        sealed = self.sealed(message)
        query = {**self.query(sealed), "encrypt_type": "aes"}
        query["signature"] = self.signature(query["timestamp"], query["nonce"])
        envelope = xml(ToUserName=self.account, Encrypt=sealed)
        if self.mode == "compatible":
            envelope = message.replace("</xml>", f"<Encrypt><![CDATA[{sealed}]]></Encrypt></xml>")
        return query, envelope

    # --- the API -------------------------------------------------------------------------------------------------------

    def answer(self, path: str, parameters: Json) -> Json:
        """Calls that need an access token."""
        match path:
            case "qrcode/create" if parameters.get("action_name") == "QR_STR_SCENE":
                return self._code(str(parameters["action_info"]["scene"]["scene_str"]))
            case "get_api_domain_ip":
                return {"ip_list": ["192.0.2.1"]}
            case "callback/check":
                return {"dns": [{"ip": "192.0.2.8", "real_operator": "DEFAULT"}] if self.callback else []}
            case "user/get":
                return {"total": len(self.people), "count": len(self.people), "data": {"openid": list(self.people)}}
            case "user/info":
                return self._person(str(parameters.get("openid")))
        return refusal(40066, "invalid url")

    def _person(self, openid: str) -> Json:
        if openid not in self.people:
            return refusal(40003, "invalid openid")
        return {"subscribe": 1, "openid": openid, "nickname": "", "headimgurl": "", **self.people[openid]}

    def _code(self, scene: str) -> Json:
        if not 1 <= len(scene) <= LONGEST_SCENE:
            return refusal(47001, "data format error")
        ticket = f"ticket-{len(self.codes) + 1}=="
        self.codes[ticket] = scene
        return {"ticket": ticket, "expire_seconds": 60, "url": f"http://weixin.example.com/q/{len(self.codes)}"}
