"""Files on their way into the blob store: ours, in parts, against holding each one whole. Above all it shows memory."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from bench.backends import Backends
from bench.comparing import Entrant, Plan
from bench.contender import Contender, Incomplete
from onethread.blobs import Blobs
from onethread.connector import Connector, Downloads, Host, Media, Raw
from onethread.event import Attachment, Event
from onethread.host.channel import Channel
from onethread.host.media import Limits, brought
from onethread.testing.recording_host import RecordingHost
from onethread.testing.serving import Loopback

_BLOCK = 64 * 1024
_MIB = 1024 * 1024


class Settings(BaseModel):
    """Where the files are."""

    account: str = "shop"
    url: str


class Shop(Connector[Settings], Downloads):
    """Its files are at URLs that only it knows."""

    name = network = "shop"

    def normalize(self, raw: Raw) -> Iterable[Event]:  # noqa: ARG002 -- only its files are asked for
        """See Connector."""
        return ()

    async def download(self, host: Host, locator: str) -> Media:  # noqa: ARG002 -- nobody need be asked
        """See Downloads."""
        return Media(f"{self.settings.url}/{locator}")


class Files(Contender):
    """Brings several files at a time. Their provider is a server in the same process, which holds one block."""

    def __init__(self, name: str, files: int, mebibytes: int) -> None:
        self.name, self._files, self._size = name, files, mebibytes * _MIB
        self._round, self._stack = 0, AsyncExitStack()
        self._brought: list[str] = []

    async def open(self, folder: Path) -> None:
        """See Contender."""
        url = (await self._stack.enter_async_context(_provider(self._size))).url
        shop = Shop(Settings(url=url))
        self._channel = Channel(
            id="chn_shop", tenant="acme", connector=shop, created_at=datetime(2026, 1, 1, tzinfo=UTC)
        )
        self._host = await self._stack.enter_async_context(RecordingHost(shop))
        self._url, self._folder = url, folder / "blobs"

    async def close(self) -> None:
        """See Contender."""
        await self._stack.aclose()

    async def prepare(self) -> None:
        """See Contender: a new store, since what is stored already is not written again."""
        self._round += 1
        self._blobs = Blobs(self._folder.as_uri())

    async def run(self) -> int:
        """See Contender; a file is a unit."""
        names = [f"{self._round}-{number}" for number in range(self._files)]
        self._brought = list(await asyncio.gather(*(self.bring(name) for name in names)))
        return self._files

    async def bring(self, name: str) -> str:
        """One file into the store; its SHA-256."""
        raise NotImplementedError

    async def check(self) -> None:
        """See Contender."""
        wanted = {_sha256(f"{self._round}-{number}", self._size) for number in range(self._files)}
        if set(self._brought) != wanted or {await self._blobs.size(one) for one in wanted} != {self._size}:
            raise Incomplete("what is stored is not what the provider has")
        shutil.rmtree(self._folder)


class Whole(Files):
    """Each answer is read to its end, and then stored."""

    async def bring(self, name: str) -> str:
        """See Files."""
        answer = await self._host.http.get(f"{self._url}/{name}", headers={"accept-encoding": "identity"})
        return await self._blobs.put(answer.content)


class Ours(Files):
    """As the media worker does it."""

    async def bring(self, name: str) -> str:
        """See Files."""
        limits = Limits(max_bytes=self._size)
        return (await brought(self._channel, self._host, Attachment(locator=name), self._blobs, limits)).sha256


def plans(backends: Backends, quick: bool) -> list[Plan]:  # noqa: ARG001, FBT001 -- one signature for all benches
    """As many at a time as the media worker brings of one channel by default, and twice as many."""
    mebibytes = 8 if quick else 64
    return [
        Plan(
            f"media-{files}",
            f"{files} files of {mebibytes} MiB at a time",
            "files",
            (Entrant(Whole("each held whole", files, mebibytes)), Entrant(Ours("onethread", files, mebibytes))),
            rounds=3,
        )
        for files in (4, 8)
    ]


def _block(name: str) -> bytes:
    return name.encode().ljust(_BLOCK, b".")


def _sha256(name: str, size: int) -> str:
    found, block = hashlib.sha256(), _block(name)
    for _ in range(size // _BLOCK):
        found.update(block)
    return found.hexdigest()


def _provider(size: int) -> Loopback:
    """A server whose files repeat their name."""

    async def file(request: Request) -> StreamingResponse:
        async def blocks() -> AsyncIterator[bytes]:
            block = _block(request.path_params["name"])
            for _ in range(size // _BLOCK):
                yield block

        return StreamingResponse(blocks(), media_type="video/mp4", headers={"content-length": str(size)})

    return Loopback(Starlette(routes=[Route("/{name}", file)]))
