"""Spellings of one address become one; addresses of two never do; trust follows from the evidence alone."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onethread.event import Claim
from onethread.identity import (
    HOST_ONLY,
    KNOWN_IDENTITY,
    STRENGTH,
    Strength,
    canonical,
    canonicalised,
    digest,
    identity_id,
    strength,
)

# --- telephone ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spellings", "one"),
    [
        # Brazil: the ninth digit of mobile numbers came in 2012-2016; WhatsApp still names accounts without it.
        (["+5511987654321", "5511987654321", "+55 11 98765-4321", "+551187654321", "551187654321"], "+5511987654321"),
        (["+556181234567", "+5561981234567"], "+5561981234567"),
        # Mexico: +52 1 before mobile numbers until 2019, and in WhatsApp's ids since.
        (["+5215512345678", "5215512345678", "+52 1 55 1234 5678", "+525512345678", "+52 55 1234 5678"], "+525512345678"),
        (["+5218112345678", "+528112345678"], "+528112345678"),
        # Argentina: +54 9 before mobile numbers from abroad, 15 after the area within the country.
        (["+5491112345678", "5491112345678", "+54 9 11 1234-5678", "+541112345678", "+54 11 15 1234-5678"], "+541112345678"),
        (["+5493511234567", "+543511234567"], "+543511234567"),
        # Elsewhere: blanks, brackets, the trunk zero, the international prefix, other digits.
        (["+44 20 7946 0958", "+44 (0)20 7946 0958", "442079460958", "00442079460958", "+٤٤٢٠٧٩٤٦٠٩٥٨"], "+442079460958"),
        (["+1 (202) 555-0123", "12025550123", "+1.202.555.0123", "tel:+1-202-555-0123"], "+12025550123"),
        (["+39 06 1234 5678", "390612345678"], "+390612345678"),  # Italy's zero belongs to the number
        (["+1 555 0100", "15550100"], "+15550100"),
    ],
)  # fmt: skip
def test_spellings_of_one_number_are_one(spellings: list[str], one: str) -> None:
    assert {canonical("phone", spelling) for spelling in spellings} == {one}


@pytest.mark.parametrize(
    "landline",
    [
        "+551133334444",  # São Paulo: eight digits that begin with 2 to 5
        "+551122223333",
        "+556144445555",
        "+555155556666",
        "+525555123456",  # Mexico City
        "+541143211234",  # Buenos Aires
        "+542214251234",  # La Plata
    ],
)
def test_landlines_are_left_alone(landline: str) -> None:
    assert canonical("phone", landline) == landline


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("72975", "72975"),
        ("+72975", "72975"),
        ("55112", "55112"),
        ("521", "521"),
        ("100", "100"),
        ("5498", "5498"),
        ("0", "0"),
    ],
)
def test_short_codes_and_internal_numbers_stay_as_they_are(given: str, kept: str) -> None:
    assert canonical("phone", given) == kept


@pytest.mark.parametrize("word", ["", " ", "+", "anonymous", "Restricted", "ACME", "Bank24", "Shop24", "1-800-FLOWERS"])
def test_a_word_in_the_place_of_a_number_says_nothing(word: str) -> None:
    assert canonical("phone", word) == ""


# --- mail --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spellings", "one"),
    [
        (["mia@example.com", "Mia@Example.COM", " mia@example.com ", "mia@example.com."], "mia@example.com"),
        (["mia@bücher.example", "MIA@BÜCHER.example", "mia@xn--bcher-kva.example", "mia@bu\u0308cher.example"], "mia@xn--bcher-kva.example"),
        (["ann@münchen.example", "ann@\N{FULLWIDTH LATIN CAPITAL LETTER M}Ünchen.example"], "ann@xn--mnchen-3ya.example"),
        (['"a@b"@example.com'], '"a@b"@example.com'),
        (["josé@example.com", "JOSÉ@example.com", "jose\u0301@example.com"], "josé@example.com"),
    ],
)  # fmt: skip
def test_spellings_of_one_mail_address_are_one(spellings: list[str], one: str) -> None:
    assert {canonical("email", spelling) for spelling in spellings} == {one}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mia.lang@example.com", "mialang@example.com"),  # dots and plus are one provider's private rule
        ("mia+shop@example.com", "mia@example.com"),
        ("mia@example.com", "mia@example.net"),
        ("mia@shop.example", "mia@sh\N{CYRILLIC SMALL LETTER O}p.example"),
    ],
)
def test_two_mail_addresses_stay_two(one: str, other: str) -> None:
    assert canonical("email", one) != canonical("email", other)


@pytest.mark.parametrize("empty", ["", "mia", "@", "mia@", "@example.com", "mia@.", "mia@ . ", "mia@exa mple.com"])
def test_what_is_no_mail_address_says_nothing(empty: str) -> None:
    assert canonical("email", empty) == ""


@pytest.mark.parametrize("domain", ["x" * 64 + ".example", "a..example", "\ud800.example", "xn--\udcff"])
def test_a_domain_that_dns_cannot_hold_is_compared_as_it_is(domain: str) -> None:
    assert canonical("email", f"mia@{domain.upper()}") == f"mia@{domain.lower()}"


def test_other_claims_are_compared_as_given() -> None:
    assert canonical("acme_user", " U42 ") == "U42"
    assert canonical("acme_user", "u42") == "u42"
    assert canonical("website", "https://Example.com/Mia/") == canonical("website", "https://example.com/mia")


any_text = st.text(st.characters(exclude_categories=()))
numbers = st.from_regex(r"\+?(52|521|54|549|55|1|44|39|00|0|7|49|290|683|86|852)?[0-9 ()\-]{0,14}", fullmatch=True)
addresses = st.builds(
    "{}@{}".format, any_text, st.text("aäßİ\N{LATIN SMALL LETTER LONG S}.\u3002 /-xn" + string.whitespace) | any_text
)
kinds = st.sampled_from(["email", "phone", "website", "acme_user", ""])


@settings(deadline=None, max_examples=1000)
@given(kinds, any_text | numbers | addresses)
def test_the_canonical_form_is_its_own_and_is_always_found(kind: str, value: str) -> None:
    found = canonical(kind, value)
    assert canonical(kind, found) == found


@settings(deadline=None)
@given(st.from_regex(r"[1-9][0-9]{0,14}", fullmatch=True))
def test_a_plus_makes_no_difference_to_a_number(digits: str) -> None:
    assert canonical("phone", digits) == canonical("phone", f"+{digits}")


# --- ids ---------------------------------------------------------------------------------------------------------------


def test_an_identity_id_is_the_same_for_ever() -> None:
    assert identity_id("default", Claim("email", "mia@example.com")) == "idn_xnmgizy73odsmhq3hzuk3mvyoo5khwsz"
    assert identity_id("default", Claim("acme_user", "U42", scope="T1")) == "idn_r3erchvvipfsxqas6gterymxjefwzjtj"
    assert digest("a", "b") == "arz66loa2mskwzm5gwamce2otwasanmq"


def test_identities_differ_by_tenant_type_scope_and_value() -> None:
    ids = {
        identity_id("one", Claim("acme_user", "U42", scope="T1")),
        identity_id("two", Claim("acme_user", "U42", scope="T1")),
        identity_id("one", Claim("acme_member", "U42", scope="T1")),
        identity_id("one", Claim("acme_user", "U42", scope="T2")),
        identity_id("one", Claim("acme_user", "U42")),
        identity_id("one", Claim("acme_user", "U43", scope="T1")),
        identity_id("one", Claim("acme_user", "T1", scope="U42")),
    }
    assert len(ids) == 7


def test_no_part_of_an_id_runs_into_the_next() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest('a","b') != digest("a", "b")


def test_an_identity_depends_on_no_spelling_and_no_evidence() -> None:
    claims = [
        Claim("phone", "+55 11 98765-4321"),
        Claim("phone", "551187654321", evidence="form"),
        canonicalised(Claim("phone", "+551187654321")),
    ]
    assert len({identity_id("default", claim) for claim in claims}) == 1


def test_a_canonicalised_claim_keeps_what_was_given() -> None:
    claim = canonicalised(Claim("phone", "+55 11 8765-4321", evidence="form"))
    assert (claim.value, claim.canonical, claim.evidence) == ("+55 11 8765-4321", "+5511987654321", "form")


def test_an_id_tells_no_address() -> None:
    found = identity_id("default", Claim("email", "mia@example.com"))
    assert len(found) == 4 + 32
    assert set(found[4:]) <= set(string.ascii_lowercase + "234567")


def test_a_known_identity_is_the_one_it_names() -> None:
    assert identity_id("default", Claim(KNOWN_IDENTITY, "idn_abc", evidence="link_nonce")) == "idn_abc"


# --- strength ----------------------------------------------------------------------------------------------------------


def test_the_table_of_evidence_is_complete() -> None:
    verified = ["provider", "network_phone", "directory", "dmarc", "signed_login", "own_contact", "link_nonce", "desk"]
    claimed = ["form", "profile", "unsigned_from", "unattested_caller", "deep_link"]
    hints = ["username", "signature", "name"]
    assert (
        dict.fromkeys(verified, Strength.VERIFIED)
        | dict.fromkeys(claimed, Strength.CLAIMED)
        | dict.fromkeys(hints, Strength.HINT)
    ) == STRENGTH
    assert Strength.VERIFIED > Strength.CLAIMED > Strength.HINT


def test_unknown_evidence_is_a_hint() -> None:
    assert strength("telepathy") == Strength.HINT
    assert strength("") == Strength.HINT


def test_what_only_the_host_may_say_is_verified() -> None:
    assert {"link_nonce", "desk"} == HOST_ONLY
    assert all(STRENGTH[evidence] == Strength.VERIFIED for evidence in HOST_ONLY)
