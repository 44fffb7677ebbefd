"""Finds connectors: a folder below a package's `connectors/`, or an entry point of an outside package. It lists none itself.

email_ingest/connectors/imap/connector.py     one subclass of Connector, whose `name` is the folder's

[project.entry-points."onethread.connectors"]     an outside package: name = module that holds the class
acme = "acme_onethread.connector"
"""

import importlib
import pkgutil
from collections.abc import Iterable
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

from onethread.connector import Connector, Mounted, Polling, Stream, Webhook
from onethread.errors import Misconfigured

GROUP = "onethread.connectors"
"""The entry point group of outside packages."""

_EDGES = (Webhook, Polling, Stream, Mounted)


def connectors(packages: Iterable[str]) -> dict[str, type[Connector[Any]]]:
    """All connectors of these packages, and those installed from outside, by name.

    Raises Misconfigured, naming the folder, for one that cannot be loaded or is not whole.
    """
    found: dict[str, type[Connector[Any]]] = {}
    for package in packages:
        for name in _folders(package):
            _add(found, name, _class_in(_module(f"{package}.connectors.{name}.connector", name), name))
    for point in entry_points(group=GROUP):
        _add(found, point.name, _class_in(_module(point.value.partition(":")[0], point.name), point.name))
    return found


def _folders(package: str) -> list[str]:
    try:
        parent = importlib.import_module(f"{package}.connectors")
    except ModuleNotFoundError as error:
        if error.name in {package, f"{package}.connectors"}:
            raise Misconfigured(f"package {package} has no folder connectors/ with an __init__.py") from error
        raise Misconfigured(f"{package}/connectors cannot be imported: {error}") from error
    return sorted(module.name for module in pkgutil.iter_modules(parent.__path__) if module.ispkg)


def _module(path: str, folder: str) -> ModuleType:
    try:
        return importlib.import_module(path)
    except Exception as error:  # whatever is wrong with one connector, its author wants to know which
        raise Misconfigured(
            f"connector {folder}: {path} cannot be imported: {type(error).__name__}: {error}"
        ) from error


def _class_in(module: ModuleType, folder: str) -> type[Connector[Any]]:
    classes = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Connector) and each.__module__ == module.__name__
    ]
    public = [each for each in classes if not each.__name__.startswith("_")]
    if len(public) != 1:
        raise Misconfigured(
            f"connector {folder}: {module.__name__} must hold one subclass of Connector, not {len(public)}"
        )
    return _whole(public[0], folder)


def _whole(connector: type[Connector[Any]], folder: str) -> type[Connector[Any]]:
    where = f"connector {folder}: class {connector.__name__}"
    if getattr(connector, "name", None) != folder:
        raise Misconfigured(f"{where} must say name = {folder!r}, like its folder")
    if not getattr(connector, "network", ""):
        raise Misconfigured(f"{where} must say its network: what people call the channel's kind")
    if missing := getattr(connector, "__abstractmethods__", None):
        raise Misconfigured(f"{where} lacks {', '.join(sorted(missing))}")
    if not issubclass(connector, _EDGES):
        raise Misconfigured(f"{where} has no edge: add Webhook, Polling, Stream or Mounted to its class line")
    connector.settings_model()
    return connector


def _add(found: dict[str, type[Connector[Any]]], name: str, connector: type[Connector[Any]]) -> None:
    if name in found:
        raise Misconfigured(f"connector {name} is there twice: {found[name].__module__} and {connector.__module__}")
    found[name] = connector
