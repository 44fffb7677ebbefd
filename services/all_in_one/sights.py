"""How `onethread listen` prints what it saw: lines of JSON, or both sides in a frame. It knows no channel."""

import sys
from collections.abc import Callable
from typing import Any

import msgspec
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from all_in_one.context import out

Show = Callable[[dict[str, Any]], None]

_LEFT = frozenset({"request", "record", "events"})


def as_lines(seen: dict[str, Any]) -> None:
    """For programs."""
    sys.stdout.write(msgspec.json.encode(seen).decode() + "\n")
    sys.stdout.flush()


def as_table(seen: dict[str, Any]) -> None:
    """Side by side: what came, and what becomes of it."""
    if "listening" in seen:
        said = f"stored: {seen['stored']}" if "stored" in seen else f"service {seen['service']} shows what comes"
        out.print(f"{seen['listening']}  ({said}; Ctrl-C ends)", markup=False)
        return
    right = [f"{name}: {value}" for name, value in seen.items() if name not in _LEFT]
    right += [_pretty(msgspec.json.encode(event)) for event in seen["events"]]
    table = Table.grid(expand=True, padding=(0, 2))
    table.add_column(ratio=1, overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    table.add_row(Text("\n".join(_came(seen))), Text("\n".join(right)))
    out.print(Panel(table, border_style="green" if _is_good(seen) else "red"), soft_wrap=False)


def _came(seen: dict[str, Any]) -> list[str]:
    if "record" in seen:
        record = seen["record"]
        lines = [f"{name}: {value}" for name, value in record.items() if name != "data"]
        return [*lines, _pretty(record["data"].encode())]
    if "request" not in seen:
        return ["a record" if "signature" not in seen else "a request"]
    came = seen["request"]
    lines = [f"{came['method']} …{came['path']}", *(f"{name}: {value}" for name, value in came["headers"].items())]
    lines += [f"?{name}={value}" for name, value in came["query"].items()]
    return [*lines, "", _pretty(came["body"].encode())]


def _is_good(seen: dict[str, Any]) -> bool:
    signature: str = seen.get("signature", "right")
    refused = {"bug", "refused"} & seen.keys() or any("error" in event for event in seen["events"])
    return signature.startswith(("right", "not needed")) and not refused


def _pretty(data: bytes) -> str:
    try:
        return msgspec.json.format(data, indent=2).decode()
    except msgspec.MsgspecError:
        return data.decode("utf-8", "replace")
