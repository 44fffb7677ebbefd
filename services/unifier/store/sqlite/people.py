"""Identities and links in SQLite. A batch reads what it changes and writes it back inside one IMMEDIATE transaction."""

# ruff: noqa: S608 -- statements are put together from this file's own constants; values are always parameters

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from onethread.identity import KNOWN_IDENTITY
from unifier.links import Evidence, Identity, Link, LinkWish, Opinion, Profile
from unifier.model import tenant_of
from unifier.store.port import slot_of

W = TypeVar("W", bound=LinkWish | Opinion)

_encode = msgspec.json.Encoder().encode
_profile = msgspec.json.Decoder(Profile)
_kinds = msgspec.json.Decoder(tuple[str, ...])
_link = msgspec.json.Decoder(Link)

_IDENTITY = "i.id, i.type, i.scope, i.value, i.since, i.customer, i.evidence, i.profile"


# --- identities ----------------------------------------------------------------------------------------------------


def add(connection: sqlite3.Connection, identities: Iterable[Identity]) -> None:
    """Insert those that are missing."""
    connection.executemany(
        """INSERT INTO identities (id, type, scope, value, since, customer, evidence, profile)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING""",
        [
            (
                *(one.id, one.type, one.scope, one.value, one.since, one.customer),
                *(_text(sorted(one.evidence)), _text(one.profile)),
            )
            for one in identities
        ],
    )


def by_id(connection: sqlite3.Connection, ids: Collection[str]) -> dict[str, Identity]:
    """Identities by id."""
    sql = f"SELECT {_IDENTITY} FROM json_each(?) AS asked CROSS JOIN identities AS i ON i.id = asked.value"
    return {one.id: one for one in _identities(connection.execute(sql, (_json(ids),)))}


def customers(connection: sqlite3.Connection, roots: Collection[str]) -> dict[str, list[Identity]]:
    """Identities by customer, eldest first."""
    sql = f"SELECT {_IDENTITY} FROM json_each(?) AS asked CROSS JOIN identities AS i ON i.customer = asked.value"
    found: dict[str, list[Identity]] = {}
    for one in sorted(_identities(connection.execute(sql, (_json(roots),))), key=lambda one: one.age):
        found.setdefault(one.customer, []).append(one)
    return found


def set_customers(connection: sqlite3.Connection, roots: Mapping[str, str]) -> None:
    """Identity id → its root."""
    rows = [(root, one) for one, root in roots.items()]
    connection.executemany("UPDATE identities SET customer = ? WHERE id = ?", rows)


def revise(connection: sqlite3.Connection, ids: Collection[str]) -> None:
    """Let these identities' revisions grow."""
    connection.executemany(
        "INSERT INTO revisions (tenant, slot, value) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET value = value + 1",
        sorted({(tenant_of(one), slot_of(one)) for one in ids}),
    )


def revisions(connection: sqlite3.Connection, ids: Collection[str]) -> dict[str, int]:
    """Each identity's revision."""
    tenants = _json([tenant_of(one) for one in ids])
    sql = """SELECT r.tenant, r.slot, r.value FROM json_each(?) AS asked
        CROSS JOIN revisions AS r ON r.tenant = asked.value"""
    known = {(tenant, slot): value for tenant, slot, value in connection.execute(sql, (tenants,))}
    return {one: known.get((tenant_of(one), slot_of(one)), 0) for one in ids}


def note(
    connection: sqlite3.Connection, profiles: Mapping[str, Profile], evidence: Mapping[str, Collection[str]]
) -> None:
    """Profiles are merged; kinds of evidence are added."""
    merged = {one.id: one.profile.with_later(profiles[one.id]) for one in by_id(connection, profiles).values()}
    connection.executemany(
        "UPDATE identities SET profile = ? WHERE id = ?", [(_text(new), one) for one, new in merged.items()]
    )
    known = by_id(connection, evidence)
    connection.executemany(
        "UPDATE identities SET evidence = ? WHERE id = ?",
        [(_text(sorted({*one.evidence, *evidence[one.id]})), one.id) for one in known.values()],
    )


def reveal(connection: sqlite3.Connection, identities: Iterable[Identity]) -> None:
    """Addresses in the place of mere ids."""
    connection.executemany(
        "UPDATE identities SET type = ?, scope = ?, value = ? WHERE id = ? AND type = ?",
        [(one.type, one.scope, one.value, one.id, KNOWN_IDENTITY) for one in identities],
    )


def _identities(rows: Iterable[tuple[str, str, str, str, int, str, str, str]]) -> Iterable[Identity]:
    for one, kind, scope, value, since, customer, evidence, profile in rows:
        yield Identity(
            id=one,
            type=kind,
            scope=scope,
            value=value,
            since=since,
            customer=customer,
            evidence=_kinds.decode(evidence),
            profile=_profile.decode(profile),
        )


# --- links ---------------------------------------------------------------------------------------------------------


def wish(connection: sqlite3.Connection, wishes: Sequence[LinkWish]) -> None:
    """Links to be there, with their reasons."""
    _change(connection, wishes, _with_reason)


def opine(connection: sqlite3.Connection, opinions: Sequence[Opinion]) -> None:
    """Persons' words on pairs."""
    _change(connection, opinions, _with_opinion)


def _with_reason(link: Link | None, wanted: LinkWish) -> Link:
    if link is None:
        return Link(id=wanted.id, kind=wanted.kind, ends=wanted.ends, evidence=(wanted.evidence,))
    if any(reason.key == wanted.evidence.key for reason in link.evidence):
        return link
    evidence = tuple(sorted((*link.evidence, wanted.evidence), key=_by_key))
    return msgspec.structs.replace(link, evidence=evidence, settled=False, rev=link.rev + 1)


def _with_opinion(link: Link | None, said: Opinion) -> Link:
    if link is None:
        link = Link(id=said.id, kind=said.kind, ends=said.ends, rev=0)
    elif said.at <= link.at:
        return link
    return msgspec.structs.replace(link, state=said.state, at=said.at, by=said.by, settled=False, rev=link.rev + 1)


def _by_key(reason: Evidence) -> str:
    return reason.key


def _change(connection: sqlite3.Connection, wanted: Sequence[W], changed: Callable[[Link | None, W], Link]) -> None:
    before = links(connection, {one.id for one in wanted})
    after: dict[str, Link] = dict(before)
    for one in wanted:
        after[one.id] = changed(after.get(one.id), one)
    new = [link for link in after.values() if before.get(link.id) != link]
    connection.executemany(
        """INSERT INTO links (id, a, b, settled, rev, body) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET settled = excluded.settled, rev = excluded.rev, body = excluded.body""",
        [(link.id, *link.ends, link.settled, link.rev, _text(link)) for link in new],
    )
    connection.executemany(
        "INSERT INTO link_needs (identity, link) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(needed, link.id) for link in new for reason in link.evidence for needed in reason.needs],
    )


def settled(connection: sqlite3.Connection, revs: Mapping[str, int]) -> None:
    """Mark links settled whose `rev` is still the one given."""
    connection.executemany("UPDATE links SET settled = 1 WHERE id = ? AND rev = ?", revs.items())


def links(connection: sqlite3.Connection, ids: Collection[str]) -> dict[str, Link]:
    """Links by id."""
    sql = "SELECT l.body, l.settled FROM json_each(?) AS asked CROSS JOIN links AS l ON l.id = asked.value"
    return {link.id: link for link in _links(connection.execute(sql, (_json(ids),)))}


def links_at(connection: sqlite3.Connection, ends: Collection[str]) -> list[Link]:
    """Links with one of these ends."""
    sql = """SELECT l.body, l.settled FROM json_each(:ends) AS asked CROSS JOIN links AS l ON l.a = asked.value
        UNION ALL SELECT l.body, l.settled FROM json_each(:ends) AS asked CROSS JOIN links AS l ON l.b = asked.value"""
    return _distinct(connection.execute(sql, {"ends": _json(ends)}))


def links_needing(connection: sqlite3.Connection, identities: Collection[str]) -> list[Link]:
    """Links with evidence that needs one of these."""
    sql = """SELECT l.body, l.settled FROM json_each(?) AS asked CROSS JOIN link_needs AS n ON n.identity = asked.value
        CROSS JOIN links AS l ON l.id = n.link"""
    return _distinct(connection.execute(sql, (_json(identities),)))


def _distinct(rows: Iterable[tuple[str, int]]) -> list[Link]:
    found = {link.id: link for link in _links(rows)}
    return [found[one] for one in sorted(found)]


def _links(rows: Iterable[tuple[str, int]]) -> Iterable[Link]:
    for body, is_settled in rows:
        yield msgspec.structs.replace(_link.decode(body), settled=bool(is_settled))


def _text(value: object) -> str:
    return _encode(value).decode()


def _json(values: Collection[str]) -> str:
    return _text(sorted(set(values)))
