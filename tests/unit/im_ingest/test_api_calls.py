"""What refusals of an API become, and who may see a token, over a real server on loopback."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import ClassVar

import pytest
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from im_ingest.api_calls import OAuthApi, Refusal, trusted
from onethread.connector import Connector, Raw, Token
from onethread.errors import Misconfigured, OnethreadError, Poison, Retryable, Unauthorised
from onethread.event import Event
from onethread.testing.recording_host import RecordingHost
from onethread.testing.serving import Loopback


class Acme(OAuthApi):
    """An app's calls of Acme."""

    platform: ClassVar[str] = "Acme"
    settings: ClassVar[str] = "`api_url`"

    async def headers(self) -> dict[str, str]:
        return {}

    def told(self, refusal: Refusal) -> str:
        return refusal.error

    def meant(self, said: str, status: int, refusal: Refusal) -> OnethreadError | None:
        return Misconfigured(f"{said}, {status}") if refusal.error == "invalid_client" else None


class Settings(BaseModel):
    """None."""


class Nothing(Connector[Settings]):
    """A connector without anything."""

    name = network = "nothing"

    def normalize(self, raw: Raw) -> tuple[Event, ...]:
        raise Poison(raw.form)


async def answered(request: Request) -> Response:
    """As the path says: a status, and whether there is a word about it."""
    status = request.path_params["status"]
    match request.query_params.get("as", ""):
        case "page":
            return Response("<html>", status)
        case "grant":
            return JSONResponse({"access_token": "t", "expires_in": 3600}, status)
        case "busy":
            return JSONResponse({"error": {"code": "x"}}, status, headers={"retry-after": "7"})
        case word:
            return JSONResponse({"error": word}, status)


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    served = Loopback(Starlette(routes=[Route("/{status:int}", answered, methods=["GET", "POST"])]))
    await served.start()
    yield served
    await served.stop()


@pytest.mark.parametrize(
    ("path", "kind", "words"),
    [
        ("400?as=invalid_client", Misconfigured, "Acme refused it (400 invalid_client), 400"),
        ("401?as=x", Unauthorised, "Acme refused it (401 x)"),
        ("403?as=page", Unauthorised, "Acme refused it (403)"),
        ("404?as=x", Poison, "Acme refused it (404 x)"),
        ("408?as=x", Retryable, "Acme refused it (408 x)"),
        ("429?as=busy", Retryable, "Acme refused it (429)"),
        ("503?as=page", Retryable, "Acme refused it (503)"),
    ],
)
async def test_what_a_refusal_means(server: Loopback, path: str, kind: type[OnethreadError], words: str) -> None:
    async with RecordingHost(Nothing(Settings())) as host:
        with pytest.raises(OnethreadError) as caught:
            await Acme(host).call("GET", f"{server.url}/{path}", "it")
    assert (type(caught.value), str(caught.value)) == (kind, words)
    assert getattr(caught.value, "after", None) == (7.0 if "busy" in path else None)


async def test_a_token_ends_early_and_a_strange_answer_is_asked_for_again(server: Loopback) -> None:
    async with RecordingHost(Nothing(Settings())) as host:
        acme = Acme(host)
        token = await acme.grant(f"{server.url}/200?as=grant")
        left = token.expires_at - host.now()
        assert isinstance(token, Token)
        assert timedelta(seconds=3500) < left <= timedelta(seconds=3540)
        with pytest.raises(Retryable, match="api_url"):
            await acme.grant(f"{server.url}/200?as=page")


async def test_a_server_that_is_not_there_is_asked_later(server: Loopback) -> None:
    async with RecordingHost(Nothing(Settings())) as host:
        url = server.url
        await server.stop()
        with pytest.raises(Retryable, match="Acme did not answer it: ConnectError"):
            await Acme(host).call("GET", url, "it")


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("https://files.acme.example/x", True),
        ("https://acme.example/x", True),
        ("http://files.acme.example/x", False),
        ("https://acme.example.org/x", False),
        ("https://notacme.example/x", False),
        ("https://acme.example@example.org/x", False),
        ("http://api.example.com:81/x", True),
        ("http://api.example.com/x", False),
        ("", False),
    ],
)
def test_who_may_see_a_token(url: str, known: bool) -> None:
    assert trusted(url, "http://api.example.com:81/v1", (".acme.example",)) is known
