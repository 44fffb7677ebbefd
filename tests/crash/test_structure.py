"""A side effect without a fail-point is found in the source, before anything is killed."""

import ast
import importlib
import inspect
from fnmatch import fnmatch

import pytest
from crash.ports import BEHIND, NOT_IN_THE_STORY, OTHER_PORTS, PORTS, STORE_READS, points
from crash.worldly import DRIVERS, PURE, foreign, packages_of, sources, writes

from onethread.blobs import Blobs
from onethread.log.port import EventLog
from onethread.log.sqlite import SqliteLog
from onethread.state.port import StateStore
from onethread.state.sqlite import SqliteState
from onethread.testing.failpoints import READS, kinds_of, without_label
from unifier.store.port import ConversationStore
from unifier.store.sqlite import SqliteConversations

TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in sources()}


def test_every_module_that_can_change_the_world_stands_behind_a_pointed_port() -> None:
    worldly = {name for name, tree in TREES.items() if packages_of(tree) & DRIVERS or writes(tree)}
    bare = sorted(name for name in worldly if not any(fnmatch(name, pattern) for pattern in BEHIND))
    assert not bare, (
        f"{bare} can change the world. Let it do so behind a port of tests/crash/ports.py, and add it to BEHIND there with "
        "that port; a new port goes into PORTS, with what of it only reads"
    )
    idle = sorted(pattern for pattern in BEHIND if not any(fnmatch(name, pattern) for name in worldly))
    assert not idle, f"nothing is left behind {idle}: take it from BEHIND in tests/crash/ports.py"


def test_no_driver_is_unknown() -> None:
    unknown = {package: name for name, tree in TREES.items() for package in foreign(packages_of(tree)) - DRIVERS - PURE}
    assert not unknown, (
        f"tests/crash/worldly.py does not know {unknown}: add each to DRIVERS if it can change anything outside, else to PURE"
    )


def test_every_port_is_pointed_or_says_why_not() -> None:
    pointed = {f"{port.kind.__module__}.{port.kind.__name__}" for port in PORTS}
    found = set(abstract_classes())
    assert not found - pointed - OTHER_PORTS.keys(), (
        f"{sorted(found - pointed - OTHER_PORTS.keys())}: add it to PORTS in tests/crash/ports.py, so that its effects are killed "
        "at, or to OTHER_PORTS with the reason"
    )
    assert OTHER_PORTS.keys() <= found


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.name)
def test_what_is_said_to_read_is_there(port: object) -> None:
    kind, reads = port.kind, port.reads  # type: ignore[attr-defined]
    assert reads <= kinds_of(kind, reads).keys(), (
        f"{kind.__name__} has no {sorted(reads - kinds_of(kind, reads).keys())}"
    )


@pytest.mark.parametrize(
    ("adapter", "reads"),
    [
        (SqliteConversations, STORE_READS),
        (SqliteState, READS[StateStore]),
        (SqliteLog, READS[EventLog]),
        (Blobs, READS[Blobs]),
    ],
)
def test_what_is_said_to_read_does_not_write(adapter: type, reads: frozenset[str]) -> None:
    for name in reads:
        source = inspect.getsource(getattr(adapter, name))
        assert "write(" not in source, f"{adapter.__name__}.{name} writes: take it from the reads, and it has points"
        assert "put_async" not in source


def test_a_new_method_of_a_port_has_its_points_at_once() -> None:
    class Grown(ConversationStore):
        async def forget(self, ids: list[str]) -> None: ...

    assert kinds_of(Grown, STORE_READS)["forget"] == "effect"
    assert kinds_of(ConversationStore, STORE_READS).keys() | {"forget"} == kinds_of(Grown, STORE_READS).keys()


def test_what_the_story_leaves_out_is_a_point() -> None:
    all_points = {f"{port.name}.{name}" for port in PORTS for name in kinds_of(port.kind, port.reads)}
    assert NOT_IN_THE_STORY.keys() <= all_points
    assert len(points()) > 50


def test_a_label_is_left_out() -> None:
    assert without_label("state.put(cursors):after") == "state.put:after"
    assert without_label("store.insert:before") == "store.insert:before"


def abstract_classes() -> list[str]:
    """Every class with an abstract method that waits, or that makes a context."""
    found = []
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any(waits(each) for each in node.body):
                kind = getattr(importlib.import_module(name), node.name)
                found.append(f"{kind.__module__}.{kind.__name__}")
    return found


def waits(node: ast.AST) -> bool:
    """Whether it is abstract, and waits or makes what waits."""
    if isinstance(node, ast.FunctionDef):
        made = ast.unparse(node.returns) if node.returns else ""
        if "Async" not in made:
            return False
    elif not isinstance(node, ast.AsyncFunctionDef):
        return False
    return any(isinstance(each, ast.Name) and each.id == "abstractmethod" for each in node.decorator_list)
