"""A lint of our own: nobody lets aiokafka choose what to commit."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]


def bare_commits(source: str) -> Iterator[int]:
    """The lines that call `commit()` without offsets, or switch automatic commits on."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr == "commit" and not node.args and not node.keywords:
            yield node.lineno
        makes_consumer = ast.unparse(node.func).rpartition(".")[2] == "AIOKafkaConsumer"
        switches = [keyword.value for keyword in node.keywords if keyword.arg == "enable_auto_commit"]
        if makes_consumer and [ast.unparse(value) for value in switches] != ["False"]:
            yield node.lineno


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("consumer.commit()", [1]),
        ("await self._consumer.commit()", [1]),
        ("x = 1\nAIOKafkaConsumer('t', group_id='g')", [2]),
        ("aiokafka.AIOKafkaConsumer(enable_auto_commit=True)", [1]),
        ("AIOKafkaConsumer(enable_auto_commit=False)\nconsumer.commit(offsets)\ncommit()", []),
    ],
)
def test_the_lint_finds_what_it_is_for(source: str, lines: list[int]) -> None:
    assert list(bare_commits(source)) == lines


def test_nobody_commits_what_was_only_fetched() -> None:
    """A bare commit() saves what was fetched, processed or not (https://github.com/aio-libs/aiokafka/issues/933)."""
    files = [path for folder in ("shared", "services") for path in (_ROOT / folder).rglob("*.py")]
    assert len(files) > 5
    found = [f"{path}:{line}" for path in files if "kafka" in (text := path.read_text()) for line in bare_commits(text)]
    assert found == []
