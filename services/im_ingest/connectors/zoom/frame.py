"""A webhook of Zoom, opened as far as all kinds are alike, and the people in it. It knows nothing of what was said."""

from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

import msgspec

from im_ingest import salvage
from im_ingest.connectors.zoom.entities import Stamp
from onethread.connector import utc
from onethread.errors import Poison
from onethread.event import Claim, Event, Party, PartyKind, Unknown
from onethread.identity import digest

T = TypeVar("T")

USER = "user:"
"""Before a person's id, the locator of a look-up."""
BY_URL = "url:"
"""Before an address that wants the app's token, the locator of a file."""
AGENT = Party(kind="agent", is_us=True)


class Us(NamedTuple):
    """Our account, and who of it answers customers: user ids and addresses, in lower case."""

    account: str
    agents: frozenset[str]

    def has(self, *names: str | None) -> bool:
        """Whether one of a person's names is on the list."""
        return any((name or "").casefold() in self.agents for name in names if name)


class Frame(NamedTuple):
    """One webhook."""

    name: str
    stamp: Stamp
    payload: bytes
    us: Us
    data: bytes

    def decoded(self, kind: type[T]) -> T:
        """The payload, without what is of a strange shape. msgspec's errors mean that it is none."""
        return self.salvaged(kind)[0]

    def salvaged(self, kind: type[T]) -> tuple[T, str]:
        """The payload, and what is wrong with it."""
        return salvage.decoded(self.payload, kind)

    @property
    def at(self) -> datetime | None:
        """When it happened."""
        return moment(self.stamp)

    @property
    def revision(self) -> str:
        """What tells two changes of one thing apart. Zoom sends the same body again, so it lasts."""
        return str(self.stamp) if self.stamp not in {None, ""} else digest(self.data.decode("utf-8", "replace"))

    def unknown(self) -> Event:
        """A kind that nobody knows, or that repeats another one: counted, and shown to nobody."""
        return Event(self.own_id(), Unknown(label=self.name), received_at=self.at)

    def own_id(self) -> str:
        """The id of what has none."""
        return f"{self.name}:{digest(self.data.decode('utf-8', 'replace'))}"


def person(
    us: Us,
    user_id: str | None,
    email: str | None,
    member_id: str | None = None,
    *,
    name: str = "",
    external: bool = True,
) -> Party:
    """A Zoom user; of another company's, the member id alone is told.

    The address of one's own account is the company's word, that of another one's is only what Zoom shows.
    """
    ours = us.has(user_id, email)
    claims = [Claim("zoom_user", user_id)] if user_id else []
    if member_id:
        claims.append(Claim("zoom_member", member_id, scope=us.account))
    if email and "@" in email:
        claims.append(Claim("email", email, evidence="profile" if external and not ours else "directory"))
    kind: PartyKind = "agent" if ours else "person" if claims else "anonymous"
    return Party(claims=tuple(claims), name=name, kind=kind, is_us=ours)


def moment(stamp: Stamp) -> datetime | None:
    """Unix milliseconds. None where there is no time, or none that can be read: a message is not lost for it."""
    try:
        return utc(int(stamp) / 1000) if stamp else None
    except (ValueError, OverflowError, Poison):
        return None


def iso(text: str | None) -> datetime | None:
    """An ISO 8601 time. None where there is no time, or none that can be read."""
    try:
        at = msgspec.convert(text, datetime) if text else None
        return at and (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (msgspec.ValidationError, ValueError, OverflowError):
        return None
