"""Dead letters: look at what was set aside, and send it again once its cause is mended."""

from typing import Annotated

import msgspec
import typer

from all_in_one.context import Context, channels, fail, opened_log, out, run, show
from onethread import assembly, dead_letters
from onethread.connector import Raw, Webhook
from onethread.dead_letters import DeadLetter
from onethread.errors import Poison
from onethread.host.channel import Channel
from onethread.host.ingest import Ingest
from onethread.log.port import EventLog
from onethread.log.topics import MESSAGES
from onethread.own_tokens import OwnTokens

app = typer.Typer(no_args_is_help=True, help="What could not be processed.")


@app.command("list")
def list_(ctx: typer.Context, channel: Annotated[str, typer.Option(help="Only of this channel.")] = "") -> None:
    """All dead letters, oldest first: id, channel, stage, reason, and the account that no channel has.

    Example: onethread dead-letters list --channel chn_mail
    """

    async def work() -> list[DeadLetter]:
        async with opened_log(ctx.obj) as log:
            return [letter async for letter in dead_letters.read_all(log) if channel in ("", letter.channel_id)]

    letters = run(work())
    lines = [
        f"{one.id}  {one.at:%Y-%m-%d %H:%M:%S}  {one.channel_id or '-'}  {one.stage}: {one.reason} {one.account}".rstrip()
        for one in letters
    ]
    show(ctx.obj, [_shown(one) for one in letters], "\n".join(lines) or "no dead letters.")


@app.command("show")
def show_(
    ctx: typer.Context,
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="dlt_…, or its beginning.")],
    *,
    original: Annotated[
        bool, typer.Option("--original", help="Print the original bytes; they hold what people wrote.")
    ] = False,
) -> None:
    """One dead letter: why, from where, and what to do.

    Example: onethread dead-letters show dlt_abc --original
    """

    async def work() -> tuple[DeadLetter, bytes]:
        async with opened_log(ctx.obj) as log:
            letter = await _one(log, letter_id)
            return letter, await _original(ctx.obj, letter)

    letter, data = run(work())
    if original and not ctx.obj.json:
        out.print(data.decode("utf-8", "replace"), markup=False)
        return
    lines = [f"{name}: {value}" for name, value in _shown(letter).items() if value not in ("", None, {})]
    show(ctx.obj, {**_shown(letter), **({"original": data} if original else {})}, "\n".join(lines))


@app.command("replay")
def replay(
    ctx: typer.Context,
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="dlt_…, its beginning, or `all`.")],
    channel: Annotated[str, typer.Option(help="With all: only of this channel.")] = "",
) -> None:
    """Send again through the connector, or the unifier, that set it aside. What works by now becomes a message, once.

    Example: onethread dead-letters replay all --channel chn_mail
    """

    async def work() -> dict[str, str]:
        async with opened_log(ctx.obj) as log:
            if letter_id == "all":
                letters = [one async for one in dead_letters.read_all(log) if channel in ("", one.channel_id)]
            else:
                letters = [await _one(log, letter_id)]
            return {letter.id: await _replayed(ctx.obj, log, letter) for letter in letters}

    outcome = run(work())
    show(ctx.obj, outcome, "\n".join(f"{one}: {what}" for one, what in outcome.items()) or "no dead letters.")


async def _one(log: EventLog, prefix: str) -> DeadLetter:
    found = await dead_letters.find(log, prefix)
    if len(found) != 1:
        fail(f"{len(found)} dead letters begin with {prefix}; see `onethread dead-letters list`")
    return found[0]


async def _original(ctx: Context, letter: DeadLetter) -> bytes:
    return await assembly.blob_store(ctx.settings).get(letter.blob) if letter.blob else letter.data


async def _replayed(ctx: Context, log: EventLog, letter: DeadLetter) -> str:
    data = await _original(ctx, letter)
    if letter.origin == "unifier":
        await log.append(MESSAGES, [dead_letters.again(letter, data)])
        return "sent to the unifier again"
    found = channels(ctx)
    one = found.get(letter.channel_id)
    if one is None:
        return f"not sent: there is no channel {letter.channel_id}"
    tokens = OwnTokens(assembly.master_keys(ctx.settings))
    try:
        raws = _records(one, letter, data)
        async with assembly.parsers(ctx.settings) as parsers:
            ingest = Ingest(log, assembly.blob_store(ctx.settings), found, tokens, parsers=parsers)
            outcome = await ingest.records(one, raws)
    except Poison as error:
        return f"stays set aside: {error}"
    if outcome.dead_letters:
        return f"set aside again as {', '.join(outcome.dead_letters)}"
    return f"events: {len(outcome.events)}" if raws else "nothing to store: it asked for a pull, which comes by itself"


def _records(one: Channel, letter: DeadLetter, data: bytes) -> list[Raw]:
    """What the letter holds: a record, or a whole request, whose records these are. Raises Poison while it cannot be unpacked."""
    if letter.stage != "unpack":
        media_type = letter.media_type or "application/json"
        return [Raw(data, letter.form, letter.account, letter.about, media_type, letter.at)]
    if not isinstance(one.connector, Webhook):
        raise Poison(f"{one.id} has no entrance by now")
    try:
        found = list(one.connector.unpack(dead_letters.request_of(letter, data)))
    except Exception as error:  # the same as when it came: whatever the connector makes of it
        raise Poison(f"it cannot be unpacked: {type(error).__name__}: {error}") from error
    return [msgspec.structs.replace(part, ingested_at=letter.at) for part in found if isinstance(part, Raw)]


def _shown(letter: DeadLetter) -> dict[str, object]:
    """Everything but what people wrote."""
    hidden = {"data", "headers"}
    return {name: getattr(letter, name) for name in letter.__struct_fields__ if name not in hidden} | {
        "bytes": len(letter.data)
    }
