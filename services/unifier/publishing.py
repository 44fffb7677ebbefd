"""Changes of conversations on the event log, for desks: what a record of topic `conversations` holds. No rule lives here.

A strand is published from `published` + 1 to its end, others' entries too, in order; `published` is raised after the log has
confirmed. So first appearances of a strand's entries are 1, 2, 3 … without a gap, whoever died in between.
"""

from collections.abc import Iterable, Mapping

import msgspec

from onethread.envelope import decode_value, encode_value
from onethread.errors import Poison
from onethread.event import Foreign
from onethread.log.port import Draft, EventLog
from onethread.log.topics import CONVERSATIONS
from unifier.model import Entry, Head
from unifier.store.port import ConversationStore

RUN = 500
"""Entries read at a time of a strand that has fallen behind."""


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record. Key: the strand, which never changes. `conversation`: the root when it was published."""

    epoch: int
    strand: str
    seq: int
    conversation: str
    entry: Entry


def draft(epoch: int, conversation: str, entry: Entry) -> Draft:
    """The record of one entry. The provider's record is left out; a fact of a kind this version does not know goes on as it came."""
    event = entry.event
    if event is not None and event.source is not None:
        event = msgspec.structs.replace(event, source=None)
    foreign = event is not None and isinstance(event.fact, Foreign)
    value = msgspec.json.encode(
        Change(
            epoch,
            entry.strand,
            entry.seq,
            conversation,
            msgspec.structs.replace(entry, event=None if foreign else event),
        )
    )
    if event is not None and foreign:
        parts = _parts.decode(value)
        inner = {**_parts.decode(parts["entry"]), "event": msgspec.Raw(encode_value(event))}
        value = msgspec.json.encode({**parts, "entry": inner})
    return Draft(entry.strand.encode(), value, (("content-type", b"application/json"),))


def read(value: bytes) -> Change:
    """A record's change; a fact of an unknown kind becomes `Foreign`. Raises Poison."""
    try:
        return _decoder.decode(value)
    except msgspec.ValidationError as error:
        try:
            parts = _parts.decode(value)
            inner = _parts.decode(parts["entry"])
            event = decode_value(bytes(inner.pop("event")))
            change = _decoder.decode(msgspec.json.encode({**parts, "entry": inner}))
        except (msgspec.MsgspecError, KeyError):
            raise Poison(f"not a change of a conversation: {error}") from error
        return msgspec.structs.replace(change, entry=msgspec.structs.replace(change.entry, event=event))


_decoder = msgspec.json.Decoder(Change)
_parts = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Publisher:
    """Publishes what a batch appended, and what a dead worker left behind in the same strands."""

    def __init__(self, store: ConversationStore, log: EventLog) -> None:
        self._store = store
        self._log = log

    async def publish(self, heads: Iterable[Head], known: Mapping[str, list[Entry]]) -> None:
        """Publish each head's strand to its `through`, and remember that in the store."""
        behind = await self.tell(heads, known)
        if behind:
            await self._store.published({head.id: head.through for head in behind})

    async def tell(
        self, heads: Iterable[Head], known: Mapping[str, list[Entry]], epoch: int | None = None
    ) -> list[Head]:
        """Publish each head's strand to its `through`; returns those that were behind: confirmed, and the store not told yet.

        `known`: the newest entries of a strand, as far as memory has them. `epoch`: the store's, if it was read just now.
        """
        behind = [head for head in heads if head.published < head.through]
        if not behind:
            return []
        epoch = epoch or await self._store.epoch()
        drafts: list[Draft] = []
        for head in behind:
            entries = await self._entries(head, known.get(head.id, []))
            drafts += [draft(epoch, head.root, entry) for entry in entries]
        await self._log.append(CONVERSATIONS, drafts)
        return behind

    async def _entries(self, head: Head, known: list[Entry]) -> list[Entry]:
        wanted = {entry.seq: entry for entry in known if head.published < entry.seq <= head.through}
        if len(wanted) == head.through - head.published:
            return [wanted[seq] for seq in sorted(wanted)]
        entries: list[Entry] = []
        after = head.published
        while after < head.through:
            run = await self._store.run(head.id, after, RUN)
            entries += [entry for entry in run if entry.seq <= head.through]
            after = run[-1].seq if run else head.through
        return entries
