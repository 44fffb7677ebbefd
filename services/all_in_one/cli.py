"""The command `onethread`. Each sub-command lives in the module named for what it is about."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from all_in_one import (
    channels_command,
    demo,
    history,
    listening,
    new_connector,
    persons,
    repair,
    restoring,
    running,
    sending,
    setup,
    verifying,
)
from all_in_one.context import context, fail
from onethread.errors import OnethreadError


class _InOneSentence(TyperGroup):
    """An error of ours ends any command with its sentence, wherever in the command it was raised."""

    def invoke(self, ctx: Any) -> Any:
        """See typer."""
        try:
            return super().invoke(ctx)
        except OnethreadError as error:
            fail(str(error))


app = typer.Typer(
    name="onethread",
    cls=_InOneSentence,
    help="Every channel, one conversation: run the services, and see what they do.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for module in (
    running,
    demo,
    channels_command,
    new_connector,
    history,
    persons,
    verifying,
    restoring,
    sending,
    listening,
    setup,
):
    app.registered_commands += module.app.registered_commands
app.add_typer(repair.app, name="dead-letters")
app.add_typer(setup.api_key, name="api-key")
app.add_typer(setup.topics, name="topics")
app.add_typer(setup.indexes, name="indexes")


def _version(asked: bool) -> None:  # noqa: FBT001 -- typer calls it so
    if asked:
        typer.echo(f"onethread {version('onethread')}")
        raise typer.Exit


@app.callback()
def main(
    ctx: typer.Context,
    *,
    config: Annotated[
        Path | None, typer.Option(help="Settings file; else ONETHREAD_CONFIG, else ./onethread.yaml.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the embedded default; over the settings.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
    _shown: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Settings come from one YAML file and the environment: ONETHREAD_LOG__URL=kafka://broker:9092 sets log.url."""
    try:
        ctx.obj = context(config, data, json=json)
    except OnethreadError as error:
        fail(str(error), status=2)
