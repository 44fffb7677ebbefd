"""A TCP proxy that makes the faults of a network on purpose: cut, half-close, freeze, delay, lose answers.

It knows no protocol: of what passes it at most notices a mark that it was told of.
"""

import contextlib
import socket
import struct
import threading

from onethread.testing.servers.ports import LOOPBACK, free_port

_TICK = 0.25  # seconds after which whoever waits for the network looks whether its connection was cut
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of zero seconds: closing the socket sends RST


class TcpProxy(contextlib.AbstractContextManager["TcpProxy"]):
    """Passes connections from its own port on to `target`, until told otherwise. Starts when made; `close` ends it.

    `target` counts for new connections and may change at any time; without one, or where nobody listens, a client is reset.
    `delay`, in seconds, is added to each chunk (64 KiB at most) of each direction; it may change at any time, too.
    """

    def __init__(self, target: tuple[str, int] | None = None, delay: float = 0.0) -> None:
        self.host, self.port, self.target, self.delay = LOOPBACK, free_port(), target, delay
        self.flowing, self.answering = threading.Event(), threading.Event()
        self.thaw()
        self.lost = 0
        self.loss: _Loss | None = None
        self._accepting, self._closing = True, False
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
        for pair in list(self._pairs):
            pair.cut()
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

    def freeze(self, *, answers_only: bool = False) -> None:
        """Let nothing through, neither bytes nor ends, while connections stand: a link that died without a word.

        `answers_only`: what clients send arrives, and is done; they hear nothing.
        """
        if not answers_only:
            self.flowing.clear()
        self.answering.clear()

    def thaw(self) -> None:
        """Let through again, beginning with what was held back."""
        self.flowing.set()
        self.answering.set()

    def lose_answer(self, after: int = 0, mark: bytes = b"") -> None:
        """Reset one connection once `after` bytes of its next answer have passed; `lost` counts those that were.

        What was asked has been done then, and nobody is told. `mark`: only of a connection over which a client sent these bytes
        since now, within one chunk.
        """
        self.loss = _Loss(after, mark)

    def keep_answers(self) -> None:
        """Take back what `lose_answer` said, if it did not come to that yet."""
        self.loss = None

    def close(self) -> None:
        """Reset all, and stop listening."""
        self._closing = True
        self._thread.join()
        self._listener.close()
        self.cut()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._closing:
            with contextlib.suppress(TimeoutError):
                self._connect(self._listener.accept()[0])

    def _connect(self, client: socket.socket) -> None:
        try:
            if not self._accepting or self.target is None:
                raise ConnectionRefusedError
            server = socket.create_connection(self.target, timeout=5)
        except OSError:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            client.close()
            return
        pair = _Pair(self, self._pairs, client, server)
        self._pairs.add(pair)  # before anything can pass: whoever got an answer can cut it
        pair.start()
        if not self._accepting:  # since a moment ago
            pair.cut()


class _Loss:
    """An answer that is to be lost, of the first connection that asks something. `left`: bytes of it that still pass."""

    def __init__(self, after: int, mark: bytes) -> None:
        self.left, self._mark = after, mark
        self._pair: _Pair | None = None

    def asked(self, pair: "_Pair", chunk: bytes) -> None:
        if self._pair is None and self._mark in chunk:
            self._pair = pair

    def comes(self, pair: "_Pair", size: int) -> bool:
        """Whether it is cut within these bytes of an answer."""
        if pair is not self._pair:
            return False
        if size > self.left:
            return True
        self.left -= size
        return False


class _Pair:
    """One connection: two sockets, a thread per direction. The last one to end closes both, so none meets a reused descriptor."""

    def __init__(self, proxy: TcpProxy, pairs: "set[_Pair]", client: socket.socket, server: socket.socket) -> None:
        self.closed, self._cut = threading.Event(), threading.Event()
        self._proxy, self._pairs, self._half_closed = proxy, pairs, False
        self._client, self._server = client, server
        self._both_ended = threading.Barrier(2, action=self._close)

    def start(self) -> None:
        for source, sink in ((self._client, self._server), (self._server, self._client)):
            source.settimeout(_TICK)
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._pump, args=(source, sink), name="proxy", daemon=True).start()

    def cut(self) -> None:
        self._cut.set()
        for side in (self._client, self._server):
            with contextlib.suppress(OSError):  # closed already
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                side.shutdown(socket.SHUT_RD)  # sends nothing, and wakes the thread that reads from it

    def half_close(self) -> None:
        self._half_closed = True
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_WR)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while not self._cut.is_set():
                with contextlib.suppress(TimeoutError):
                    if not self._pass_on(source.recv(64 * 1024), sink):
                        break
        except OSError:
            if not (self._half_closed and sink is self._client):
                self.cut()  # one side reset it: so does the other
        self._both_ended.wait()

    def _pass_on(self, chunk: bytes, sink: socket.socket) -> bool:
        self._cut.wait(self._proxy.delay)
        flowing = self._proxy.flowing if sink is self._server else self._proxy.answering
        while not (self._cut.is_set() or flowing.wait(_TICK)):
            pass
        rest, loss = memoryview(chunk), self._proxy.loss
        if loss is not None and sink is self._server:
            loss.asked(self, chunk)
        elif loss is not None and loss.comes(self, len(chunk)):
            self._proxy.loss = None
            rest = rest[: loss.left]
        else:
            loss = None
        while rest and not self._cut.is_set() and not (self._half_closed and sink is self._client):
            with contextlib.suppress(TimeoutError):
                rest = rest[sink.send(rest) :]
        if loss is not None and sink is self._client:
            self.cut()
            self._proxy.lost += 1
        if not chunk and not self._cut.is_set():
            sink.shutdown(socket.SHUT_WR)  # the end, passed on
        return chunk != b""

    def _close(self) -> None:
        self._pairs.discard(self)
        self._client.close()
        self._server.close()
        self.closed.set()
