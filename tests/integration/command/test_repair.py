"""A request that could not be unpacked is sent again once the channel's settings are mended, as `onethread dead-letters replay` does it."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx
from pydantic import SecretStr
from typer.testing import CliRunner

from all_in_one.cli import app
from im_ingest.connectors.wechat.connector import Settings, WeChat
from onethread.blobs import Blobs
from onethread.connector import Host
from onethread.host.channel import Channel, Channels
from onethread.host.ingest import Ingest
from onethread.host.standing import Standing
from onethread.host.webhook import WebhookApp
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import topics
from onethread.state.sqlite import SqliteState
from onethread.testing.wechat_server import WeChatServer
from onethread.testing.weixin_server import xml

HOOK = "0123456789abcdef"
WORDS = "Can I bring it to the shop?"


def wechat(server: WeChatServer, app_id: str) -> dict[str, Any]:
    """Settings of an account in safe mode; a wrong app id is not noticed until a message comes."""
    keys = {"tokens": [server.token], "aes_keys": [server.aes_key]}
    return {"account": server.account, "app_id": app_id, "app_secret": server.secret, **keys}


async def delivered(folder: Path, server: WeChatServer, settings: dict[str, Any]) -> int:
    """What WeChat is answered when a person writes."""
    connector = WeChat(Settings.model_validate(settings))
    created = datetime(2026, 1, 1, tzinfo=UTC)
    channel = Channel(
        id="chn_wechat", tenant="default", connector=connector, created_at=created, hook_secret=SecretStr(HOOK)
    )
    async with SqliteLog(folder / "log.sqlite") as log, SqliteState(folder / "state.sqlite") as state:
        await log.apply(topics())
        ingest = Ingest(log, Blobs("memory:///"), Channels([channel]))
        entrance = WebhookApp(
            ingest, public_url="https://hooks.example", lend=lambda _: cast("Host", None), wake=_unawakened,
            standing=Standing(state, ingest.now),
        )  # fmt: skip
        server.now = lambda: datetime.now(UTC).timestamp()
        said = {
            "ToUserName": server.account,
            "FromUserName": "oMIA",
            "CreateTime": 1767225600,
            "MsgId": 24000000000000001,
        }
        query, body = server._delivery(xml(**said, MsgType="text", Content=WORDS))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(entrance), base_url="https://hooks.example"
        ) as client:
            answer = await client.post(f"/hooks/chn_wechat/{HOOK}", params=query, content=body)
        await entrance.stop()
        return answer.status_code


async def _unawakened(*_: object) -> None:
    raise AssertionError("nobody wakes this")


def test_a_request_set_aside_for_a_wrong_setting_is_read_once_it_is_mended(tmp_path: Path) -> None:
    server, folder = WeChatServer(token="wechatToken0001"), tmp_path / "data"
    folder.mkdir()
    wrong, right = wechat(server, "wx0000000000000009"), wechat(server, server.receiver)
    assert asyncio.run(delivered(folder, server, wrong)) == 200
    config = tmp_path / "onethread.yaml"

    def run(settings: dict[str, Any], *args: str) -> Any:
        channel = {"id": "chn_wechat", "connector": "wechat", "hook_secret": HOOK, "settings": settings}
        config.write_text(json.dumps({"data": str(folder), "channels": [channel]}), "utf-8")
        result = CliRunner().invoke(app, ["--config", str(config), "--json", "dead-letters", *args])
        assert result.exit_code == 0, result.output
        assert WORDS not in result.output
        return json.loads(result.stdout)

    (letter,) = run(wrong, "list")
    assert (letter["stage"], letter["reason"]) == ("unpack", "poison")
    assert "another app" in letter["detail"]
    assert run(wrong, "replay", "all")[letter["id"]].startswith("stays set aside: it cannot be unpacked")
    assert run(right, "replay", "all") == {letter["id"]: "events: 1"}
    assert run(right, "replay", "all") == {letter["id"]: "events: 1"}
    assert len(run(right, "list")) == 1
