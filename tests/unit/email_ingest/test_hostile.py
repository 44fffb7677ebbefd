"""Whatever the bytes are: an event, no exception, and work in proportion to the size."""

import email
import time
from collections.abc import Callable
from email.policy import compat32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.email_ingest.mails import NAMES, mail, message_of, raw, read, unparsed

from email_ingest import addresses, authentication, charsets, headers, parts, quotes
from email_ingest.markup import to_text
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


# --- work in proportion to size ----------------------------------------------------------------------------------

Family = Callable[[int], bytes]

FAMILIES: dict[str, Family] = {
    "nested multiparts": lambda n: b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(n // 60)
    ),
    "parameters": lambda n: mail("x", Content_Type="text/plain" + "; a=b" * (n // 5)),
    "continuations": lambda n: mail("x", Content_Type="text/plain" + "".join(f"; a*{i}=b" for i in range(n // 9))),
    "tiny parts": lambda n: mail("--b\n\nx\n" * (n // 7), Content_Type="multipart/mixed; boundary=b"),
    "boundary of dashes": lambda n: mail("-" * n, Content_Type=f"multipart/mixed; boundary={'-' * 60}"),
    "nested comments": lambda n: mail("x", From="(" * n),
    "open quotes": lambda n: mail("x", From='"\\' * (n // 2)),
    "addresses": lambda n: mail("x", To="a@x.example," * (n // 12)),
    "header lines": lambda n: mail("x", X="y\r\n" + "a: b\r\n" * (n // 6) + "c: d"),
    "folded header": lambda n: mail("x", Subject="a\r\n " * (n // 4)),
    "encoded words": lambda n: mail("x", Subject="=?utf-8?q?a?= " * (n // 14)),
    "half encoded words": lambda n: mail("x", Subject="=?a?b?" * (n // 6)),
    "references": lambda n: mail("x", References="<a@b> " * (n // 6)),
    "one line of On": lambda n: mail("On " * (n // 3)),
    "lines of On": lambda n: mail("On \n" * (n // 4)),
    "one line of schrieb": lambda n: mail("Am 1 " + " schrieb " * (n // 9)),
    "quote signs": lambda n: mail(">" * n),
    "quoted lines": lambda n: mail("> \n" * (n // 3)),
    "blank lines": lambda n: mail("\n" * n),
    "labels": lambda n: mail("From: \n" * (n // 7)),
    "flowed": lambda n: mail("a \n" * (n // 3), Content_Type="text/plain; format=flowed"),
    "nested elements": lambda n: mail("<div>" * (n // 5), Content_Type="text/html"),
    "nested quotes": lambda n: mail("<blockquote>x" * (n // 13), Content_Type="text/html"),
    "attributes": lambda n: mail("<a" + " b=c" * (n // 4) + ">", Content_Type="text/html"),
    "open comments": lambda n: mail("<!--" * (n // 4), Content_Type="text/html"),
    "open tags": lambda n: mail("<a" * (n // 2), Content_Type="text/html"),
    "open attributes": lambda n: mail("<a '\">" * (n // 6), Content_Type="text/html"),
    "quotes that hide the end": lambda n: mail('<a ">" ' * (n // 7), Content_Type="text/html"),
    "open scripts": lambda n: mail("<script>" * (n // 8), Content_Type="text/html"),
    "entities": lambda n: mail("&" * (n // 2) + "&amp" * (n // 8), Content_Type="text/html"),
    "markers": lambda n: mail("<p class=class=class=x>" * (n // 22), Content_Type="text/html"),
    "links": lambda n: mail("<a href=x>y</a> " * (n // 16), Content_Type="text/html"),
    "base64": lambda n: mail("QQ==\n" * (n // 5), Content_Transfer_Encoding="base64"),
    "quoted-printable": lambda n: mail("=\n" * (n // 2), Content_Transfer_Encoding="quoted-printable"),
    "uuencode": lambda n: mail("#86)C\n" * (n // 6), Content_Transfer_Encoding="x-uuencode"),
    "high bytes": lambda n: mail(b"\xff\x20" * (n // 2)),
    "escape sequences": lambda n: mail(b"\x1b$B\x1b(B" * (n // 6), Content_Type="text/plain; charset=iso-2022-jp"),
}

SIZES = (150_000, 600_000)


def seconds(data: bytes) -> float:
    """Of processor time, the least of three runs: what the machine does beside us only ever adds."""
    took = []
    for _ in range(3):
        start = time.thread_time()
        read(data)
        took.append(time.thread_time() - start)
    return min(took)


@pytest.mark.parametrize("name", FAMILIES)
def test_hostile_mail_costs_no_more_than_its_size(name: str) -> None:
    family = FAMILIES[name]
    small, large = (seconds(family(size)) for size in SIZES)
    assert large < 2.0
    # Four times the bytes; quadratic work would be sixteen times. What takes no time cannot be compared.
    assert large < max(small, 0.01) * 10


@pytest.mark.parametrize("name", FAMILIES)
def test_hostile_mail_is_an_event(name: str) -> None:
    holds(FAMILIES[name](60_000))


def test_a_thousand_nested_multiparts_are_an_excerpt() -> None:
    data = b"Subject: deep\n" + FAMILIES["nested multiparts"](60_000)
    assert message_of(data).degraded == "nested deeper than 30 parts"


def test_ten_megabytes_of_html_show_their_words() -> None:
    markup = "<p>Our kettle leaks.</p>" * 440_000
    start = time.thread_time()
    found = message_of(mail(markup, Content_Type="text/html"))
    assert time.thread_time() - start < 5.0
    assert found.body.text.startswith("Our kettle leaks.")
    assert found.attachments[0].size_bytes == len(markup)


def test_five_thousand_links_keep_their_words() -> None:
    found = message_of(mail("<a href='https://example.com/x'>tea</a> " * 5_000, Content_Type="text/html"))
    assert found.body.text.count("tea") == 5_000


def test_each_parser_is_linear_by_itself() -> None:
    for call, piece in (
        (lambda n: headers.decode_words("=?x?q?" * n), "words"),
        (lambda n: headers.parameters(b';a="' * n), "parameters"),
        (lambda n: headers.identifiers(b"<" * n), "identifiers"),
        (lambda n: headers.date(b"1 " * n), "date"),
        (lambda n: addresses.mailboxes(b"<(" * n), "addresses"),
        (lambda n: authentication.verdict([b"x;(" * n], frozenset({"x"})), "results"),
        (lambda n: quotes.new_words("Am schrieb \n" * n), "quotes"),
        (lambda n: to_text("<!--<a '" * n), "html"),
    ):
        small, large = (min(_timed(call, n) for _ in range(3)) for n in (10_000, 40_000))
        assert large < max(small, 0.01) * 10, piece


def _timed(call: Callable[[int], object], n: int) -> float:
    start = time.thread_time()
    call(n)
    return time.thread_time() - start
