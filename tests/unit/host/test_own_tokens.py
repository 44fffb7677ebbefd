import re
import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from onethread.errors import Misconfigured
from onethread.event import Claim
from onethread.identity import identity_id
from onethread.own_tokens import LIFETIME, OwnTokens

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TOKENS = OwnTokens([SecretStr("a-signing-key-of-some-length")])
MIA = Claim("email", "mia@example.com")
LINK = TOKENS.issue(MIA, "t1", "telegram", NOW)
EVENT = "evt_" + "a2" * 16


def test_a_link_names_the_identity_it_was_made_for() -> None:
    proof = TOKENS.verify(LINK, "t1", "telegram", NOW)
    assert proof is not None
    assert (proof.kind, proof.id) == ("link", identity_id("t1", MIA))
    assert proof.expires_at == NOW + timedelta(days=7)


def test_the_identity_of_what_is_proven_is_the_identity_itself() -> None:
    assert identity_id("t1", Claim("idn", "idn_x")) == "idn_x"
    assert identity_id("t1", Claim("idn", identity_id("t1", MIA))) == identity_id("t1", MIA)


def test_a_reply_names_the_event_it_answers() -> None:
    proof = TOKENS.verify(TOKENS.issue_reply(EVENT, "t1", "email", NOW), "t1", "email", NOW)
    assert proof is not None
    assert (proof.kind, proof.id) == ("reply", EVENT)


def test_a_token_fits_a_start_parameter_and_a_mail_address_in_either_case() -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", LINK)
    assert len(f"support+{LINK}") <= 64
    assert TOKENS.verify(LINK.upper(), "t1", "telegram", NOW) == TOKENS.verify(LINK, "t1", "telegram", NOW)


def test_it_holds_seven_days_and_not_a_second_longer() -> None:
    assert TOKENS.verify(LINK, "t1", "telegram", NOW + LIFETIME - timedelta(seconds=1))
    assert TOKENS.verify(LINK, "t1", "telegram", NOW + LIFETIME) is None


@pytest.mark.parametrize(
    ("tenant", "network"), [("t2", "telegram"), ("t1", "whatsapp"), ("t1telegram", ""), ("", "t1telegram")]
)
def test_it_proves_nothing_to_another_tenant_or_network(tenant: str, network: str) -> None:
    assert TOKENS.verify(LINK, tenant, network, NOW) is None


def test_no_change_of_a_character_goes_unnoticed() -> None:
    for place in range(len(LINK)):
        for letter in "abcdefghijklmnopqrstuvwxyz234567":
            if letter != LINK[place]:
                assert TOKENS.verify(LINK[:place] + letter + LINK[place + 1 :], "t1", "telegram", NOW) is None


@given(st.text(max_size=70) | st.text(string.ascii_lowercase + "234567", min_size=56, max_size=56))
def test_what_is_not_ours_is_nothing_and_never_an_error(text: str) -> None:
    assert TOKENS.verify(text, "t1", "telegram", NOW) is None


def test_an_older_key_is_still_accepted_and_a_retired_one_is_not() -> None:
    new = SecretStr("another-key-of-some-length")
    both = OwnTokens([new, SecretStr("a-signing-key-of-some-length")])
    assert both.verify(LINK, "t1", "telegram", NOW)
    assert OwnTokens([new]).verify(LINK, "t1", "telegram", NOW) is None
    assert OwnTokens([new]).verify(both.issue(MIA, "t1", "telegram", NOW), "t1", "telegram", NOW)


@pytest.mark.parametrize("keys", [[], ["short"], ["a-signing-key-of-some-length", ""]])
def test_weak_keys_are_refused(keys: list[str]) -> None:
    with pytest.raises(Misconfigured, match=r"tokens\.keys"):
        OwnTokens([SecretStr(key) for key in keys])
