"""Acme Inbox: pages of the same records as Acme Chat, asked for over HTTP."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from urllib.parse import quote

import msgspec
from pydantic import BaseModel

from acme_ingest.connectors.acme.connector import Acme
from acme_ingest.connectors.acme.connector import Settings as AcmeSettings
from onethread.connector import Connector, Host, Page, Polling, Raw, Token
from onethread.event import Event


class Settings(BaseModel):
    account: str = "shop1"
    url: str
    log_in: bool = False
    resources: tuple[str, ...] = ("",)


class Answer(msgspec.Struct):
    items: list[msgspec.Raw]
    cursor: str | None
    more: bool = False
    wait: float | None = None


class AcmePoll(Connector[Settings], Polling):
    name, network = "acme_poll", "acme"
    interval = 60.0

    def resources(self) -> Sequence[str]:
        return self.settings.resources

    async def fetch(self, host: Host, resource: str, cursor: str | None) -> Page:
        headers = {}
        if self.settings.log_in:

            async def renew(old: Token | None) -> Token:
                answer = await host.http.post(
                    f"{self.settings.url}/token", data={"refresh": old.refresh if old else "r0"}
                )
                return Token(answer.json()["value"], host.now() + timedelta(hours=1), answer.json()["refresh"])

            headers["authorization"] = f"Bearer {await host.token('access', renew)}"
        query = f"after={cursor or ''}&hint={quote(host.hint)}&resource={resource}"
        response = await host.http.get(f"{self.settings.url}/messages?{query}", headers=headers)
        answer = msgspec.json.decode(response.content, type=Answer)
        return Page([Raw(bytes(item)) for item in answer.items], answer.cursor, answer.more, answer.wait)

    def normalize(self, raw: Raw) -> Iterable[Event]:
        return Acme(AcmeSettings(account=self.account, secrets=["x"])).normalize(raw)
