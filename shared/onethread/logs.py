"""How Onethread logs: structured, one line an event, and never a secret or a message. It knows no service.

What may be written is decided here, once, for our own lines and for those of every library:

- values under a name that sounds secret are masked; SecretStr and bytes never show;
- what holds a message (an event, a record, a request, a body) shows as its type;
- of an exception of ours the sentence is shown; of others only type and place, since their text may quote the input;
- of URLs in libraries' lines only scheme and host are left, since paths and queries may hold tokens;
- control characters are escaped, so that no text can forge a line.
"""

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import msgspec
import structlog
from pydantic import BaseModel, SecretBytes, SecretStr

from onethread.errors import OnethreadError

MASK = "***"
_SECRET = re.compile(
    r"secret|passw|token|authori[sz]|credential|cookie|signature|api[-_]?key|private[-_]?key|session[-_]?key"
    r"|^keys?$|^x-hub-|sig$",
    re.IGNORECASE,
)
_CONTENT = re.compile(
    r"^(body|text|text_full|html|subject|content|data|payload|record|raw|value|excerpt|transcript|message)$"
)
_USERINFO = re.compile(r"(\w+://)[^/\s@]+@")
_URL = re.compile(r"(\w+://[^/\s\"'?#]+)[^\s\"']*")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_QUIET = (
    "httpx",
    "httpcore",
    "uvicorn.access",
    "websockets",
    "aiokafka",
    "asyncio",
    "urllib3",
    "telegram",
    "imapclient",
)
_DEPTH = 4


def is_secret(name: str) -> bool:
    """Whether a field, header or parameter of this name is taken for a secret."""
    return bool(_SECRET.search(name))


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Set up the standard library's logging, once per process: JSON, or colours where a person looks on."""
    out = stream or sys.stderr
    last: Any = structlog.dev.ConsoleRenderer() if out.isatty() else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_shared(), _without_url_paths, without_secrets],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:  # their INFO lines hold URLs
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # uvicorn brings handlers of its own
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).propagate = True


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger: `log.warning("what happened", channel_id=…)`. Event texts are constant; what varies is a field.

    It hides what must be hidden whether or not `configure` was called.
    """
    processors = [structlog.stdlib.filter_by_level, *_shared(), without_secrets]
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[*processors, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return logger


def _shared() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _exception_without_values,
    ]


def without_secrets(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The processor that masks, hides and escapes."""
    for name, value in line.items():
        if not name.startswith("_"):  # structlog's own
            line[name] = _shown(name, value)
    return line


def _shown(name: str, value: Any, depth: int = 0) -> Any:
    if name and value not in (None, "") and not isinstance(value, bool) and is_secret(name):
        return MASK
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (SecretStr, SecretBytes)):
        return MASK
    if isinstance(value, str):
        return f"<{len(value)} characters>" if _CONTENT.match(name) else _escaped(_USERINFO.sub(r"\1", value))
    return _shown_object(value, depth)


def _shown_object(value: Any, depth: int) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    if isinstance(value, BaseException):
        return _sentence(value)
    if isinstance(value, (msgspec.Struct, BaseModel)) or depth >= _DEPTH:
        return f"<{type(value).__name__}>"
    if isinstance(value, Mapping):
        return {_escaped(str(key)): _shown(str(key), each, depth + 1) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_shown("", each, depth + 1) for each in value]
    return _escaped(_USERINFO.sub(r"\1", str(value)))


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _sentence(error: BaseException) -> str:
    """What may be said of an exception."""
    if isinstance(error, OnethreadError):
        return _escaped(f"{type(error).__name__}: {error}")
    if isinstance(error, OSError) and error.strerror:
        return _escaped(f"{type(error).__name__}: {error.strerror}")
    return type(error).__name__


def _exception_without_values(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    given = line.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)
        line["error"] = _sentence(error)
        line["at"] = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-8:]]
        if error.__cause__ is not None:
            line["cause"] = _sentence(error.__cause__)
    return line


def _without_url_paths(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    line["event"] = _URL.sub(r"\1", _USERINFO.sub(r"\1", str(line.get("event", ""))))
    return line
