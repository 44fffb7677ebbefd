"""Small scenes in which workers can get in each other's way, one per race that the protocol has an answer to.

`before` is delivered in peace; then each worker has batches of its own. `zombies` do not come again when they die: another
worker has their batches too.
"""

from typing import NamedTuple

from grouping.facts import Dialogue, Fact, Move, Said, Word

MAIL, PHONE, BOT = "email:p0@example.com", "phone:+15550100", "telegram_user:0"
OTHER_MAIL = "email:p1@example.com"

Batch = tuple[Fact, ...]


class Go(NamedTuple):
    """A worker goes until it is about to make such a call for the `times`th time, or to its end."""

    worker: int
    until: str = ""
    times: int = 1


class Die(NamedTuple):
    """A worker takes its next step, a write, and dies."""

    worker: int


class Scenario(NamedTuple):
    """A scene. `preemptions`, `deaths`, `together`: how far it is explored in every run of the tests.

    `script`: one schedule that lies further away than that; what it leaves open goes as it comes.
    """

    name: str
    workers: tuple[tuple[Batch, ...], ...]
    before: tuple[Batch, ...] = ()
    zombies: frozenset[int] = frozenset()
    preemptions: int = 2
    deaths: int = 1
    together: int = 2
    script: tuple[Go | Die, ...] = ()

    @property
    def dialogue(self) -> Dialogue:
        """All facts, each once."""
        batches = (*self.before, *(batch for batches in self.workers for batch in batches))
        facts = tuple(dict.fromkeys(fact for batch in batches for fact in batch))
        return Dialogue(
            tuple(fact for fact in facts if isinstance(fact, Said)),
            tuple(fact for fact in facts if isinstance(fact, Word)),
            tuple(fact for fact in facts if isinstance(fact, Move)),
        )


def chat(number: int, hours: int, author: str = PHONE, also: tuple[str, str] | None = None) -> Said:
    """A message in a direct chat."""
    return Said(number, "chat", hours * 60, author, thread=f"chat-{author}", also=also)


def mail(number: int, hours: int, *references: int, author: str = MAIL, others: tuple[str, ...] = ()) -> Said:
    """A mail."""
    return Said(number, "mail", hours * 60, author, references=references, others=others)


def post(number: int, hours: int, author: str, quotes: int | None = None) -> Said:
    """A post, or a comment on one."""
    return Said(number, "post", hours * 60, author, quotes=quotes, thread="" if quotes else str(number))


def together(one: str, other: str, order: int = 0) -> Word:
    """A person links two addresses."""
    return Word((one, other), "together", order)


def apart(one: str, other: str, order: int = 1) -> Word:
    """A person undoes the link."""
    return Word((one, other), "apart", order)


VERIFIED = "own_contact"

SCENARIOS = (
    Scenario("two workers, one new customer", workers=(((chat(0, 0),),), ((chat(1, 1),),))),
    Scenario(
        "three workers, one new customer",
        workers=(((chat(0, 0),),), ((chat(1, 1),),), ((chat(2, 2),),)),
        together=1,
    ),
    Scenario("neighbouring hours at once", workers=(((chat(0, 5),),), ((chat(1, 7),),))),
    Scenario("reply and parent at once", workers=(((mail(0, 0),),), ((mail(1, 20, 0),),))),
    Scenario("two replies to a parent that never comes", workers=(((mail(1, 0, 900),),), ((mail(2, 20, 900),),))),
    Scenario("comment and post at once", workers=(((post(0, 0, BOT),),), ((post(1, 20, "telegram_user:1", 0),),))),
    Scenario(
        "merge while B writes",
        before=((chat(0, 0),),),
        workers=(((together(PHONE, MAIL),),), ((mail(1, 1),),)),
    ),
    Scenario(
        "merge while B writes into a strand it knows",
        before=((chat(0, 0),), (mail(1, 12),)),
        workers=(((mail(2, 6),),), ((together(PHONE, MAIL),),)),
    ),
    Scenario(
        "evidence while B writes",
        before=((chat(0, 0),),),
        workers=(((Said(1, "chat", 1200, BOT, thread="chat-b", also=(PHONE, VERIFIED)),),), ((chat(2, 20),),)),
        preemptions=1,
    ),
    Scenario(
        "C1→C2 and C2→C1",
        before=((chat(0, 0),), (mail(1, 1),)),
        workers=(((together(PHONE, MAIL, 0),),), ((together(MAIL, PHONE, 1),),)),
        preemptions=1,
    ),
    Scenario(
        "a chain of merges at once",
        before=((chat(0, 0),), (mail(1, 1),), (chat(2, 2, BOT),)),
        workers=(((together(PHONE, MAIL, 0),),), ((together(MAIL, BOT, 1),),)),
        together=1,
    ),
    Scenario(
        "undo while B writes",
        before=((chat(0, 0),), (together(PHONE, MAIL),)),
        workers=(((mail(1, 1),),), ((apart(PHONE, MAIL),),)),
    ),
    Scenario(
        "undo and its command at once",
        before=((chat(0, 0),), (mail(1, 1),)),
        workers=(((together(PHONE, MAIL),),), ((apart(PHONE, MAIL),),)),
        preemptions=1,
    ),
    Scenario(
        "undo while evidence comes",
        before=((chat(0, 0),), (mail(1, 1),)),
        workers=(((chat(2, 20, also=(MAIL, VERIFIED)),),), ((apart(PHONE, MAIL),),)),
        preemptions=1,
    ),
    Scenario(
        "a deep link comes back while its address writes",
        workers=(((chat(0, 0, also=(MAIL, "link_nonce")),),), ((mail(1, 20),),)),
        preemptions=1,
    ),
    Scenario(
        "batches that cross",
        before=((together(PHONE, MAIL),),),
        workers=(((chat(0, 0), mail(1, 20)),), ((mail(2, 1), chat(3, 21)),)),
        preemptions=1,
    ),
    Scenario(
        "a zombie has the beginning of a batch",
        workers=(((chat(0, 0), chat(1, 1)),), ((chat(0, 0), chat(1, 1), chat(2, 2)),)),
        zombies=frozenset({0}),
        preemptions=1,
    ),
    Scenario(
        "a token comes back while its mail is stored",
        workers=(
            ((Said(0, "mail", 0, "us", others=(MAIL,), outbound=True),),),
            ((Said(1, "mail", 1200, OTHER_MAIL, answers=0),),),
        ),
        preemptions=1,
    ),
    Scenario(
        "words on two messages at once",
        before=((post(0, 0, BOT),), (chat(1, 0),)),
        workers=(((Word((0, 1), "together", 0),),), ((Word((0, 1), "apart", 1),),)),
        preemptions=1,
    ),
    Scenario(
        "a message is moved while another comes",
        before=((chat(0, 0), chat(1, 1)),),
        workers=(((Move((1,), 0),),), ((chat(2, 2),),)),
        preemptions=1,
    ),
    Scenario(
        "a reply comes again while its parent is moved",
        before=((mail(0, 0),), (mail(1, 1, 0),), (chat(2, 0), Said(3, "chat", 1200, PHONE, thread="c", quotes=2))),
        workers=(
            ((Move((0,), 0),), (Move((2,), 1),)),
            ((mail(1, 1, 0), Said(3, "chat", 1200, PHONE, thread="c", quotes=2)),),
        ),
        preemptions=1,
    ),
    Scenario(
        "a message is moved within its conversation",
        before=((chat(0, 0),), (chat(1, 10),), (chat(2, 5),)),
        workers=(((Move((1,), 0, 0),),), ((chat(3, 6),),)),
        preemptions=1,
    ),
    Scenario(
        "moved and put back",
        before=((chat(0, 0), chat(1, 1)),),
        workers=(((Move((1,), 0),), (Move((1,), 1, 0),)), ((chat(2, 2),),)),
        preemptions=1,
    ),
    Scenario(
        "moved out of a conversation of two strands, and put back",
        before=((chat(0, 0),), (chat(1, 10),), (chat(2, 5),)),
        workers=(((Move((1,), 0),), (Move((1,), 1, 0),)), ((chat(3, 6),),)),
        preemptions=1,
    ),
    Scenario(
        "undo, evidence again and a message at once",
        before=((chat(0, 0),), (mail(1, 1),), (together(PHONE, MAIL),)),
        workers=(((apart(PHONE, MAIL),),), ((chat(2, 2, also=(MAIL, VERIFIED)),),), ((mail(3, 3),),)),
        together=1,
    ),
    Scenario(
        "two merges and a message at once",
        before=((chat(0, 0),), (chat(1, 1, BOT),)),
        workers=(((together(PHONE, MAIL, 0),),), ((together(MAIL, BOT, 1),),), ((mail(2, 2),),)),
        together=1,
    ),
    Scenario(
        "evidence after an undo",
        before=((chat(0, 0, also=(MAIL, VERIFIED)),), (mail(1, 1),), (apart(PHONE, MAIL),)),
        workers=(((chat(2, 20, also=(MAIL, "directory")),),), ((mail(3, 21),),)),
        together=1,
    ),
    Scenario(
        "zombie decides otherwise",
        workers=(((chat(1, 7),),), ((chat(0, 5),), (chat(1, 7),))),
        zombies=frozenset({0}),
    ),
    Scenario(
        "a zombie settles and dies",
        before=((chat(0, 0),), (together(PHONE, MAIL),)),
        workers=(((mail(1, 1),),), ((mail(1, 1),),), ((apart(PHONE, MAIL),),)),
        zombies=frozenset({0}),
        together=1,
        # 1 has looked; 0 stores the message and is about to join by what it read before 2's undo; it does, and is gone.
        script=(Go(1, "insert"), Go(0, "insert", 2), Go(2), Die(0)),
    ),
    Scenario(
        "two messages close a gap",
        before=((chat(0, 0),), (chat(1, 10),)),
        workers=(((chat(2, 5),),), ((chat(3, 5),),)),
        preemptions=1,
    ),
    Scenario(
        "both end in one strand, one dies",
        before=((chat(0, 0),),),
        workers=(((chat(1, 1),),), ((chat(2, 2),),)),
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
