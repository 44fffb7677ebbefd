"""Which modules can change the world, found in the source: those that import a driver, or call the system to write."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import onethread
import unifier

LIBRARY = Path(onethread.__path__[0])
SERVICES = Path(unifier.__path__[0]).parent
NO_PART = ("testing", "schemas")
"""Folders of the test kit and of what writes schema files: not on any message's path."""

DRIVERS = frozenset(
    {
        "aiokafka", "asyncssh", "bson", "ftplib", "http.client", "http.server", "httpcore", "httpx", "imapclient", "imaplib", "motor", "multiprocessing",
        "obstore", "poplib", "pymongo", "shutil", "smtplib", "socket", "socketserver", "sqlite3", "ssl", "subprocess", "tempfile",
        "urllib.request", "uvicorn", "websockets",
    }
)  # fmt: skip
"""Packages by which something outside can be changed."""
PURE = frozenset(
    {
        "annotated_types", "cryptography", "email_validator", "fast_mail_parser", "fastapi", "h11", "idna", "msgspec", "nh3",
        "phonenumbers", "pydantic", "pydantic_core", "pydantic_settings", "rich", "selectolax", "starlette", "structlog", "telegram", "typer", "yaml",
    }
)  # fmt: skip
"""Packages of others that only compute, or only do what ours gives them."""
WRITING_CALLS = frozenset(
    {
        "_exit", "fsync", "kill", "killpg", "link", "makedirs", "mkdir", "open", "remove", "rename", "replace", "rmdir", "rmtree", "symlink",
        "touch", "truncate", "unlink", "write_bytes", "write_text",
    }
)  # fmt: skip
"""Of `os`, `shutil` and paths."""


def sources() -> Iterator[tuple[str, Path]]:
    """Every module of the library and the services, by its dotted name."""
    for root, above in ((LIBRARY, LIBRARY.parent), (SERVICES, SERVICES)):
        for path in sorted(root.rglob("*.py")):
            name = ".".join(path.relative_to(above).with_suffix("").parts).removesuffix(".__init__")
            if not set(name.split(".")) & set(NO_PART):
                yield name, path


def packages_of(tree: ast.AST) -> set[str]:
    """What a module imports: the first part of each name, and the whole."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found | {name.partition(".")[0] for name in found}


def foreign(packages: set[str]) -> set[str]:
    """Those that are neither Python's nor ours."""
    ours = {"onethread", *(path.name for path in SERVICES.iterdir() if path.is_dir())}
    return {name for name in packages if "." not in name and name not in sys.stdlib_module_names and name not in ours}


def writes(tree: ast.AST) -> set[str]:
    """What a module calls of the system to change files or processes."""
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id == "open":
            found.add("open")
        elif isinstance(called, ast.Attribute) and called.attr in WRITING_CALLS and _of_system(called):
            found.add(called.attr)
    return found


def _of_system(called: ast.Attribute) -> bool:
    """Whether it is `os.…`, `shutil.…` or a method that only paths have; not `log.open()` or `text.replace()`."""
    if isinstance(called.value, ast.Name) and called.value.id in {"os", "shutil"}:
        return True
    return called.attr in {
        "fsync",
        "mkdir",
        "rmdir",
        "rmtree",
        "symlink",
        "touch",
        "unlink",
        "write_bytes",
        "write_text",
    }
