"""What a check says: a broken invariant, since when, and the commands that mend it. It knows no store and checks nothing."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from unifier.reading import moment

INVARIANTS = {
    "I1": "each event is one entry, and the entry is that event",
    "I3": "every strand is numbered 1, 2, 3 … without a gap",
    "I5": "a head is the fold of its strand's entries, to the end",
    "I6": "redirects lead to elders, in one step",
    "I7": "conversations and customers are what the rules make of the events",
    "I8": "what a person set apart is apart",
    "I9": "changes are published as 1, 2, 3 …, to the end",
    "I10": "tenants share no document",
}
"""I2 (a replay changes nothing) and I4 (an election has one winner) show in no state of a store: tests hold them."""

MARGIN = 3_600_000
"""Milliseconds before an entry was stored at which the log is read again: it was logged before it was stored."""

REBUILD = "onethread rebuild"
THROW_OUT = "onethread rebuild --damaged"


class Finding(msgspec.Struct, frozen=True):
    """One invariant broken. `since`: when the earliest entry concerned was stored, in ms (0: no entry tells).

    `ids`: scoped, of what is broken. `mend`: commands, one after the other. It holds no text and no address of a person.
    """

    invariant: str
    what: str
    ids: tuple[str, ...]
    since: int = 0
    mend: tuple[str, ...] = (REBUILD,)


class Suspicion(NamedTuple):
    """A finding, and which subject to look at again before it is reported: a kind and an id."""

    kind: str
    subject: str
    finding: Finding


def replay(since: int) -> str:
    """The command that reads the log again; from its beginning where no time is known."""
    if not since:
        return "onethread replay --since 0"
    return f"onethread replay --since {moment(max(since - MARGIN, 0)):%Y-%m-%dT%H:%M:%SZ}"


def suspect(kind: str, subject: str, findings: Iterable[Finding]) -> list[Suspicion]:
    """The findings of one subject."""
    return [Suspicion(kind, subject, finding) for finding in findings]


KEPT = 20
"""Findings told one by one of each invariant; the others are counted."""


class Broken(msgspec.Struct):
    """One broken invariant of a report."""

    invariant: str
    promise: str
    count: int = 0
    since: int = 0
    findings: list[Finding] = msgspec.field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """One more."""
        self.count += 1
        if finding.since:
            self.since = min(self.since or finding.since, finding.since)
        if len(self.findings) < KEPT:
            self.findings.append(finding)


class Report(msgspec.Struct):
    """What was looked at, what is broken, and what could not be judged."""

    looked: dict[str, int] = msgspec.field(default_factory=dict)
    broken: dict[str, Broken] = msgspec.field(default_factory=dict)
    unjudged: dict[str, int] = msgspec.field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Nothing broken was found."""
        return not self.broken

    def count(self, what: str, more: int = 1) -> None:
        """So many more were looked at."""
        self.looked[what] = self.looked.get(what, 0) + more

    def leave(self, why: str, more: int = 1) -> None:
        """So many more were not judged, and why."""
        self.unjudged[why] = self.unjudged.get(why, 0) + more

    def add(self, finding: Finding) -> None:
        """One more finding."""
        promise = INVARIANTS[finding.invariant]
        self.broken.setdefault(finding.invariant, Broken(finding.invariant, promise)).add(finding)

    def mends(self) -> list[str]:
        """The commands that mend all of it: a rebuild first, then the log from the earliest time that was named."""
        commands = {command for one in self.broken.values() for finding in one.findings for command in finding.mend}
        again = sorted(command for command in commands if command.startswith("onethread replay"))
        rebuild = [
            command for command in (THROW_OUT, REBUILD) if command in commands
        ]  # the first does the other as well
        others = sorted(commands - {*again, *rebuild})
        return [*rebuild[:1], *again[:1], *others]

    def sentences(self) -> list[str]:
        """Each finding that is told, in one line."""
        return [
            f"{finding.invariant}: {finding.what} ({', '.join(finding.ids)})"
            for one in self.broken.values()
            for finding in one.findings
        ]
