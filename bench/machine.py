"""What a figure depends on: cores, interpreter, versions. It names no machine."""

import os
import platform
import sqlite3
import sys
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "msgspec",
    "uvicorn",
    "h11",
    "httptools",
    "starlette",
    "fastapi",
    "aiokafka",
    "pymongo",
    "motor",
    "secantusdb",
)


def facts() -> dict[str, str]:
    """By name, in the order to show."""
    found = {
        "cores": str(os.cpu_count()),
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": f"{platform.python_implementation()} {sys.version.split()[0]}",
        "sqlite": sqlite3.sqlite_version,
    }
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def load() -> float:
    """How many processes want a core, over the last minute: above the number of cores, figures are those of a busy machine."""
    return os.getloadavg()[0]
