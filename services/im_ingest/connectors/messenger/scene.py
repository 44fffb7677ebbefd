"""An item of Messenger with both sides: what every event made of it shares. It knows nothing of what was said."""

from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from im_ingest.connectors.messenger.entities import Item
from im_ingest.connectors.messenger.who import Sides, customer, us
from onethread.event import AnyFact, Claim, Event, Party
from onethread.identity import digest

PROFILE = "profile:"
"""Before the person's id, the locator of a look-up."""


class Scene(NamedTuple):
    """An item with both sides. `lost`: parts of a strange form, that it is shown without."""

    item: Item
    both: Sides
    at: datetime | None
    standby: bool
    data: bytes
    lost: str

    @property
    def degraded(self) -> str:
        """What a message says of its lost parts."""
        return f"of a strange form: {self.lost}" if self.lost else ""

    def event(self, external_id: str, fact: AnyFact, *further: Claim, revision: str = "", **fields: Any) -> Event:
        """An event of this item; `further` claims are the customer's."""
        party = customer(self.both, *further)
        asks = not self.both.ours and bool(self.both.person)
        bare = Event(
            external_id,
            fact,
            revision=revision,
            external_thread_id=self.both.person,
            sender=party,
            received_at=self.at,
            reply_context={"recipient": self.both.person} if self.both.person else {},
            lookups=(f"{PROFILE}{self.both.person}",) if asks else (),
            standby=self.standby,
            **fields,
        )
        return self._from_us(bare, party) if self.both.ours else bare

    def _from_us(self, event: Event, party: Party) -> Event:
        message = self.item.message
        app = str(message.app_id or "") if message else ""
        return msgspec.structs.replace(
            event, sender=us(self.both, app), recipients=(party,), direction="outbound", echo=True
        )

    def stamp(self, kind: str) -> str:
        """An id for what has none of its own."""
        if self.both.person and self.item.timestamp:
            return f"{kind}:{self.both.person}:{self.item.timestamp}"
        return f"{kind}:{digest(self.data.decode('utf-8', 'replace'))}"


def tokens(ref: str | None) -> tuple[str, ...]:
    """A link's parameter may be a token of ours; the host finds out."""
    return (ref,) if ref else ()
