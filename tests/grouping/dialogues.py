"""Generated dialogues, seeded, rich in edge cases of the rules. It knows the facts and no unifier code."""

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from grouping.facts import Dialogue, Move, Said, Word
from grouping.reference import grouping

UNSEEN = {"mail": 900, "chat": 910, "post": 920, "group": 930}
"""Numbers from here on are named before they come, if they come at all."""


def dialogue(seed: int) -> Dialogue:
    """A dialogue of a few people over a few channels, rich in edge cases of the rules."""
    chance = random.Random(seed)
    people = [
        [f"email:p{n}@example.com", f"phone:+1555010{n}", f"telegram_user:{n}"]
        for n in range(chance.choice((1, 2, 2, 3)))
    ]
    said: list[Said] = []
    for number in range(chance.randint(4, 16)):
        said.append(_say(chance, number, people, said))
    words = tuple(
        Word((first, second), chance.choice(("together", "apart", "auto")), order)
        for order in range(chance.choice((0, 0, 1, 2, 3)))
        for first, second in [chance.sample([address for person in people for address in person], 2)]
    )
    tickets = chance.choice(((), (), ("mail",), ("mail", "chat"), ("mail", "chat", "post", "group")))
    return _with_persons(chance, Dialogue(tuple(said), words, threads=frozenset(tickets)))


def _with_persons(chance: random.Random, base: Dialogue) -> Dialogue:
    """With words on messages, and moves.

    They name messages and mean the conversations that these are in. So that they mean the same in any order, no two words are
    about the same two conversations, what is kept apart would not be together, and nobody answers what is moved.
    """
    if any(word.state == "apart" for word in base.words):
        return base
    talk = {said.number for said in base.said if said.about is None}
    groups = [talk & group for group in sorted(grouping(base, "any"), key=sorted) if talk & group]
    chance.shuffle(groups)
    pairs = [(min(one), min(other)) for one, other in pairwise(groups)][: chance.choice((0, 0, 1, 2))]
    states = [chance.choice((("together",), ("together", "auto"), ("apart", "together"))) for _ in pairs]
    if pairs and pairs[-1] == (min(groups[-2]), min(groups[-1])):
        states[-1] = chance.choice((states[-1], ("together", "apart")))
    said = [(pair, state) for pair, course in zip(pairs, states, strict=True) for state in course]
    words = tuple(Word(pair, state, order) for order, (pair, state) in enumerate(said, len(base.words)))
    dialogue = replace(base, words=(*base.words, *words))
    return replace(dialogue, moves=tuple(_moves(chance, dialogue, {end for pair in pairs for end in pair})))


def _moves(chance: random.Random, dialogue: Dialogue, tied: set[int]) -> Iterator[Move]:
    named = {number for said in dialogue.said for number in (said.quotes, said.about, said.answers, *said.references)}
    talk = {said.number for said in dialogue.said if said.about is None}
    groups = sorted(grouping(dialogue, "any"), key=sorted)
    group = chance.choice(groups)
    stays, *movable = sorted(talk.intersection(group), key=lambda number: (number not in named | tied, number)) or [0]
    movable = [number for number in movable if number not in named and number not in tied]
    if not movable or chance.random() < 0.3:
        return
    numbers = tuple(chance.sample(movable, chance.randint(1, len(movable))))
    elsewhere = [number for other in groups if other != group for number in sorted(talk & other)]
    if any(word.state != "together" for word in dialogue.words):
        elsewhere = []  # for a while the two may be one conversation, and then there is nothing to move
    yield Move(numbers, 0, chance.choice([None, *elsewhere[:1]]))
    if chance.random() < 0.4:
        yield Move(numbers, 1, stays)


def encounter(seed: int) -> Dialogue:
    """A few messages of one person with two or three addresses, about to be linked or kept apart: dense in races."""
    chance = random.Random(f"encounter {seed}")
    addresses = ["email:p0@example.com", "phone:+15550100", "telegram_user:0"][: chance.choice((2, 2, 3))]
    said = []
    for number in range(chance.randint(2, 5)):
        author = chance.choice(addresses)
        place = "mail" if author.startswith("email") else "chat"
        minutes = chance.choice((0, 60, 300, 420, 780))
        other = chance.choice([one for one in addresses if one != author])
        also = (other, chance.choice(("own_contact", "link_nonce", "profile"))) if chance.random() < 0.4 else None
        thread = f"chat-{author}" if place == "chat" else ""
        said.append(Said(number, place, minutes, author, thread=thread, also=also))
    pair = chance.sample(addresses, 2)
    states = chance.choice(
        ((), ("together",), ("apart",), ("together", "apart"), ("apart", "auto"), ("apart", "together"))
    )
    return Dialogue(tuple(said), tuple(Word((pair[0], pair[1]), state, order) for order, state in enumerate(states)))


def _say(chance: random.Random, number: int, people: list[list[str]], before: list[Said]) -> Said:
    person = chance.choice(people)
    minutes = chance.randrange(0, 40 * 60, 60)  # whole hours, so that gaps of exactly the window come up
    place = chance.choice(("mail", "mail", "chat", "chat", "chat", "post", "group"))
    author = {"mail": person[0], "chat": chance.choice(person[1:]), "post": person[2], "group": person[2]}[place]
    earlier = [other.number for other in before if other.place == place]
    unseen = UNSEEN[place] + chance.randrange(3)
    if chance.random() < 0.1 and unseen not in {other.number for other in before}:
        number = unseen
    names = chance.choice([*earlier, unseen]) if chance.random() < 0.4 else None
    names = None if names == number else names
    if earlier and names is not None and chance.random() < 0.35:
        return Said(number, place, minutes, author, about=names, reaction=chance.random() < 0.5)
    also = None
    if place == "chat" and chance.random() < 0.2:
        also = (chance.choice(person), chance.choice(("own_contact", "link_nonce", "profile")))
        also = None if also[0] == author else also
    extra = tuple(
        chance.sample(
            [one[0] for one in people if one is not person],
            chance.choice((0, 0, 1, len(people) - 1)) if len(people) > 1 else 0,
        )
    )
    outbound = chance.random() < 0.25
    ours = [other.number for other in before if other.outbound and other.place == "mail" and other.about is None]
    answers = chance.choice([*ours, UNSEEN["mail"]]) if not outbound and chance.random() < 0.1 else None
    answers = None if place not in ("mail", "chat") or answers == number else answers
    base = Said(number, place, minutes, author, also=also, automatic=chance.random() < 0.07, answers=answers)
    match place:
        case "mail":
            references = tuple(
                dict.fromkeys(one for one in (names, *chance.sample(earlier, min(len(earlier), 1))) if one is not None)
            )
            chosen = {"references": references if names is not None else ()}
            if outbound:
                return _changed(base, outbound=True, author="us", others=(author, *extra), also=None, **chosen)
            return _changed(base, others=extra, **chosen)
        case "chat":
            chat = _changed(base, thread=f"chat-{author}", quotes=names)
            return _changed(chat, outbound=True, author="us", others=(author,), also=None) if outbound else chat
        case "post":
            fresh = names is None
            return _changed(base, thread=str(number) if fresh else "", quotes=names)
        case _:
            return _changed(base, thread=f"room-{chance.randrange(2)}", quotes=names)


def _changed(said: Said, **changes: object) -> Said:
    return replace(said, **changes)  # type: ignore[arg-type]
