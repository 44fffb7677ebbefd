"""Conversations from heads: sums, order, and since when somebody waits. Placements: the path of links in words."""

import pytest

from onethread.event import By
from unifier.api.ids import founder, inside, parsed_time, shown
from unifier.api.placements import Why, path, placement
from unifier.api.views import conversation, waiting_since
from unifier.links import Evidence, Identity, Link, LinkKind, LinkState
from unifier.model import Entry, Head, Participant, Placement


def _head(name: str, **fields: int) -> Head:
    return Head(id=f"acme/{name}", root="acme/cnv_1", through=3, message_count=1, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("strands", "since"),
    [
        ([{"waiting_since": 5, "last_at": 5}], 5),
        ([{"waiting_since": 0, "last_at": 9, "answered_at": 9}], 0),
        ([{"waiting_since": 5, "last_at": 5}, {"waiting_since": 7, "last_at": 7}], 5),
        ([{"waiting_since": 5, "last_at": 5}, {"last_at": 9, "answered_at": 9}], 0),
        ([{"waiting_since": 5, "last_at": 5}, {"waiting_since": 12, "last_at": 12, "answered_at": 9}], 12),
        ([{"waiting_since": 5, "last_at": 15}, {"last_at": 9, "answered_at": 9}], 15),
    ],
)
def test_an_answer_in_one_strand_answers_what_was_asked_in_another(strands: list[dict[str, int]], since: int) -> None:
    assert waiting_since(_head(f"cnv_{number}", **fields) for number, fields in enumerate(strands)) == since


def test_a_conversation_is_the_sum_of_its_strands_in_any_order() -> None:
    mia, desk = "acme/idn_m", "acme/idn_us"
    one = Head(
        id="acme/cnv_1", root="acme/cnv_1", identity=mia, through=2, created_at=1000, last_at=2000, message_count=2,
        subject="", networks=("email",), participants=(Participant(identity=mia, role="customer"),),
    )  # fmt: skip
    two = Head(
        id="acme/cnv_2", root="acme/cnv_1", through=5, created_at=500, last_at=3000, message_count=3, subject="Late",
        networks=("sms", "email"), participants=(Participant(identity=desk, role="us"), Participant(identity=mia)),
    )  # fmt: skip
    root = Identity(id="acme/idn_r", type="email", scope="", value="x", since=0, customer="acme/idn_r")
    people = {mia: Identity(id=mia, type="email", scope="", value="m", since=1, customer="acme/idn_r"), root.id: root}
    found = conversation("acme/cnv_1", [two, one], people)
    assert found == conversation("acme/cnv_1", [one, two], people)
    assert (found.subject, found.message_count, found.networks) == ("Late", 5, ["email", "sms"])
    assert (found.created_at, found.last_active_at) == ("1970-01-01T00:00:00.500Z", "1970-01-01T00:00:03.000Z")
    assert (found.customer_id, found.waiting_since) == ("cus_r", None)
    assert [(who.identity_id, who.customer_id, who.role) for who in found.participants] == [
        ("idn_m", "cus_r", "customer"),
        ("idn_us", None, "us"),
    ]


def test_the_version_changes_with_customer_and_strands() -> None:
    person = Identity(id="acme/idn_m", type="email", scope="", value="m", since=1, customer="acme/idn_m")
    merged = Identity(id="acme/idn_m", type="email", scope="", value="m", since=1, customer="acme/idn_r")
    head = Head(id="acme/cnv_1", root="acme/cnv_1", identity="acme/idn_m", through=2)
    grown = Head(id="acme/cnv_1", root="acme/cnv_1", identity="acme/idn_m", through=3)
    versions = {
        conversation("acme/cnv_1", [one], {"acme/idn_m": who}).version
        for one, who in ((head, person), (head, merged), (grown, person))
    }
    assert len(versions) == 3


# --- placements ----------------------------------------------------------------------------------------------------


def _link(one: str, other: str, *evidence: Evidence, state: LinkState = "auto", kind: LinkKind = "strand") -> Link:
    low, high = sorted((f"acme/{one}", f"acme/{other}"))
    return Link(
        id=f"acme/lnk_{one}{other}",
        kind=kind,
        ends=(low, high),
        state=state,
        evidence=evidence,
        by=By(agent="a7"),
    )


ROOTS = {f"acme/cnv_{n}": "acme/cnv_1" for n in range(1, 5)}
IDLE = Evidence(rule="idle_window")


def test_the_path_takes_links_that_count_from_the_strand_to_the_eldest() -> None:
    apart, far = _link("cnv_3", "cnv_1", state="apart"), _link("cnv_3", "cnv_9", IDLE)
    suggested = _link("cnv_4", "cnv_1", Evidence(rule="idle_window", counts=False))
    chain = (_link("cnv_3", "cnv_2", IDLE), _link("cnv_2", "cnv_1", state="together"))
    why = Why(links=(apart, far, suggested, *chain), roots={**ROOTS, "acme/cnv_9": "acme/cnv_9"})
    assert [link.id for link in path("acme/cnv_3", why)] == ["acme/lnk_cnv_3cnv_2", "acme/lnk_cnv_2cnv_1"]
    assert path("acme/cnv_1", why) == []
    assert path("acme/cnv_4", why) == []


def test_reasons_name_the_person_or_the_evidence() -> None:
    links = (_link("cnv_3", "cnv_2", IDLE), _link("cnv_2", "cnv_1", state="together"))
    line = Entry(id="acme/evt_1", strand="acme/cnv_3", seq=1, kind="message", at=1, placement=Placement(rule="opened"))
    found = placement(line, Why(links=links, roots=ROOTS))
    assert [one.rule for one in found.joined_by] == ["idle_window", "person"]
    assert found.joined_by[1].reason == "A person (a7) joined them."
    assert found.reason.endswith("it opened a conversation, which is part of this one now.")
    assert placement(line, Why()).reason.endswith("it opened this conversation.")


def test_a_link_that_needs_a_customer_counts_while_they_are_one() -> None:
    evidence = Evidence(rule="shared_reference", needs=("acme/idn_a", "acme/idn_b"))
    people = {
        name: Identity(id=name, type=kind, scope="", value="", since=0, customer="acme/idn_a")
        for name, kind in (("acme/idn_a", "email"), ("acme/idn_b", "phone"))
    }
    links = (_link("cnv_2", "cnv_1", evidence),)
    line = Entry(id="acme/evt_1", strand="acme/cnv_2", seq=1, kind="message", at=1)
    (joined,) = placement(line, Why(links=links, roots=ROOTS, people=people)).joined_by
    assert joined.reason == "They share a Message-ID; email and phone are one customer."
    assert placement(line, Why(links=links, roots=ROOTS)).joined_by == []


def test_one_customer_by_way_of_others_is_explained_by_each_step() -> None:
    people = {
        f"acme/idn_{n}": Identity(id=f"acme/idn_{n}", type=kind, scope="", value="", since=0, customer="acme/idn_a")
        for n, kind in (("a", "email"), ("b", "phone"), ("c", "telegram_user"))
    }
    nonce, card = Evidence(rule="link_nonce"), Evidence(rule="own_contact")
    refused = _link("idn_a", "idn_b", card, state="apart", kind="identity")
    pairs = (refused, _link("idn_a", "idn_c", nonce, kind="identity"), _link("idn_c", "idn_b", card, kind="identity"))
    links = (_link("cnv_2", "cnv_1", Evidence(rule="idle_window", needs=("acme/idn_a", "acme/idn_b"))),)
    line = Entry(id="acme/evt_1", strand="acme/cnv_2", seq=1, kind="message", at=1)
    (joined,) = placement(line, Why(links=links, roots=ROOTS, people=people, pairs=pairs)).joined_by
    assert joined.reason.endswith(
        "; email and phone are one customer, by way of telegram user (our signed link came back; own contact card)."
    )


# --- ids and times -------------------------------------------------------------------------------------------------


def test_what_is_no_id_stays_outside() -> None:
    assert inside("acme", "cnv_1", "cnv_") == "acme/cnv_1"
    for given in ("cnv_/1", "other/cnv_1", "cnv_1\n", "cnv_" + "a" * 61, "Cnv_1", "", "cnv_é", "cnv_$"):
        assert inside("acme", given, "cnv_") is None
    assert founder("acme/cnv_00000000000005abc") == "acme/evt_abc"


def test_times_have_milliseconds_and_a_zone() -> None:
    assert shown(1) == "1970-01-01T00:00:00.001Z"
    assert parsed_time("2026-01-05T09:00:00+01:00") == parsed_time("2026-01-05T08:00:00.000Z")
    for given in (
        "1767600000",
        "2026-01-05",
        "2026-01-05T08:00:00",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-23:59",
    ):
        assert parsed_time(given) is None
