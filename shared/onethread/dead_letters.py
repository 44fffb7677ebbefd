"""What could not be processed: why, and every byte needed to try again. It knows the topic; it decides nothing.

The id is a hash of what is set aside, so setting the same thing aside twice makes one dead letter.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Literal

import msgspec

from onethread import envelope
from onethread.connector import Raw, Request
from onethread.envelope import ordering_key
from onethread.errors import Poison
from onethread.event import Moment, Struct
from onethread.identity import digest
from onethread.log.port import Draft, EventLog, Record, TopicPartition
from onethread.log.topics import DEAD_LETTERS
from onethread.logs import get_logger, is_secret

_log = get_logger(__name__)

INLINE_BYTES = 64 * 1024
"""Originals above this lie in the blob store."""

_MAX_VALUE = 700_000
_QUERY = "query."
_CAME_FROM = "onethread_set_aside_at"
"""Header of a record that is replayed: topic, partition and offset at which it was set aside first."""

Origin = Literal["connector", "unifier"]
"""Which side set it aside."""


class DeadLetter(Struct, frozen=True, kw_only=True):
    """One record set aside.

    `stage`: what failed ("unpack", "route", "normalize", "encode", …); `reason`: a word to group by ("poison", "bug",
    "no_channel", "too_large", …); `detail`: the sentence that says what to do. `data` is the original, or `blob` its key in
    the blob store. `form`, `about`, `account`, `media_type` are those of the Raw; for a whole body (`unpack`), `about`
    holds its path and query, and `headers` what is no secret of its headers. `topic`, `partition`, `offset`: where it lies,
    if it was in the log. `at` is not part of the id.
    """

    id: str
    origin: Origin
    tenant: str
    channel_id: str
    connector: str
    stage: str
    reason: str
    at: Moment
    detail: str = ""
    data: bytes = b""
    blob: str = ""
    form: str = ""
    about: dict[str, str] = msgspec.field(default_factory=dict)
    account: str = ""
    media_type: str = ""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    topic: str = ""
    partition: int | None = None
    offset: int | None = None


_decoder = msgspec.json.Decoder(DeadLetter)


def dead_letter(
    data: bytes,
    *,
    origin: Origin,
    tenant: str,
    channel_id: str,
    connector: str,
    stage: str,
    reason: str,
    at: datetime,
    detail: str = "",
    blob: str = "",
    form: str = "",
    about: Mapping[str, str] | None = None,
    account: str = "",
    media_type: str = "",
    headers: Mapping[str, str] | None = None,
    record: tuple[str, int, int] | None = None,
) -> DeadLetter:
    """A dead letter of `data`; with `blob` set, only the reference is kept. `record`: its topic, partition, offset."""
    topic, partition, offset = record or ("", None, None)
    what = [
        origin,
        tenant,
        channel_id,
        connector,
        stage,
        reason,
        hashlib.sha256(data).hexdigest(),
        form,
        account,
        media_type,
    ]
    what += [f"{name}={text}" for name, text in sorted((about or {}).items())]
    what += [topic, str(partition), str(offset)]
    return DeadLetter(
        id="dlt_" + digest(*(text.encode("utf-8", "replace").decode() for text in what)),
        origin=origin, tenant=tenant, channel_id=channel_id, connector=connector, stage=stage, reason=reason, at=at,
        detail=_writable(detail, 2000), data=b"" if blob else data, blob=blob, form=_writable(form, 1024), about=_all_writable(about),
        account=_writable(account, 1024), media_type=_writable(media_type, 1024), headers=_all_writable(headers), topic=topic,
        partition=partition, offset=offset,
    )  # fmt: skip


def of_raw(
    raw: Raw, *, tenant: str, channel_id: str, connector: str, stage: str, reason: str, at: datetime, detail: str = ""
) -> DeadLetter:
    """A dead letter of a connector's record, with all that makes the Raw again."""
    return dead_letter(
        raw.data, origin="connector", tenant=tenant, channel_id=channel_id, connector=connector, stage=stage, reason=reason,
        at=at, detail=detail, form=raw.form, about=raw.about, account=raw.account, media_type=raw.media_type,
    )  # fmt: skip


def of_request(request: Request, *, tenant: str, channel_id: str, connector: str, detail: str) -> DeadLetter:
    """A dead letter of an authentic request that could not be unpacked, with all that is no secret of it."""
    query = {f"{_QUERY}{name}": text for name, text in request.query.items() if not is_secret(name)}
    return dead_letter(
        request.body, origin="connector", tenant=tenant, channel_id=channel_id, connector=connector, stage="unpack",
        reason="poison", at=request.arrived_at, detail=detail, about={"path": request.path, **query},
        media_type=request.headers.get("content-type", ""),
        headers={name: text for name, text in request.headers.items() if not is_secret(name)},
    )  # fmt: skip


def request_of(letter: DeadLetter, data: bytes) -> Request:
    """The request again, to be unpacked: it was authentic, and its signature may be gone. `data`: the original bytes."""
    query = {name.removeprefix(_QUERY): text for name, text in letter.about.items() if name.startswith(_QUERY)}
    return Request("POST", "", letter.about.get("path", ""), query, letter.headers, data, letter.at)


def draft(letter: DeadLetter) -> Draft:
    """The record for the log; key is the channel. A dead letter that cannot be written would stop the channel: it is cut."""
    value = msgspec.json.encode(letter)
    if len(value) > _MAX_VALUE:
        value = msgspec.json.encode(
            msgspec.structs.replace(letter, about=_short(letter.about), headers=_short(letter.headers))
        )
    return Draft(letter.channel_id.encode(), value)


def again(letter: DeadLetter, data: bytes) -> Draft:
    """The record that the unifier set aside, for its topic once more. `data`: the original bytes."""
    headers = [(name, text.encode()) for name, text in letter.headers.items()]
    try:
        key = ordering_key(envelope.read(data, tuple(headers)))
    except Poison:
        key = letter.channel_id.encode()
    came_from = f"{letter.topic}/{letter.partition}/{letter.offset}".encode()
    return Draft(key, data, (*headers, (_CAME_FROM, came_from)))


def place_of(record: Record) -> tuple[str, int, int]:
    """Where a record of the log lay when it was set aside first, so that setting it aside again makes no second letter."""
    text = dict(record.headers).get(_CAME_FROM, b"").decode("ascii", "replace")
    topic, _, place = text.partition("/")
    partition, _, offset = place.partition("/")
    if topic and partition.isdecimal() and offset.isdecimal():
        return topic, int(partition), int(offset)
    return record.topic, record.partition, record.offset


def decode(value: bytes) -> DeadLetter:
    """A dead letter from its record's value. Raises Poison."""
    try:
        return _decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Poison(f"not a dead letter: {error}") from error


async def read_all(log: EventLog) -> AsyncIterator[DeadLetter]:
    """Each dead letter once, oldest first within a partition. A record that is none is said, and passed over."""
    seen: set[str] = set()
    for partition, extent in sorted((await log.extents(DEAD_LETTERS)).items()):
        offset = extent.begin
        while offset < extent.end and (records := await log.fetch(TopicPartition(DEAD_LETTERS, partition), offset)):
            offset = records[-1].offset + 1
            for record in records:
                letter = _read(record)
                if letter is not None and letter.id not in seen:
                    seen.add(letter.id)
                    yield letter


def _read(record: Record) -> DeadLetter | None:
    try:
        return decode(record.value)
    except Poison as error:
        _log.warning(
            "not a dead letter", topic=record.topic, partition=record.partition, offset=record.offset, error=error
        )
        return None


async def find(log: EventLog, prefix: str) -> list[DeadLetter]:
    """All whose id begins with `prefix`, so that a person need not type the whole id."""
    return [letter async for letter in read_all(log) if letter.id.startswith(prefix)]


def _writable(text: str, limit: int | None = None) -> str:
    # A lone surrogate has no UTF-8.
    return text.encode("utf-8", "replace").decode()[:limit]


def _all_writable(texts: Mapping[str, str] | None) -> dict[str, str]:
    return {_writable(name): _writable(text) for name, text in (texts or {}).items()}


def _short(texts: Mapping[str, str]) -> dict[str, str]:
    return {name[:256]: text[:1024] for name, text in list(texts.items())[:32]}
