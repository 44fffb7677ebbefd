"""One file of a message, from where its provider keeps it into the blob store. It knows no event, no schedule and no log.

URLs are strangers' words: the channel's client refuses private addresses, and takes no header of ours along to another host.
"""

import asyncio
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import NamedTuple

import httpx
import msgspec

from onethread.arriving import Arriving
from onethread.blobs import Blobs
from onethread.connector import Downloads, Host, Media
from onethread.errors import Poison, Retryable
from onethread.event import Attachment
from onethread.host.channel import Channel

_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"OggS", "audio/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (8, b"WAVE", "audio/wav"),
)
"""Offset, bytes and type (https://mimesniff.spec.whatwg.org/#matching-a-mime-type-pattern). Containers of many types are left out."""
_CONTAINERS = ("audio/", "video/")
_LONGEST_NAME = 255
_VAGUE = frozenset({"", "application/octet-stream", "binary/octet-stream"})


class Limits(NamedTuple):
    """Of one file: bytes, and seconds from the first question to the last byte."""

    max_bytes: int = 64 * 1024 * 1024
    seconds: float = 120.0


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a file; `status` is stored or failed; `filename`: as the answer that brought it says."""

    status: str
    sha256: str = ""
    size_bytes: int | None = None
    media_type: str = ""
    filename: str = ""

    def on(self, file: Attachment) -> Attachment:
        """The file with this outcome."""
        if self.status != "stored":
            return msgspec.structs.replace(file, status="failed")
        return msgspec.structs.replace(
            file,
            status="stored",
            filename=file.filename or self.filename,
            sha256=self.sha256,
            size_bytes=self.size_bytes,
            media_type=self.media_type,
        )


class Broken(Retryable):
    """Something arrived, and it is not the file: not all of it, or another hash than the provider named (`sha256`)."""

    def __init__(self, reason: str, sha256: str = "") -> None:
        super().__init__(reason)
        self.sha256 = sha256


async def brought(
    channel: Channel, host: Host, file: Attachment, blobs: Blobs, limits: Limits, other: str = ""
) -> Outcome:
    """The file, in the blob store. Raises Poison for what will never come, Retryable for what may, and what connectors raise.

    `other`: a SHA-256 that came before in the place of the one that the provider names. When it comes again, as the type that is
    named, it is no accident on the way but the provider's own mistake, for which no file is to be lost.
    """
    with blobs.arriving() as coming:
        try:
            async with asyncio.timeout(limits.seconds):
                media = await _media(channel, host, file.locator)
                told = await _arrive(host, media, limits.max_bytes, coming)
        except TimeoutError as error:
            raise Retryable(f"a file took longer than {limits.seconds:g} s (media.seconds)") from error
        if file.sha256 and (found := await coming.whole()) != file.sha256.lower():
            kinds = {told.media_type, _sniffed(coming.head)} - {""}
            if found != other or file.media_type.lower() not in kinds:
                raise Broken("a file arrived with another SHA-256 than the provider names in its message", found)
        media_type = _type(coming.head, file.media_type, told.media_type)
        return Outcome("stored", await blobs.put(coming), coming.size, media_type, told.filename)


def at_url(locator: str) -> bool:
    """Whether everybody may fetch it, without help or access of a connector."""
    return locator.startswith("https://")


async def _media(channel: Channel, host: Host, locator: str) -> Media:
    if at_url(locator):
        return Media(locator)
    if not isinstance(channel.connector, Downloads):
        raise Poison(f"connector {channel.connector.name} cannot fetch files, and this one is at no https URL")
    return await channel.connector.download(host, locator)


class _Told(NamedTuple):
    """What came with the bytes."""

    media_type: str
    filename: str


async def _arrive(host: Host, media: Media, most: int, coming: Arriving) -> _Told:
    # Uncompressed: a few kilobytes could become gigabytes.
    headers = {"accept-encoding": "identity", **media.headers}
    async with host.http.stream("GET", media.url, headers=headers) as answer:
        told = str(answer.headers.get("content-type", "")).partition(";")[0].strip().lower()
        if answer.status_code != 200:
            raise Retryable(f"{answer.url.host} answers {answer.status_code}: the file is not there yet")
        if told in media.unexpected:
            raise Retryable(f"{answer.url.host} answers with {told}, which is no file but an error")
        _check(_announced(answer), most)
        try:
            async for part in answer.aiter_bytes():
                _check(coming.size + len(part), most)
                await coming.write(part)
        except httpx.RemoteProtocolError as error:  # fewer bytes than its content-length
            raise Broken(f"{answer.url.host} closed the connection in the middle of a file") from error
    return _Told(told, _filename(answer.headers.get("content-disposition", "")))


def _filename(disposition: str) -> str:
    """The name in a Content-Disposition (RFC 6266), without folders and control characters."""
    message = Message()
    message["content-disposition"] = disposition.replace("\r", " ").replace("\n", " ")
    given = [value for name, value in message.get_params([], "content-disposition") if name == "filename"]
    # filename*: "filename" beside it is for old programs.
    encoded = [value for value in given if isinstance(value, tuple)]
    name = collapse_rfc2231_value((encoded or given or [""])[0]).replace("\\", "/").rpartition("/")[2]
    return "".join(each for each in name if each.isprintable()).strip()[:_LONGEST_NAME]


def _announced(answer: httpx.Response) -> int:
    length = answer.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdecimal() else 0


def _check(size: int, most: int) -> None:
    if size > most:
        raise Poison(f"a file has more than {most} bytes (media.max_bytes)")


def _type(head: bytes, given: str, told: str) -> str:
    """The type by the beginning of the content, else by the message, else by the answer that brought it."""
    found = _sniffed(head)
    family = given.partition("/")[0].strip().lower()
    if found.startswith(_CONTAINERS) and family in {"audio", "video"}:
        return given  # the bytes tell the container, the message what is in it
    return next((kind for kind in (found, given, told) if kind not in _VAGUE), "application/octet-stream")


def _sniffed(head: bytes) -> str:
    return next((kind for at, mark, kind in _SIGNATURES if head.startswith(mark, at)), "")
