"""Identities, and the links that make one customer of several, or one conversation of several strands, as every store keeps them.

Ids and times are as in `unifier.model`.
"""

from typing import Literal, NamedTuple

import msgspec

from onethread.event import By
from unifier.model import Document

LinkState = Literal["auto", "together", "apart"]
LinkKind = Literal["strand", "identity"]


class Profile(Document, frozen=True, kw_only=True):
    """What a person's provider says of them. Of each field the latest word wins; what is empty says nothing.

    `at`: of the latest word; `times`: of each field's, 0 where it is not known.
    """

    at: int = 0
    name: str = ""
    username: str = ""
    kind: str = "person"
    locale: str = ""
    timezone: str = ""
    country: str = ""
    organization: str = ""
    avatar: str = ""
    profile_url: str = ""
    times: dict[str, int] = msgspec.field(default_factory=dict)

    def said(self) -> dict[str, str]:
        """The fields that say something."""
        fields = ((name, getattr(self, name)) for name in SAID_OF_PEOPLE)
        return {name: value for name, value in fields if value and (name, value) != ("kind", "person")}

    def told_at(self) -> "Profile":
        """With the time of each field: all of it was said at once."""
        return msgspec.structs.replace(self, times=dict.fromkeys(self.said(), self.at))

    def with_later(self, other: "Profile") -> "Profile":
        """Both, field by field; of equal times the other's."""
        newer = {name: other.times.get(name, other.at) for name in other.said()}
        newer = {name: at for name, at in newer.items() if self.times.get(name, 0) <= at}
        values = {name: getattr(other, name) for name in newer}
        return msgspec.structs.replace(self, at=max(self.at, other.at), times={**self.times, **newer}, **values)


SAID_OF_PEOPLE = tuple(name for name in Profile.__struct_fields__ if name not in {"at", "times"})


class Identity(Document, frozen=True, kw_only=True):
    """One address of a person. `since` is set on insert; `customer` is the root identity, a projection of links.

    `evidence`: kinds of evidence seen for the address itself; its strength is their best.
    """

    id: str
    type: str
    scope: str
    value: str
    since: int
    customer: str
    evidence: tuple[str, ...] = ()
    profile: Profile = Profile()

    @property
    def age(self) -> tuple[int, str]:
        """Elder sorts first."""
        return (self.since, self.id)


class Evidence(Document, frozen=True, kw_only=True):
    """One reason for a link. `counts` False: a suggestion for a person.

    `needs`: the two identities that must be one customer for it to count, or none. Equal `key`: the same reason again.
    """

    rule: str
    counts: bool = True
    needs: tuple[str, ...] = ()
    matched: str = ""
    entry_id: str = ""
    at: int = 0

    @property
    def key(self) -> str:
        """What makes two reasons the same: rule, pair, and whether it counts."""
        return "|".join((self.rule, "1" if self.counts else "0", *sorted(self.needs)))


class Link(Document, frozen=True, kw_only=True):
    """A pair that belongs together, or that a person keeps apart. `ends` are sorted; the id is `<tenant>/lnk_…`.

    `rev` grows with every change but `settled`; `at`, `by`: of the person's opinion (0: nobody gave one).
    """

    id: str
    kind: LinkKind
    ends: tuple[str, str]
    state: LinkState = "auto"
    at: int = 0
    by: By = By()
    evidence: tuple[Evidence, ...] = ()
    settled: bool = False
    rev: int = 1


class LinkWish(NamedTuple):
    """A link to be there, with a reason. An existing link keeps its state; a new reason clears `settled`."""

    id: str
    kind: LinkKind
    ends: tuple[str, str]
    evidence: Evidence


class Opinion(NamedTuple):
    """A person's word on a pair. The greatest `at` wins, in any order of arrival; winning clears `settled`."""

    id: str
    kind: LinkKind
    ends: tuple[str, str]
    state: LinkState
    at: int
    by: By
