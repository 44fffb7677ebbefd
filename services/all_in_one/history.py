"""Importing history: mails of a file or folder, through a configured channel, with the same ids as live."""

import hashlib
import mailbox
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from all_in_one.context import Context, channels, err, fail, opened_log, opened_state, run, show
from onethread import assembly
from onethread.connector import Raw
from onethread.host.ingest import Ingest
from onethread.own_tokens import OwnTokens
from onethread.state.port import StateStore

app = typer.Typer()

PAGE = 200
"""Mails published at a time; after each page the position is saved."""
_COLLECTION = "imports"


class _Position(msgspec.Struct, frozen=True):
    done: int


@app.command("import")
def import_(
    ctx: typer.Context,
    form: Annotated[Literal["mbox", "eml", "maildir"], typer.Argument(help="What the path holds.")],
    path: Annotated[Path, typer.Argument(help="A file (mbox, eml) or a folder (maildir, many .eml).", exists=True)],
    channel_id: Annotated[str, typer.Option("--channel", help="The mail channel it belongs to.")],
) -> None:
    """Import mails as history. Interrupted, the same call goes on; called twice, nothing comes twice.

    Example: onethread import mbox archive.mbox --channel chn_mail
    """
    outcome = run(_import(ctx.obj, form, path.resolve(), channel_id))
    text = f"{outcome['read']} mails read, {outcome['events']} events, {outcome['dead_letters']} set aside, {outcome['skipped']} done before."
    show(ctx.obj, outcome, text)


async def _import(ctx: Context, form: str, path: Path, channel_id: str) -> dict[str, int]:
    found = channels(ctx)
    channel = found.get(channel_id)
    if channel is None or channel.network != "email":
        mails = ", ".join(one.id for one in found if one.network == "email") or "none"
        fail(f"{channel_id} is no mail channel; there are: {mails}")
    total = sum(1 for _ in mails_of(form, path))
    counts = {"read": 0, "events": 0, "dead_letters": 0, "skipped": 0}
    parsers, tokens = assembly.parsers(ctx.settings), OwnTokens(assembly.master_keys(ctx.settings))
    async with opened_log(ctx) as log, opened_state(ctx) as state, parsers:
        ingest = Ingest(log, assembly.blob_store(ctx.settings), found, tokens, parsers=parsers)
        name = hashlib.sha256(f"{channel_id}\0{form}\0{path}".encode()).hexdigest()[:32]
        position = await _saved(state, name, total)
        counts["skipped"] = position
        with _progress(ctx) as progress:
            task = progress.add_task("Importing", total=total, completed=position)
            page: list[Raw] = []
            for index, raw in enumerate(mails_of(form, path)):
                if index < position:
                    continue
                page.append(raw)
                if len(page) == PAGE or index == total - 1:
                    outcome = await ingest.records(channel, page)
                    counts["read"] += len(page)
                    counts["events"] += len(outcome.events)
                    counts["dead_letters"] += len(outcome.dead_letters)
                    await _save(state, name, index + 1)
                    progress.update(task, completed=index + 1)
                    page = []
    return counts


def _progress(ctx: Context) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, disable=ctx.json or not err.is_terminal)


async def _saved(state: StateStore, name: str, total: int) -> int:
    """Where an earlier call got to; a finished one begins anew, since the file may have grown (ids drop repeats)."""
    document = await state.get(_COLLECTION, name)
    done = msgspec.json.decode(document.value, type=_Position).done if document else 0
    return done if done < total else 0


async def _save(state: StateStore, name: str, done: int) -> None:
    document = await state.get(_COLLECTION, name)
    await state.put(_COLLECTION, name, msgspec.json.encode(_Position(done)), document.version if document else 0)


def mails_of(form: str, path: Path) -> Iterator[Raw]:
    """The mails as a mail connector's records, always in the same order."""
    match form:
        case "mbox":
            with closing(mailbox.mbox(path, create=False)) as box:
                for key in box.keys():  # noqa: SIM118 -- a mailbox iterates over messages, not keys
                    line = box.get_file(key, from_=True).readline()
                    yield _raw(box.get_bytes(key), _mbox_date(line))
        case "maildir":
            for folder in ("cur", "new"):
                for file in sorted((path / folder).glob("*")):
                    yield _raw(file.read_bytes(), None)
        case _:
            files = [path] if path.is_file() else sorted(path.rglob("*.eml"))
            for file in files:
                yield _raw(file.read_bytes(), None)


def _raw(data: bytes, at: datetime | None) -> Raw:
    """`at`: when the file says it came, which counts where no server left its date in the mail."""
    header = data.partition(b"\n\n")[0].lower()
    dated = header.startswith(b"received:") or b"\nreceived:" in header
    about = {"folder": "INBOX", **({"internal_date": at.isoformat()} if at and not dated else {})}
    return Raw(data, about=about, media_type="message/rfc822")


def _mbox_date(line: bytes) -> datetime | None:
    """The date of a `From ` line (RFC 4155): asctime, in UTC."""
    parts = line.decode("ascii", "replace").split(" ", 2)
    text = parts[2].strip() if len(parts) == 3 else ""
    try:
        return datetime.strptime(text, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
