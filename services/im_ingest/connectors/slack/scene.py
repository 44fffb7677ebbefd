"""An event of Slack with its envelope: what every event made of it shares. It knows nothing of what was said."""

from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from im_ingest.connectors.slack.entities import Envelope, Said
from im_ingest.connectors.slack.who import Us, addressed, author, home_of, is_ours, moment, place, thread, user
from onethread.connector import utc
from onethread.errors import Poison
from onethread.event import AnyFact, Content, Event, Party, Place
from onethread.identity import digest

USER = "user:"
"""Before a user's id, the locator of a look-up."""


class Scene(NamedTuple):
    """An envelope, and our side as it is told there. `degraded`: what of the event could not be read."""

    envelope: Envelope
    us: Us
    degraded: str = ""

    def message(self, said: Said, fact: AnyFact, *, revision: str = "", at: str | None = None) -> Event:
        """An event about a message; `at`: its own time, where that is not the message's."""
        if not said.channel or not said.ts:
            raise Poison("a message without channel or ts: nothing else identifies it")
        where, root = place(said.channel, said.channel_type), said.thread_ts or said.ts
        ours, sender = is_ours(said, self.us), author(said, self.us)
        if self.degraded and isinstance(fact, Content):
            fact = msgspec.structs.replace(fact, degraded=self.degraded)
        event = Event(
            f"{said.channel}:{said.ts}",
            fact,
            revision=revision,
            external_thread_id=thread(where, root),
            place=where,
            sender=sender,
            received_at=moment(at or said.ts),
            reply_context=_reply_context(said, where),
            lookups=(f"{USER}{said.user}",) if sender.kind == "person" else (),
            channel_data=self._rest(said),
        )
        return self._from_us(event, addressed(said, self.us)) if ours else event

    def by(self, actor: str, event: Event) -> Event:
        """An event that a user caused without writing."""
        ours = self.us.has(actor)
        party = Party(claims=(user(actor, self.us),), kind="agent" if ours else "person", is_us=ours)
        lookups = () if ours else (f"{USER}{actor}",)
        whole = msgspec.structs.replace(event, sender=party, lookups=lookups)
        return self._from_us(whole, ()) if ours else whole

    def own(self, fact: AnyFact, **fields: Any) -> Event:
        """An event about nothing but itself: by Slack's id of it."""
        return Event(self.own_id, fact, received_at=self.at, **fields)

    @property
    def own_id(self) -> str:
        """The same each time that Slack sends it."""
        return self.envelope.event_id or digest(
            self.envelope.type, bytes(self.envelope.event).decode("utf-8", "replace")
        )

    @property
    def at(self) -> datetime | None:
        """When Slack noticed it; None where it does not say."""
        return None if self.envelope.event_time is None else utc(self.envelope.event_time)

    def _from_us(self, event: Event, to: tuple[Party, ...]) -> Event:
        return msgspec.structs.replace(event, recipients=to, direction="outbound", echo=True)

    def _rest(self, said: Said) -> dict[str, Any]:
        home = home_of(said)
        found = {
            "subtype": said.subtype,
            "team": home if home != self.us.team else "",
            "shared_channel": self.envelope.is_ext_shared_channel,
        }
        return {name: value for name, value in found.items() if value}


def _reply_context(said: Said, where: Place) -> dict[str, str]:
    """In a channel an answer goes to the thread; in a direct message only where there is one."""
    root = said.thread_ts or ("" if where.kind == "direct" else said.ts)
    return {"channel": where.id, "thread_ts": root} if root else {"channel": where.id}
