"""Named fail-points around ports, made from the ports' own code; what happens at one is the caller's. It knows no adapter.

The logic reaches the world through ports: the event log, the stores, blobs, a connector's edges, the host it is lent. `pointed`
wraps any of them, so that each method that changes something has a point before and after it, and each that brings something in
has one when it has come. Nothing of this is in the logic, and a method that is new has its points at once: only reads are listed.

    points = FailPoints(killed_at({Moment("log.append(onethread.messages):after", 2)}))
    log = pointed(EventLog, SqliteLog(path), "log", points)
"""

import inspect
import os
import signal
import threading
import types
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints

from onethread.arriving import Arriving
from onethread.blobs import Blobs
from onethread.connector import Host, Polling, Stream, WebSocket
from onethread.log.port import EventLog, Reader
from onethread.opening import Opening
from onethread.state.port import StateStore

P = TypeVar("P")

READS: dict[type, frozenset[str]] = {
    Opening: frozenset({"open", "close"}),
    EventLog: frozenset({"extents", "fetch", "commits"}),
    Reader: frozenset({"lag", "rewind"}),
    StateStore: frozenset({"get", "scan"}),
    Blobs: frozenset({"answers", "get", "size"}),
    Arriving: frozenset(),
    Host: frozenset(),
    WebSocket: frozenset(),
    Polling: frozenset(),
    Stream: frozenset({"resources", "session"}),  # what a session changes, it changes by the host it is lent
}
"""By port: what changes nothing, here or there. Whatever else a port has is taken for an effect."""
ARRIVALS = frozenset({(Reader, "poll"), (WebSocket, "receive"), (Polling, "fetch")})
"""What brings something in: one point, when it has come and nothing is done with it yet."""
_LABELS = {"topic", "collection"}
"""Arguments that tell one use of a method from another: `state.put(cursors)` is not `state.put(leases)`."""


class Moment(NamedTuple):
    """The `nth` time (from 1) that a run reaches a point."""

    point: str
    nth: int


class FailPoints:
    """Counts the points of one run as they are reached. `fate` is called at each moment, in the thread that reached it."""

    def __init__(self, fate: Callable[[Moment], None] = lambda _: None) -> None:
        self._fate = fate
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.trace: list[Moment] = []

    def reach(self, point: str) -> None:
        """The run is at this point."""
        with self._lock:
            self._counts[point] += 1
            moment = Moment(point, self._counts[point])
            self.trace.append(moment)
        self._fate(moment)


def killed_at(moments: Collection[Moment]) -> Callable[[Moment], None]:
    """A fate: this process kills itself at the first of these moments, with the signal that nobody can catch."""

    def fate(moment: Moment) -> None:
        if moment in moments:
            os.kill(os.getpid(), signal.SIGKILL)

    return fate


def point_names(port: type, name: str, reads: Collection[str] = ()) -> list[str]:
    """All points of a port, without labels, as `pointed` makes them."""
    found = []
    for method, kind in kinds_of(port, reads).items():
        if kind == "effect":
            found += [f"{name}.{method}:before", f"{name}.{method}:after"]
        elif kind == "arrival":
            found.append(f"{name}.{method}:after")
    return found


def without_label(point: str) -> str:
    """`state.put(cursors):after` as `state.put:after`."""
    head, _, rest = point.partition("(")
    return head + rest.partition(")")[2] if rest else head


def kinds_of(port: type, reads: Collection[str] = ()) -> dict[str, str]:
    """By method that waits for the world: "read", "arrival" or "effect". What only computes is left out."""
    quiet = {name for known, names in READS.items() if known in port.__mro__ for name in names} | set(reads)
    arrivals = {name for known, name in ARRIVALS if known in port.__mro__}
    found = {}
    for name, method in _methods(port):
        if inspect.iscoroutinefunction(method) or _yields(method) is not None:
            found[name] = "read" if name in quiet else "arrival" if name in arrivals else "effect"
    return found


def pointed(port: type, inner: P, name: str, points: FailPoints, reads: Collection[str] = ()) -> P:
    """`inner`, seen as `port`, with a point around each effect. `reads`: methods beyond `READS` that change nothing.

    A port that a method yields, makes or is given (a reader, the host of a connector) is wrapped, too, under its own name.
    """
    made: Any = object.__new__(_pointed_class(port, frozenset(reads)))
    vars(made).update(_inner=inner, _name=name, _points=points)
    return cast("P", made)


def answering(app: Any, name: str, points: FailPoints) -> Any:
    """An ASGI application with points around its answers: what the caller takes for an acknowledgement."""

    async def served(scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            points.reach(f"{name}.{message['type'].rpartition('.')[2]}:before")
            await send(message)
            points.reach(f"{name}.{message['type'].rpartition('.')[2]}:after")

        await app(scope, receive, sent)

    return served


@cache
def _pointed_class(port: type, reads: frozenset[str]) -> type:
    body: dict[str, Any] = {"__getattr__": _of_inner}
    kinds = kinds_of(port, reads)
    for name, method in _methods(port):
        yields = _yields(method)
        if yields is not None:
            body[name] = _entered(name, method, yields)
        elif name in kinds:
            body[name] = _called(name, method, kinds[name])
        elif (makes := get_type_hints(method).get("return")) in READS:
            body[name] = _made(name, makes)
        else:
            body[name] = _passed_on(name)
    for name, value in inspect.getmembers(port):
        if isinstance(value, property):
            body[name] = property(partial(_of_inner, name=name))
    return types.new_class(f"Pointed{port.__name__}", (port,), exec_body=lambda space: space.update(body))


def _called(name: str, method: Any, kind: str) -> Any:
    signature = inspect.signature(method)

    async def call(self: Any, *args: Any, **named: Any) -> Any:
        points, label = self._points, f"{self._name}.{name}{_label(signature, self, args, named)}"
        if kind == "effect":
            points.reach(f"{label}:before")
        result = await getattr(self._inner, name)(*[_lent(each, points) for each in args], **named)
        if kind == "effect" or (kind == "arrival" and result):
            points.reach(f"{label}:after")
        return result

    return call


def _entered(name: str, method: Any, yields: type) -> Any:
    signature = inspect.signature(method)

    @asynccontextmanager
    async def enter(self: Any, *args: Any, **named: Any) -> AsyncIterator[Any]:
        points, label = self._points, f"{self._name}.{name}{_label(signature, self, args, named)}"
        points.reach(f"{label}:before")
        async with getattr(self._inner, name)(*args, **named) as found:
            points.reach(f"{label}:after")
            yield pointed(yields, found, yields.__name__.lower(), points)

    return enter


def _made(name: str, makes: type) -> Any:
    def make(self: Any, *args: Any, **named: Any) -> Any:
        return pointed(makes, getattr(self._inner, name)(*args, **named), makes.__name__.lower(), self._points)

    return make


def _of_inner(self: Any, name: str) -> Any:
    return getattr(self._inner, name)


def _passed_on(name: str) -> Any:
    return lambda self, *args, **named: getattr(self._inner, name)(*args, **named)


def _lent(argument: Any, points: FailPoints) -> Any:
    """A host that a connector is lent, pointed: what it emits and sends are effects."""
    if hasattr(argument, "emit") and hasattr(argument, "websocket"):
        return pointed(Host, argument, "host", points)
    return argument


def _label(signature: inspect.Signature, self: Any, args: Any, named: Any) -> str:
    bound = signature.bind(self, *args, **named).arguments
    found = [str(bound[name]) for name in _LABELS if name in bound]
    return f"({found[0]})" if found else ""


def _methods(port: type) -> Iterator[tuple[str, Any]]:
    for name, method in inspect.getmembers(port, inspect.isfunction):
        if not name.startswith("_"):
            yield name, method


def _yields(method: Any) -> type | None:
    """The port that a method's context manager yields; None: it returns no context manager."""
    given = get_type_hints(method).get("return")
    if get_origin(given) is not AbstractAsyncContextManager:
        return None
    found: type = get_args(given)[0]
    return found
