"""P2: the bytes of a mail to a finished event, ours against the standard library's `policy.default`. It knows no protocol."""

from pathlib import Path

from bench.backends import Backends
from bench.comparing import Entrant, Goal, Plan
from bench.contender import Contender, Incomplete, Notes
from bench.mails import everyday
from bench.mime_baseline import baseline_events
from email_ingest.mime import Delivery, Mailstore, events
from onethread.envelope import encode_value
from onethread.event import Event, Message

CORPUS = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "mail"
STORE = Mailstore(
    "support@shop.example",
    addresses=frozenset({"help@shop.example"}),
    authserv_ids=frozenset({"mx.shop.example"}),
)
GOAL = Goal("P2", must=8.0, stretch=20.0)


class Mails(Contender):
    """Reads the same mails a number of times a round."""

    def __init__(self, name: str, mails: tuple[bytes, ...], times: int) -> None:
        self.name, self._mails, self._times = name, mails, times
        self._lost = 0

    async def run(self) -> int:
        """See Contender; a mail is a unit."""
        self._lost = 0
        for _ in range(self._times):
            for raw in self._mails:
                try:
                    for event in self.events(raw):
                        encode_value(event)
                except Exception:  # noqa: BLE001 -- of a parser that raises, the time counts and the mail is lost
                    self._lost += 1
        return len(self._mails) * self._times

    def notes(self) -> Notes:
        """How many mails became an event."""
        return {"mails that became an event": f"{len(self._mails) - self._lost // self._times} of {len(self._mails)}"}

    def events(self, raw: bytes) -> tuple[Event, ...]:
        """The events of one mail."""
        raise NotImplementedError


class Ours(Mails):
    """`email_ingest.mime`, as every mail connector uses it. All mails must become an event."""

    def events(self, raw: bytes) -> tuple[Event, ...]:
        """See Mails."""
        return events(raw, STORE, Delivery())

    async def check(self) -> None:
        """See Contender: an excerpt of a mail that could not be parsed is not what was promised."""
        found = [event for raw in self._mails for event in self.events(raw)]
        unparsed = [
            event for event in found if isinstance(event.fact, Message) and event.fact.degraded.startswith("not parsed")
        ]
        if self._lost or unparsed:
            raise Incomplete(f"{self._lost} mails without an event, {len(unparsed)} not parsed")


class Stdlib(Mails):
    """The standard library's parser, giving the same fields."""

    def events(self, raw: bytes) -> tuple[Event, ...]:
        """See Mails."""
        return baseline_events(raw, STORE, Delivery())


def plans(backends: Backends, quick: bool) -> list[Plan]:  # noqa: ARG001, FBT001 -- one signature for all benches
    """The corpus, and mails of everyday size."""
    corpus = tuple(path.read_bytes() for path in sorted(CORPUS.glob("*.eml")))
    return [
        _plan(
            "mime",
            f"the {len(corpus)} mails of the tests' corpus, small and mostly odd",
            corpus,
            quick=quick,
            goal=GOAL,
        ),
        _plan("mime-everyday", "mails of usual size with usual headers", everyday(), quick=quick, goal=None),
    ]


def _plan(name: str, title: str, mails: tuple[bytes, ...], *, quick: bool, goal: Goal | None) -> Plan:
    times = max(1, (85 if quick else 340) // len(mails))
    return Plan(
        name,
        title,
        "mails",
        (Entrant(Stdlib("stdlib, policy.default", mails, times)), Entrant(Ours("onethread", mails, times), goal)),
        rounds=3 if quick else 5,
    )
