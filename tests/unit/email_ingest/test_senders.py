"""Who a mail is from, and how far that is believed."""

import pytest
from unit.email_ingest.mails import event, evidence, mail, raw, read

from email_ingest.addresses import Mailbox, mailboxes
from email_ingest.authentication import verdict

OURS = frozenset({"mx.shop.example"})


@pytest.mark.parametrize(
    ("name", "address", "believed"),
    [
        ("dmarc_pass", "mia@example.com", "dmarc"),
        ("ordinary", "mia@example.com", "unsigned_from"),
        ("dmarc_fail", "mia@example.com", "unsigned_from"),
        ("dmarc_forged_second", "mia@example.com", "unsigned_from"),
        ("dmarc_foreign_server", "mia@example.com", "unsigned_from"),
        ("dmarc_other_domain", "mia@example.com", "unsigned_from"),
        ("dmarc_in_a_comment", "mia@example.com", "unsigned_from"),
        ("decoy_address", "attacker@evil.example", "unsigned_from"),
        ("decoy_name", "attacker@evil.example", "dmarc"),
        ("double_from", "mia@example.com", "unsigned_from"),
        ("two_authors", "mia@example.com", "unsigned_from"),
        ("group_that_is_ours", "mia@example.com", "unsigned_from"),
    ],
)
def test_only_our_servers_word_on_one_clear_address_is_a_proof(name: str, address: str, believed: str) -> None:
    assert evidence(name) == (address, believed)


def test_an_address_in_the_place_of_a_name_is_not_shown() -> None:
    assert event("decoy_name").sender.name == ""


@pytest.mark.parametrize("name", ["no_from", "from_without_address"])
def test_a_sender_without_address_is_anonymous(name: str) -> None:
    sender = event(name).sender
    assert sender.kind == "anonymous"
    assert sender.claims == ()


PASS = "mx.shop.example; dmarc=pass header.from={domain}"


@pytest.mark.parametrize(
    "sender",
    [
        "mia@example.com\x0b<b@evil.example>",
        "<mia@example.com> <b@evil.example>",
        "mia@example.com b@example.com",
        "Mia mia@example.com",
        "mia@example.com@evil.example",
        '"mia"@example.com',
        "<@evil.example:mia@example.com>",
        "mia@example.com, b@example.com",
        "Mia <mia@example.com",
        "Mia <mia@example.com> evil",
        "=?utf-8?q?mia=40example.com?=",
        "<=?utf-8?q?mia?=@example.com>",
        "mía@example.com",
        "mia@exämple.com",
        "mia@example.com\u200b",
        "Team: mia@example.com, x@example.com;",
        "mia(x)@example.com (",
    ],
)
def test_what_can_be_read_in_two_ways_proves_nothing(sender: str) -> None:
    domain = "example.com"
    (found,) = read(mail(From=sender, Authentication_Results=PASS.format(domain=domain)))
    assert all(claim.evidence == "unsigned_from" for claim in found.sender.claims)


@pytest.mark.parametrize(
    "sender", ["mia@example.com", "Mia <mia@EXAMPLE.com>", '"Lang, Mia" <mia@example.com>', "mia@example.com (Mia)"]
)
def test_what_can_be_read_in_one_way_is_proved_by_dmarc(sender: str) -> None:
    (found,) = read(mail(From=sender, Authentication_Results=PASS.format(domain="example.com")))
    assert found.sender.claims[0].evidence == "dmarc"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("a@x.example", [("a@x.example", "", True)]),
        ("A <a@x.example>, b@x.example", [("a@x.example", "A", True), ("b@x.example", "", True)]),
        ('"A, B" <a@x.example>', [("a@x.example", "A, B", True)]),
        (r'"A \"B\"" <a@x.example>', [("a@x.example", 'A "B', True)]),
        ("(note (deep)) A <a@x.example>", [("a@x.example", "A", True)]),
        ("undisclosed-recipients:;", []),
        ("G: a@x.example; b@x.example", [("a@x.example", "", True), ("b@x.example", "", True)]),
        ("=?utf-8?q?J=C3=B6rg=2C_X?= <j@x.example>", [("j@x.example", "Jörg, X", True)]),
        ("a@good.example <b@evil.example>", [("b@evil.example", "", False)]),
        ("Mia Lang", [("", "Mia Lang", False)]),
        ("<>", [("", "", False)]),
        ("a@[127.0.0.1]", [("a@[127.0.0.1]", "", True)]),
        ("a@x..example", [("", "a@x..example", False)]),
        (",,;", []),
    ],
)
def test_addresses_are_read_one_way(value: str, expected: list[tuple[str, str, bool]]) -> None:
    assert [tuple(one) for one in mailboxes(value.encode())] == expected


def test_a_flood_of_addresses_is_bounded() -> None:
    assert len(mailboxes(b"a@x.example," * 5_000)) == 500


def test_recipients_have_roles_and_ours_are_known() -> None:
    found = event("group_syntax").recipients
    assert [(one.claims[0].value, one.role, one.is_us) for one in found] == [
        ("support@shop.example", "to", True),
        ("bo@example.net", "to", False),
        ("last@example.org", "to", False),
    ]
    assert found[1].name == "Bo"


def test_delivered_to_is_a_recipient_of_its_own() -> None:
    (found,) = read(mail(To="list@example.net", Delivered_To="support+c_tok@shop.example"))
    assert [(one.role, one.is_us) for one in found.recipients] == [("to", False), ("delivered_to", True)]
    assert found.tokens == ("tok",)


def test_a_token_is_taken_from_our_own_addresses_only() -> None:
    assert event("plus_token").tokens == ("7h2k9.4f1e",)


def test_what_we_wrote_is_an_echo() -> None:
    found = event("from_us")
    assert (found.direction, found.echo, found.sender.is_us, found.sender.kind) == ("outbound", True, True, "agent")
    (sent,) = read(raw("sent_mail"), sent=True)
    assert (sent.direction, sent.echo, sent.sender.is_us) == ("outbound", True, True)


def test_who_pretends_to_be_us_is_a_stranger() -> None:
    found = event("forged_from_us")
    assert (found.direction, found.echo, found.sender.is_us) == ("inbound", False, False)


# --- Authentication-Results ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "dmarc"),
    [
        (["mx.shop.example; dmarc=pass"], "pass"),
        (["MX.Shop.Example 1; DMARC = Pass header.from=x"], "pass"),
        (["mx.shop.example.evil.example; dmarc=pass"], ""),
        (["mx.evil.example; dmarc=pass", "mx.shop.example; dmarc=none"], "none"),
        (["mx.shop.example; none", "mx.shop.example; dmarc=pass"], ""),
        (['mx.shop.example; spf=pass reason="; dmarc=pass"'], ""),
        (["mx.shop.example; spf=pass (((; dmarc=pass"], ""),
        (["mx.shop.example; dmarc=pass; dmarc=fail"], "conflict"),
        (["spf=pass; dmarc=pass"], ""),
        ([""], ""),
    ],
)
def test_the_topmost_word_of_our_server_counts(values: list[str], dmarc: str) -> None:
    assert verdict([value.encode() for value in values], OURS).results.get("dmarc", "") == dmarc


def test_a_server_that_writes_no_id_is_named_by_an_empty_one() -> None:
    found = verdict([b"spf=pass; dmarc=pass action=none header.from=example.com"], frozenset({""}))
    assert found.results == {"spf": "pass", "dmarc": "pass"}
    assert found.header_from == "example.com"


def test_a_mailbox_without_address_is_no_proof() -> None:
    assert mailboxes(b"Mia") == (Mailbox("", "Mia", sound=False),)
