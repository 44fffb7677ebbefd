"""Ways to lose or double a message, as edits of the source, and the points at which a kill shows each.

An edit whose old text is not in its file exactly once is stale, and fails: mend it together with the code. What only shows where
two workers race (no unique index, a redelivery that trusts `settled`) is in `grouping.mutations`.
"""

from typing import NamedTuple


class Bug(NamedTuple):
    """One edit of one file below `shared` or `services`. `points`: a process killed at a moment of one of them shows it.

    `source`: of `crash.sources`; "": it shows in the story of the shop.
    """

    name: str
    file: str
    old: str
    new: str
    points: tuple[str, ...]
    source: str = ""


BUGS = (
    Bug(
        "commit before apply",
        "unifier/worker.py",
        "            verdict = await self.apply(records)\n",
        "            await reader.commit({record.place: record.offset + 1 for record in records})\n"
        "            verdict = await self.apply(records)\n",
        ("reader.commit:after",),
    ),
    Bug(
        "acknowledge before publish",
        "onethread/host/delivery.py",
        "        task.add_done_callback(self._writing.discard)\n",
        "        task.add_done_callback(self._writing.discard)\n        return self._answer(channel, request), Outcome()\n",
        ("log.append(onethread.messages):before",),
    ),
    Bug(
        "publish unconfirmed taken for done",
        "onethread/host/ingest.py",
        "        await self._log.append(MESSAGES, batch.drafts)\n",
        "        later = lambda: asyncio.ensure_future(self._log.append(MESSAGES, batch.drafts))\n"
        "        import asyncio\n        asyncio.get_running_loop().call_later(0.2, later)\n",
        ("http.body:after",),
    ),
    Bug(
        "cursor of a page before its records",
        "onethread/host/polling.py",
        "        outcome = await self._host.ingest.records(self._channel, page.records, self._streak)\n",
        "        if page.cursor is not None:\n"
        "            await self._host.cursors.save(self._channel.id, self._resource, page.cursor, self._lease.fence)\n"
        "        outcome = await self._host.ingest.records(self._channel, page.records, self._streak)\n",
        ("state.put(cursors):after",),
    ),
    Bug(
        "cursor of a stream before its records",
        "onethread/host/lent.py",
        "        self.emitted = await self._lender.ingest.records(self._channel, records, self._streak)\n",
        "        if cursor is not None and self._save is not None:\n            await self._save(cursor)\n"
        "        self.emitted = await self._lender.ingest.records(self._channel, records, self._streak)\n",
        ("state.put(cursors):after",),
    ),
    Bug(
        "stored means done",
        "unifier/batch.py",
        "        decisions = home(readings, world)\n",
        "        decisions = [one for one in home(readings, world) if one.stored is None]\n",
        ("store.insert:after",),
    ),
    Bug(
        "published raised before the log confirmed",
        "unifier/publishing.py",
        "        await self._log.append(CONVERSATIONS, drafts)\n",
        "        await self._store.published({head.id: head.through for head in behind})\n"
        "        await self._log.append(CONVERSATIONS, drafts)\n",
        ("store.published:after",),
    ),
    Bug(
        "a bad record is passed over",
        "onethread/host/ingest.py",
        "        await self._log.append(DEAD_LETTERS, [dead_letters.draft(letter) for letter in letters])\n",
        "        import asyncio\n        later = lambda: asyncio.ensure_future(\n"
        "            self._log.append(DEAD_LETTERS, [dead_letters.draft(letter) for letter in letters]))\n"
        "        asyncio.get_running_loop().call_later(0.2, later)\n",
        ("http.body:after",),
    ),
)

OF_SOURCES = (
    Bug(
        "a job is removed before its files are told",
        "onethread/host/errands.py",
        "        if outcomes != about.outcomes:\n",
        "        await held.done()\n        if outcomes != about.outcomes:\n",
        ("state.remove(fetches):after",),
        "files",
    ),
    Bug(
        "commit before the jobs are durable",
        "onethread/host/fetching.py",
        "        for record in records:\n            await self._note(record)\n",
        "        await reader.commit({record.place: record.offset + 1 for record in records})\n"
        "        for record in records:\n            await self._note(record)\n",
        ("reader.commit:after",),
        "files",
    ),
    Bug(
        "files are noted as fetched before they are told",
        "onethread/host/errands.py",
        "        if outcomes != about.outcomes:\n",
        "        await held.fetched.note(event.id, self.now())\n        if outcomes != about.outcomes:\n",
        ("state.put(fetched):after",),
        "files",
    ),
    Bug(
        "an envelope is acknowledged before it is emitted",
        "im_ingest/connectors/slack/socket_mode.py",
        "            await self._host.emit([record_of(frame)])\n",
        '            await socket.send(msgspec.json.encode({"envelope_id": frame.envelope_id}).decode())\n'
        "            await self._host.emit([record_of(frame)])\n",
        ("websocket.send:after",),
        "slack",
    ),
)
"""Of the ways in and of the fetching that the story leaves out."""
