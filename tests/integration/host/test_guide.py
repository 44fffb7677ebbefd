"""What the guide shows of the three other edges, and what `new-connector` writes of them, run as it stands: over sockets, stored."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from hostkit import Kit, Replica, channel, served, until
from pydantic import BaseModel, SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from all_in_one.new_connector import written
from onethread.connector import Connector, Mounted, Polling, Raw, Stream
from onethread.event import Body, Event, Message
from onethread.host.channel import Channel
from onethread.host.mounted import MountedApps

GUIDE = (Path(__file__).resolve().parents[3] / "ADDING_A_CHANNEL.md").read_text("utf-8")
LOOPBACK = (ip_network("127.0.0.0/8"),)
SINCE = datetime(2026, 1, 5, tzinfo=UTC)
EDGES = {"polling": (Polling, "fetch"), "stream": (Stream, "session"), "mounted": (Mounted, "asgi")}


class Settings(BaseModel):
    account: str = "shop"
    token: SecretStr = SecretStr("sample-secret")
    tokens: list[SecretStr] = [SecretStr("sample-secret")]
    api_url: str = ""
    stream_url: str = ""


class Translates(Connector[Settings]):
    name = network = "guide"

    def normalize(self, raw: Raw) -> Iterable[Event]:
        item = json.loads(raw.data)
        yield Event(item["id"], Message(body=Body(text=item["text"])), external_thread_id="c")


def shown(style: str) -> type[Connector[Any]]:
    """The guide's method in a class as its text says."""
    edge, method = EDGES[style]
    section = re.split(r"^#{2,4} ", GUIDE[GUIDE.index(f"#### `{method}`") + 5 :], maxsplit=1, flags=re.MULTILINE)[0]
    code = re.search(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert code
    names: dict[str, Any] = {}
    exec(code[1], names)
    return type("Guide", (Translates, edge), {method: names[method], "interval": 0.02})


def templated(style: str, folder: Path) -> type[Connector[Any]]:
    """What `new-connector` writes, but for `normalize`."""
    names: dict[str, Any] = {"__name__": "sample"}
    code = written("sample", style, "sample")["connector.py"]  # type: ignore[arg-type]
    (folder / "connector.py").write_text(code, "utf-8")
    exec(compile(code, str(folder / "connector.py"), "exec"), names)
    return type("Sample", (names["Sample"],), {"normalize": Translates.normalize, "interval": 0.02})


class Provider:
    """Two messages; the first is there when it is first asked, and it hangs up once."""

    def __init__(self) -> None:
        self.asked: list[dict[str, list[str]]] = []
        self.acknowledged: list[str] = []
        routes = [Route("/messages", self.messages), WebSocketRoute("/", self.live)]
        self.app = Starlette(routes=routes)

    def _at(self, query: str, authorization: str | None) -> int:
        assert authorization == "Bearer sample-secret"
        self.asked.append(parse_qs(query))
        return int(self.asked[-1].get("after", ["0"])[0])

    async def messages(self, request: Request) -> JSONResponse:
        at = self._at(request.url.query, request.headers.get("authorization"))
        found = MESSAGES[at : at + 1]
        page = {"messages": found, "items": found, "next": str(at + len(found)), "more": bool(found)}
        return JSONResponse(page)

    async def live(self, socket: WebSocket) -> None:
        await socket.accept()
        at = self._at(socket.url.query, socket.headers.get("authorization"))
        frames: list[dict[str, Any]] = [{"cursor": str(at)}]
        frames += [{"cursor": one["id"][1:], "message": one, "item": one} for one in MESSAGES[at:]]
        try:
            if len(self.asked) == 1:
                await socket.send_json(frames[0])
                await socket.close(1012)  # before any message: the cursor that it told is gone on from
                return
            for frame in frames:
                await socket.send_json(frame)
            while True:
                self.acknowledged.append(await socket.receive_text())
        except (WebSocketDisconnect, RuntimeError):
            return


MESSAGES = [{"id": "m1", "at": 1, "text": "one"}, {"id": "m2", "at": 2, "text": "two"}]


@pytest.fixture(params=["guide", "template"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return shown if request.param == "guide" else lambda style: templated(style, tmp_path)


def made(kind: Any, style: str, url: str = "") -> Channel:
    """A channel of it; settings as its own model takes them."""
    known = {"account": "shop", "token": "sample-secret", "tokens": ["sample-secret"], "api_url": url}
    known["stream_url"] = url.replace("http", "ws")
    connector = kind(style)
    model = connector.settings_model()
    settings = model.model_validate({name: value for name, value in known.items() if name in model.model_fields})
    return channel(connector(settings), since=SINCE, allow_networks=LOOPBACK)


async def has_both(kit: Kit) -> bool:
    return [event.external_id for event in await kit.events()] == ["m1", "m2"]


@pytest.mark.parametrize("style", ["polling", "stream"])
async def test_a_pull_begins_at_since_goes_on_at_its_cursor_and_misses_nothing(kit: Kit, kind: Any, style: str) -> None:
    provider = Provider()
    async with served(provider.app) as url:
        kit.channels.add(made(kind, style, url))
        async with Replica(kit, "a"):
            await until(lambda: has_both(kit))
            await until(lambda: len(provider.asked) > 1)
    assert provider.asked[0] == {"since": [SINCE.isoformat()]}
    assert all("after" in asked for asked in provider.asked[1:])
    assert await has_both(kit)


async def test_what_is_acknowledged_is_durable(kit: Kit) -> None:
    provider = Provider()
    async with served(provider.app) as url:
        kit.channels.add(made(shown, "stream", url))
        async with Replica(kit, "a"):
            await until(lambda: "2" in provider.acknowledged)
            assert await has_both(kit)


async def test_a_mounted_application_takes_from_who_shows_the_token(kit: Kit, kind: Any) -> None:
    kit.channels.add(made(kind, "mounted"))
    apps = MountedApps(kit.channels, Replica(kit, "a").lender)
    async with served(apps) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        for token, body, status in (("other", b"{}", 401), ("sample-secret", b" " * 1024 * 1025, 413)):
            headers = {"authorization": f"Bearer {token}"}
            assert (await client.post("/apps/chn_acme/messages", content=body, headers=headers)).status_code == status
        for one in MESSAGES * 2:
            headers = {"authorization": "Bearer sample-secret"}
            assert (await client.post("/apps/chn_acme/messages", json=one, headers=headers)).status_code == 202
    assert len({event.id for event in await kit.events()}) == 2
