"""The schema of a change, generated and kept in `schemas/`: what other programs read of topic conversations. It composes."""

from pathlib import Path

from onethread.schemas import folder, json_schema
from unifier.publishing import Change

FOLDER = Path(__file__).parent / "schemas"
"""Where it is kept under version control."""


def files() -> dict[str, bytes]:
    """Every generated file by its name in the folder."""
    change = json_schema.document(Change, "A value of topic onethread.conversations")
    return {"change.schema.json": folder.as_json(change)}


def write(target: Path = FOLDER) -> list[str]:
    """Write the files; returns the names of those that changed. Raises Misconfigured if a schema would break a promise."""
    return folder.write(target, files())


def check(target: Path = FOLDER) -> list[str]:
    """What differs between the files and the code, a sentence each; empty if nothing does."""
    return folder.check(target, files())
