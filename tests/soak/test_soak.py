"""The long run forgets no long form, and its table tells what was reported."""

import asyncio
import io
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from soak.__main__ import BOTH_FORMS, TESTS, jobs, long_forms
from soak.jobs import Job, run_all
from soak.table import as_json, drawn, rows_of

from onethread.testing.figures import Figures

FIGURES = [
    Figures("broker frozen", 3, 100, 100, recovery=(0.5, 1.5), on="Kafka + MongoDB", peak=2**21),
    Figures("broker frozen", 2, 50, 49, lost=1, recovery=(9.0,), on="Kafka + MongoDB", equal=False),
    Figures("killed at a point", 8, 80, 80, points=4),
]


def test_every_long_form_is_run() -> None:
    found = long_forms()
    assert "tests/grouping" in found
    assert not set(found) & {*BOTH_FORMS, "tests/soak"}
    assert all((TESTS.parent / path).exists() for path in (*found, *BOTH_FORMS))
    assert {*found, *BOTH_FORMS} <= {job.name for job in jobs(600, 1)}


def test_the_table_sums_up_by_fault_and_backend() -> None:
    rows = rows_of(FIGURES)
    assert [(row.kind, row.count, row.lost, row.right) for row in rows] == [
        ("broker frozen", 5, 1, False),
        ("killed at a point", 8, 0, True),
        ("all", 13, 1, False),
    ]
    console = Console(width=150, file=io.StringIO())
    console.print(drawn(rows, "ten minutes"))
    text = console.file.getvalue()
    assert "1.50" in text  # the median
    assert "9.00" in text  # the worst
    assert "OTHER" in text
    told = msgspec.json.decode(as_json(rows, {"seed": 1}))
    assert told["seed"] == 1
    assert told["rows"][0]["lost"] == 1
    assert {"Python", "Kafka", "SecantusDB"} <= told["versions"].keys()


async def test_what_takes_too_long_is_cut_and_the_others_go_on(tmp_path: Path) -> None:
    run = [sys.executable, "-c"]
    plan = [
        Job("slow", [*run, "import time; print('begun', flush=True); time.sleep(60)"], 3.0),
        Job("good", [*run, "print('1 of 1 points')"], 60.0),
        Job("broken", [*run, "import time; print('FAILED tests/test_x.py', flush=True); time.sleep(60)"], 3.0),
        Job("bad", [*run, "import sys; print('it broke'); sys.exit(3)"], 60.0),
    ]
    ended = await run_all(plan, asyncio.get_running_loop().time() + 60, {}, tmp_path, lambda name, line: None)
    assert {one.name: one.how for one in ended} == {
        "slow": "cut",
        "good": "passed",
        "bad": "failed",
        "broken": "failed",
    }
    assert next(one for one in ended if one.name == "bad").last_lines == ["it broke"]
    assert (tmp_path / "good.log").read_text() == "1 of 1 points\n"
