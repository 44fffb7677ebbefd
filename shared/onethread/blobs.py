"""Bytes by their content hash, in a folder, a bucket or memory. It knows no message and nothing of who may read what.

The key is the hash, so the same bytes are stored once, and a reference says whether what came back is what was meant. In a folder
a blob is written under another name and renamed, so that a killed process leaves no half of one. What a power cut left shorter than it is
was never acknowledged, and is written again.
"""

import asyncio
import hashlib
import os
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore import exceptions as theirs
from obstore.store import from_url

from onethread.arriving import Arriving
from onethread.errors import Misconfigured, OnethreadError, Poison, Retryable
from onethread.shielded import finished

_NETWORK: dict[str, Any] = {
    "client_options": {"timeout": timedelta(seconds=30), "connect_timeout": timedelta(seconds=5)},
    "retry_config": {"max_retries": 3, "retry_timeout": timedelta(seconds=10)},
}
_AT_ONCE: dict[str, Any] = {"chunk_size": 5 * 1024 * 1024, "max_concurrency": 2}
"""Of a large blob on its way to a bucket: parts of 5 MiB, two of them in memory."""
_INCOMING = "incoming"
_ABANDONED = 2 * 3600.0
"""Seconds after which what nobody has written to is of a process that died; no file takes longer (`media.seconds`)."""
_PERSON_MUST_ACT = (
    theirs.PermissionDeniedError,
    theirs.UnauthenticatedError,
    theirs.UnknownConfigurationKeyError,
    theirs.NotSupportedError,
    theirs.InvalidPathError,
    PermissionError,
    NotADirectoryError,
)


class Blobs:
    """The blob store at `url`: `file:///folder` (made as needed), `s3://bucket/path`, `gs://…`, `az://…`, `memory:///`.

    Access keys of buckets come from the environment, as their own tools read them. Raises Misconfigured for a URL that
    no store answers to. All methods raise Retryable while the store cannot be reached, and Misconfigured where a person
    must grant access; both name `blobs.url`.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._folder = Path(unquote(parts.path)) if parts.scheme == "file" else None
        self._lasting: set[Path] = set()  # folders whose own names have been synced: some 66,000 at most
        try:
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
            local = parts.scheme in {"file", "memory"}
            self._store = from_url(url) if local else from_url(url, **_NETWORK)
        except (theirs.BaseError, ValueError, OSError) as error:
            raise Misconfigured(
                f"blobs.url: no blob store at {self._shown} ({_first_line(error)}). "
                "Give file:///folder, s3://bucket/path, gs://bucket/path, az://account/container or memory:///."
            ) from error

    def arriving(self) -> Arriving:
        """Takes the parts of a blob as they come; `put` makes it one."""
        return Arriving(self._folder / _INCOMING if self._folder else None, self._translated)

    async def put(self, data: bytes | Arriving) -> str:
        """Store the bytes and return their SHA-256 (hex); what is there already is not written again."""
        sha256 = hashlib.sha256(data).hexdigest() if isinstance(data, bytes) else await data.whole()
        size = len(data) if isinstance(data, bytes) else data.size
        try:
            if await self._size(sha256) != size:
                await self._store_new(_key(sha256), data)
        except (theirs.BaseError, OSError) as error:
            raise self._translated(error) from error
        return sha256

    async def tidy(self) -> None:
        """Remove what processes left behind that were killed while a blob arrived."""
        if self._folder is not None:
            try:
                await asyncio.to_thread(_remove_abandoned, self._folder / _INCOMING)
            except OSError as error:
                raise self._translated(error) from error

    async def get(self, sha256: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes from `start` up to, not including, `end` (None: all). Raises Poison for a hash nobody stored."""
        try:
            if start == 0 and end is None:
                answer = await obstore.get_async(self._store, _key(sha256))
                return bytes(await answer.bytes_async())
            stop = end if end is not None else await self.size(sha256)
            if stop <= start:
                return b""
            return bytes(await obstore.get_range_async(self._store, _key(sha256), start=start, end=stop))
        except FileNotFoundError as error:
            raise self._missing(sha256) from error
        except (theirs.BaseError, OSError) as error:
            raise self._translated(error) from error

    async def size(self, sha256: str) -> int:
        """How many bytes there are. Raises Poison for a hash nobody stored."""
        try:
            found = await self._size(sha256)
        except (theirs.BaseError, OSError) as error:
            raise self._translated(error) from error
        if found is None:
            raise self._missing(sha256)
        return found

    async def answers(self) -> None:
        """Returns when the store answers."""
        try:
            await self._size("0" * 64)
        except (theirs.BaseError, OSError) as error:
            raise self._translated(error) from error

    async def _store_new(self, key: str, data: bytes | Arriving) -> None:
        if self._folder is not None:
            await finished(asyncio.to_thread(self._keep, self._folder / key, data))
        elif isinstance(data, bytes):
            await obstore.put_async(self._store, key, data)
        elif data.file is None:
            await obstore.put_async(self._store, key, data.content)
        else:
            data.file.seek(0)
            await obstore.put_async(self._store, key, data.file, **_AT_ONCE)

    def _keep(self, final: Path, data: bytes | Arriving) -> None:
        with self.arriving() as own:
            coming = data if isinstance(data, Arriving) else own
            if isinstance(data, bytes):
                own.straight(data)
            final.parent.mkdir(parents=True, exist_ok=True)
            coming.become(final)
        self._sync(final)

    def _sync(self, path: Path) -> None:
        """Make the name survive a power cut: what refers to the blob is acknowledged next."""
        _fsync(path.parent)
        for folder in (path.parent, path.parent.parent):
            if folder in self._lasting:
                return
            _fsync(folder.parent)
            self._lasting.add(folder)

    async def _size(self, sha256: str) -> int | None:
        with suppress(FileNotFoundError):
            return int((await obstore.head_async(self._store, _key(sha256)))["size"])
        return None

    def _missing(self, sha256: str) -> Poison:
        return Poison(f"blobs.url: {self._shown} holds no blob {sha256[:12]}…; restore the store it was written to")

    def _translated(self, error: Exception) -> OnethreadError:
        what = f"blobs.url: {self._shown}: {_first_line(error)}"
        if isinstance(error, FileNotFoundError):  # while writing: the bucket or folder itself is gone
            return Misconfigured(f"{what}. Create it, or change blobs.url.")
        if isinstance(error, _PERSON_MUST_ACT):
            return Misconfigured(f"{what}. Grant read and write access, or change blobs.url.")
        return Retryable(f"{what}. Is the store up, and is there space?")


def _key(sha256: str) -> str:
    # Two levels of 256 keep folders small, and spread the load over a bucket's partitions.
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise Poison("a blob is named by its SHA-256 in lower-case hex")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _remove_abandoned(incoming: Path) -> None:
    before = time.time() - _ABANDONED
    for path in incoming.iterdir() if incoming.is_dir() else ():
        with suppress(FileNotFoundError):  # it has become a blob, or another process was first
            if path.stat().st_mtime < before:
                path.unlink()


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
