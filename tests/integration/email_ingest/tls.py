"""Encryption for the tests: an authority and a certificate made on the spot, and a front that ends TLS before a plain server."""

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Certificate(NamedTuple):
    """`context` is the server's; `file` what clients trust it by."""

    context: ssl.SSLContext
    file: Path


def certificate(folder: Path, address: str = "127.0.0.1") -> Certificate:
    """A certificate for an address that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "imap.example.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_file = folder / "certificate.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key_file)
    return Certificate(context, pem)


class Front(NamedTuple):
    """Where to connect."""

    host: str
    port: int


@contextlib.asynccontextmanager
async def tls_front(target: tuple[str, int], context: ssl.SSLContext) -> AsyncIterator[Front]:
    """TLS on a free port of loopback; behind it the plain `target`."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        # Cut in the end, not closed: a TLS connection that is only closed waits for its peer.
        with contextlib.ExitStack() as ends, contextlib.suppress(asyncio.CancelledError):
            ends.callback(tasks.discard, task)
            ends.callback(writer.transport.abort)
            behind_reader, behind_writer = await asyncio.open_connection(*target)
            ends.callback(behind_writer.transport.abort)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(_pump(reader, behind_writer))
                pumps.create_task(_pump(behind_reader, writer))

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield Front("127.0.0.1", listener.sockets[0].getsockname()[1])
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Until either side ends or is cut; then the sink is closed, so that the way back ends too."""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while chunk := await source.read(65_536):
            sink.write(chunk)
            await sink.drain()
    sink.close()
