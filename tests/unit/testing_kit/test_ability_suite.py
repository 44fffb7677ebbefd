"""The teeth of what the suite asks of abilities: a sound connector passes, and each fault is found."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import httpx
import msgspec
import pytest
from pydantic import BaseModel, SecretStr

from onethread.connector import (
    Checks,
    Connector,
    DeepLinks,
    Downloads,
    Host,
    Keys,
    Lookups,
    Media,
    Misconfigured,
    Page,
    Poison,
    Polling,
    Raw,
    Rejected,
    Request,
    Step,
    Stream,
    Subscribes,
)
from onethread.event import Event
from onethread.testing import ability_suite as suite


class Settings(BaseModel):
    account: str = "shop"
    token: SecretStr = SecretStr("sample-secret")
    nickname: str = ""


async def asked(host: Host) -> dict[str, str]:
    response = await host.http.get("https://api.example.com/messages")
    return msgspec.json.decode(response.content, type=dict[str, str])


class Asks(Connector[Settings], Polling, Lookups, Downloads, Checks, Subscribes):
    """No `try` anywhere: the host knows what each error means."""

    name = network = "asks"

    def normalize(self, raw: Raw) -> Iterable[Event]:
        return ()

    async def fetch(self, host: Host, resource: str, cursor: str | None) -> Page:
        await asked(host)
        return Page((), "1")

    async def download(self, host: Host, locator: str) -> Media:
        return Media((await asked(host))["url"])

    async def lookup(self, host: Host, locator: str) -> Sequence[Raw]:
        await asked(host)
        return ()

    async def subscribe(self, host: Host, url: str | None) -> None:
        await host.http.post("https://api.example.com/hooks")

    async def check(self, host: Host) -> AsyncIterator[Step]:
        await asked(host)
        yield Step("token", ok=True)


class Holds(Connector[Settings], Stream, Keys, DeepLinks):
    """The other half."""

    name = network = "holds"

    def normalize(self, raw: Raw) -> Iterable[Event]:
        return ()

    async def session(self, host: Host, resource: str, cursor: str | None) -> None:
        async with host.websocket("wss://api.example.com/live") as socket:
            await socket.receive()

    def key_names(self, request: Request) -> Iterable[str]:
        return ("key",)

    async def load_key(self, host: Host, name: str) -> bytes:
        return (await asked(host))["key"].encode()

    async def deep_link(self, host: Host, token: str) -> str:
        return f"https://chat.example.com/{token}"


CHECK = suite.test_a_check_over_a_provider_that_is_not_well_says_what_to_do
CALL = suite.test_a_provider_that_is_not_well_is_told_as_that
LINK = suite.test_a_deep_link_is_a_link_that_carries_its_token


@pytest.mark.parametrize("connector", [Asks, Holds])
def test_a_sound_connector_passes(connector: type[Any]) -> None:
    for test in (CHECK, CALL, LINK):
        test(connector)


class Swallows(Asks):
    async def fetch(self, host: Host, resource: str, cursor: str | None) -> Page:
        try:
            await asked(host)
        except (httpx.HTTPError, msgspec.MsgspecError):
            return Page((), "1")
        return Page((), "2")


class Breaks(Asks):
    async def lookup(self, host: Host, locator: str) -> Sequence[Raw]:
        raise KeyError(locator)


class GivesUp(Asks):
    async def lookup(self, host: Host, locator: str) -> Sequence[Raw]:
        try:
            return await super().lookup(host, locator)
        except msgspec.MsgspecError as error:
            raise Poison("the provider answers in a form that is not known") from error


class Tells(Asks):
    async def download(self, host: Host, locator: str) -> Media:
        raise Misconfigured(f"the token {self.settings.token.get_secret_value()} is wrong")


class Forgets(Asks):
    async def subscribe(self, host: Host, url: str | None) -> None:
        try:
            await asked(host)
        except (httpx.HTTPError, msgspec.MsgspecError):
            return


class Blames(Holds):
    async def load_key(self, host: Host, name: str) -> bytes:
        try:
            return await super().load_key(host, name)
        except httpx.HTTPError as error:
            raise Rejected("nobody's key") from error


class Praises(Asks):
    async def check(self, host: Host) -> AsyncIterator[Step]:
        try:
            await asked(host)
        except (httpx.HTTPError, msgspec.MsgspecError):
            yield Step("token", ok=True)


class Shrugs(Asks):
    async def check(self, host: Host) -> AsyncIterator[Step]:
        try:
            await asked(host)
        except (httpx.HTTPError, msgspec.MsgspecError):
            yield Step("token", ok=False)


class Shouts(Asks):
    async def check(self, host: Host) -> AsyncIterator[Step]:
        try:
            await asked(host)
        except (httpx.HTTPError, msgspec.MsgspecError):
            yield Step("token", ok=False, todo=f"see {self.settings.token.get_secret_value()}")


class Misleads(Holds):
    async def deep_link(self, host: Host, token: str) -> str:
        return "https://chat.example.com/"


@pytest.mark.parametrize(
    ("connector", "test", "said"),
    [
        (Swallows, CALL, "fetch.*: returns, as if all were well"),
        (Breaks, CALL, "lookup.*: KeyError is no error of the contract"),
        (GivesUp, CALL, "lookup.*: Poison gives up for good"),
        (Tells, CALL, "download.*: Misconfigured shows a secret"),
        (Forgets, CALL, "subscribe: returns, as if all were well"),
        (Blames, CALL, "load_key.*: Rejected, as if the provider had said"),
        (Praises, CHECK, "check: all steps are ok"),
        (Shrugs, CHECK, "check: step token is not ok, and has no todo"),
        (Shouts, CHECK, "check: step token shows a secret"),
        (Misleads, LINK, "does not carry the token"),
    ],
)
def test_a_fault_is_found(connector: type[Any], test: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        test(connector)
