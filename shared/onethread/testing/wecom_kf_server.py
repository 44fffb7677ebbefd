"""A simulator of WeCom's customer service: notices that something is there, and `sync_msg` to pull it by. It knows no connector.

Sources: WeCom Developers, documents 94670 (notices and messages), 94661 (accounts), 94665 (links), "Getting customers' basic information"; see `weixin_server` for what both
platforms share. Differences: a notice's token ends when it is told to, and calls without one are counted instead of timed.
"""

import re
from typing import Any

from onethread.testing.weixin_server import Json, WeixinServer, refusal, xml

CURSOR = re.compile(r"(c[0-9]+-?)?")


class WeComKfServer(WeixinServer):
    """`async with WeComKfServer() as wecom: wecom.say("Hello", "wm00000001")`.

    `page`: messages a page holds; `bare_calls`: how many calls without a notice's token are allowed.
    """

    def __init__(
        self, corp: str = "ww0000000000000001", *, page: int = 1000, bare_calls: int = 1000, **named: Any
    ) -> None:
        super().__init__(corp, **named)
        self.page, self.bare_calls = page, bare_calls
        self.accounts: dict[str, str] = {"wk00000001": "Shop"}
        """Name of each customer-service account."""
        self.unmanaged: set[str] = set()
        """Accounts that the app sees and may not read."""
        self.customers: dict[str, Json] = {}
        """What is told of customers, by external user id."""
        self.silent = False
        """Notices are lost."""
        self.first = 0
        """The oldest message that is still kept."""
        self.gaps = False
        """Every other page is empty, and has more behind it."""
        self._messages: list[Json] = []
        self._notices: set[str] = set()

    # --- what people do ------------------------------------------------------------------------------------------------

    def say(self, text: str, customer: str, account: str = "wk00000001") -> Json:
        """A customer writes. Returns the item."""
        return self.item(account, "text", {"content": text}, external_userid=customer, origin=3)

    def reply(self, text: str, customer: str, servicer: str, account: str = "wk00000001") -> Json:
        """A colleague answers in WeCom. Returns the item."""
        body = {"content": text}
        return self.item(account, "text", body, external_userid=customer, origin=5, servicer_userid=servicer)

    def event(self, kind: str, customer: str, account: str = "wk00000001", **fields: Any) -> Json:
        """An event. Returns the item."""
        body = {"event_type": kind, "open_kfid": account, "external_userid": customer, **fields}
        return self.item(account, "event", body, origin=4)

    def item(self, account: str, kind: str, body: Any, **fields: Any) -> Json:
        """Anything that `sync_msg` tells; a notice is sent. Returns it."""
        common = {"msgid": f"msg_{next(self._numbers)}", "send_time": int(self.now()), "msgtype": kind, kind: body}
        item = {**common, **({} if kind == "event" else {"open_kfid": account}), **fields}
        self._messages.append({"account": account, "item": item})
        self.notify(account)
        return item

    def notify(self, account: str = "wk00000001") -> None:
        """A notice with a token of its own, unless notices are lost."""
        token = f"ENC{next(self._numbers):06}"
        self._notices.add(token)
        if not self.silent:
            what = {"MsgType": "event", "Event": "kf_msg_or_event", "Token": token, "OpenKfId": account}
            self.deliver(xml(ToUserName=self.receiver, CreateTime=int(self.now()), **what))

    def expire_notices(self) -> None:
        """Ten minutes go by."""
        self._notices.clear()

    def forget(self) -> None:
        """Three days go by."""
        self.first = len(self._messages)

    # --- the API -------------------------------------------------------------------------------------------------------

    def answer(self, path: str, parameters: Json) -> Json:
        """Calls that need an access token."""
        match path:
            case "kf/sync_msg":
                return self._sync(parameters)
            case "kf/account/list":
                begin, end = int(parameters["offset"]), int(parameters["offset"]) + int(parameters["limit"])
                return {"errcode": 0, "account_list": self._listed()[begin:end]}
            case "kf/add_contact_way":
                url = f"https://work.weixin.qq.com/kf/{parameters['open_kfid']}?enc_scene=ENC{parameters['scene']}"
                return {"errcode": 0, "url": url}
            case "kf/customer/batchget":
                asked = parameters["external_userid_list"]
                found = [{"external_userid": one, **self.customers[one]} for one in asked if one in self.customers]
                strange = [one for one in asked if one not in self.customers]
                return {"errcode": 0, "customer_list": found, "invalid_external_userid": strange}
        return refusal(40066, "invalid url")

    def _listed(self) -> list[Json]:
        return [
            {"open_kfid": account, "name": name, "manage_privilege": account not in self.unmanaged}
            for account, name in self.accounts.items()
        ]

    def _sync(self, parameters: Json) -> Json:
        account, cursor, token = parameters.get("open_kfid"), parameters.get("cursor", ""), parameters.get("token", "")
        if account not in self.accounts:
            return refusal(95000, "invalid open_kfid")
        if token and token not in self._notices:
            return refusal(95007, "invalid msg token")
        if not token:
            self.bare_calls -= 1
            if self.bare_calls < 0:
                return refusal(45009, "api freq out of limit")
        if not CURSOR.fullmatch(cursor):
            return refusal(40058, "invalid cursor")  # the code is not documented
        begin, empty = _position(cursor, self.first)
        end = (
            begin
            if self.gaps and not empty
            else min(begin + min(self.page, int(parameters["limit"])), len(self._messages))
        )
        items = [one["item"] for one in self._messages[begin:end] if one["account"] == account]
        more = int(end < len(self._messages))
        mark = "-" if self.gaps and end == begin else ""
        return {"errcode": 0, "errmsg": "ok", "next_cursor": f"c{end}{mark}", "has_more": more, "msg_list": items}


def _position(cursor: str, first: int) -> tuple[int, bool]:
    """Where a cursor points to, and whether the page before was an empty one."""
    if not cursor:
        return first, False
    return max(int(cursor.strip("c-")), first), cursor.endswith("-")
