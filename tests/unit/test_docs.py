"""What the documents say is there: links, commands, make targets. Whether it is also true, only a reader can say."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from all_in_one.cli import app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path for path in ROOT.rglob("*.md") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)
FENCED = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|\$\(|`|exec \S+ )onethread ([^`)\n]+)", re.MULTILINE)
TARGET = re.compile(r"(?:^|`)make ([a-z]+)", re.MULTILINE)
OF_ONE_MACHINE = re.compile(r"(?<![\w.:/>-])/(?:work|root|home|tmp|Users)/")

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def read(document: Path) -> str:
    return document.read_text("utf-8")


def prose(document: Path) -> str:
    """Without code, in which brackets mean something else."""
    return INLINE.sub("", FENCED.sub("", read(document)))


def typed(document: Path) -> str:
    """What a reader may type: the shell's blocks, and what stands between backticks."""
    text = read(document)
    blocks = [block.replace("\\\n", " ") for language, block in FENCED.findall(text) if language == "sh"]
    return "\n".join([*blocks, *(f"`{piece}`" for piece in INLINE.findall(FENCED.sub("", text)))])


def anchors(document: Path) -> set[str]:
    """The headings, as a link names them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", read(document)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_document
def test_links_lead_somewhere(document: Path) -> None:
    for link in LINK.findall(prose(document)):
        if "://" in link:
            assert link.startswith("https://"), link
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@every_document
def test_commands_are_there(document: Path) -> None:
    for line in COMMAND.findall(typed(document)):
        assert not list(unknown(shlex.split(line, comments=True))), f"onethread {line}"


def unknown(words: list[str]) -> Iterator[str]:
    """Sub-commands and options that the command does not have."""
    here: Any = get_command(app)
    rest = iter(words)
    for word in rest:
        if word.startswith("--"):
            name, _, given = word.partition("=")
            option = next((one for one in here.params if name in one.opts), None)
            if option is None and name != "--help":
                yield word
            elif option is not None and not option.is_flag and not given:
                next(rest, None)
        elif hasattr(here, "commands") and word in here.commands:
            here = here.commands[word]
        elif hasattr(here, "commands") and word not in {"…", "COMMAND"}:
            yield word


@every_document
def test_make_targets_are_there(document: Path) -> None:
    there = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(TARGET.findall(typed(document))) <= there


@every_document
def test_no_path_of_one_machine(document: Path) -> None:
    assert not OF_ONE_MACHINE.findall(read(document))


def test_a_wrong_command_is_found() -> None:
    assert list(unknown(["--config", "onethread.yaml", "upp"])) == ["upp"]
    assert list(unknown(["dead-letters", "replay", "all", "--chanel", "chn_mail"])) == ["--chanel"]
    assert not list(unknown(["--config", "onethread.yaml", "dead-letters", "replay", "all", "--channel", "chn_mail"]))
