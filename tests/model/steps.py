"""The earlier steps of the model's workers: look, home, elect, claim, insert. Each call of the store is one: names are the code's.

A step that would write what is there already is taken together with the next one: nobody could see the difference, since
what is claimed or widened stays so. See `mirror` for how the names are held to the code.
"""

from model.base import STEPS, Model, asked, others_of, read_tail, remember, step
from model.world import WINDOW, Memory, Msg, Store, Tail, Work, put, where


def begun(model: Model, store: Store, message: int, part: int, memory: Memory) -> Work:
    """A worker that has polled a message."""
    msg = model.said[message]
    owner = msg.own
    if model.broken == "home by another identity":
        owner = dict(store.people).get(owner, owner)
    return Work("opine:claim" if msg.word[0] else "look", message, part, memory, owner=owner)


# --- look, home, elect ------------------------------------------------------------------------------------------------


@step("look")
def look(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Own id, named message, own keys, own hours: one look, however old. Then home, which only proposes.

    Of a chat that goes on memory says as much; that it is stored already, the insert will say.
    """
    remembered = dict(work.memory.homes).get((work.owner, msg.bucket))
    if remembered is not None and msg.free and not msg.keys and not msg.names and not work.memory.repeats:
        return store, _claiming(model, store, msg, work._replace(strand=remembered))
    stored = where(store, msg.id)
    if stored is not None and model.broken == "stored means done":
        return store, work._replace(pc="commit")
    if stored is not None and model.broken != "random event ids":
        return store, _claiming(model, store, msg, work._replace(strand=stored, stored=True))
    home = _home(store, msg, work.owner)
    if home is None:
        return store, work._replace(pc="elect:claim", strand=msg.strand, ballot=_ballot(msg, work))
    return store, _claiming(model, store, msg, work._replace(strand=home))


def _home(store: Store, msg: Msg, owner: str) -> int | None:
    keys, clocks = dict(store.keys), dict(store.clocks)
    named = [where(store, msg.names) or keys.get(f"id/{msg.names}")] if msg.names else []
    known = [keys.get(f"{msg.own}/{key}") for key in msg.keys if msg.own in msg.parties] + [keys.get(f"id/{msg.id}")]
    found = next((strand for strand in (*named, *known) if strand is not None), None)
    if found is not None or not msg.free:
        return found
    here, before, after = (clocks.get((owner, msg.bucket + shift)) for shift in (0, -1, 1))
    if here:
        return here[0]
    near = [(msg.at - before[2], before[0])] if before else []
    near += [(after[1] - msg.at, after[0])] if after else []
    return min(((gap, strand) for gap, strand in near if gap <= WINDOW), default=(0, None))[1]


def _ballot(msg: Msg, work: Work) -> str:
    if msg.free:
        return "clock"
    own = [f"{msg.own}/{key}" for key in msg.keys if msg.own in msg.parties]
    return own[0] if own else f"id/{msg.id}"


@step("elect:claim")
def elect(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """The ballot; then it is read back."""
    store = _claimed(model, store, msg, work, work.ballot)
    if model.broken == "no read-back of an election":
        return store, _claiming(model, store, msg, work._replace(ballot=""))
    return store, work._replace(pc="elect:keys")


@step("elect:keys")
def read_back(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Home is what the ballot says."""
    strand = dict(store.clocks)[work.owner, msg.bucket][0] if work.ballot == "clock" else dict(store.keys)[work.ballot]
    return store, _claiming(model, store, msg, work._replace(strand=strand, ballot=""))


# --- claim ------------------------------------------------------------------------------------------------------------


def _claiming(model: Model, store: Store, msg: Msg, work: Work) -> Work:
    """About to claim; then it inserts, or looks again if it is stored already."""
    if model.broken == "customer read before the claim" and work.others is None:
        work = work._replace(others=tuple((who, others_of(store, who)) for who in asked(msg)))
    documents = [f"{party}/{key}" for party in msg.parties for key in msg.keys]
    documents += [f"id/{msg.names}"] if msg.names and where(store, msg.names) is None else []
    documents += ["clock"] if msg.free else []
    return work._replace(pc="claim:claim", todo=(*documents, *(f"who/{one}" for one in asked(msg))))


@step("claim:claim")
def claim(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """One document of the bulk; what is claimed already stays."""
    for number, document in enumerate(work.todo):
        written = _claimed(model, store, msg, work, str(document))
        if written != store:
            return written, work._replace(todo=work.todo[number + 1 :])
    if work.stored:
        return STEPS["look_again:look"](model, store, msg, work._replace(todo=()))
    known = dict(work.memory.heads).get(work.strand)
    if known is None and work.strand != msg.strand:
        return STEPS["insert:heads"](model, store, msg, work._replace(todo=()))
    tail = _guessed(*(known or (0, 0)))  # what memory has, or a strand of its own, which is new for all it knows
    return STEPS["insert:insert"](
        model, store, msg, remember(work, work.strand, tail)._replace(todo=(), pc="insert:insert")
    )


def _claimed(model: Model, store: Store, msg: Msg, work: Work, document: str) -> Store:
    if document == "clock":
        clocks, key = dict(store.clocks), (work.owner, msg.bucket)
        strand, low, high = clocks.get(key, (work.strand, msg.at, msg.at))
        return store._replace(clocks=put(store.clocks, key, (strand, min(low, msg.at), max(high, msg.at))))
    if document.startswith("who/"):
        who = document[4:]
        return store if not who or who in dict(store.people) else store._replace(people=put(store.people, who, who))
    if document in dict(store.keys) and model.broken != "claims overwrite":
        return store
    return store._replace(keys=put(store.keys, document, work.strand))


# --- insert -----------------------------------------------------------------------------------------------------------


@step("insert:heads")
def guess(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """The head is taken for the end."""
    through, published, _, _ = dict(store.heads).get(work.strand, (0, 0, work.strand, 0))
    return store, remember(work, work.strand, _guessed(through, published))._replace(pc="insert:insert")


def _guessed(through: int, published: int) -> Tail:
    return Tail(through, through, published, published, guessed=True)


@step("insert:insert")
def insert(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Its number is the one behind the last; an id or a number that is taken is said."""
    copies = [what[1] for _, _, what in store.entries if what[0] == msg.id]
    if copies and model.broken != "random event ids":
        return store, work._replace(pc="insert:entries")
    tail = dict(work.tails)[work.strand]
    seq = len(store.entries) + 1 if model.broken == "seq from a counter" else tail.last + 1
    taken = any((strand, number) == (work.strand, seq) for strand, number, _ in store.entries)
    if taken and model.broken != "no unique (strand, seq)":
        return store, work._replace(pc="insert:tails")
    store = store._replace(entries=store.entries | {(work.strand, seq, (msg.id, len(copies)))})
    work = remember(work, work.strand, tail._replace(last=seq, guessed=False))
    return store, work._replace(pc="look_again:look", seq=seq)


@step("insert:tails")
def renumber(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Another appended: read its end."""
    return store, read_tail(store, work, work.strand)._replace(pc="insert:insert")


@step("insert:entries")
def found_stored(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """The stored home wins; if it is another, it claims with it."""
    home = where(store, msg.id)
    assert home is not None
    elsewhere = home != work.strand
    work = read_tail(store, work, home)._replace(strand=home, stored=True, pc="look_again:look")
    return store, _claiming(model, store, msg, work) if elsewhere else work
