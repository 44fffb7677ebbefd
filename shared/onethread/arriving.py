"""Bytes that arrive part by part: counted and hashed on the way, little in memory, much in a file. It knows no blob store, no network.

A file of 64 MB costs a megabyte of memory while it arrives. Until it is whole it has no name that anybody would read it by.
"""

import asyncio
import hashlib
import os
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO, Self

from onethread.errors import OnethreadError
from onethread.shielded import finished

_TOGETHER = 1024 * 1024
"""Bytes that are written at once, and in memory until then."""
HEAD = 64
"""Bytes of the beginning that are kept in memory: by these, types are told."""


class Arriving:
    """`with Arriving(…) as coming: await coming.write(…)`; leaving it removes the file.

    `folder`: where the file is, under a name of its own, so that it can be renamed; None: a file without a name, which the
    system removes with the process. `translated`: ours for an error of the disk. One task at a time writes.
    """

    def __init__(self, folder: Path | None, translated: Callable[[Exception], OnethreadError]) -> None:
        self.size = 0
        self.head = b""
        self.path: Path | None = None
        self.file: IO[bytes] | None = None
        """Open while there is more than fits in memory; all of it is there after `whole`."""
        self._folder, self._translated = folder, translated
        self._waiting = bytearray()
        self._hash = hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.file.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    async def write(self, part: bytes) -> None:
        """The next bytes. Raises Retryable or Misconfigured for what the disk says."""
        self.size += len(part)
        self.head += part[: HEAD - len(self.head)]
        self._waiting += part
        if len(self._waiting) >= _TOGETHER:
            await self._in_thread(self._spill)

    async def whole(self) -> str:
        """Nothing more comes: the SHA-256 (hex). Raises as `write`."""
        if self.file is not None:
            await self._in_thread(self._spill)
            return self._hash.hexdigest()
        return hashlib.sha256(self._waiting).hexdigest()

    @property
    def content(self) -> bytes:
        """All of it, while there is no file."""
        return bytes(self._waiting)

    async def _in_thread(self, work: Callable[[], None]) -> None:
        try:
            await finished(asyncio.to_thread(work))  # a cancelled task must not close what a thread still writes to
        except OSError as error:
            raise self._translated(error) from error

    # --- in a thread ---

    def become(self, final: Path) -> None:
        """Rename the file, all of it, and sync it. Only with a folder; raises OSError."""
        self._spill()
        assert self.file is not None
        assert self.path is not None
        self.file.flush()
        self.path.replace(final)
        os.fsync(self.file.fileno())  # data and name by one write of the journal: synced before, it would take two

    def straight(self, part: bytes | bytearray) -> None:
        """To the file, past all counts. Raises OSError."""
        if self.file is None:
            self.file = self._opened()
        self.file.write(part)

    def _spill(self) -> None:
        self._hash.update(self._waiting)
        self.straight(self._waiting)
        self._waiting.clear()

    def _opened(self) -> IO[bytes]:
        if self._folder is None:
            return tempfile.TemporaryFile()
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / uuid.uuid4().hex
        file = path.open("xb+")
        self.path = path
        return file
