"""Which steps and calls the unifier's code has, read from the code, and which steps of the model stand for them.

A step or a call of the store that is new in the code, or moves, fails the test until it is said here, and the model knows it.
"""

import ast
from pathlib import Path

import unifier

PROGRAM: dict[tuple[str, str], tuple[str, ...]] = {
    ("batch.py", "_thread"): (
        "self.look", "home", "self.elect", "self.claim", "self.insert", "self.look_again", "self._merging.link",
        "self._settlement.strands", "self._strands.need", "self._strands.fold", "self._strands.publish",
        "self._strands.publish_and_fold", "self._merging.mark",
    ),
    ("merging.py", "relate"): ("self.link", "self.resettle"),
    ("merging.py", "opine"): ("self._store.opine", "self.resettle", "self._settle_strands"),
    ("merging.py", "resettle"): (
        "self._settlement.identities", "self._store.revise", "self.compare", "self._store.wish", "self._store.links_needing",
        "self._settle_strands", "self.mark",
    ),
    ("merging.py", "_settle_strands"): (
        "self._settlement.strands", "self._strands.fold", "self._strands.publish", "self.mark",
    ),
    ("strands.py", "publish_and_fold"): ("self._publisher.tell", "self.fold", "self._store.published"),
    ("publishing.py", "publish"): ("self.tell", "self._store.published"),
    ("worker.py", "_once"): ("reader.poll", "self.apply", "reader.commit"),
}  # fmt: skip
"""What the functions that order the steps await (and `home`), in the order in which it is written. Logging is left out."""

CALLS: dict[tuple[str, str], dict[str, str]] = {
    ("batch.py", "look"): {"look": "look"},
    ("batch.py", "elect"): {"claim": "elect:claim", "keys": "elect:keys", "clocks": "elect:keys"},
    ("batch.py", "claim"): {"claim": "claim:claim"},
    ("batch.py", "look_again"): {"look": "look_again:look"},
    ("people.py", "_read"): {"identities": "look_again:identities", "customers": "look_again:identities"},
    ("strands.py", "_guess"): {"heads": "insert:heads"},
    ("strands.py", "read"): {"tails": "insert:tails"},
    ("strands.py", "append"): {"insert": "insert:insert", "entries": "insert:entries"},
    ("strands.py", "try_append"): {"insert": "settle:insert"},
    ("strands.py", "fold"): {"fold": "fold:fold"},
    ("strands.py", "publish_and_fold"): {"published": "publish:published"},
    ("publishing.py", "publish"): {"published": "publish:published"},
    ("publishing.py", "tell"): {"epoch": "", "append": "publish:append"},
    ("publishing.py", "_entries"): {"run": ""},
    ("settlement.py", "_grow"): {"links_at": "settle:links_at"},
    ("settlement.py", "_customers"): {"identities": "settle:identities"},
    ("settlement.py", "identities"): {
        "identities": "identities:identities", "set_customers": "identities:set_customers",
    },
    ("merging.py", "link"): {"wish": "link:wish", "links": "link:links"},
    ("merging.py", "mark"): {"settled": "mark:settled"},
    ("merging.py", "opine"): {"opine": "opine:opine"},
    ("merging.py", "resettle"): {"wish": "compare:wish", "links_needing": "resting:links_needing", "revise": "resettle:revise"},
    ("merging.py", "_smaller"): {"owned_keys": "compare:owned_keys"},
    ("merging.py", "_compare_keys"): {"owned_keys": "compare:owned_keys", "keys": "compare:keys"},
    ("merging.py", "_compare_clocks"): {"owned_clocks": "compare:owned_keys", "clocks": "compare:keys"},
}  # fmt: skip
"""Each call of the store or the log, and the model's step that stands for it; "": it decides nothing (the epoch, old entries)."""

ABOUT_PEOPLE_ONLY = {("batch.py", "_apply"), ("people.py", "note")}
"""Calls that write only addresses, evidence and profiles: no strand and no customer rests on them."""

ELSEWHERE = frozenset(
    {
        "look_again:more",
        "insert:tails",
        "settle:tails",
        "need:tails",
        "fold:tails",
        "identities:links_at",
        "opine:claim",
    }
)
"""Steps of the model that are a further use of a call above: `look`, `tails`, links of identities, identities of a command."""

FILES = ("batch.py", "people.py", "strands.py", "publishing.py", "settlement.py", "merging.py")


def program(file: str, function: str) -> tuple[str, ...]:
    """What a function awaits, in the order in which it is written, and `home`, which is pure."""
    named = ("self.", "reader.")
    calls = sorted(_calls(_function(file, function)))
    found = [name for _, _, name, awaited in calls if name == "home" or (awaited and name.startswith(named))]
    return tuple(dict.fromkeys(found))


def store_calls() -> dict[tuple[str, str], set[str]]:
    """By file and function of the protocol: the methods of the store and the log that it calls."""
    found: dict[tuple[str, str], set[str]] = {}
    for file in FILES:
        for node in ast.walk(_parsed(file)):
            if isinstance(node, ast.AsyncFunctionDef):
                for _, _, name, _ in _calls(node):
                    port, _, method = name.removeprefix("self.").partition(".")
                    if port in ("_store", "_log"):
                        found.setdefault((file, node.name), set()).add(method)
    return found


def _parsed(file: str) -> ast.Module:
    return ast.parse((Path(unifier.__file__).parent / file).read_text(encoding="utf-8"))


def _function(file: str, name: str) -> ast.AsyncFunctionDef:
    return next(
        node for node in ast.walk(_parsed(file)) if isinstance(node, ast.AsyncFunctionDef) and node.name == name
    )


def _calls(tree: ast.AST) -> list[tuple[int, int, str, bool]]:
    """Line, column, name, and whether it is awaited, of each call."""
    awaited = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Await)}
    return [
        (node.lineno, node.col_offset, ast.unparse(node.func), id(node) in awaited)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    ]
