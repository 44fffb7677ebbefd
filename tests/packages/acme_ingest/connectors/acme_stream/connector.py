"""Acme Live: the same records, pushed over a WebSocket and acknowledged one by one."""

import json
from collections.abc import Iterable

from pydantic import BaseModel

from acme_ingest.connectors.acme.connector import Acme
from acme_ingest.connectors.acme.connector import Settings as AcmeSettings
from onethread.connector import Connector, Host, Raw, Stream
from onethread.event import Event


class Settings(BaseModel):
    account: str = "shop1"
    url: str


class AcmeStream(Connector[Settings], Stream):
    name, network = "acme_stream", "acme"

    async def session(self, host: Host, resource: str, cursor: str | None) -> None:
        async with host.websocket(f"{self.settings.url}/live?after={cursor or ''}") as socket:
            while (frame := json.loads(await socket.receive())) is not None:
                await host.emit([Raw(json.dumps(frame["item"]).encode())], cursor=frame["cursor"])
                await socket.send(frame["cursor"])

    def normalize(self, raw: Raw) -> Iterable[Event]:
        return Acme(AcmeSettings(account=self.account, secrets=["x"])).normalize(raw)
