"""The proof can fail: every way to break the protocol is found by it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from grouping.hunt import HUNTS
from grouping.mutations import MUTATIONS, Mutation

import unifier

UNIFIER = Path(unifier.__file__).parent
TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_broken_protocol_is_found(mutation: Mutation, tmp_path: Path) -> None:
    assert set(mutation.by) <= HUNTS.keys()
    shutil.copytree(UNIFIER, tmp_path / "unifier", ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "unifier" / mutation.file
    text = file.read_text(encoding="utf-8")
    assert text.count(mutation.old) == 1, (
        f"stale: the text to replace is in {mutation.file} {text.count(mutation.old)} times"
    )
    file.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    outcome = hunt(tmp_path, mutation.by)
    assert outcome.returncode == 1, f"not found: {mutation.name}\n{outcome.stdout}\n{outcome.stderr}"
    assert outcome.stdout, outcome.stderr  # it says what, so it did not just fail to start


def hunt(folder: Path, names: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join((str(folder), str(TESTS)))
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "grouping.hunt", *names],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
