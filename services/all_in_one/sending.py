"""`onethread send-fixture`: what a provider once sent to a webhook goes to the running service, signed for the channel. It stores nothing."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import httpx
import typer

from all_in_one.context import Context, channel, fail, show
from onethread.connector import Connector, Keys, Raw, Request, Webhook
from onethread.errors import Poison, Rejected
from onethread.host.channel import Channel
from onethread.testing.fixtures import REFUSED, Case, cases, folder_of
from onethread.testing.signing import SignsAnew, signed_anew

app = typer.Typer()


@app.command("send-fixture")
def send_fixture(
    ctx: typer.Context,
    channel_id: Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel, as the settings name it.")],
    case: Annotated[str, typer.Argument(metavar="CASE", help="A fixture of its connector: message, for instance.")],
    url: Annotated[str, typer.Option(help="Where the service listens; else as the settings say.")] = "",
) -> None:
    """Send a recorded request of the connector to the running service's channel URL, signed for it; shows the answer.

    For webhooks: what is asked for, or comes over a connection, has no request that could be sent.

    Example: onethread send-fixture chn_acme message
    """
    one = channel(ctx.obj, channel_id)
    _must_be_called(one)
    _must_be_reachable(url)
    request = _signed(one, _chosen(one, case))
    started = time.monotonic()
    answer = _sent(request, _address(ctx.obj, one, request, url))
    milliseconds = round((time.monotonic() - started) * 1000)
    notes = _notes(one, request)
    said = {"status": answer.status_code, "milliseconds": milliseconds, "body": answer.text, "notes": notes}
    lines = [f"{answer.status_code} {answer.reason_phrase} after {milliseconds} ms", answer.text, *notes]
    show(ctx.obj, said, "\n".join(line for line in lines if line))
    if answer.status_code >= 400:
        raise typer.Exit(1)


def _must_be_called(one: Channel) -> None:
    """Ends the command, saying what to do instead, for a channel that nobody calls."""
    name, folder = one.connector.name, folder_of(type(one.connector))
    if Webhook not in one.connector.edges:
        edges = " and ".join(edge.__name__ for edge in one.connector.edges)
        fail(
            f"send-fixture is for webhooks, and channel {one.id} has none: {name} uses {edges} there. "
            f"What its fixtures become is said by the contract test (python -m pytest -k {name}), and written anew by "
            f"`python -m onethread.testing.record {folder}`; what comes, by `onethread listen --channel {one.id}`"
        )
    if not one.hook_secret.get_secret_value():
        fail(f"channel {one.id} has no URL to be called at: give it a hook_secret, and start the service again")


def _must_be_reachable(url: str) -> None:
    """Ends the command for a `--url` that is none."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        parts = httpx.URL()
    if url and (parts.scheme not in {"http", "https"} or not parts.host):
        fail(f"--url {url} is no address of a service: write it as http://127.0.0.1:8080")


def _chosen(one: Channel, name: str) -> Case:
    """The fixture of that name, which must hold a request."""
    found = cases(type(one.connector))
    requests = [case.name for case in found if case.input().request is not None]
    chosen = next((case for case in found if case.name == name), None)
    if chosen is None or chosen.input().request is None:
        why = "there is no fixture" if chosen is None else "it holds a record, which comes after the entrance:"
        fail(f"{why} {name}; requests of {one.connector.name} are: {', '.join(requests) or 'none'}")
    return chosen


def _signed(one: Channel, case: Case) -> Request:
    """As the provider would send it now to this channel. Ends the command, saying what is missing, if it cannot be made."""
    given = case.input().request
    assert given is not None
    connector, now = one.connector, datetime.now(UTC)
    assert isinstance(connector, Webhook)
    if isinstance(connector, Keys):
        fail(f"{connector.name} is signed with a private key of the provider's: only the provider can send it")
    how = "it is no case that is let in"
    try:
        request, how = _by(connector, given.request(), case, now)
        if request.method != "GET":
            connector.authenticate(request)
    except (Rejected, Poison) as error:
        fail(
            f"{case.name} cannot be signed for {one.id}: {error} ({how}). Have the provider send it, or a case that is signed"
        )
    return request


def _by(connector: Connector[Any], request: Request, case: Case, now: datetime) -> tuple[Request, str]:
    """The request, and how it was signed."""
    sample = case.instance()
    if isinstance(connector, SignsAnew):
        if isinstance(sample, Webhook) and request.method != "GET":
            sample.authenticate(request)  # what was recorded as forged stays so
        return connector.signed_anew(request, sample, now), "signed by the connector itself"
    made, names = signed_anew(request, sample.settings, connector.settings, now)
    return made, f"signed anew: {', '.join(names)}" if names else "how it is signed is none of the schemes known here"


def _address(ctx: Context, one: Channel, request: Request, base: str) -> str:
    http = ctx.settings.http
    listens = "127.0.0.1" if http.host in {"0.0.0.0", "::"} else http.host  # noqa: S104 -- what it is compared with
    query = f"?{urlencode(request.query)}" if request.query else ""
    where = base.rstrip("/") or f"http://{listens}:{http.port}"
    return f"{where}/hooks/{one.id}/{one.hook_secret.get_secret_value()}{request.path}{query}"


def _sent(request: Request, address: str) -> httpx.Response:
    try:
        return httpx.request(
            request.method, address, headers=request.headers, content=request.body, trust_env=False, timeout=30
        )
    except httpx.HTTPError as error:
        place = httpx.URL(address)
        fail(
            f"no answer at {place.scheme}://{place.netloc.decode()} ({type(error).__name__}): start it with `onethread up`"
        )


def _notes(one: Channel, request: Request) -> list[str]:
    """What an answer does not tell: that a record is for another account than the channel's."""
    connector: Any = one.connector
    try:
        accounts = {raw.account for raw in connector.unpack(request) if isinstance(raw, Raw)} - {"", one.account}
    except REFUSED:
        return []
    return [
        f"it is for account {account}; this channel has {one.account}: if none has it, it is a dead letter, reason no_channel"
        for account in sorted(accounts)
    ]
