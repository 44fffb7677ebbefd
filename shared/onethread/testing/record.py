"""Writes the outputs of fixtures anew: `python -m onethread.testing.record services/im_ingest/connectors/telegram`.

Read the difference before you commit it: what this writes is what the suite will demand. It knows no expectation.
"""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from onethread.errors import OnethreadError
from onethread.testing.fixtures import Case, cases, connector_in, outcome


def record(case: Case) -> bool:
    """Write the output of one case. Returns whether it changed."""
    made = msgspec.json.encode(outcome(case.instance(), case.input()))
    text = msgspec.json.format(made, indent=2) + b"\n"
    if case.output.exists() and case.output.read_bytes() == text:
        return False
    case.output.write_bytes(text)
    return True


def main(folders: Annotated[list[Path], typer.Argument(help="Folders of connectors.", exists=True)]) -> None:
    """Write `<case>.out.json` beside every `<case>.in.json`."""
    for folder in folders:
        try:
            found = cases(connector_in(folder))
            changed = [case.name for case in found if record(case)]
        except OnethreadError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error
        typer.echo(f"{folder}: {len(found)} cases, {len(changed)} written anew {' '.join(changed)}".rstrip())


if __name__ == "__main__":
    typer.run(main)
