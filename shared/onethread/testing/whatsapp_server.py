"""A simulator of the WhatsApp Cloud API for one number: signed webhooks, an override of their URL, media that expire.

It knows no connector. Payloads have the documented shape; see `meta_server` for what both products share.
"""

import hashlib
import itertools
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from onethread.testing.meta_server import Json, MetaServer, found, missing, unverified


class WhatsAppServer(MetaServer):
    """`async with WhatsAppServer() as whatsapp: await whatsapp.say("Hello", "351912000111")`."""

    product = "whatsapp_business_account"
    permissions = ("whatsapp_business_messaging", "whatsapp_business_management")

    def __init__(
        self,
        *arguments: Any,
        number_id: str = "106540352242922",
        number: str = "15550100",
        business_account: str = "102290129340398",
        **named: Any,
    ) -> None:
        self.number_id, self.number, self.business_account = number_id, number, business_account
        self.numbers = [number_id]
        """The numbers of the account."""
        self.override = ""
        """The URL that this number's deliveries go to, before the app's own."""
        self.standby = False
        """Whether Meta's own agent has the chats: what people write then comes as `standby`."""
        self.subscribed = False
        """Whether the app gets the account's deliveries at all."""
        self.file_faults: list[int] = []
        """Statuses that downloads get instead of the file, one each."""
        self._media: dict[str, tuple[str, bytes]] = {}
        self._addresses: dict[str, str] = {}
        self._numbers, self._seconds = itertools.count(1), itertools.count(1767225600)
        super().__init__(*arguments, **named)

    # --- what people do ------------------------------------------------------------------------------------------------

    def say(self, text: str, number: str, *, name: str = "Mia Lang", user_id: str = "", hidden: bool = False) -> bytes:
        """A person writes. `hidden`: the number stays with them, which takes a `user_id`. Returns the body."""
        return self.message({"type": "text", "text": {"body": text}}, number, name=name, user_id=user_id, hidden=hidden)

    def message(
        self, said: Json, number: str, *, name: str = "Mia Lang", user_id: str = "", hidden: bool = False
    ) -> bytes:
        """A message of any type, by its fields. Returns the body."""
        who = {} if hidden else {"from": number}
        ids = {} if hidden else {"wa_id": number}
        if user_id:
            who["from_user_id"] = ids["user_id"] = user_id
        element = {**who, "id": self.next_id(), "timestamp": self.tick(), **said}
        return self.change(messages=[element], contacts=[{"profile": {"name": name}, **ids}])

    def echo(self, text: str, number: str) -> bytes:
        """Staff write in the WhatsApp Business app. Returns the body."""
        element = {"from": self.number, "to": number, "id": self.next_id(), "timestamp": self.tick()}
        return self.change("smb_message_echoes", message_echoes=[{**element, "type": "text", "text": {"body": text}}])

    def agent(self, text: str, number: str) -> bytes:
        """Meta's own agent answers. Returns the body."""
        said = {"messaging_product": "whatsapp", "to": number, "type": "text", "text": {"body": text}}
        echo = {"id": self.next_id(), "timestamp": self.tick(), "message": said}
        return self.change("standby", standby={"message_echoes": [echo]})

    def handover(self, kind: str, number: str, **roles: str) -> bytes:
        """The chat goes to another: `control_passed` to the app, `control_taken` from it. Returns the body."""
        value = {
            "messaging_product": "whatsapp",
            "sender": {"phone_number": number},
            "recipient": {"display_phone_number": self.number, "phone_number_id": self.number_id},
            "type": kind,
            "timestamp": self.tick(),
            kind: roles,
        }
        self.standby = kind == "control_taken"
        return self._change("messaging_handovers", value)

    def status(self, message: str, state: str, number: str) -> bytes:
        """Something became of a message of ours. Returns the body."""
        told = {"id": message, "status": state, "timestamp": self.tick(), "recipient_id": number}
        return self.change(statuses=[told])

    def change(self, field: str = "messages", **lists: Any) -> bytes:
        """A change of this number, to who listens; nobody is asked again who does not. Returns the body."""
        if self.standby and field == "messages":
            field, lists = "standby", {"standby": lists}
        value = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": self.number, "phone_number_id": self.number_id},
            **lists,
        }
        return self._change(field, value)

    def _change(self, field: str, value: Json) -> bytes:
        entry = {"id": self.business_account, "changes": [{"field": field, "value": value}]}
        return self.deliver(entry, to=self.override)

    def next_id(self) -> str:
        """An id that no message has yet."""
        return f"wamid.SIM{next(self._numbers):05}"

    def tick(self) -> str:
        """A second later than the last one, as webhooks write it."""
        return str(next(self._seconds))

    def keep_media(self, media_id: str, content: bytes, media_type: str) -> Json:
        """A file of a message; returns the fields that name it there."""
        self._media[media_id] = (media_type, content)
        return {"id": media_id, "mime_type": media_type, "sha256": ""}

    def expire_addresses(self) -> None:
        """Five minutes pass: addresses of files die, ids live on."""
        self._addresses.clear()

    # --- the Graph API -------------------------------------------------------------------------------------------------

    def _routes(self) -> list[Route]:
        return [Route("/attachments/{key}", self._file)]

    async def _file(self, request: Request) -> Response:
        if not self.authorised(request):
            return Response(status_code=401)
        media = self._addresses.get(request.path_params["key"])
        if self.file_faults:
            return Response(status_code=self.file_faults.pop(0))
        if media is None:
            return Response(status_code=404)
        media_type, content = self._media[media]
        return Response(content, media_type=media_type)

    def _needed(self, path: str) -> str:
        return self.permissions[0] if path in self._media else self.permissions[1]

    async def _answer(self, method: str, path: str, parameters: Json) -> Response:
        match method, path:
            case "GET", self.number_id:
                configuration = {"phone_number": self.override} if self.override else {}
                return found(id=path, display_phone_number=self.number, webhook_configuration=configuration)
            case "POST", self.number_id:
                return await self._override(parameters.get("webhook_configuration", {}))
            case _ if path == f"{self.business_account}/subscribed_apps":
                self.subscribed = self.subscribed or method == "POST"
                apps = [{"whatsapp_business_api_data": {"id": self.app, "name": "Shop"}}] if self.subscribed else []
                return found(data=apps) if method == "GET" else found(success=True)
            case "GET", _ if path == f"{self.business_account}/phone_numbers":
                return found(data=[{"id": number} for number in self.numbers])
            case "GET", _ if path in self._media:
                return self._medium(path, parameters)
        return missing(path)

    async def _override(self, configuration: Json) -> Response:
        url = str(configuration.get("override_callback_uri", ""))
        if url and not await self.verified(url, str(configuration.get("verify_token", ""))):
            return unverified()
        self.override = url
        return found(success=True)

    def _medium(self, media: str, parameters: Json) -> Response:
        if parameters.get("phone_number_id", self.number_id) != self.number_id:
            return missing(media)
        media_type, content = self._media[media]
        key = hashlib.sha256(f"{media}{next(self._numbers)}".encode()).hexdigest()[:16]
        self._addresses[key] = media
        return found(
            id=media,
            messaging_product="whatsapp",
            url=f"{self._served.url}/attachments/{key}",
            mime_type=media_type,
            sha256=hashlib.sha256(content).hexdigest(),
            file_size=len(content),
        )
