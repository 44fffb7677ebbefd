"""The pages of `docs/channels/`: what each connector does, read off its class, its settings and its recorded fixtures.

It composes and claims nothing of its own: a kind is in the table because a recorded sample of that connector gives it. Only
the sections of the README are people's words.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from all_in_one.context import FAMILIES
from all_in_one.recorded import Shown, shown
from all_in_one.supported import ABILITIES, EDGES, AnyConnector, by
from onethread import registry
from onethread.connector import Downloads
from onethread.errors import Misconfigured
from onethread.identity import STRENGTH
from onethread.schemas import folder
from onethread.testing.fixtures import folder_of, secret_fields

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "channels"
"""Where the pages are kept under version control."""

SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
MADE = "<!-- Made by `onethread schemas` from the code, its fixtures and its README; change those. -->\n"

ABOVE = f"""# Channels

{MADE}
What these tables say of kinds, media and evidence, a recorded sample of that connector shows. What they say of abilities, the
connector's class says; `-` is: not there.
"""
BELOW = """
"Links persons by" names the claims that link by themselves, since their evidence is verified
([ADDING_A_CHANNEL.md](../../ADDING_A_CHANNEL.md#evidence)). One that "subscribes itself" tells the provider where to call.

## Kinds received
"""


def files() -> dict[str, bytes]:
    """Every page by its name in the folder. A connector gets its page with its README."""
    found = {
        name: one
        for name, one in registry.connectors(FAMILIES).items()
        if one.__module__.partition(".")[0] in FAMILIES and (folder_of(one) / "README.md").exists()
    }
    seen = {name: shown(one) for name, one in found.items()}
    pages = {f"{name}.md": page(one, seen[name]) for name, one in found.items()}
    return {name: text.encode() for name, text in {"README.md": table(found, seen), **pages}.items()}


def write(target: Path = FOLDER) -> list[str]:
    """Write the pages; returns the names of those that changed. Raises Misconfigured outside a checkout."""
    if target == FOLDER and not (ROOT / "docs").is_dir():
        raise Misconfigured("the pages are written in a checkout of Onethread; this is an installation")
    changed = folder.write(target, files())
    for stray in _strays(target):
        stray.unlink()
        changed.append(stray.name)
    return changed


def check(target: Path = FOLDER) -> list[str]:
    """What differs between the pages and the code, a sentence each; empty if nothing does."""
    strays = [f"{stray.name}: no connector has this page; run `onethread schemas`" for stray in _strays(target)]
    return folder.check(target, files()) + strays


def _strays(target: Path) -> list[Path]:
    there = files()
    return sorted(path for path in target.glob("*.md") if path.name not in there)


# --- the table of all -----------------------------------------------------------------------------------------------


def table(found: dict[str, AnyConnector], seen: dict[str, Shown]) -> str:
    """The page of all channels."""
    head = ["channel", "family", "network", "comes by", "kinds", "links persons by", "media", *ABILITIES]
    can = {name: by(one, seen[name]) for name, one in found.items()}
    rows = [
        [
            f"[{name}]({name}.md)",
            _family(one),
            f"`{one.network}`",
            ", ".join(can[name].edges),
            str(len(can[name].receives)),
            _listed(can[name].links),
            _media(one, seen[name]),
            *("yes" if ability in can[name].abilities else "-" for ability in ABILITIES),
        ]
        for name, one in found.items()
    ]
    kinds = sorted({kind for one in seen.values() for kind in one.kinds})
    received = [[f"`{kind}`", *("yes" if kind in one.kinds else "-" for one in seen.values())] for kind in kinds]
    parts = [ABOVE, *_rows(head, rows), BELOW, *_rows(["kind", *found], received), ""]
    return "\n".join(parts)


def _family(connector: AnyConnector) -> str:
    return connector.__module__.partition("_ingest")[0]


def _media(connector: AnyConnector, one: Shown) -> str:
    if not one.media:
        return "-"
    return ", ".join(one.media) + (" (fetched with the provider's help)" if issubclass(connector, Downloads) else "")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "-"


def _rows(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


# --- one connector --------------------------------------------------------------------------------------------------


def page(connector: AnyConnector, one: Shown) -> str:
    """The page of one connector: its README, with its abilities, and its settings as its model says them."""
    path = folder_of(connector) / "README.md"
    title, sections = _sections(path.read_text("utf-8"))
    where = f"../../{path.relative_to(ROOT).as_posix()}"
    prose = "\n".join(line for line in sections.get("Settings", "").splitlines() if not line.startswith("|")).strip()
    parts = [
        f"{title.rstrip()}\n\n{MADE}",
        _abilities(connector, one, where),
        f"## What it receives\n\n{sections['What it receives'].strip()}\n",
        f"## Setting it up\n\n{sections['Setting it up'].strip()}\n",
        f"## Settings\n\n{_settings(connector.settings_model())}",
        *([f"{prose}\n"] if prose else []),
        f"## Known limits\n\n{sections['Known limits'].strip()}\n",
    ]
    return "\n".join(parts)


def _sections(text: str) -> tuple[str, dict[str, str]]:
    title, *rest = SECTION.split(text)
    return title, dict(zip(rest[::2], rest[1::2], strict=True))


def _abilities(connector: AnyConnector, one: Shown, where: str) -> str:
    edges = "; ".join(f"`{edge.__name__}`: {said}" for edge, said in EDGES.items() if issubclass(connector, edge))
    can = by(connector, one)
    evidence = ", ".join(f"`{kind}` ({evidence}, {_strength(evidence)})" for kind, evidence in one.evidence)
    rows = [
        ["connector", f"[`{connector.name}`]({where}), family {_family(connector)}, network `{connector.network}`"],
        ["comes by", edges],
        ["can also", ", ".join(can.abilities) or "-"],
        [f"kinds in its {one.samples} recorded samples", _listed(one.kinds)],
        ["claims in them", evidence or "-"],
        ["media in them", _media(connector, one)],
        ["links persons by", _listed(can.links)],
        ["only suggests by", _listed(can.suggests)],
        ["not there", ", ".join(can.unable) or "-"],
        ["kinds in no sample", _listed(can.not_received)],
        ["media in no sample", ", ".join(can.no_media) or "-"],
    ]
    return "\n".join([*_rows(["", ""], rows), ""])


def _strength(evidence: str) -> str:
    return STRENGTH[evidence].name.lower()


def _settings(model: type[BaseModel]) -> str:
    secrets = secret_fields(model)
    rows = [
        [f"`{name}`", _type(field.annotation), _mark(name, field, secrets), field.description or ""]
        for name, field in model.model_fields.items()
    ]
    return "\n".join([*_rows(["setting", "type", "", ""], rows), ""])


def _mark(name: str, field: FieldInfo, secrets: frozenset[str]) -> str:
    marks = ["**required**"] if field.is_required() else []
    marks += ["**secret**"] if name in secrets else []
    if (given := field.default) is not PydanticUndefined and given not in (None, "", []) and name not in secrets:
        marks.append(f"default `{', '.join(map(str, given)) if isinstance(given, list) else given}`")
    return ", ".join(marks)


NAMES = {str: "text", SecretStr: "text", int: "number", float: "number", bool: "yes or no", Path: "file"}


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "one of " + ", ".join(f"`{each}`" for each in arguments)
    if origin in (list, tuple):
        return f"list of {_type(arguments[0])}"
    if origin in (Union, UnionType):
        return " or ".join(_type(each) for each in arguments if each is not type(None))
    if hasattr(annotation, "__metadata__"):
        return _type(annotation.__origin__)
    return NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))
