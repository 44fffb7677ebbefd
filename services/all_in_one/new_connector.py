"""`onethread new-connector`: a folder that keeps the contract from the first minute, but for one sample that waits for `normalize`."""

import hashlib
import hmac
import importlib
import keyword
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from all_in_one import connector_templates as texts
from all_in_one.context import connectors, fail, show
from onethread.testing.fixtures import SAMPLE_SECRET

app = typer.Typer()

Family = Literal["email", "im", "social"]
Style = Literal["webhook", "polling", "stream", "mounted"]

NAME = re.compile(r"[a-z][a-z0-9_]{1,29}")
AT = 1767603900
"""When the sample was said: 2026-01-05T09:05:00Z, in Unix seconds."""
ITEM = {"id": "m-1", "at": AT, "chat": "c-7", "user": "u-9", "name": "Mia Lang", "text": "The kettle no longer heats."}


@app.command("new-connector")
def new_connector(
    ctx: typer.Context,
    family: Annotated[Family, typer.Option(help="Which ingest service it belongs to.")],
    name: Annotated[str, typer.Option(help="Its folder and its name in settings: a-z, 0-9, _.")],
    style: Annotated[Style, typer.Option(help="How messages come.")],
    path: Annotated[
        Path | None,
        typer.Option(help="Write an outside package with an entry point there; else a folder of this checkout."),
    ] = None,
) -> None:
    """Write a connector's folder: code, README, one sample. One test fails, and says what to write.

    Example: onethread new-connector --family im --name acme_talk --style webhook
    """
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        fail(f"{name!r} is no name for a folder of code: take 2 to 30 of a-z, 0-9 and _, with a letter first")
    if name in connectors():
        fail(f"there is a connector {name} already; take another name")
    folder, files = _inside(family, name, style) if path is None else _outside(path, name, style)
    if there := [file for file in files if file.exists()]:
        fail(f"{there[0]} is there already; nothing was written")
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    following = _next(path, family, folder)
    show(ctx.obj, {"files": [str(file) for file in files], "next": following}, _said(list(files), following))


def _inside(family: Family, name: str, style: Style) -> tuple[Path, dict[Path, str]]:
    """A folder beside the other connectors of the family: it is found by being there."""
    parent = Path(importlib.import_module(f"{family}_ingest.connectors").__path__[0])
    if not (parent.parents[2] / "pyproject.toml").exists():
        fail("this is an installation, no checkout: say with --path where an outside package is to be")
    folder = parent / name
    return folder, {folder / file: text for file, text in written(name, style, f"{family}_ingest").items()}


def _outside(path: Path, name: str, style: Style) -> tuple[Path, dict[Path, str]]:
    package = f"onethread_{name}"
    folder = path / package / "connectors" / name
    one = f'"""An outside package with one connector of Onethread: {_title(name)}."""\n'
    many = '"""One folder per connector. They import `onethread` and nothing of each other."""\n'
    around = {
        path / "pyproject.toml": _filled(texts.PYPROJECT, name, package),
        path / f"test_{name}.py": _filled(texts.TEST, name, package),
        path / package / "__init__.py": one,
        path / package / "connectors" / "__init__.py": many,
    }
    return folder, {**around, **{folder / file: text for file, text in written(name, style, package).items()}}


def written(name: str, style: Style, package: str) -> dict[str, str]:
    """The files of the connector's own folder, by their path in it."""
    code = texts.CONNECTOR
    parts = {
        "imports": texts.IMPORTS, "settings": texts.SETTINGS, "more": texts.MORE, "methods": texts.METHODS,
        "says": texts.SAYS, "edge": texts.EDGES,
    }  # fmt: skip
    for part, of_styles in parts.items():
        code = code.replace(f"@{part}@", of_styles[style])
    readme = texts.README.replace("@setting_up@", texts.SETTING_UP[style]).replace("@rows@", texts.ROWS[style])
    return {
        "__init__.py": f'"""{_title(name)}: everything that only this provider needs."""\n',
        "connector.py": _filled(code, name, package),
        "README.md": _filled(readme, name, package),
        "fixtures/settings.json": _json(_settings(style)),
        "fixtures/message.in.json": _json(_sample(style)),
        "fixtures/message.out.json": _json([_wanted(name)]),
    }


def _settings(style: Style) -> dict[str, Any]:
    held = {"webhook": {"secrets": [SAMPLE_SECRET]}, "mounted": {"tokens": [SAMPLE_SECRET]}}
    return {"account": "sample-account", **held.get(style, {"token": SAMPLE_SECRET})}


def _sample(style: Style) -> dict[str, Any]:
    """What was recorded; a webhook's is signed with the sample secret."""
    if style != "webhook":
        return {"raw": {"json": ITEM}}
    body = msgspec.json.encode(ITEM)
    signature = hmac.new(SAMPLE_SECRET.encode(), f"{AT}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "x-timestamp": str(AT), "x-signature": signature}
    return {"request": {"headers": headers, "body": body.decode(), "arrived_at": "2026-01-05T09:05:01Z"}}


def _wanted(name: str) -> dict[str, Any]:
    """What `normalize` is to make of it."""
    claim = {"type": f"{name}_user", "value": ITEM["user"], "scope": "sample-account"}
    return {
        "external_id": ITEM["id"],
        "fact": {"kind": "message", "body": {"text": ITEM["text"]}},
        "external_thread_id": ITEM["chat"],
        "sender": {"claims": [claim], "name": ITEM["name"]},
        "received_at": "2026-01-05T09:05:00Z",
    }


def _title(name: str) -> str:
    return " ".join(word.capitalize() for word in name.split("_") if word)


def _filled(text: str, name: str, package: str) -> str:
    title = _title(name)
    for mark, filling in {"name": name, "Class": title.replace(" ", ""), "Title": title, "package": package}.items():
        text = text.replace(f"@{mark}@", filling)
    return text


def _json(document: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _next(path: Path | None, family: Family, folder: Path) -> list[str]:
    if path is None:
        tests, record = "python -m pytest tests/contract/test_connectors.py -k " + folder.name, ""
    else:
        tests, record = f"(cd {path} && python -m pytest)", f"PYTHONPATH={path} "
    sample, wanted = folder / "fixtures" / "message.in.json", "message.out.json beside it"
    return [
        f"put what the provider really sends in the place of {sample}, and write the event you want of it into {wanted}",
        f"write normalize() in {folder / 'connector.py'}, so that it makes this event; make paths and field names the provider's",
        f"{tests}: all of it passes then",
        f"{record}python -m onethread.testing.record {folder}: records the outputs of further samples",
        *([f"onethread schemas: makes its page in docs/channels; {family}_ingest serves it"] if path is None else []),
    ]


def _said(files: list[Path], following: list[str]) -> str:
    steps = [f"  {number}. {step}" for number, step in enumerate(following, 1)]
    return "\n".join([*map(str, files), "", "Next:", *steps])
