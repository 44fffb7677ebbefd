"""The one table at the end, and the same as JSON. It knows figures and jobs, and runs none."""

import importlib.metadata
import platform
import sqlite3
import statistics
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.table import Table

from onethread.testing.figures import Figures
from onethread.testing.servers import kafka

PACKAGES = ("onethread", "aiokafka", "pymongo", "motor", "SecantusDB", "uvicorn", "httpx", "IMAPClient", "msgspec")


class Row(msgspec.Struct):
    """All figures of one kind on the same backends."""

    kind: str
    on: str
    count: int = 0
    points: int = 0
    pairs: int = 0
    accepted: int = 0
    stored: int = 0
    lost: int = 0
    duplicated: int = 0
    equal: bool = True
    recovery: list[float] = []
    peak: int = 0

    def add(self, one: Figures) -> None:
        """Sum up."""
        for name in ("count", "points", "pairs", "accepted", "stored", "lost", "duplicated"):
            setattr(self, name, getattr(self, name) + getattr(one, name))
        self.equal &= one.equal
        self.recovery += one.recovery
        self.peak = max(self.peak, one.peak)

    @property
    def right(self) -> bool:
        """Nothing lost, nothing twice, the same state."""
        return not self.lost and not self.duplicated and self.equal


def rows_of(found: Sequence[Figures]) -> list[Row]:
    """One row for each kind of fault and backend, and last their sum."""
    rows: dict[tuple[str, str], Row] = {}
    whole = Row("all", "")
    for one in found:
        rows.setdefault((one.kind, one.on), Row(one.kind, one.on)).add(one)
        whole.add(one)
    return [*rows.values(), whole]


def drawn(rows: Sequence[Row], title: str) -> Table:
    """For a terminal."""
    table = Table(title=title, title_justify="left")
    for name in ("fault", "on"):
        table.add_column(name)
    numbers = (
        "times",
        "points",
        "pairs",
        "accepted",
        "stored",
        "lost",
        "twice",
        "state",
        "recovery s",
        "worst s",
        "MiB",
    )
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            *cells(row), style="" if row.right else "red", end_section=row is rows[-2] if len(rows) > 1 else False
        )
    return table


def cells(row: Row) -> list[str]:
    """As text; "" where there is nothing to say."""
    counts = [
        f"{number:,}" if number else "" for number in (row.count, row.points, row.pairs, row.accepted, row.stored)
    ]
    times = [f"{statistics.median(row.recovery):.2f}", f"{max(row.recovery):.2f}"] if row.recovery else ["", ""]
    peak = f"{row.peak / 2**20:.0f}" if row.peak else ""
    return [
        row.kind,
        row.on,
        *counts,
        str(row.lost),
        str(row.duplicated),
        "equal" if row.equal else "OTHER",
        *times,
        peak,
    ]


def versions() -> dict[str, str]:
    """Of everything that took part."""
    found = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version, "system": platform.platform()}
    found["Kafka"] = kafka._COORDINATES.split(":")[2].partition("+")[0]
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def as_json(rows: Sequence[Row], more: dict[str, Any]) -> bytes:
    """The same, for machines."""
    return msgspec.json.format(msgspec.json.encode({**more, "versions": versions(), "rows": rows}), indent=1)
