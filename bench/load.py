"""A load generator in a process of its own: raw sockets, so that it costs little beside the server. It knows HTTP/1.1's surface.

A closed loop: each connection sends its next request when the last one is answered, as providers do, who do not pipeline.
"""

import asyncio
import multiprocessing
import selectors
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from statistics import quantiles

import msgspec

from bench.contender import Incomplete

_PATIENCE = 60.0


class Answers(msgspec.Struct, frozen=True):
    """What came back. `p50`, `p99`: seconds from a request to its answer."""

    accepted: int
    refused: tuple[str, ...]
    p50: float
    p99: float


class Load:
    """The generator's process. One burst at a time."""

    def __init__(self, port: int, connections: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_main, args=(port, connections, theirs), name="load", daemon=True)
        self._process.start()
        theirs.close()

    async def give(self, requests: Sequence[bytes]) -> None:
        """Whole requests for the next burst."""
        await asyncio.to_thread(self._pipe.send, list(requests))

    async def burst(self) -> Answers:
        """Send what was given; returns when all is answered. Raises Incomplete when an answer is no 2xx, or none comes."""
        self._pipe.send("go")
        answers: Answers = await asyncio.to_thread(self._answer)
        if answers.refused:
            raise Incomplete(f"{len(answers.refused)} requests were not accepted: {answers.refused[0]}")
        return answers

    def close(self) -> None:
        """End the process."""
        with suppress(OSError):
            self._pipe.send(None)
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
        self._pipe.close()

    def _answer(self) -> Answers:
        if not self._pipe.poll(_PATIENCE):
            raise Incomplete(f"the server left requests unanswered for {_PATIENCE:g} s")
        try:
            answers: Answers = self._pipe.recv()
        except EOFError as error:
            raise Incomplete("the load generator ended: did the server close a connection?") from error
        return answers


# --- the generator's side ---


def _main(port: int, connections: int, pipe: Connection) -> None:
    with suppress(EOFError, KeyboardInterrupt):
        while (requests := pipe.recv()) is not None:
            if pipe.recv() is None:
                return
            pipe.send(_send(port, requests, connections))


def _send(port: int, requests: list[bytes], connections: int) -> Answers:
    waiting = iter(requests)
    took: list[float] = []
    refused: list[str] = []
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            peer = socket.create_connection(("127.0.0.1", port))
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _next(selector, peer, waiting)
        while selector.get_map():
            for key, _ in selector.select(_PATIENCE):
                answer = key.data[1] + key.fileobj.recv(65536)  # type: ignore[union-attr]
                if not _whole(answer):
                    selector.modify(key.fileobj, selectors.EVENT_READ, (key.data[0], answer))
                    continue
                took.append(time.perf_counter() - key.data[0])
                if not answer.startswith(b"HTTP/1.1 2"):
                    refused.append(answer[:80].decode("latin-1").partition("\r\n")[0])
                selector.unregister(key.fileobj)
                _next(selector, key.fileobj, waiting)  # type: ignore[arg-type]
    cuts = quantiles(took, n=100)
    return Answers(len(took) - len(refused), tuple(refused[:3]), cuts[49], cuts[98])


def _next(selector: selectors.BaseSelector, peer: socket.socket, waiting: object) -> None:
    request = next(waiting, None)  # type: ignore[call-overload]
    if request is None:
        peer.close()
        return
    peer.sendall(request)
    selector.register(peer, selectors.EVENT_READ, (time.perf_counter(), b""))


def _whole(answer: bytes) -> bool:
    """Whether an answer with Content-Length (or none, for 204) is there to its end."""
    if not answer:
        raise Incomplete("the server closed a connection")
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return len(body) >= int(rest.split(b"\r\n", 1)[0]) if found else True
