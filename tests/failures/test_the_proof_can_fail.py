"""The rows are only worth something if they fail where a system has the failure: it is seeded, and its row finds it.

What a kill shows is seeded in `crash.bugs`, what a race shows in `grouping.mutations`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import email_ingest
import im_ingest
import onethread
import unifier

TESTS = Path(__file__).parents[1]


class Seeded(NamedTuple):
    """One edit of one file of the source, and the row that must find it."""

    name: str
    file: str
    old: str
    new: str
    row: str


SEEDED = (
    Seeded(
        "a flag is the cursor",
        "email_ingest/connectors/imap/link.py",
        '        criteria: list[Any] = ["UID", f"{first}:{last or \'*\'}"]\n',
        '        criteria: list[Any] = ["UNSEEN", "UID", f"{first}:{last or \'*\'}"]\n',
        "test_04_a_mail_somebody_opened_first_is_never_imported.py",
    ),
    Seeded(
        "the Message-ID alone is the id",
        "email_ingest/mime.py",
        "        external_id, revision, aliases = self._ids()\n",
        '        external_id, _, aliases = self._ids()\n        revision = ""\n',
        "test_02_another_mail_with_the_same_message_id_is_dropped.py",
    ),
)


@pytest.mark.parametrize("seeded", SEEDED, ids=lambda one: one.name)
def test_a_seeded_failure_is_found_by_its_row(seeded: Seeded, tmp_path: Path) -> None:
    for package in (onethread, unifier, email_ingest, im_ingest):
        source = Path(package.__path__[0])
        shutil.copytree(source, tmp_path / source.name)
    file = tmp_path / seeded.file
    text = file.read_text(encoding="utf-8")
    assert text.count(seeded.old) == 1, f"stale: the text to replace is in {seeded.file} {text.count(seeded.old)} times"
    file.write_text(text.replace(seeded.old, seeded.new), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-k", "pymap", "-p", "no:cacheprovider", f"failures/{seeded.row}"],
        cwd=TESTS,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(tmp_path), str(TESTS))),
            "ONETHREAD_TEST_PATIENCE": "10",  # what never comes need not be waited for longer
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    assert "1 failed" in run.stdout  # an error of its set-up would be none of its findings
