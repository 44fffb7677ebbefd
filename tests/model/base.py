"""What all steps of the model share: their register, the messages, what a worker remembers of strands and asks of people."""

from collections.abc import Callable
from typing import NamedTuple

from model.world import Msg, Store, Tail, Work, end, put


class Model(NamedTuple):
    """The messages, by id, and the ways in which the protocol is broken."""

    said: dict[int, Msg]
    broken: str = ""


Step = Callable[[Model, Store, Msg, Work], tuple[Store, Work]]
STEPS: dict[str, Step] = {}
Wish = tuple[tuple[object, object], tuple[str, ...]]
Near = tuple[tuple[str, int], tuple[int, int, int]]


def step(name: str) -> Callable[[Step], Step]:
    """A step of a worker, by name."""

    def named(function: Step) -> Step:
        STEPS[name] = function
        return function

    return named


def remember(work: Work, strand: int, tail: Tail) -> Work:
    return work._replace(tails=put(work.tails, strand, tail))


def read_tail(store: Store, work: Work, strand: int) -> Work:
    """Head and what is behind it. What this worker has told the topic itself, it knows."""
    through, published, _, _ = dict(store.heads).get(strand, (0, 0, strand, 0))
    return remember(work, strand, Tail(end(store, strand), through, published, published))


def asked(msg: Msg) -> tuple[str, ...]:
    """Everybody whom a message names."""
    return tuple(dict.fromkeys((msg.own, *msg.parties, *((msg.pair,) if msg.pair else ()))))


def others_of(store: Store, who: str) -> tuple[str, ...]:
    """The other identities of a customer."""
    customer = dict(store.people)
    return tuple(sorted(one for one in customer if one != who and customer[one] == customer.get(who)))
