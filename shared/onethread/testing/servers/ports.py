"""Free ports on loopback that stay ours; it knows nothing of what listens on them."""

import fcntl
import os
import secrets
import socket
import tempfile
from pathlib import Path

from onethread.errors import Misconfigured

LOOPBACK = "127.0.0.1"

# Below Linux's ephemeral range, which starts at 32768. A port from that range can be taken by anybody's outgoing connection while
# its server is down between kill and restart; and a client that retries against it can even be given it as its own source port,
# so that it connects to itself.
_RANGE = range(20_000, 32_000)

_reserved: list[
    int
] = []  # descriptors whose locks are the reservations; they end with the process, and without a warning


def free_port() -> int:
    """A port nobody listens on, kept from other processes that ask here until this process ends.

    Raises `Misconfigured` when none is found.
    """
    # Not `random`: test runners seed it, so that every worker would try the same ports in the same order.
    for _ in range(500):
        port = _RANGE[secrets.randbelow(len(_RANGE))]
        if _reserve(port) and is_free(port):
            return port
    raise Misconfigured(f"No free port on {LOOPBACK} from {_RANGE.start} to {_RANGE.stop}: end what listens there.")


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now; connections that linger in TIME_WAIT do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _reserve(port: int) -> bool:
    folder = Path(tempfile.gettempdir()) / f"onethread-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    lock = os.open(folder / str(port), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    _reserved.append(lock)
    return True
