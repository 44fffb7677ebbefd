"""The commands of persons: link, unlink, move, deep-link. Each is an event in the log, applied by the unifier."""

import asyncio
import secrets
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
import typer

from all_in_one import deep_links
from all_in_one.context import Context, channel, fail, opened_lender, opened_log, opened_store, run, show
from all_in_one.deep_links import DeepLink
from onethread import assembly
from onethread.envelope import draft, event_id, milliseconds
from onethread.event import AnyFact, By, Claim, EntriesMove, Event, LinkEnd, LinkSet
from onethread.host.channel import Channels
from onethread.identity import canonicalised
from onethread.log.topics import MESSAGES
from unifier.commands import link_of
from unifier.model import scoped

app = typer.Typer(no_args_is_help=True)

NETWORK, ACCOUNT = "onethread", "commands"
"""Where commands come from, in the words of the event."""
WAIT = 5.0
"""Seconds a command waits for the unifier before it says that it is accepted, and no more."""

Tenant = Annotated[str, typer.Option(help="Whose customers.")]
End = Annotated[str, typer.Argument(help="An address as type:value, or type[scope]:value; or a message, evt_….")]
Key = Annotated[str, typer.Option("--idempotency-key", help="The same key again is the same command.")]


def link_end(text: str) -> LinkEnd:
    """An end as people write it: `email:mia@example.com`, `slack_user[T01]:U02`, `evt_…`."""
    if text.startswith("evt_"):
        return LinkEnd(entry_id=text)
    kind, colon, value = text.partition(":")
    scope = ""
    if kind.endswith("]"):
        kind, _, scope = kind[:-1].partition("[")
    if not colon or not value or not kind.isidentifier():
        fail(f"{text!r} is no address: write type:value, as email:mia@example.com, or a message's id, evt_…")
    claim = canonicalised(Claim(kind, value, scope=scope, evidence="desk"))
    if not claim.canonical:
        fail(f"{text!r}: the value is no {kind} address")
    return LinkEnd(claim=claim)


def command(tenant: str, fact: AnyFact, key: str) -> Event:
    """The command as an event; its id follows from the key alone, so a repeat is the same command."""
    now = milliseconds(datetime.now(UTC))
    name = key or secrets.token_hex(16)
    event = Event(name, fact, received_at=now, ingested_at=now, tenant=tenant, network=NETWORK, account=ACCOUNT)
    return msgspec.structs.replace(event, id=event_id(tenant, NETWORK, ACCOUNT, event.kind, name))


async def _link(
    ctx: Context, ends: tuple[LinkEnd, LinkEnd], state: Literal["together", "apart", "auto"], tenant: str, key: str
) -> None:
    fact = LinkSet(ends=ends, state=state, at=milliseconds(datetime.now(UTC)), by=By(program="cli"))
    event = command(tenant, fact, key)
    async with opened_log(ctx) as log, opened_store(ctx) as store:
        await log.append(MESSAGES, [draft(event)])
        done = False
        loop = asyncio.get_running_loop()
        until = loop.time() + WAIT
        while not done and loop.time() < until:
            link = await link_of(store, tenant, fact)
            done = link is not None and link.at >= int(fact.at.timestamp() * 1000) and link.settled
            if not done:
                await asyncio.sleep(0.05)
    word = {"together": "linked", "apart": "kept apart", "auto": "left to the evidence"}[state]
    text = f"{word}." if done else f"accepted as {event.id}; it is applied when the unifier runs."
    show(ctx, {"id": event.id, "state": state, "done": done}, text)


@app.command()
def link(
    ctx: typer.Context, one: End, other: End, tenant: Tenant = "default", key: Key = "",
) -> None:  # fmt: skip
    """Say that two addresses are one person, or that two messages belong to one conversation.

    Example: onethread link email:mia@example.com telegram_user:700100200
    """
    run(_link(ctx.obj, (link_end(one), link_end(other)), "together", tenant, key))


@app.command()
def unlink(
    ctx: typer.Context, one: End, other: End, tenant: Tenant = "default", key: Key = "",
) -> None:  # fmt: skip
    """Keep two addresses, or the conversations of two messages, apart, whatever evidence says.

    Example: onethread unlink email:mia@example.com telegram_user:700100200
    """
    run(_link(ctx.obj, (link_end(one), link_end(other)), "apart", tenant, key))


@app.command()
def move(
    ctx: typer.Context,
    entries: Annotated[list[str], typer.Argument(help="Messages to move, evt_….")],
    to: Annotated[
        str, typer.Option(help="A message whose conversation takes them; without it they become a new one.")
    ] = "",
    tenant: Tenant = "default",
    key: Key = "",
) -> None:
    """Put messages into another conversation, or split them off. Undo: move them back.

    Example: onethread move evt_abc evt_def --to evt_xyz
    """

    async def work() -> None:
        fact = EntriesMove(entry_ids=tuple(entries), to=to, at=milliseconds(datetime.now(UTC)), by=By(program="cli"))
        event = command(tenant, fact, key)
        async with opened_log(ctx.obj) as log, opened_store(ctx.obj) as store:
            await log.append(MESSAGES, [draft(event)])
            done = False
            until = asyncio.get_running_loop().time() + WAIT
            while not done and asyncio.get_running_loop().time() < until:
                stored = await store.entries({scoped(tenant, one) for one in entries})
                at = int(fact.at.timestamp() * 1000)
                done = len(stored) == len(set(entries)) and all(e.moved and e.moved.at >= at for e in stored.values())
                if not done:
                    await asyncio.sleep(0.05)
        text = "moved." if done else f"accepted as {event.id}; it is applied when the unifier runs."
        show(ctx.obj, {"id": event.id, "done": done}, text)

    for entry in (*entries, *((to,) if to else ())):
        if not entry.startswith("evt_"):
            fail(f"{entry!r} is no message: its id begins with evt_")
    run(work())


@app.command("deep-link")
def deep_link(
    ctx: typer.Context,
    address: Annotated[str, typer.Argument(help="Whom the link is for, as email:mia@example.com.")],
    channel_id: Annotated[str, typer.Option("--channel", help="The channel it opens.")],
) -> None:
    """A link for one person's address: whoever opens it within 7 days proves to hold that address.

    Example: onethread deep-link email:mia@example.com --channel chn_telegram
    """
    one = channel(ctx.obj, channel_id)
    end = link_end(address)
    if end.claim is None:
        fail("give an address, as email:mia@example.com, not a message")
    claim = end.claim

    async def work() -> DeepLink:
        async with opened_lender(ctx.obj, Channels([one])) as lender:
            return await deep_links.deep_link(claim, one, lender, assembly.master_keys(ctx.obj.settings))

    made = run(work())
    show(ctx.obj, {"token": made.token, "url": made.url}, made.url)
