"""Whether what starts a container agrees with the program: its command line, its settings, its port. It starts nothing."""

import re
import shlex
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
import typer.core
import typer.main
from rendering import MADE_UP

from all_in_one.cli import app
from all_in_one.context import connectors
from onethread import assembly
from onethread.errors import Misconfigured, OnethreadError
from onethread.host.lifecycle import GRACE
from onethread.settings import Settings, load
from unifier.main import conversation_store

ROOT = Path(__file__).resolve().parents[2]
SECRETS = "/run/secrets/"
LAST_RESORT = GRACE + 1
"""Seconds from the signal until a process that hangs ends itself."""

_USAGE_ERROR: Any = typer.BadParameter.__base__
"""Of the parser inside typer, which has no public name."""

_REFERENCE = re.compile(r"\$\{file:" + SECRETS + r"([^}]+)\}")


def version() -> str:
    """That of the project, which the image's tag says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def image_environment() -> dict[str, str]:
    """The settings that the image brings."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    return dict(re.findall(r"^\s+(ONETHREAD_\w+)=(\S+)", text, re.MULTILINE))


def called(command: Sequence[str], arguments: Sequence[str]) -> Iterator[list[str]]:
    """The arguments of each call of `onethread` in a container. Raises ValueError for what is none."""
    if not command:
        yield list(arguments)
        return
    if list(command) != ["sh", "-ec"] or len(arguments) != 1:
        raise ValueError(f"{shlex.join(command)}: neither the image's own command nor `sh -ec` with one script")
    for part in arguments[0].split("&&"):
        name, *rest = shlex.split(part)
        if name != "onethread":
            raise ValueError(f"{name}: the script calls something else than onethread")
        yield rest


def refusal(arguments: Sequence[str]) -> str | None:
    """Why the command line would be refused; None: it would not."""
    if not arguments:
        return "it says no command, and would run the image's own: everything in one process"
    command: Any = typer.main.get_command(app)
    context: Any = None
    name: Any = "onethread"
    rest = list(arguments)
    try:
        while True:
            context = command.make_context(name, rest, parent=context)
            if not isinstance(command, typer.core.TyperGroup):
                return None
            name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])  # noqa: SLF001
            command = found
    except _USAGE_ERROR as error:
        return " ".join(error.format_message().split())[:200]


def secrets_of(text: str) -> set[str]:
    """Names of the secret files that settings refer to."""
    return set(_REFERENCE.findall(text))


def loaded(text: str, environment: Mapping[str, str], secrets: set[str]) -> Settings:
    """The settings as the program loads them, with these secrets there. Raises OnethreadError for what it would refuse."""
    with tempfile.TemporaryDirectory(prefix="onethread-settings-") as folder:
        for name in secrets:
            (Path(folder) / name).write_text(MADE_UP, encoding="utf-8")
        file = Path(folder) / "onethread.yaml"
        file.write_text(text.replace(SECRETS, f"{folder}/"), encoding="utf-8")
        try:
            return load(file, {**image_environment(), **environment})
        except OnethreadError as error:
            raise Misconfigured(str(error).replace(f"{folder}/", SECRETS)) from error


def problems(text: str, environment: Mapping[str, str], secrets: set[str], port: int | None) -> Iterator[str]:
    """What the program would refuse of its settings. `port`: the container's, None where it serves nothing."""
    try:
        settings = loaded(text, environment, secrets)
        known = connectors()
        assembly.unknown_connectors(settings, known)
        assembly.channels(settings, known)
        assembly.event_log(settings, "check")
        assembly.state_store(settings)
        assembly.master_keys(settings)
        conversation_store(settings)
        if settings.blobs.url and not settings.blobs.url.startswith("file:"):  # a folder would be made
            assembly.blob_store(settings)
    except OnethreadError as error:
        yield str(error).replace("\n", "; ")
        return
    if port is not None and settings.http.port != port:
        yield f"http.port is {settings.http.port}, and the container's port {port}"
    if port is not None and settings.http.host not in {"0.0.0.0", "::"}:  # noqa: S104 -- in a container
        yield f"http.host is {settings.http.host}: nobody outside the container reaches it"
    if not settings.blobs.url:
        yield "blobs.url is empty: services need one place for attachments"
