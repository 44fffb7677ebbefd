"""The proxy of the test kit: each fault is the one it says, and passes."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from onethread.testing.servers.ports import LOOPBACK
from onethread.testing.servers.process import wait_until
from onethread.testing.servers.proxy import TcpProxy


class Echo:
    """A server that returns what it is sent, and remembers it."""

    def __init__(self) -> None:
        self.heard = b""
        self._listener = socket.create_server((LOOPBACK, 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(peer,), daemon=True).start()

    def _echo(self, peer: socket.socket) -> None:
        with peer:
            try:
                while chunk := peer.recv(4096):
                    self.heard += chunk
                    peer.sendall(chunk)
            except OSError:
                return


@pytest.fixture
def echo() -> Iterator[Echo]:
    with contextlib.closing(Echo()) as server:
        yield server


@pytest.fixture
def proxy(echo: Echo) -> Iterator[TcpProxy]:
    with TcpProxy(echo.address) as made:
        yield made


@pytest.fixture
def peer(proxy: TcpProxy) -> Iterator[socket.socket]:
    with socket.create_connection((proxy.host, proxy.port), timeout=5) as made:
        made.sendall(b"hello")
        assert made.recv(100) == b"hello"
        yield made


def test_the_proxy_passes_an_end_on_and_forgets_the_connection(proxy: TcpProxy, peer: socket.socket) -> None:
    peer.shutdown(socket.SHUT_WR)
    assert peer.recv(100) == b""
    wait_until(lambda: proxy.connections == 0)


def test_a_cut_resets_and_the_next_connection_passes(proxy: TcpProxy, peer: socket.socket) -> None:
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        peer.recv(100)
    with socket.create_connection((proxy.host, proxy.port), timeout=5) as again:
        again.sendall(b"again")
        assert again.recv(100) == b"again"


def test_a_refusing_proxy_resets_new_connections_until_it_accepts(proxy: TcpProxy, peer: socket.socket) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionResetError), socket.create_connection((proxy.host, proxy.port), timeout=5) as refused:
        refused.recv(100)
    proxy.accept()
    with socket.create_connection((proxy.host, proxy.port), timeout=5) as again:
        again.sendall(b"again")
        assert again.recv(100) == b"again"


def test_a_half_closed_connection_still_carries_what_the_client_says(
    echo: Echo, proxy: TcpProxy, peer: socket.socket
) -> None:
    proxy.half_close()
    assert peer.recv(100) == b""
    peer.sendall(b" you")
    peer.sendall(b" there")
    wait_until(lambda: echo.heard == b"hello you there")


def test_a_frozen_connection_stands_and_flows_on_when_thawed(proxy: TcpProxy, peer: socket.socket) -> None:
    proxy.freeze()
    peer.sendall(b"wait")
    peer.settimeout(0.5)
    with pytest.raises(TimeoutError):
        peer.recv(100)
    assert proxy.connections == 1
    proxy.thaw()
    assert peer.recv(100) == b"wait"


def test_a_cut_reaches_a_connection_that_is_frozen_or_whose_client_does_not_read(
    proxy: TcpProxy, peer: socket.socket
) -> None:
    peer.setblocking(False)
    with contextlib.suppress(BlockingIOError):  # until every buffer on the way is full
        while True:
            peer.send(b"x" * 65536)
    proxy.freeze()
    proxy.cut()
    assert proxy.connections == 0


def test_a_delay_counts_in_both_directions(proxy: TcpProxy, peer: socket.socket) -> None:
    proxy.delay = 0.2
    began = time.monotonic()
    peer.sendall(b"slow")
    assert peer.recv(100) == b"slow"
    assert time.monotonic() - began >= 0.4


def test_a_lost_answer_is_of_something_that_was_done(echo: Echo, proxy: TcpProxy, peer: socket.socket) -> None:
    proxy.lose_answer(after=2, mark=b"please")
    peer.sendall(b"first")
    assert peer.recv(100) == b"first"
    peer.sendall(b"please")
    with contextlib.suppress(ConnectionResetError):
        assert len(peer.recv(100)) <= 2
        peer.recv(100)
    assert (echo.heard, proxy.lost) == (b"hellofirstplease", 1)


def test_a_link_that_is_frozen_one_way_carries_what_is_asked(echo: Echo, proxy: TcpProxy, peer: socket.socket) -> None:
    proxy.freeze(answers_only=True)
    peer.sendall(b"wait")
    wait_until(lambda: echo.heard == b"hellowait")
    peer.settimeout(0.3)
    with pytest.raises(TimeoutError):
        peer.recv(100)
    proxy.thaw()
    assert peer.recv(100) == b"wait"
