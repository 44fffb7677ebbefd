"""The benches run. How fast anything is, no test says."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_a_quick_bench_gives_one_document_with_a_ratio_for_each_contender_and_the_tables_of_it(tmp_path: Path) -> None:
    done = bench("mime", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    assert "mime: some" in done.stderr  # how long it will take
    report = json.loads(done.stdout)
    assert report["quick"] is True
    assert [one["name"] for one in report["comparisons"]] == ["mime", "mime-everyday"]
    for comparison in report["comparisons"]:
        baseline, ours = comparison["lines"]
        assert baseline["ratio"] == {"median": 1.0, "low": 1.0, "high": 1.0}
        assert 0 < ours["ratio"]["low"] <= ours["ratio"]["median"] <= ours["ratio"]["high"]
        read, _, of = ours["notes"]["mails that became an event"].partition(" of ")
        assert read == of
    file = tmp_path / "figures.json"
    file.write_text(done.stdout)
    tables = bench("--markdown", str(file))
    assert tables.returncode == 0, tables.stderr
    ratio = report["comparisons"][0]["lines"][1]["ratio"]["median"]
    assert f"| P2 | `mime` | onethread | 8.00 | 20.00 | **{ratio:.2f}** |" in tables.stdout
    assert "quick" in tables.stdout


def test_a_comparison_that_failed_and_one_that_could_not_be_made_are_told_apart_from_figures(tmp_path: Path) -> None:
    missing = {"name": "mail", "title": "", "unit": "mails", "missing": "Dovecot is not installed."}
    failed = {"name": "sink-distinct", "title": "", "unit": "messages", "missing": "It failed: lag 3", "failed": True}
    file = tmp_path / "figures.json"
    machine = {"cores": "2"}
    file.write_text(json.dumps({"machine": machine, "load": 0.1, "quick": False, "comparisons": [missing, failed]}))
    tables = bench("--markdown", str(file))
    assert tables.returncode == 0, tables.stderr
    assert "* `mail`: Dovecot is not installed." in tables.stdout
    assert "* `sink-distinct`: It failed: lag 3" in tables.stdout


def test_a_bench_that_there_is_not_is_named() -> None:
    done = bench("nosuch")
    assert done.returncode == 2
    assert "nosuch: there are mime, webhook, entrances, media, mail, unifier, sink, delay, api, growth" in " ".join(
        done.stderr.split()
    )
