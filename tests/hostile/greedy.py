"""A connector that does what a record tells it, in a module of its own: parser processes import it by name. It knows no test."""

import os
import time
from collections.abc import Iterable
from typing import Any

import msgspec
from pydantic import BaseModel, SecretStr

from onethread.connector import Connector, Excerpts, Raw, Request, Webhook
from onethread.errors import Poison
from onethread.event import Body, Event, Message

HOARD: list[bytes] = []
"""What a connector forgets to let go."""


class Settings(BaseModel):
    account: str = "shop1"
    token: SecretStr = SecretStr("the-real-token")
    more: list[SecretStr] = [SecretStr("another-real-token")]


class Told(msgspec.Struct):
    """`do`: what to do; `padding` makes the record too large to be normalised where it came in."""

    id: str
    do: str = ""
    padding: str = ""


class Greedy(Connector[Settings], Webhook):
    name, network = "greedy", "greedy"

    def authenticate(self, request: Request) -> None:
        """Everybody may come in."""

    def normalize(self, raw: Raw) -> Iterable[Event]:
        told = msgspec.json.decode(raw.data, type=Told)
        return (Event(told.id, Message(body=Body(text=self._done(told.do)))),)

    def _done(self, do: str) -> Any:
        while do == "loop":
            pass
        match do:
            case "eat":
                return len([bytes(1_000_000) for _ in range(10_000)])
            case "hoard":
                HOARD.append(bytes(40_000_000))
            case "abort":
                os.abort()
            case "wait" | "doze":
                time.sleep({"wait": 600.0, "doze": 0.02}[do])
            case "refuse":
                raise Poison("not a record of ours")
            case "raise":
                raise ZeroDivisionError("with the words of a customer")
            case "wrong type":
                return 7
            case "tell":
                secrets = [one.get_secret_value() for one in (self.settings.token, *self.settings.more)]
                return " ".join([*secrets, *sorted(os.environ)])
        return "read"


class Excerpting(Greedy, Excerpts):
    """It can make excerpts; of a record whose id begins with `hard`, making one goes just as wrong."""

    name = "excerpting"

    def excerpt(self, raw: Raw, because: str) -> Iterable[Event]:
        told = msgspec.json.decode(raw.data, type=Told)
        if told.id.startswith("hard"):
            self._done(told.do)
        return (Event(told.id, Message(body=Body(text="its beginning"), degraded=because)),)


class NeedsItsSecret(Greedy):
    """It breaks a rule: it cannot be made without a secret that it knows."""

    name = "needy"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if settings.token.get_secret_value() != "the-real-token":
            raise ValueError("a token that is none")
