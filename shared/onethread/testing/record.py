"""Writes the outputs of fixtures anew: `python -m onethread.testing.record services/im_ingest/connectors/telegram`.

Read the difference before you commit it: what this writes is what the suite will demand. It knows no expectation.
"""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from onethread.errors import OnethreadError
from onethread.testing.fixtures import Case, cases, connector_in, outcome


def record(case: Case) -> str:
    """Write the output of one case. Returns what that was: "new", "changed", "laid out anew", or "" if it was so already."""
    made = msgspec.json.encode(outcome(case.instance(), case.input()))
    text = msgspec.json.format(made, indent=2) + b"\n"
    before = case.output.read_bytes() if case.output.exists() else None
    if before == text:
        return ""
    case.output.write_bytes(text)
    if before is None:
        return "new"
    return "laid out anew" if _means(before) == msgspec.json.decode(made) else "changed"


def _means(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None  # an output is a list or an object


def main(folders: Annotated[list[Path], typer.Argument(help="Folders of connectors.", exists=True)]) -> None:
    """Write `<case>.out.json` beside every `<case>.in.json`."""
    for folder in folders:
        try:
            found = cases(connector_in(folder))
            done = [(record(case), case.name) for case in found]
        except OnethreadError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error
        typer.echo(f"{folder}: {len(found)} cases, {sum(bool(what) for what, _ in done)} written")
        for what in ("new", "laid out anew", "changed"):
            names = [name for kind, name in done if kind == what]
            warning = " (is it what you wanted? what was there before is overwritten)" if what == "changed" else ""
            if names:
                typer.echo(f"  {what}: {' '.join(names)}{warning}")


if __name__ == "__main__":
    typer.run(main)
