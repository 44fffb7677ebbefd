"""Pages of a timeline: by time, or by seq with a position per strand. It knows queries and cursors, not documents' fields."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from starlette.concurrency import run_in_threadpool

from onethread.event import Content
from unifier.api import schemas
from unifier.api.cursors import Cursors, List, Place
from unifier.api.entry_views import entry
from unifier.api.placements import placement
from unifier.api.problems import Problem
from unifier.api.reading import Found
from unifier.api.services import Services
from unifier.model import Entry
from unifier.store.port import Position


class Wish(NamedTuple):
    """What is asked for; no `kinds`: all."""

    sort: Literal["time", "seq"]
    kinds: tuple[str, ...]
    limit: int
    cursor: str | None


class Lines(NamedTuple):
    """A page."""

    entries: list[Entry]
    next_cursor: str | None
    has_more: bool


async def page(parts: Services, tenant: str, found: Found, wish: Wish) -> Lines:
    """One page of a conversation's entries. Raises the problems of a cursor that is not for it."""
    of = List(tenant, "entries", (("sort", wish.sort), ("kind", ",".join(sorted(wish.kinds)))))
    epoch = await parts.store.epoch()
    place = parts.cursors.open(of, wish.cursor, epoch) if wish.cursor else Place(epoch, root=found.root)
    if place.root != found.root:
        await _check_same(parts, place.root, found)
    place = Place(epoch, place.at, place.id, place.seqs, found.root)
    if wish.sort == "seq":
        return await _by_seq(parts, found, wish, of, place)
    return await _by_time(parts, found, wish, of, place)


async def _check_same(parts: Services, root: str, found: Found) -> None:
    """The cursor may be from before a join: its conversation then resolves to this one, or shares a strand with it."""
    head = (await parts.store.heads([root])).get(root)
    if head is None or head.root != found.root:
        raise Problem(
            "invalid-cursor",
            "The cursor is of another conversation.",
            errors=[{"parameter": "cursor", "detail": "of another conversation"}],
        )


async def _by_time(parts: Services, found: Found, wish: Wish, of: List, place: Place) -> Lines:
    before = Position(place.at, place.id) if place.id else None
    strands = [head.id for head in found.strands]
    entries = await parts.store.timeline(strands, before, wish.limit + 1, wish.kinds or None)
    shown = entries[: wish.limit]
    more = len(entries) > wish.limit
    following = _sealed(parts.cursors, of, place, shown[-1]) if more else None
    return Lines(shown, following, more)


def _sealed(cursors: Cursors, of: List, place: Place, last: Entry) -> str:
    return cursors.seal(of, Place(place.epoch, at=last.at, id=last.id, root=place.root))


async def _by_seq(parts: Services, found: Found, wish: Wish, of: List, place: Place) -> Lines:
    after = {head.id: place.seqs.get(head.id, 0) for head in found.strands}  # one that joined begins at 0
    entries = await parts.store.runs(after, wish.limit + 1, wish.kinds or None)
    shown = entries[: wish.limit]
    seqs = {**place.seqs, **after}
    for one in shown:
        seqs[one.strand] = one.seq
    following = parts.cursors.seal(of, Place(place.epoch, seqs=seqs, root=place.root))
    return Lines(shown, following, len(entries) > wish.limit)


async def documents(
    parts: Services, found: Found, entries: Sequence[Entry], *, with_placement: bool
) -> list[schemas.Entry]:
    """The entries as documents."""
    scene = await parts.reader.scene(entries, found.strands)
    strands = {head.id for head in found.strands}
    why = await parts.reader.why(entries, scene, strands) if with_placement and entries else None

    def shown() -> list[schemas.Entry]:
        lines = [entry(one, scene) for one in entries]
        if why is None:
            return lines
        return [
            line.model_copy(update={"placement": placement(one, why)}) for line, one in zip(lines, entries, strict=True)
        ]

    # Sanitising HTML takes its time, and lets other threads run; all else is done sooner than a thread is woken.
    return await run_in_threadpool(shown) if any(map(_has_html, entries)) else shown()


def _has_html(one: Entry) -> bool:
    fact = one.event.fact if one.event else None
    return isinstance(fact, Content) and bool(fact.body.html)
