"""The texts that `onethread new-connector` writes: one record of an invented shape, four edges. They know no provider.

`@name@`, `@Class@`, `@Title@` and `@package@` are filled in. What they hold works as it is, but for `normalize`.
"""

CONNECTOR = '''"""@Title@: @says@. It knows their records, and no host."""

@imports@

class Settings(BaseModel):
    """One account."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account: str = Field(description="Id of our account, in their words.")
@settings@

class Item(msgspec.Struct):
    """One record. Decoding checks the types, so what is of another shape is set aside without a word of ours."""

    id: str
    at: int  # Unix seconds
    chat: str = ""
    user: str = ""
    name: str = ""
    text: str = ""

@more@
class @Class@(Connector[Settings], @edge@):
    """One account."""

    name = network = "@name@"

@methods@
    def normalize(self, raw: Raw) -> Iterable[Event]:
        item = msgspec.json.decode(raw.data, type=Item)
        todo = "write normalize() in connector.py: make of the record what fixtures/message.out.json holds"
        yield Event(item.id, Unknown(label=todo), received_at=utc(item.at))
'''

IMPORTS = {
    "webhook": """from collections.abc import Iterable

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from onethread.connector import Connector, Raw, Rejected, Request, Webhook, signed, utc
from onethread.event import Event, Unknown

OLDEST = 300
\"\"\"Seconds after which a signed delivery counts as stale: somebody may have kept it, to send it again.\"\"\"
""",
    "polling": """from collections.abc import AsyncIterator, Iterable

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from onethread.connector import Checks, Connector, Host, Page, Polling, Raw, Step, utc
from onethread.event import Event, Unknown
""",
    "stream": """from collections.abc import Iterable
from urllib.parse import urlencode

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from onethread.connector import Connector, Host, Raw, Stream, utc
from onethread.event import Event, Unknown
""",
    "mounted": """from collections.abc import Iterable
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from onethread.connector import Connector, Host, Mounted, Raw, same, utc
from onethread.event import Event, Unknown

LARGEST = 1024 * 1024
\"\"\"Bytes of one message at most: anybody may send.\"\"\"
""",
}

SETTINGS = {
    "webhook": """    secrets: list[SecretStr] = Field(min_length=1, description="Webhook secret; two while you rotate it.")
""",
    "polling": """    token: SecretStr = Field(description="Access token of the account.")
    api_url: str = Field(default="https://api.example.com", description="Address of their API.")
""",
    "stream": """    token: SecretStr = Field(description="Access token of the account.")
    stream_url: str = Field(default="wss://stream.example.com", description="Address of their stream.")
""",
    "mounted": """    tokens: list[SecretStr] = Field(min_length=1, description="What a sender shows; two while you rotate it.")
""",
}

MORE = {
    "webhook": "",
    "polling": '''
class Answer(msgspec.Struct):
    """What the list answers: records, left undecoded, so that a bad one stays alone, and where to go on."""

    items: list[msgspec.Raw]
    next: str

''',
    "stream": '''
class Frame(msgspec.Struct):
    """What the stream sends: a record, left undecoded, and where to go on after it. The first frame has no record."""

    cursor: str
    item: msgspec.Raw = msgspec.Raw()

''',
    "mounted": "",
}

METHODS = {
    "webhook": """    def authenticate(self, request: Request) -> None:
        given, at = request.headers.get("x-signature", ""), request.headers.get("x-timestamp", "")
        if not (at.isascii() and at.isdecimal()):
            raise Rejected("x-timestamp is missing, or no number")
        if not signed(given, self.settings.secrets, at.encode() + b"." + request.body):
            raise Rejected("x-signature does not match the time and the body")
        if abs(request.arrived_at.timestamp() - int(at)) > OLDEST:
            raise Rejected("x-timestamp is more than five minutes away")
""",
    "polling": """    async def fetch(self, host: Host, resource: str, cursor: str | None) -> Page:  # noqa: ARG002 -- there is one list
        begin = host.since or host.now()  # at the first start: an old message must not come as a new one
        asked = {"since": begin.isoformat()} if cursor is None else {"after": cursor}
        answer = await self._list(host, asked)
        return Page([Raw(bytes(item)) for item in answer.items], cursor=answer.next, more=bool(answer.items))

    async def check(self, host: Host) -> AsyncIterator[Step]:
        await self._list(host, {"since": host.now().isoformat()})  # what it raises, `onethread check` says
        yield Step("token", ok=True)

    async def _list(self, host: Host, asked: dict[str, str]) -> Answer:
        headers = {"authorization": f"Bearer {self.settings.token.get_secret_value()}"}
        response = await host.http.get(f"{self.settings.api_url}/messages", params=asked, headers=headers)
        return msgspec.json.decode(response.content, type=Answer)
""",
    "stream": """    async def session(self, host: Host, resource: str, cursor: str | None) -> None:  # noqa: ARG002 -- one stream
        begin = host.since or host.now()  # at the first start: an old message must not come as a new one
        asked = {"since": begin.isoformat()} if cursor is None else {"after": cursor}
        headers = {"authorization": f"Bearer {self.settings.token.get_secret_value()}"}
        async with host.websocket(f"{self.settings.stream_url}?{urlencode(asked)}", headers) as socket:
            while True:
                frame = msgspec.json.decode(await socket.receive(), type=Frame)
                item = bytes(frame.item)
                await host.emit([Raw(item)] if item else [], frame.cursor)  # then it is durable: acknowledge
""",
    "mounted": """    def asgi(self, host: Host) -> Any:
        async def take(request: Request) -> Response:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not any(same(given, one.get_secret_value()) for one in self.settings.tokens if one.get_secret_value()):
                return Response(status_code=401)
            body = bytearray()
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST:
                    return Response(status_code=413)
            await host.emit([Raw(bytes(body))])
            return Response(status_code=202)  # it is durable: emit has returned

        return Starlette(routes=[Route("/messages", take, methods=["POST"])])
""",
}

SAYS = {
    "webhook": "a signed webhook",
    "polling": "a list of messages that is asked for",
    "stream": "messages of one open connection",
    "mounted": "messages that are sent to an entrance of our own",
}
EDGES = {"webhook": "Webhook", "polling": "Polling, Checks", "stream": "Stream", "mounted": "Mounted"}

SETTING_UP = {
    "webhook": """1. At @Title@, copy the account's id and the webhook secret.
2. Add the channel with the settings below, and a `hook_secret`.
3. At @Title@, enter the channel's URL: your `http.public_url`, then `/hooks/`, the channel's id, `/`, its `hook_secret`.

To rotate the secret, put the new one beside the old one, change it at @Title@, take the old one out.""",
    "polling": """1. At @Title@, make an access token, and copy the account's id.
2. Add the channel with the settings below. No public address is needed.

To rotate the token, make a new one, put it in the place of the old one, start again.""",
    "mounted": """1. Make up a token, for instance with `openssl rand -hex 32`.
2. Add the channel with the settings below. Messages are sent to `/apps/`, the channel's id, `/messages`.

To rotate the token, put the new one beside the old one, change it at the senders, take the old one out.""",
}
SETTING_UP["stream"] = SETTING_UP["polling"]

ROWS = {
    "webhook": "| `secrets` | webhook secrets; two while you rotate |",
    "polling": "| `token` | access token of the account |\n| `api_url` | address of their API |",
    "stream": "| `token` | access token of the account |\n| `stream_url` | address of their stream |",
    "mounted": "| `tokens` | what a sender shows; two while you rotate |",
}

README = """# @Title@

Messages of one account at @Title@.

## What it receives

| @Title@ | here |
|---|---|
| message | `message` |
| anything else | `unknown` |

## Setting it up

@setting_up@

## Settings

| setting | |
|---|---|
| `account` | id of our account, in their words |
@rows@

## Known limits

- Reading only: answers are not sent by this connector.
"""

PYPROJECT = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "onethread-@name@"
version = "0.1.0"
description = "A connector of Onethread: @Title@."
requires-python = ">=3.11"
dependencies = ["onethread"]

[project.entry-points."onethread.connectors"]
@name@ = "@package@.connectors.@name@.connector"

[tool.hatch.build.targets.wheel]
packages = ["@package@"]

[tool.pytest.ini_options]
asyncio_default_fixture_loop_scope = "function"

[tool.ruff]
line-length = 120

[tool.ruff.lint]
select = ["ARG", "B", "E", "F", "I", "RUF", "S", "UP"]

[tool.ruff.lint.isort]
known-first-party = ["onethread", "@package@"]
"""

TEST = '''"""The contract of a connector, over this package's."""

from onethread.testing.connector_suite import *  # noqa: F403 -- pytest collects what is imported

PACKAGES = ("@package@",)
'''
