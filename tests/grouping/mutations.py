"""Ways to break the protocol, as edits of the unifier's source. Each must be found by the grouping or the invariants.

An edit whose old text is not in its file exactly once is stale, and fails: mend it together with the code.
"""

from typing import NamedTuple


class Mutation(NamedTuple):
    """One edit of one file below `services/unifier`. `by`: the hunts that must find it (`grouping.hunt`)."""

    name: str
    file: str
    old: str
    new: str
    by: tuple[str, ...] = ("dialogues",)


MUTATIONS = (
    Mutation(
        "commit first",
        "worker.py",
        "            verdict = await self.apply(records)\n            await reader.commit(verdict.offsets)\n",
        "            await reader.commit({one.place: one.offset + 1 for one in records})\n"
        "            verdict = await self.apply(records)\n",
        by=("the loop",),
    ),
    Mutation(
        "stored means done",
        "batch.py",
        "        decisions = home(readings, world)\n",
        "        decisions = [one for one in home(readings, world) if one.stored is None]\n",
    ),
    Mutation(
        "seq from a counter",
        "strands.py",
        "            seq = last.get(entry.strand, self._heads[entry.strand].through) + 1\n",
        "            seq = Strands.counter = getattr(Strands, 'counter', 0) + 1\n",
    ),
    Mutation(
        "random event ids",
        "batch.py",
        "        return Entry(\n            id=reading.id,\n",
        "        return Entry(\n            id=reading.id + __import__('secrets').token_hex(4),\n",
    ),
    Mutation(
        "no read-back of an election",
        "batch.py",
        "        world.rename(names)\n",
        "        names.clear()\n",
        by=("two workers, one new customer",),
    ),
    Mutation(
        "no second look",
        "batch.py",
        "        return list({(wish.id, wish.evidence.key): wish for wish in wishes}.values())\n",
        "        return list({(wish.id, wish.evidence.key): wish for wish in wishes}.values())[:0]\n",
    ),
    Mutation(
        "customer read before the claim",
        "batch.py",
        "        await self.claim(decisions, world)\n        decisions = await self.insert(decisions, world)\n",
        "        early = await self._people.of(readings)\n        async def people(*_):\n            return early\n"
        "        await self.claim(decisions, world)\n        self._people.of = people\n"
        "        decisions = await self.insert(decisions, world)\n",
        by=("merge while B writes into a strand it knows",),
    ),
    Mutation(
        "what is remembered of people is trusted",
        "people.py",
        "            if known and known.revision == revisions.get(who):\n",
        "            if known:\n",
        by=("merge while B writes into a strand it knows",),
    ),
    Mutation(
        "a merge is not told to those who remember",
        "merging.py",
        "        await self._store.revise(settled.nodes)\n",
        "",
        by=("merge while B writes into a strand it knows",),
    ),
    Mutation(
        "a merge is told after it compared keys",
        "merging.py",
        "        await self._store.revise(settled.nodes)\n        wishes = await self.compare(people)\n",
        "        wishes = await self.compare(people)\n        await self._store.revise(settled.nodes)\n",
        by=("merge while B writes into a strand it knows",),
    ),
    Mutation(
        "merge without comparing keys",
        "merging.py",
        "        wishes = await self.compare(people)\n",
        "        wishes = (await self.compare(people))[:0]\n",
        by=("merge while B writes",),
    ),
    Mutation(
        "home by another identity",
        "batch.py",
        "        world = await self.look(readings)\n",
        "        known = (await self._people.of(readings)).known\n"
        "        readings = [\n"
        "            one._replace(clock=one.clock._replace(owner=known[one.own].customer)) if one.clock and one.own in known else one\n"
        "            for one in readings\n"
        "        ]\n"
        "        world = await self.look(readings)\n",
    ),
    Mutation(
        "redirect by request order",
        "settling.py",
        "        elder, younger = sorted((one, other), key=age)\n",
        "        elder, younger = one, other\n",
    ),
    Mutation(
        "settle without a clean pass",
        "settlement.py",
        "            await self._strands.try_append([self._joined(node, root, links) for node, root in sorted(wrong.items())])\n",
        "            await self._strands.try_append([self._joined(node, root, links) for node, root in sorted(wrong.items())])\n"
        "            return Settled(frozenset(nodes), tuple(links))\n",
        by=("undo while B writes",),
    ),
    Mutation(
        "redelivery trusts settled",
        "batch.py",
        "        redelivered = {decision.strand for decision in decisions if decision.stored}\n",
        "        redelivered: set[str] = set()\n",
        by=("undo while B writes",),
    ),
    Mutation(
        "repeated evidence trusts settled",
        "merging.py",
        " | {end for pair in repeated for end in pair.ends}\n",
        "\n",
        by=("undo while evidence comes",),
    ),
    Mutation(
        "stored by another meanwhile is not a redelivery",
        "batch.py",
        "        return [_stored(one, found[one.reading.id]) if one.reading.id in found else one for one in decisions]\n",
        "        return decisions\n",
        by=("a zombie settles and dies",),
    ),
    Mutation(
        "only own entries published",
        "publishing.py",
        "        if len(wanted) == head.through - head.published:\n",
        "        if True:\n",
    ),
    Mutation(
        "published raised before the log confirmed",
        "strands.py",
        "        await self._publisher.tell(heads, self._recent, epoch)\n"
        "        self._told({head.id: head.through for head in heads})\n"
        "        await self.fold(strands)\n",
        "        self._told({head.id: head.through for head in heads})\n"
        "        await self.fold(strands)\n"
        "        await self._publisher.tell(heads, self._recent, epoch)\n",
    ),
    Mutation(
        "no unique (strand, seq)",
        "store/sqlite/schema.py",
        ",\n        UNIQUE (strand, seq)) STRICT",
        ") STRICT",
        by=("two workers, one new customer",),
    ),
    Mutation(
        "claims overwrite",
        "store/sqlite/keys.py",
        'json_each(?) WHERE true ON CONFLICT DO NOTHING"\n',
        'json_each(?) WHERE true ON CONFLICT DO UPDATE SET strand = excluded.strand"\n',
        by=("reply and parent at once",),
    ),
    Mutation(
        "evidence revives an undone link",
        "store/sqlite/people.py",
        "    return msgspec.structs.replace(link, evidence=evidence, settled=False, rev=link.rev + 1)\n",
        "    return msgspec.structs.replace(link, evidence=evidence, settled=False, rev=link.rev + 1, state='auto')\n",
        by=("evidence after an undo",),
    ),
    Mutation(
        "counts by increment",
        "folding.py",
        "    folded = head or Head(id=strand, root=strand)\n",
        "    folded = head or Head(id=strand, root=strand)\n"
        "    entries = [*entries]\n"
        "    folded = msgspec.structs.replace(folded, message_count=folded.message_count + (len(entries) > 1))\n",
    ),
    Mutation(
        "a mere id stays one",
        "people.py",
        "        if revealed:\n",
        "        if False:\n",
        by=("a deep link comes back while its address writes",),
    ),
    Mutation(
        "a repeated move takes where it finds a message for where it was",
        "commands.py",
        "                ways.setdefault((entry.moved.source, entry.moved.to), []).append(entry)\n",
        "                ways.setdefault((entries[entry.id].home, entry.moved.to), []).append(entry)\n",
        by=("a message is moved while another comes",),
    ),
)
