"""One process of the command over a broker and a database behind proxies, with a Telegram channel to post to. It knows no fault."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml
from e2e.deployment import KEY, Deployment

from onethread.testing.servers.proxy import TcpProxy

TENANT = "default"
HOOK = "0123456789abcdef0123"
SECRET = "telegram-secret-token"
SERVICE = "up"


def channel() -> dict[str, Any]:
    """A bot whose provider cannot be reached: what it sends arrives all the same."""
    return {
        "id": "chn_telegram",
        "connector": "telegram",
        "hook_secret": HOOK,
        "settings": {
            "account": "110201543",
            "bot_username": "shop_bot",
            "token": "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0",
            "secrets": [SECRET],
            "api_url": "https://telegram.invalid",
        },
    }


def update(number: int, length: int = 0) -> dict[str, Any]:
    """The n-th update: a message of one of twenty people, with so much text beside its number."""
    who = 700_100_200 + number % 20
    person = {"id": who, "is_bot": False, "first_name": f"Customer {who}"}
    return {
        "update_id": 10_000 + number,
        "message": {
            "message_id": number + 1,
            "date": 1_772_366_400 + number,
            "chat": {"id": who, "type": "private", "first_name": person["first_name"]},
            "from": person,
            "text": f"Message {number}" + " and so on" * (length // 10),
        },
    }


def external_id(number: int) -> str:
    """Of the n-th update's message."""
    message = update(number)["message"]
    return f"{message['chat']['id']}:{message['message_id']}"


class Limited(Deployment):
    """A deployment whose entrance may have limits of its own: the part `http` of its settings counts, too."""

    def config(self, service: str = "") -> Path:
        path = super().config(service)
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        values["http"] |= self.settings.get("http", {})
        path.write_text(yaml.safe_dump(values), encoding="utf-8")
        return path


class Sender:
    """A provider: posts updates, again and again until they are acknowledged, and keeps account of that."""

    def __init__(self, deployment: Deployment) -> None:
        self.accepted: list[int] = []
        self.answers: list[int] = []
        self.url = f"{deployment.hooks_url}/hooks/chn_telegram/{HOOK}"
        self._client = httpx.AsyncClient(trust_env=False, timeout=20, headers=HEADERS)

    async def send(self, number: int) -> bool:
        """Once; whether it was acknowledged."""
        try:
            answer = await self._client.post(self.url, json=update(number))
        except httpx.TransportError:
            return False
        self.answers.append(answer.status_code)
        if answer.status_code == 200:
            self.accepted.append(number)
        elif answer.status_code == 503:
            assert int(answer.headers["retry-after"]) > 0
        return answer.status_code == 200

    async def insist(self, numbers: range, together: int = 4) -> None:
        """Until all are acknowledged; several at a time."""
        waiting = iter(numbers)

        async def one() -> None:
            for number in waiting:
                while not await self.send(number):  # noqa: ASYNC110 -- a provider waits, too
                    await asyncio.sleep(0.1)

        await asyncio.gather(*(one() for _ in range(together)))

    async def close(self) -> None:
        await self._client.aclose()


HEADERS = {"x-telegram-bot-api-secret-token": SECRET}


@asynccontextmanager
async def sending(deployment: Deployment) -> AsyncIterator[Sender]:
    sender = Sender(deployment)
    try:
        yield sender
    finally:
        await sender.close()


@contextlib.contextmanager
def linked(kafka: Callable[..., Any], mongo: Any, folder: Path, **settings: Any) -> Any:
    """A deployment behind two links: broker, database."""
    with TcpProxy() as broker_link, TcpProxy((mongo.host, mongo.port)) as database_link:
        broker = kafka(broker_link)
        values = {
            "data": str(folder / "data"),
            "keys": [KEY],
            "log": {"url": f"kafka://{broker.proxied_bootstrap}", "partitions": 4, "replication": 1},
            "store": {
                "url": f"mongodb://{database_link.host}:{database_link.port}/?directConnection=true",
                "database": f"faults_{next(_numbers)}",
            },
            "channels": [channel()],
            **settings,
        }
        deployment = Limited(folder, values, [[SERVICE]])
        try:
            yield deployment, broker_link, database_link, broker
        finally:
            for link in (broker_link, database_link):
                link.thaw()
            deployment.kill()


_numbers = itertools.count()
