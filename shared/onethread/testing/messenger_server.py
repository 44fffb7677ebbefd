"""A simulator of the Messenger Platform for one page: signed webhooks by subscription, standby, profiles, files that expire.

It knows no connector. Payloads have the documented shape; see `meta_server` for what both products share.
"""

import itertools
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from onethread.testing.meta_server import Json, MetaServer, error, found, missing

FIELDS = {
    "message": "messages",
    "message_edit": "message_edits",
    "reaction": "message_reactions",
    "delivery": "message_deliveries",
    "read": "message_reads",
    "postback": "messaging_postbacks",
    "referral": "messaging_referrals",
    "optin": "messaging_optins",
    "response_feedback": "response_feedback",
    "messaging_feedback": "messaging_feedback",
    "pass_thread_control": "messaging_handovers",
    "take_thread_control": "messaging_handovers",
    "account_linking": "messaging_account_linking",
    "policy_enforcement": "messaging_policy_enforcement",
}
"""The subscription that each kind of item needs."""


class MessengerServer(MetaServer):
    """`async with MessengerServer() as messenger: messenger.say("Hello", "6543210987654321")`."""

    product = "page"
    permissions = ("pages_messaging", "pages_manage_metadata")

    def __init__(self, *arguments: Any, page: str = "100200300", **named: Any) -> None:
        self.page = page
        self.fields: set[str] = set()
        """What the page sends to the app."""
        self.standby = False
        """Whether another app holds the chats: items come as `standby` then, and buttons without their payload."""
        self.people: dict[str, Json] = {}
        """Profiles, by page-scoped id; who is not in it is told to nobody."""
        self._files: dict[str, tuple[str, bytes]] = {}
        self._numbers, self._times = itertools.count(1), itertools.count(1767225600123, 1000)
        super().__init__(*arguments, **named)

    # --- what people do ------------------------------------------------------------------------------------------------

    def say(self, text: str, person: str, **more: Any) -> bytes:
        """A person writes. Returns the body."""
        return self.item(person, message={"mid": self.next_id(), "text": text, **more})

    def echo(self, text: str, person: str, **more: Any) -> bytes:
        """The page writes, by a person in its inbox, or by an app (`app_id`). Returns the body."""
        return self.item(person, message={"mid": self.next_id(), "is_echo": True, "text": text, **more})

    def item(self, person: str, **what: Any) -> bytes:
        """Anything that happens in a chat; it is not told if nobody subscribed to it. Returns the body."""
        kind = next(iter(what))
        if self.standby and kind == "postback":
            what["postback"] = {name: value for name, value in what["postback"].items() if name != "payload"}
        echo = kind == "message" and bool(what["message"].get("is_echo"))
        sender, recipient = (self.page, person) if echo else (person, self.page)
        time = next(self._times)
        item = {"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": time, **what}
        entry = {"id": self.page, "time": time, "standby" if self.standby else "messaging": [item]}
        if ("message_echoes" if echo else FIELDS.get(kind, kind)) not in self.fields:
            return b""
        if self.standby and "standby" not in self.fields:
            return b""
        return self.deliver(entry)

    def next_id(self) -> str:
        """An id that no message has yet."""
        return f"m_SIM{next(self._numbers):05}"

    def keep_file(self, name: str, content: bytes, media_type: str) -> Json:
        """A file as an attachment's payload: its address needs no token."""
        self._files[name] = (media_type, content)
        return {"url": f"{self._served.url}/cdn/{name}"}

    def expire_files(self) -> None:
        """Addresses of files die."""
        self._files.clear()

    # --- the Graph API -------------------------------------------------------------------------------------------------

    def _routes(self) -> list[Route]:
        return [Route("/cdn/{name}", self._file)]

    async def _file(self, request: Request) -> Response:
        media_type, content = self._files.get(request.path_params["name"], ("", b""))
        return Response(content, media_type=media_type) if media_type else Response(status_code=403)

    def _needed(self, path: str) -> str:
        if path == "me":
            return ""
        return self.permissions[1] if path.endswith("/subscribed_apps") else self.permissions[0]

    async def _answer(self, method: str, path: str, parameters: Json) -> Response:
        match method, path:
            case "GET", "me":
                return found(id=self.page, name="Shop")
            case _ if path == f"{self.page}/subscribed_apps":
                return self._subscription(method, parameters)
            case "GET", _ if path in self.people:
                asked = str(parameters.get("fields", "")).split(",")
                told = {name: value for name, value in self.people[path].items() if name in asked}
                return found(id=path, **told)
            case "GET", _ if path.isdecimal():
                message = "(#100) No profile available for this user."
                return error(400, message=message, type="OAuthException", code=100, error_subcode=2018218)
        return missing(path)

    def _subscription(self, method: str, parameters: Json) -> Response:
        if method == "GET":
            return found(
                data=[{"id": "1", "name": "Shop", "subscribed_fields": sorted(self.fields)}] if self.fields else []
            )
        self.fields = set(str(parameters.get("subscribed_fields", "")).split(",")) if method == "POST" else set()
        return found(success=True)
