"""Generated files in a folder that is under version control: written, and compared with. It knows no format but JSON Schema."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onethread.errors import Misconfigured
from onethread.schemas.compatibility import incompatible

SCHEMA = ".schema.json"
"""Files of this ending are schemas: what is committed is the baseline of what may change."""


def as_json(document: Any) -> bytes:
    """The document as people read and compare it."""
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def write(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Make the folder hold these files; returns the names of those that changed.

    Raises Misconfigured, with nothing written, if a schema breaks the one that is there: see `compatibility`.
    """
    if broken := _broken(folder, files):
        raise Misconfigured("\n".join(["what version 1 promised cannot be taken back; give it a new name:", *broken]))
    changed = []
    for name, content in files.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            changed.append(name)
    for name in _strays(folder, files):
        (folder / name).unlink()
        changed.append(name)
    return changed


def check(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """What differs between the folder and these files, a sentence each, and what of that breaks a promise."""
    problems = [f"{name}: differs from the code; run `onethread schemas`" for name in _different(folder, files)]
    problems += [f"{name}: the code no longer makes it; run `onethread schemas`" for name in _strays(folder, files)]
    return problems + _broken(folder, files)


def _different(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    return [
        name
        for name, content in files.items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != content
    ]


def _strays(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Files in the sub-folders that are ours alone; beside the others, somebody else's may lie."""
    ours = {name.split("/")[0] for name in files if "/" in name}
    found = (path.relative_to(folder).as_posix() for sub in ours for path in (folder / sub).rglob("*.json"))
    return sorted(name for name in found if name not in files)


def _broken(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    problems: list[str] = []
    for name, content in files.items():
        path = folder / name
        if name.endswith(SCHEMA) and path.is_file():
            found = incompatible(json.loads(path.read_bytes()), json.loads(content))
            problems += [f"{name}: {problem}" for problem in found]
    return problems
