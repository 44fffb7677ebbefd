"""Counts what the unifier asks of its store: calls of the port, what they name, and commands of MongoDB. It changes nothing."""

from collections import Counter
from collections.abc import Callable, Sized
from typing import Any

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from unifier.store.port import ConversationStore

PARTS = {"claim": ("keys", "clocks", "identities"), "look": ("entries", "keys", "clocks", "people")}
"""Methods that do several things at once: each argument is counted by itself."""
READS = frozenset(
    {"entries", "keys", "clocks", "identities", "customers", "tails", "heads", "links", "links_at"}
    | {"look entries", "look keys", "look clocks"}
)
"""What looks documents up by the ids it is given. Revisions are not: one document of a tenant has all."""
WRITES = frozenset(
    {"insert", "fold", "published", "note_identities", "wish", "settled", "reveal", "set_customers", "revise"}
)
"""Methods that write one document for each item; `claim` is counted by its parts."""

_OWN = frozenset({"hello", "ping", "endSessions"})
"""Commands of the driver's own."""
_QUERY = ("find", "filter", "sort", "projection", "hint", "skip", "limit")
"""What `explain` is given of a find."""


class Count:
    """`calls` of the port's methods, and `items` that they were given, by name."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.items: Counter[str] = Counter()

    def clear(self) -> None:
        """From here on anew."""
        self.calls.clear()
        self.items.clear()

    def add(self, name: str, arguments: tuple[Any, ...]) -> None:
        """One call."""
        self.calls[name] += 1
        parts = zip(PARTS[name], arguments, strict=True) if name in PARTS else [("", arguments)]
        for part, given in parts:
            sized = [given] if part else [one for one in given if isinstance(one, Sized) and not isinstance(one, str)]
            self.items[f"{name} {part}".strip()] += sum(map(len, sized))


def counting(store: ConversationStore, count: Count) -> ConversationStore:
    """The store, with every call counted."""

    def counted(name: str) -> Callable[..., Any]:
        async def method(_: ConversationStore, *arguments: Any, **named: Any) -> Any:
            count.add(name, (*arguments, *named.values()))
            return await getattr(store, name)(*arguments, **named)

        return method

    methods = {name: counted(name) for name in ConversationStore.__abstractmethods__}
    made: ConversationStore = type("Counting", (ConversationStore,), methods)()
    return made


class Commands(CommandListener):
    """Commands sent by every client made after `pymongo.monitoring.register`; documents they wrote, and were given."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.written: Counter[str] = Counter()
        self.asked = 0
        """Values that finds named: an id each."""
        self.returned = 0
        self.finds: list[dict[str, Any]] | None = None
        """Set it to [] to keep every find, as `explain` takes it."""

    def clear(self) -> None:
        """From here on anew."""
        self.sent.clear()
        self.written.clear()
        self.asked = self.returned = 0

    def started(self, event: CommandStartedEvent) -> None:
        """See pymongo."""
        if event.command_name not in _OWN:
            name = "collection" if event.command_name == "getMore" else event.command_name
            self.sent[f"{event.command_name} {event.command[name]}"] += 1
        if event.command_name == "find":
            conditions = event.command["filter"].values()
            self.asked += sum(len(one["$in"]) if isinstance(one, dict) and "$in" in one else 1 for one in conditions)
        if event.command_name == "find" and self.finds is not None:
            self.finds.append({part: event.command[part] for part in _QUERY if part in event.command})

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """See pymongo. An update that found everything as it was has written nothing."""
        reply = event.reply
        if event.command_name == "insert":
            self.written["insert"] += reply.get("n", 0)
        elif event.command_name == "update":
            self.written["update"] += reply.get("nModified", 0) + len(reply.get("upserted", ()))
        for batch in ("firstBatch", "nextBatch"):
            self.returned += len(reply.get("cursor", {}).get(batch, ()))

    def failed(self, event: CommandFailedEvent) -> None:
        """See pymongo."""
