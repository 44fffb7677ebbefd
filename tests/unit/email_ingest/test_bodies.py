"""Files, quotes, HTML, and the format of paragraphs."""
# ruff: noqa: RUF001 -- mails come in many scripts

import hashlib

import pytest
from unit.email_ingest.mails import mail, message, message_of, raw

from email_ingest.flowed import unflow
from email_ingest.markup import to_text
from email_ingest.quotes import is_forward, new_words


def test_file_names_are_decoded_and_are_no_paths() -> None:
    assert [one.filename for one in message("rfc2231_names").attachments] == [
        "Rechnung März.pdf",
        "水壶.pdf",
        "büro.pdf",
        "passwd",
        "a  b.exe",
    ]


def test_an_overlong_name_keeps_its_ending() -> None:
    found = message_of(
        mail("x", Content_Type="image/png", Content_Disposition=f"attachment; filename={'n' * 3000}.png")
    )
    assert len(found.attachments[0].filename) <= 255
    assert found.attachments[0].filename.endswith("n.png")


def test_no_file_is_dropped() -> None:
    files = message("forty_files").attachments
    assert [one.filename for one in files] == [f"f{n}.txt" for n in range(40)]
    assert [one.content for one in files] == [f"file {n}".encode() for n in range(40)]
    assert all(one.size_bytes == len(one.content or b"") for one in files)


def test_an_attached_mail_is_kept_byte_for_byte() -> None:
    (attached,) = message("nested_rfc822").attachments
    data = raw("nested_rfc822")
    start = data.index(b"From: Bo")
    expected = data[start : data.index(b"\n--b1--", start)]
    assert attached.content == expected
    assert hashlib.sha256(attached.content).digest() == hashlib.sha256(expected).digest()
    assert attached.media_type == "message/rfc822"
    assert message("nested_rfc822").body.text == "See the mail."


def test_images_that_the_html_shows_are_inline_and_their_type_is_seen() -> None:
    (image,) = message("related_images").attachments
    assert (image.kind, image.media_type, image.disposition, image.content_id) == (
        "image",
        "image/png",
        "inline",
        "leak@x",
    )


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("winmail_dat", [("winmail.dat", "application/ms-tnef", 8)]),
        ("calendar", [("", "text/calendar", 92)]),
        ("signed", [("signature.asc", "application/pgp-signature", 59)]),
        ("truncated_base64", [("a.png", "image/png", 45)]),
    ],
)
def test_what_cannot_be_shown_is_a_file(name: str, files: list[tuple[str, str, int]]) -> None:
    assert [(one.filename, one.media_type, one.size_bytes) for one in message(name).attachments] == files


def test_a_named_text_is_the_body_when_it_is_the_only_one() -> None:
    assert message_of(mail("words", Content_Type="text/plain; name=body.txt")).body.text == "words"
    found = message_of(mail("words", Content_Type="text/plain", Content_Disposition="attachment; filename=a.txt"))
    assert found.body.text == ""
    assert found.attachments[0].content == b"words"


# --- quotes ------------------------------------------------------------------------------------------------------

NEW = {
    "reply_gmail_en": "It still leaks.",
    "reply_outlook_en": "It still leaks.",
    "reply_outlook_de": "Es tropft noch.",
    "reply_gmail_de": "Es tropft noch.",
    "reply_fr": "Elle fuit toujours.",
    "reply_pt": "Ainda não chegou.",
    "reply_zh": "还在漏水。",
    "reply_qq": "还在漏水。",
    "reply_inline": "Hello,\n\nYes.\n\nMonday.",
    "html_gmail_reply": "It still leaks.",
    "html_outlook_reply": "Es tropft immer noch.",
}


@pytest.mark.parametrize(("name", "words"), NEW.items())
def test_new_words_are_found_and_the_rest_is_kept_beside_them(name: str, words: str) -> None:
    body = message(name).body
    assert body.text == words
    assert len(body.text_full) > len(words)


@pytest.mark.parametrize("name", ["only_quote", "wrote_is_no_quote", "forward"])
def test_words_that_are_no_quote_or_the_only_ones_stay(name: str) -> None:
    body = message(name).body
    assert body.text == raw(name).decode().partition("\n\n")[2].strip()
    assert body.text_full == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ja.\n\nMax Muster schrieb am 02.03.2026 um 10:00:\n> Nein.", "Ja."),
        ("Ja.\n\nOp ma 2 mrt 2026 om 10:00 schreef Shop <s@shop.example>:\n> Nee.", "Ja."),
        ("Sí.\n\nEl lun, 2 mar 2026 a las 10:00, Shop (<s@shop.example>) escribió:\n\n> No.", "Sí."),
        (
            "Да.\n\nпн, 2 мар. 2026 г. в 10:00, Shop <s@shop.example>:\n> Нет.",
            "Да.\n\nпн, 2 мар. 2026 г. в 10:00, Shop <s@shop.example>:",
        ),
        ("Sì.\n\nIl giorno lun 2 mar 2026 alle ore 10:00 Shop <s@shop.example> ha scritto:\n> No.", "Sì."),
        ("Tak.\n\npon., 2 mar 2026 o 10:00 Shop <s@shop.example>\nnapisał(a):\n\n> Nie.", "Tak."),
        ("はい。\n\n2026年3月2日(月) 10:00 Shop <s@shop.example> のメール:\n> いいえ", "はい。"),
        ("Yes.\n##- Please type your reply above this line -##\nold", "Yes."),
        ("Yes.\nFrom: the start, To: the end", "Yes.\nFrom: the start, To: the end"),
        ("a\n> b\nc\n> d\ne", "a\nc\ne"),
        ("", ""),
    ],
)
def test_quotes_of_many_programs(text: str, words: str) -> None:
    assert new_words(text) == words


@pytest.mark.parametrize(
    ("subject", "said"),
    [("Fwd: x", True), ("WG: x", True), ("转发：x", True), ("Re: x", False), ("x", False), ("", False)],
)
def test_a_forward_is_known_by_its_subject(subject: str, said: bool) -> None:
    assert is_forward(subject) is said


# --- HTML --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>c", "> a\n\n> > b\n\nc"),
        ("a<!-- x --><!-- y -->b<!-- never closed c", "ab never closed c"),
        ("1 < 2 and 3 > 2 & x", "1 < 2 and 3 > 2 & x"),
        ("<a title=\"x>y\" href='z'>link</a>", "link"),
        ('<a title="never closed>words</a> more', "words more"),
        ("<style>p{}</style>a<SCRIPT>b</script >c", "ac"),
        ("<style>unclosed a", "unclosed a"),
        ("&lt;&nbsp;&euro;&#8364;&#x20AC;&#128;&unknown;&#0;&#xFFFFFF;", "< €€€€&unknown;"),
        ("&#" + "9" * 10_000, "&#" + "9" * 10_000),
        ("", ""),
        ("<", "<"),
        ("<b", ""),
    ],
)
def test_html_becomes_text(markup: str, text: str) -> None:
    assert to_text(markup).text == text


def test_what_a_program_marked_as_quoted_is_known() -> None:
    found = to_text("<p>new</p><div class='yahoo_quoted'>old</div>")
    assert found.text[: found.quoted_from] == "new"


# --- format=flowed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("a \nb", "a b"),
        ("a\nb", "a\nb"),
        ("> a \n> b\nc", "> a b\nc"),
        ("> a \nb", "> a \nb"),
        (" >no quote", ">no quote"),
        ("a\n-- \nMia", "a\n-- \nMia"),
        ("a ", "a "),
    ],
)
def test_flowed_lines_are_joined(text: str, joined: str) -> None:
    assert unflow(text, delete_space=False) == joined


def test_the_blank_is_deleted_where_it_is_none() -> None:
    assert unflow("水 \n壶", delete_space=True) == "水壶"
