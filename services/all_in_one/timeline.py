"""A conversation as a table on the terminal: when, where, who, what, and why it is there. It knows the API's documents, and asks nothing."""

from typing import Any

from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from all_in_one.context import out

Document = dict[str, Any]

WIDTH = 100
"""Columns at most."""
BESIDE = frozenset({"joined", "message.completed"})
"""Entries without a line of their own: the reason of the one, and the files of the other, stand beside the messages they are about."""


def show(conversation: Document, entries: list[Document], customer: Document) -> None:
    """Print them. `entries`: the eldest first, with their placements."""
    width = min(out.width, WIDTH)
    networks = ", ".join(conversation["networks"])
    table = Table(title=f"\n{customer['name']}: one conversation over {networks}", show_lines=True, width=width)
    for column in ("time", "channel", "sender"):
        table.add_column(column, no_wrap=True)
    table.add_column("what", overflow="fold", ratio=2)
    table.add_column("why it is here", overflow="fold", ratio=3)
    told: set[str] = set()
    for entry in entries:
        if entry["kind"] in BESIDE:
            continue
        sender = entry["sender"] or {}
        table.add_row(
            entry["received_at"][11:19],
            entry["network"] or "",
            sender.get("name") or sender.get("address") or "",
            escape("\n".join([entry["summary"], *(described(file) for file in files(entry))])),
            escape(why(entry["placement"], told)),
        )
    out.print(table)
    lines = [
        f"{one['type']}: {one['value']} ({', '.join(sorted({e['by'] for e in one['evidence']})) or 'linked'})"
        for one in customer["identities"]
    ]
    out.print(Panel("\n".join(lines), title="One customer, known as", width=width))


def files(entry: Document) -> list[Document]:
    """The files of a message."""
    found: list[Document] = (entry["fact"] or {}).get("attachments") or []
    return found


def described(file: Document) -> str:
    """A file in a line, with what became of it."""
    size = f", {file['size_bytes']:,} bytes" if file["size_bytes"] else ""
    return f"[{file['kind']}: {file['media_type'] or 'of no known type'}{size}, {file['status']}]"


def why(placement: Document, told: set[str]) -> str:
    """The placement in words; what joined its strand to the others is said beside the first message alone. Adds to `told`."""
    joins = [link["reason"] for link in placement["joined_by"]]
    new = [reason for reason in joins if reason not in told]
    told.update(new)
    return "\n".join([placement["reason"], *new])
