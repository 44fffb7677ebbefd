"""What a connector supports and what it does not: by its class, and by what its recorded samples give. It knows no page and no terminal."""

from collections.abc import Iterable
from typing import Any, NamedTuple, get_args

from all_in_one.recorded import Shown, shown
from onethread.connector import (
    Connector,
    DeepLinks,
    Lookups,
    Mounted,
    Polling,
    Sends,
    Stream,
    Subscribes,
    Webhook,
)
from onethread.event import KINDS, AttachmentKind
from onethread.identity import STRENGTH, Strength

AnyConnector = type[Connector[Any]]

EDGES = {
    Webhook: "the provider calls us",
    Polling: "we ask the provider",
    Stream: "we hold a connection",
    Mounted: "an application of its own",
}
ABILITIES = {
    "look-ups": Lookups, "deep links": DeepLinks, "subscribes itself": Subscribes, "replies": Sends,
}  # fmt: skip
_OURS = frozenset({"message.completed", "unknown", "link.set", "entries.move"})
"""What no provider sends: the host or a person makes it, or it says that nothing was understood."""


class Supported(NamedTuple):
    """Names, each in a fixed order. A kind, a claim or a file is there if a recorded sample gives it."""

    edges: tuple[str, ...]
    abilities: tuple[str, ...]
    receives: tuple[str, ...]
    media: tuple[str, ...]
    links: tuple[str, ...]
    """Claim types whose evidence is verified in a sample: they link persons by themselves."""
    suggests: tuple[str, ...]
    """Claim types that are never more than claimed or hinted at: a person decides."""
    unable: tuple[str, ...]
    """Abilities that are not there."""
    not_received: tuple[str, ...]
    no_media: tuple[str, ...]


def supported(connector: AnyConnector) -> Supported:
    """What one connector supports."""
    return by(connector, shown(connector))


def by(connector: AnyConnector, seen: Shown) -> Supported:
    """The same, for samples that were translated already."""
    able = tuple(name for name, ability in ABILITIES.items() if issubclass(connector, ability))
    links = {kind for kind, evidence in seen.evidence if STRENGTH[evidence] is Strength.VERIFIED}
    return Supported(
        edges=names_of(edge for edge in EDGES if issubclass(connector, edge)),
        abilities=able,
        receives=seen.kinds,
        media=seen.media,
        links=tuple(sorted(links)),
        suggests=tuple(sorted({kind for kind, _ in seen.evidence} - links)),
        unable=tuple(name for name in ABILITIES if name not in able),
        not_received=tuple(sorted(KINDS - _OURS - set(seen.kinds))),
        no_media=tuple(sorted(set(get_args(AttachmentKind)) - set(seen.media))),
    )


def names_of(edges: Iterable[type]) -> tuple[str, ...]:
    """Edges as people call them."""
    return tuple(edge.__name__.lower() for edge in edges)
