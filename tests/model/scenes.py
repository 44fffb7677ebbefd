"""Small scenes for the model: what is said, on which partitions, and what may go wrong meanwhile. One per race of the protocol."""

from typing import NamedTuple

from model.world import Msg


class Scene(NamedTuple):
    """`before` came in peace. `parts`: the partitions' records; worker n holds partition n to begin with.

    `crashes`: deaths of who holds the partition; `moves`: rebalances, after which the one that had it is a zombie, which goes
    on to its end, or, with `dying_zombies`, may die, too.
    """

    name: str
    parts: tuple[tuple[Msg, ...], ...]
    before: tuple[Msg, ...] = ()
    workers: int = 2
    crashes: int = 1
    moves: int = 1
    dying_zombies: bool = False


def chat(number: int, at: int, own: str = "a", pair: str = "", names: int = 0) -> Msg:
    """A message of a direct chat."""
    return Msg(number, own, at, free=True, parties=(own,), pair=pair, names=names)


def mail(number: int, at: int, *answers: int, own: str = "b", others: tuple[str, ...] = ()) -> Msg:
    """A mail; one that answers none is free, as all fresh mails are."""
    keys = tuple(f"m{name}" for name in (*answers, number))
    return Msg(number, own, at, free=not answers, keys=keys, parties=(own, *others))


def comment(number: int, at: int, names: int, own: str = "b") -> Msg:
    """Somebody else's comment under a post, which names it."""
    return Msg(number, own, at, parties=(own,), names=names)


def word(number: int, one: str, other: str, state: str, at: int = 0) -> Msg:
    """A person links two identities, or keeps them apart."""
    return Msg(number, at=at, word=(one, other, state))


JOINED, PARTED = word(8, "a", "b", "together"), word(9, "a", "b", "apart", 1)

SCENES = (
    Scene("two messages of a new customer", ((chat(1, 0),), (chat(2, 1),)), crashes=2),
    Scene("two messages of one partition", ((chat(1, 0), chat(2, 1)),), crashes=2),
    Scene("hours that touch", ((chat(1, 5),), (chat(2, 12),))),
    Scene("reply and parent at once", ((mail(1, 0),), (mail(2, 30, 1),))),
    Scene("two replies to a parent that never comes", ((mail(2, 0, 1),), (mail(3, 30, 1),)), crashes=2),
    Scene("comment and post at once", ((chat(1, 0),), (comment(2, 30, 1),))),
    Scene("both end in one strand", ((chat(2, 1),), (chat(3, 2),)), before=(chat(1, 0),)),
    Scene("zombie decides otherwise", ((chat(1, 12),), (chat(2, 5), chat(3, 13))), crashes=0),
    Scene("merge while B writes", ((JOINED,), (mail(2, 1),)), before=(chat(1, 0),)),
    Scene("merge while B writes into a strand it knows", ((JOINED,), (mail(3, 6),)), (chat(1, 0), mail(2, 12))),
    Scene("merge while B goes on", ((JOINED,), (chat(2, 12, "b"), chat(3, 6, "b"))), (chat(1, 0),), crashes=0),
    Scene("a proof while B writes", ((chat(1, 0, pair="b"),), (mail(2, 1),)), moves=0),
    Scene("C1 to C2 and C2 to C1", ((word(7, "b", "a", "together"),), (JOINED,)), before=(chat(1, 0), mail(2, 1))),
    Scene("undo while B writes", ((PARTED,), (mail(2, 1),)), before=(chat(1, 0), JOINED)),
    Scene("undo while a proof comes", ((PARTED,), (chat(3, 40, pair="b"),)), (chat(1, 0), mail(2, 1), JOINED), moves=0),
)
"""Every day."""

WIDE = (
    *(scene._replace(crashes=2, moves=1) for scene in SCENES if (scene.crashes, scene.moves) != (2, 1)),
    Scene("three workers, one new customer", ((chat(1, 0),), (chat(2, 1),), (chat(3, 2),)), workers=3, moves=0),
    Scene(
        "undo, a proof again and a message at once",
        ((PARTED,), (chat(3, 40, pair="b"),), (mail(4, 41),)),
        before=(chat(1, 0), mail(2, 1), JOINED),
        workers=3,
        moves=0,
    ),
)
"""In the long form: a death more, or a worker more."""

UNMENDED = Scene(
    "a zombie dies behind a stale write", ((PARTED,), (mail(2, 1),)), before=(chat(1, 0), JOINED), dying_zombies=True
)
"""Not promised: a worker that lost its partition, whose successor has committed, writes a root by an older look, and dies before
it looks again. Nobody comes after it: the strand is wrong until something settles it; `onethread verify` finds it."""

BY_NAME = {scene.name: scene for scene in SCENES}

MUTATIONS = {
    "commit first": "two messages of a new customer",
    "stored means done": "two messages of one partition",
    "seq from a counter": "hours that touch",
    "no unique (strand, seq)": "two messages of a new customer",
    "random event ids": "two messages of one partition",
    "no read-back of an election": "two messages of a new customer",
    "claims overwrite": "two replies to a parent that never comes",
    "no second look": "reply and parent at once",
    "customer read before the claim": "merge while B writes into a strand it knows",
    "what is remembered of people is trusted": "merge while B goes on",
    "a merge is not told to those who remember": "merge while B goes on",
    "merge without comparing keys": "merge while B writes",
    "home by another identity": "undo while B writes",
    "redirect by request order": "C1 to C2 and C2 to C1",
    "settle without a clean pass": "undo while B writes",
    "redelivery trusts settled": "undo while B writes",
    "evidence revives an undone link": "undo while a proof comes",
    "counts by increment": "two messages of one partition",
    "only own entries published": "two messages of one partition",
}
"""The ways to break the protocol, and the scene that finds each. The code's own are in `grouping.mutations`."""
