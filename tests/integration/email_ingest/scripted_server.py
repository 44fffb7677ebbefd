"""An IMAP peer that misbehaves as told, for what no sound server does. It speaks real bytes over a real socket, and keeps no mail."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable

Answer = bytes | None
"""What to send; `{tag}` stands for the command's tag. None: close the connection."""

OK = b"{tag} OK done\r\n"
FOLDER = b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 4] x\r\n" + OK


class ScriptedServer:
    """Answers each command by its name (with UID in front of it where it is one): bytes, or a function of the command's line."""

    def __init__(self, **script: Answer | Callable[[bytes], Answer]) -> None:
        self.script: dict[str, Answer | Callable[[bytes], Answer]] = {
            "CAPABILITY": b"* CAPABILITY IMAP4rev1 IDLE AUTH=XOAUTH2\r\n" + OK,
            "LOGIN": OK,
            "EXAMINE": FOLDER,
            "LIST": OK,
            "UID SEARCH": b"* SEARCH 3\r\n" + OK,
            "NOOP": OK,
            "IDLE": b"+ idling\r\n",
            **script,
        }
        self.lines: list[bytes] = []
        self.host, self.port = "127.0.0.1", 0
        self.context: ssl.SSLContext | None = None  # for STARTTLS
        self._idle_tag = b""
        self._connections: set[asyncio.Task[None]] = set()

    def count(self, words: bytes) -> int:
        return sum(words in line for line in self.lines)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await self._converse(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        self._connections.discard(task)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK ready\r\n")
        while line := await reader.readline():
            self.lines.append(line.strip())
            answer = self.answer(line.strip())
            if answer is None:
                return
            writer.write(answer)
            await writer.drain()
            if line.strip().endswith(b"STARTTLS") and self.context is not None:
                await writer.start_tls(self.context)

    async def close(self) -> None:
        """End all connections."""
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections)

    def answer(self, line: bytes) -> Answer:
        if line == b"DONE":
            return self._idle_tag + b" OK done\r\n"
        tag, _, rest = line.partition(b" ")
        words = rest.upper().split()
        name = b" ".join(words[:2] if words[:1] == [b"UID"] else words[:1]).decode()
        if name == "IDLE":
            self._idle_tag = tag
        found = self.script.get(name, b"{tag} BAD what?\r\n") if rest else self.script.get("", OK)
        if callable(found):
            found = found(line)
        return None if found is None else found.replace(b"{tag}", tag)


@contextlib.asynccontextmanager
async def scripted(**script: Answer | Callable[[bytes], Answer]) -> AsyncIterator[ScriptedServer]:
    """A peer on a free port of loopback; spaces in the names of commands are written as underscores."""
    server = ScriptedServer(**{name.replace("_", " "): answer for name, answer in script.items()})
    listener = await asyncio.start_server(server.serve, server.host, 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await server.close()
        await listener.wait_closed()
