"""A TCP proxy that makes the faults of a network on purpose: cut, half-close, freeze, delay. It does not look into what passes."""

import contextlib
import socket
import struct
import threading
from typing import Self

from onethread.testing.servers.ports import LOOPBACK, free_port

_CHUNK = 64 * 1024
_TICK = 0.25  # seconds after which whoever waits for the network looks whether its connection was cut


class TcpProxy:
    """Passes connections from its own port on to `target`, until told otherwise. Starts when made; `close` ends it.

    `target` counts for new connections and may change at any time; without one, or where nobody listens, a client is reset.
    `delay`, in seconds, is added to each chunk (64 KiB at most) of each direction; it may change at any time, too.
    """

    def __init__(self, target: tuple[str, int] | None = None, delay: float = 0.0) -> None:
        self.target = target
        self.delay = delay
        self.host = LOOPBACK
        self.port = free_port()
        self._accepting = True
        self._closing = False
        self._flowing = threading.Event()
        self._flowing.set()
        self._pairs: set[_Pair] = set()
        self._listener = socket.create_server((self.host, self.port))
        self._listener.settimeout(_TICK)
        self._thread = threading.Thread(target=self._accept, name="proxy", daemon=True)
        self._thread.start()

    @property
    def connections(self) -> int:
        """How many connections stand now."""
        return len(self._pairs)

    def cut(self) -> None:
        """Reset (RST) every connection, on both sides; new ones are let through. Returns when it is done."""
        pairs = list(self._pairs)
        for pair in pairs:
            pair.cut()
        for pair in pairs:
            pair.closed.wait(5)

    def refuse(self) -> None:
        """Reset every connection, and each new one at once, until `accept`: the server is gone."""
        self._accepting = False
        self.cut()

    def accept(self) -> None:
        """Let new connections through again, after `refuse`."""
        self._accepting = True

    def half_close(self) -> None:
        """End the server's direction (FIN) of every connection; what clients send still arrives."""
        for pair in list(self._pairs):
            pair.half_close()

    def freeze(self) -> None:
        """Let nothing through, neither bytes nor ends, while connections stand: a link that died without a word."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Let through again, beginning with what was held back."""
        self._flowing.set()

    def close(self) -> None:
        """Reset all, and stop listening."""
        self._closing = True
        self._thread.join()
        self._listener.close()
        self.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hold(self, pair: "_Pair") -> None:
        """Keep one chunk of `pair` back: for the delay, and for as long as the link is frozen."""
        pair.ended.wait(self.delay)
        while not pair.ended.is_set() and not self._flowing.wait(_TICK):
            pass

    def _accept(self) -> None:
        while not self._closing:
            with contextlib.suppress(TimeoutError):
                client, _ = self._listener.accept()
                try:
                    if not self._accepting or self.target is None:
                        raise ConnectionRefusedError
                    server = socket.create_connection(self.target, timeout=5)
                except OSError:
                    _reset_when_closed(client)
                    client.close()
                else:
                    self._pairs.add(_Pair(self, self._pairs, client, server))


class _Pair:
    """One connection: two sockets, a thread per direction. The last thread to end closes both, so none meets a reused descriptor."""

    def __init__(self, proxy: TcpProxy, pairs: "set[_Pair]", client: socket.socket, server: socket.socket) -> None:
        self.ended = threading.Event()  # it was cut, or one side reset it
        self.closed = threading.Event()
        self._proxy, self._pairs, self._client, self._server = proxy, pairs, client, server
        self._half_closed = False
        self._barrier = threading.Barrier(2, action=self._close)
        for source, sink in ((client, server), (server, client)):
            source.settimeout(_TICK)
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._pump, args=(source, sink), name="proxy", daemon=True).start()

    def cut(self) -> None:
        self.ended.set()
        for side in (self._client, self._server):
            with contextlib.suppress(OSError):  # closed already
                _reset_when_closed(side)
                side.shutdown(socket.SHUT_RD)  # sends nothing, and wakes the thread that reads from it

    def half_close(self) -> None:
        self._half_closed = True
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_WR)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while chunk := self._receive(source):
                self._proxy.hold(self)
                self._send(sink, chunk)
            self._proxy.hold(self)
            if not self.ended.is_set():
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            if not (self._half_closed and sink is self._client):
                self.cut()  # one side reset it: so does the other
        self._barrier.wait()

    def _receive(self, source: socket.socket) -> bytes:
        while not self.ended.is_set():
            with contextlib.suppress(TimeoutError):
                return source.recv(_CHUNK)
        return b""

    def _send(self, sink: socket.socket, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest and not self.ended.is_set() and not (self._half_closed and sink is self._client):
            with contextlib.suppress(TimeoutError):
                rest = rest[sink.send(rest) :]

    def _close(self) -> None:
        self._pairs.discard(self)
        self._client.close()
        self._server.close()
        self.closed.set()


def _reset_when_closed(side: socket.socket) -> None:
    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
