"""Whatever the bytes are: an event, and no exception. What they cost is tested in `tests/hostile`."""

import email
from email.policy import compat32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.email_ingest.mails import NAMES, raw, read, unparsed

from email_ingest import addresses, charsets, parts
from onethread.envelope import decode_value, encode_value

CORPUS = [raw(name) for name in NAMES]


def holds(data: bytes) -> None:
    found = read(data)
    assert found
    assert not unparsed(found)
    for one in found:
        assert one.external_id
        assert decode_value(encode_value(one)) == one


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=2_000))
def test_any_bytes_are_an_event(data: bytes) -> None:
    holds(data)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CORPUS), st.data())
def test_any_mutation_of_a_mail_is_an_event(original: bytes, data: st.DataObject) -> None:
    changed = bytearray(original)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(changed)))
        until = data.draw(st.integers(at, min(len(changed), at + 200)))
        piece = data.draw(st.one_of(st.binary(max_size=20), st.sampled_from(PIECES)))
        changed[at:until] = piece
    holds(bytes(changed))


PIECES = [
    b"\r\n",
    b"\n\n",
    b"\0",
    b"\xff\xfe",
    b"--b1\n",
    b"--b1--\n",
    b'"',
    b"(",
    b"<",
    b"=?utf-8?b?//8?=",
    b"=?utf-7?q?+2AA-?=",
    b"charset=utf-16",
    b"Content-Type: multipart/mixed; boundary=b1\n",
    b"Content-Transfer-Encoding: base64\n",
    b"filename*0*=x'y'%ff;",
    b"From: a@b <c@d>\n",
    b"\x1b$B",
]


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["utf-7", "utf-16", "iso-2022-jp", "gb2312", "hz", "big5", "undefined", "", "\0", "utf-32"]),
    st.binary(max_size=300),
)
def test_any_bytes_in_any_charset_are_text_for_json(charset: str, data: bytes) -> None:
    text = charsets.clean(charsets.decode(data, charset))
    assert text.encode("utf-8").decode("utf-8") == text
    assert "\0" not in text


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='ab@<>()",;:\\ .=?', max_size=40))
def test_any_header_is_a_list_of_addresses(text: str) -> None:
    for found in addresses.mailboxes(text.encode()):
        assert not found.address or addresses.valid(found.address)
        assert not found.sound or found.address


# --- the stdlib as an oracle ------------------------------------------------------------------------------------

# Damaged mail aside, and reports, whose blocks of fields are mails of their own to the stdlib.
WELL_FORMED = sorted(
    {name for name in NAMES if not name.startswith("dsn")}
    - {
        "bare_cr",
        "deep",
        "empty",
        "garbage",
        "missing_boundary",
        "truncated_base64",
        "uuencoded",
        "nested_rfc822",
        "mdn_read",
    }
)


def leaves(part: parts.Part) -> list[tuple[str, bytes]]:
    if part.children:
        return [leaf for child in part.children for leaf in leaves(child)]
    return [(part.media_type, part.content())]


@pytest.mark.parametrize("name", WELL_FORMED)
def test_the_tree_is_the_one_the_stdlib_sees(name: str) -> None:
    theirs = email.message_from_bytes(raw(name), policy=compat32)
    expected = [
        (part.get_content_type(), part.get_payload(decode=True))
        for part in theirs.walk()
        if not part.is_multipart() and part.get_content_maintype() != "message"
    ]
    found = [leaf for leaf in leaves(parts.parse(raw(name)).root) if not leaf[0].startswith("message/")]
    assert found == expected
