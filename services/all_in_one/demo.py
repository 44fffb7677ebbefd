"""`onethread demo`: everything in one process, real entrances, one customer's conversation over six channels, and why."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from all_in_one import persons, progress, timeline
from all_in_one.context import Context, fail, out, run
from all_in_one.deep_links import deep_link
from all_in_one.running import everything
from all_in_one.setup import READ
from onethread import logs
from onethread.envelope import draft
from onethread.event import By, LinkSet
from onethread.host.process import Process
from onethread.log.topics import MESSAGES
from onethread.settings import Settings, validated
from onethread.state.api_keys import ApiKeys

app = typer.Typer()

PATIENCE = 30.0
"""Seconds a step may take, on a slow machine."""


@app.command()
def demo(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Option(help="Data of the demo; removed at the start.")] = Path(".onethread/demo"),
    *,
    once: Annotated[bool, typer.Option("--once", help="End after the story, also on a terminal.")] = False,
) -> None:
    """Sample traffic through real entrances, then one customer's conversation over six channels.

    Example: onethread demo
    """
    try:
        from all_in_one.story import Story
    except ImportError:
        fail("the demo's mail server is not installed: pip install 'onethread[demo]'")
    if folder.exists():
        shutil.rmtree(folder)
    stays = sys.stdout.isatty() and not once and not ctx.obj.json
    run(_demo(ctx.obj, folder, Story, stays=stays))


async def _demo(ctx: Context, folder: Path, story_of: Callable[[], Any], *, stays: bool) -> None:
    async with story_of() as story:
        settings = validated(
            Settings,
            {"data": folder, "log_level": "WARNING", "http": {"port": 0}, "channels": story.channels()},
            "",
        )
        logs.configure(settings.log_level)
        async with running(settings) as process, await _api(process) as api:
            _say(ctx, "One process: log, state, store and attachments in " + os.fspath(folder))
            await _tell(ctx, story, process, api)
            conversation, entries = await _shown(ctx, api)
            await _again(ctx, story, process, api, conversation, entries)
            _where(ctx, folder, process, api, stays=stays)
            if stays:
                await asyncio.Event().wait()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Process]:
    """All services in one process, ready; stopped in good order at the end."""
    process = everything(settings)
    task = asyncio.create_task(process.run())
    waiting = asyncio.create_task(process.ready.wait())
    await asyncio.wait({task, waiting}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    if not process.ready.is_set():
        waiting.cancel()
        process.stop()
        await task
        fail("the services did not start: see the log above")
    try:
        yield process
    finally:
        process.stop()
        await task


async def _tell(ctx: Context, story: Any, process: Process, api: httpx.AsyncClient) -> None:
    """The story, each step through its channel's entrance, shown when it is readable at the API."""
    from all_in_one.story import ADDRESS, MASTODON_USER

    await _until(lambda: _true(story.registered()), "the channels have registered themselves at their providers")
    if not await story.enter_urls(process.url):
        fail("a channel's URL was not verified: see the log above")
    await asyncio.to_thread(story.mails)
    await _told(ctx, api, 1, f"Mail      {ADDRESS} wrote; read from the mailbox by IMAP")
    await story.opens_telegram(await _deep_link(process, ADDRESS, "chn_telegram"))
    await _told(
        ctx, api, 3, "Telegram  opened by a link made for that address; then she shared her phone number; by webhook"
    )
    await story.sends_a_photo()
    await _until(lambda: _stored(api), "the photo is fetched")
    await _told(ctx, api, 4, "WhatsApp  a photo from that number; by webhook; the file was fetched afterwards")
    await story.writes_in_slack()
    await _told(ctx, api, 5, "Slack     a guest whom the workspace's directory knows by that address; it was looked up")
    await story.scans_a_code(await _deep_link(process, ADDRESS, "chn_wechat"))
    await _told(ctx, api, 6, "WeChat    a QR code made for that address, and a message; by webhook, encrypted (AES)")
    await _link(process, f"email:{ADDRESS}", f"mastodon_user:{MASTODON_USER}")
    await story.mentions_us()
    await _told(ctx, api, 7, "Mastodon  a mention by the account that a person linked to her; by stream")
    await _until(lambda: progress.caught_up(process), "the unifier has read it all")


async def _told(ctx: Context, api: httpx.AsyncClient, messages: int, line: str) -> None:
    await _messages(api, messages)
    _say(ctx, line)


async def _deep_link(process: Process, address: str, channel_id: str) -> str:
    """As `onethread deep-link` makes it: proves, coming back from that channel, who holds the address."""
    claim, one = persons.link_end(f"email:{address}").claim, process.channels.get(channel_id)
    assert claim is not None
    assert one is not None
    assert process.lender is not None
    return (await deep_link(claim, one, process.lender, process.keys)).url


async def _link(process: Process, one: str, other: str) -> None:
    """As `onethread link` does it: a person says that two addresses are one customer's."""
    ends = (persons.link_end(one), persons.link_end(other))
    fact = LinkSet(ends=ends, state="together", at=datetime.now(UTC), by=By(program="cli"))
    await process.log.append(MESSAGES, [draft(persons.command("default", fact, "demo"))])


async def _again(
    ctx: Context, story: Any, process: Process, api: httpx.AsyncClient, conversation: dict[str, Any], entries: list[Any]
) -> None:
    """The same traffic once more, past the unifier; then the API must show the same."""
    before = await progress.ends(process)
    sent = await story.again()  # each becomes a record in the log, and nothing more
    await _until(lambda: _reached(progress.delivered(process, before), sent), "the repeated traffic is in the log")
    await _until(lambda: progress.caught_up(process), "the unifier has read it")
    again = await _conversations(api)
    same = again == [conversation] and await _entries(api, conversation["id"]) == entries
    if not same:
        fail("the same traffic again changed something: please report this, with the folder of the demo")
    _say(ctx, "The same traffic again: every delivery sent once more changed nothing.")


# --- the API -------------------------------------------------------------------------------------------------------


async def _api(process: Process) -> httpx.AsyncClient:
    key, _ = await ApiKeys(process.state).create("default", "demo", READ, now=datetime.now(UTC))
    return httpx.AsyncClient(
        base_url=process.url, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=10
    )


async def _conversations(api: httpx.AsyncClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await api.get("/v1/conversations")).raise_for_status().json()["items"]
    return items


async def _entries(api: httpx.AsyncClient, conversation: str) -> list[dict[str, Any]]:
    url = f"/v1/conversations/{conversation}/entries"
    answer = await api.get(url, params={"expand": "placement", "limit": 100})
    return list(reversed(answer.raise_for_status().json()["items"]))


async def _messages(api: httpx.AsyncClient, count: int) -> None:
    async def there() -> bool:
        found = await _conversations(api)
        return sum(one["message_count"] for one in found) == count and len(found) == 1

    await _until(there, f"{count} messages are readable in one conversation")


async def _stored(api: httpx.AsyncClient) -> bool:
    """Whether every file of every message is in our own store."""
    found = [
        file
        for one in await _conversations(api)
        for entry in await _entries(api, one["id"])
        for file in timeline.files(entry)
    ]
    return bool(found) and all(file["status"] == "stored" for file in found)


async def _until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while not await holds():  # noqa: ASYNC110 -- the state is behind a socket: it must be asked for
                await asyncio.sleep(0.05)
    except TimeoutError:
        fail(f"waited {PATIENCE:.0f} s in vain until {what}")


async def _reached(count: Awaitable[int], wanted: int) -> bool:
    return await count >= wanted


async def _true(value: bool) -> bool:  # noqa: FBT001 -- a condition as a question
    return value


# --- showing -------------------------------------------------------------------------------------------------------


def _say(ctx: Context, line: str) -> None:
    if not ctx.json:
        out.print(line, markup=False)


async def _shown(ctx: Context, api: httpx.AsyncClient) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The customer's conversation as a timeline."""
    (conversation,) = await _conversations(api)
    entries = await _entries(api, conversation["id"])
    customer = (await api.get(f"/v1/customers/{conversation['customer_id']}")).raise_for_status().json()
    if ctx.json:
        out.print_json(data={"conversation": conversation, "entries": entries, "customer": customer})
    else:
        timeline.show(conversation, entries, customer)
    return conversation, entries


def _where(ctx: Context, folder: Path, process: Process, api: httpx.AsyncClient, *, stays: bool) -> None:
    """Where the API is: here while the demo stays, else how to bring it up over the same data."""
    if ctx.json:
        return
    key = api.headers["Authorization"].removeprefix("Bearer ")
    url = process.url if stays else "http://127.0.0.1:8080"
    if not stays:
        out.print(f"\nTo look around:  {_typed()} --data {folder} up", markup=False)
    out.print(f"The API: {url}/v1/conversations   its documentation: {url}/docs", markup=False)
    out.print(f'Try: curl -H "Authorization: Bearer {key}" {url}/v1/conversations', markup=False)
    if stays:
        out.print("Ctrl-C ends it.")


def _typed() -> str:
    """The command as it was typed, so that the line can be copied."""
    program = Path(sys.argv[0]).resolve()
    return str(program.relative_to(Path.cwd())) if program.is_relative_to(Path.cwd()) else program.name
