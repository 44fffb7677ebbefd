"""The benches run. How fast anything is, no test says."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_quick_bench_gives_one_document_with_a_ratio_for_each_contender() -> None:
    command = [sys.executable, "-m", "bench", "mime", "--quick", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["quick"] is True
    assert [one["name"] for one in report["comparisons"]] == ["mime", "mime-everyday"]
    for comparison in report["comparisons"]:
        baseline, ours = comparison["lines"]
        assert baseline["ratio"] == {"median": 1.0, "low": 1.0, "high": 1.0}
        assert 0 < ours["ratio"]["low"] <= ours["ratio"]["median"] <= ours["ratio"]["high"]
        read, _, of = ours["notes"]["mails that became an event"].partition(" of ")
        assert read == of


def test_a_bench_that_there_is_not_is_named() -> None:
    command = [sys.executable, "-m", "bench", "nosuch"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "nosuch: there are mime, webhook" in " ".join(done.stderr.split())
