"""One mail in, its event out: what the corpus says, mail by mail."""
# ruff: noqa: RUF001 -- mails come in many scripts

from datetime import UTC, datetime

import pytest
from unit.email_ingest.mails import NAMES, STORE, event, mail, message, message_of, raw, read, unparsed

from email_ingest.mime import Delivery, events
from onethread.envelope import decode_value, encode_value
from onethread.event import Failure, Message, Receipt

DEGRADED = {
    "deep": "nested deeper than 30 parts",
    "empty": "an empty mail",
    "garbage": "no mail header",
    "missing_boundary": "a multipart without its boundary",
}


def test_the_corpus_is_large() -> None:
    assert len(NAMES) >= 80


@pytest.mark.parametrize("name", NAMES)
def test_every_mail_is_an_event_that_survives_the_wire(name: str) -> None:
    found = read(raw(name))
    assert found
    assert not unparsed(found)
    for one in found:
        assert decode_value(encode_value(one)) == one
        assert one.external_id
        assert one.place.id == "support@shop.example/INBOX"


@pytest.mark.parametrize("name", NAMES)
def test_only_damaged_mail_is_called_degraded(name: str) -> None:
    for one in read(raw(name)):
        assert getattr(one.fact, "degraded", "") == DEGRADED.get(name, "")


SUBJECTS = {
    "gb2312_with_gbk_bytes": "朱镕基的水壶",
    "gbk_without_headers": "水壶漏水",
    "iso_2022_jp": "やかんが漏れる",
    "raw_8bit_headers": "Kessel läuft über",
    "raw_utf8_headers": "Kessel läuft über 🫖",
    "split_encoded_words": "漏水的水壶 (urgent)",
    "encoded_crlf_injection": "Hi  Bcc: victim@example.net",
}


@pytest.mark.parametrize(("name", "subject"), SUBJECTS.items())
def test_subjects_are_decoded_onto_one_line(name: str, subject: str) -> None:
    assert message(name).subject == subject


TEXTS = {
    "ordinary": "Hello,\n\nmy kettle leaks. What can I do?\n\nMia",
    "alternative": "My kettle leaks.",
    "html_only": "Dear shop,\n\nmy kettle leaks & hisses – badly.\n\n- since Monday\n- every day",
    "empty_plain_rich_html": "Only here.",
    "html_then_footer": "Rich words.\n\n--\nlist <footer>",
    "lying_utf8": "Der Kessel läuft über, größer Ärger.",
    "unknown_charset": "Der Kessel läuft über.",
    "codec_that_is_no_charset": "Uryyb vf abg Hello",
    "latin1_with_euro": "Es kostet 20 €, „zu viel“.",
    "gb2312_with_gbk_bytes": "水壶漏水，请换一个。朱镕",
    "gbk_without_headers": "水壶漏水，请换一个。",
    "iso_2022_jp": "やかんが漏れます。",
    "iso_2022_jp_undeclared": "やかんが漏れます。",
    "shift_jis_vendor": "①やかん～髙",
    "utf16_body": "Mein Kessel läuft.",
    "eight_bit_without_mime": "Läuft über",
    "flowed": "This line goes on here.\nFrom is stuffed.\n\n--\nMia",
    "flowed_delsp": "水壶漏水了。",
    "truncated_base64": "My kettle leaks",
    "uuencoded": "uu words",
    "nul_bytes": "before after",
    "no_body": "",
    "crlf": "Line one\nline two",
    "bare_cr": "Line one\nline two",
    "missing_boundary": "The words are here anyway.",
    "forged_from_us": "Pay here.",
}


@pytest.mark.parametrize(("name", "text"), TEXTS.items())
def test_words_are_read_whatever_the_charset_says(name: str, text: str) -> None:
    assert message(name).body.text == text


def test_a_mail_nested_too_deeply_shows_what_there_is() -> None:
    assert "innermost words" in message("deep").body.text


def test_bytes_that_are_no_mail_are_shown_as_they_can_be() -> None:
    assert "0123456789" in message("garbage").body.text
    assert event("garbage").sender.kind == "anonymous"


def test_both_renderings_are_kept() -> None:
    body = message("alternative").body
    assert body.html == "<p>My <b>kettle</b> leaks.</p>"
    assert body.text_full == ""


def test_a_plain_footer_after_rich_words_is_in_both() -> None:
    assert "<pre>-- \nlist &lt;footer&gt;</pre>" in message("html_then_footer").body.html


def test_nobody_loses_the_letters_of_an_unknown_word() -> None:
    assert message_of(mail(Subject="=?utf-8?X?nonsense?= =?utf-8?q?=FF?=")).subject == "=?utf-8?X?nonsense?= ÿ"


# --- ids ---------------------------------------------------------------------------------------------------------


def test_the_id_is_the_message_id_with_its_case() -> None:
    assert event("ordinary").external_id == "ordinary@mail.example.com"
    assert event("odd_message_id").external_id == "Not.Bracketed@Mail.Example.com"


def test_of_two_message_ids_the_first_counts_and_the_other_is_an_alias() -> None:
    assert event("two_message_ids").external_id == "first@mail.example.com"
    assert message("two_message_ids").aliases == ("second@relay.example.com",)


def test_a_mail_without_id_gets_the_same_one_on_every_way() -> None:
    data = raw("no_message_id")
    moved = b"Received: from a by b; Tue, 3 Mar 2026 08:15:09 GMT\nDelivered-To: help@shop.example\n" + data
    first, second = read(data)[0], read(moved)[0]
    assert first.external_id == second.external_id
    assert first.revision == second.revision
    assert "@" not in first.external_id


def test_mails_without_id_that_differ_have_different_ids() -> None:
    mails = [mail(f"{n}\n", Message_ID="", Date="Tue, 3 Mar 2026 08:15:09 GMT") for n in range(3)]
    assert len({read(one)[0].external_id for one in mails}) == 3


def test_a_message_id_used_again_is_another_revision() -> None:
    first, second = read(mail("one"))[0], read(mail("two"))[0]
    assert first.external_id == second.external_id
    assert first.revision != second.revision


def test_a_copy_has_the_same_revision_however_a_relay_encoded_it() -> None:
    plain = mail("Käse\r\n", MIME_Version="1.0", Content_Type="text/plain; charset=utf-8")
    encoded = mail(
        "K=C3=A4se\n\n",
        Return_Path="<x@example.com>",
        MIME_Version="1.0",
        Content_Type="text/plain; charset=utf-8",
        Content_Transfer_Encoding="quoted-printable",
    )
    assert read(plain)[0].revision == read(encoded)[0].revision


def test_references_survive_folding_repeats_and_phrases() -> None:
    found = message("odd_message_id")
    assert found.in_reply_to == ("c-1@shop.example",)
    assert found.references == ("c-0@shop.example", "c-1@shop.example")


def test_of_many_references_the_oldest_and_the_newest_are_kept() -> None:
    found = message_of(mail(References=" ".join(f"<{n}@x>" for n in range(900)))).references
    assert len(found) == 50
    assert found[0] == "0@x"
    assert found[-1] == "899@x"


# --- times -------------------------------------------------------------------------------------------------------


def test_the_servers_date_is_when_it_was_received() -> None:
    moment = datetime(2026, 3, 4, tzinfo=UTC)
    assert read(raw("date_sloppy"), internal_date=moment)[0].received_at == moment


def test_without_it_the_topmost_received_counts() -> None:
    found = event("date_sloppy")
    assert found.received_at == datetime(2026, 3, 3, 8, 15, 9, tzinfo=UTC)
    assert found.sent_at == datetime(2026, 3, 3, 9, 15, tzinfo=UTC)


@pytest.mark.parametrize("date", ["", "never", "Tue, 03 Mar 9999 09:15:00 +0100", "1 Jan 1900 00:00:00 GMT", "1" * 900])
def test_a_date_out_of_all_reason_is_none(date: str) -> None:
    assert read(mail(Date=date))[0].sent_at is None
    assert event("date_out_of_range").sent_at is None


# --- reports -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [
        ("dsn_failed", "failed", Failure(code="5.1.1", text="550 5.1.1 no such user", permanent=True)),
        ("dsn_delayed", "delayed", Failure(code="4.4.1", text="421 try later")),
        ("dsn_delivered", "delivered", None),
    ],
)
def test_a_delivery_report_is_a_receipt_for_each_recipient(name: str, status: str, error: Failure | None) -> None:
    found = read(raw(name))
    assert [one.sender.claims[0].value for one in found] == ["mia@example.com", "bo@example.net"]
    assert found[0].fact == Receipt(status=status, target="c-7.m1@shop.example", error=error)
    assert found[0].external_id == "c-7.m1@shop.example/mia@example.com"
    assert found[0].revision == status


def test_a_read_receipt_says_read() -> None:
    found = event("mdn_read")
    assert found.fact == Receipt(status="read", target="c-7.m1@shop.example")
    assert found.sender.claims[0].value == "mia@example.com"


@pytest.mark.parametrize("name", ["dsn_without_original", "bounce_of_its_own_form"])
def test_a_bounce_that_names_no_mail_is_shown_as_one(name: str) -> None:
    found = message(name)
    assert found.mail is not None
    assert found.mail.bounce
    assert found.auto_submitted


# --- facts of mail -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ordinary", ""),
        ("out_of_office", "auto-replied"),
        ("list_mail", "auto-generated"),
        ("group_that_is_ours", ""),
        ("from_us", ""),
    ],
)
def test_automatic_mail_is_told_from_a_persons(name: str, said: str) -> None:
    assert message(name).auto_submitted == said


@pytest.mark.parametrize(
    "header",
    ["Precedence: bulk", "X-Autoreply: yes", "Return-Path: <>", "X-Auto-Response-Suppress: OOF", "Feedback-ID: 1:2:x"],
)
def test_each_sign_of_a_program_counts(header: str) -> None:
    name, _, value = header.partition(": ")
    assert message_of(mail(**{name.replace("-", "_"): value})).auto_submitted


@pytest.mark.parametrize("sender", ["no-reply@example.com", "MAILER-DAEMON@example.com", "noreply-9@example.com"])
def test_a_sender_who_wants_no_answer_is_a_program(sender: str) -> None:
    assert message_of(mail(From=sender)).auto_submitted == "auto-generated"


def test_lists_calendars_and_protection_are_said() -> None:
    assert message("list_mail").mail.list_id == "tea.lists.example.com"
    assert message("calendar").mail.calendar == "REQUEST"
    assert message("signed").mail.protection == "signed"
    assert message("encrypted").mail.protection == "encrypted"
    assert message_of(mail(X_Spam_Flag="YES")).mail.spam


# --- bounds ------------------------------------------------------------------------------------------------------


def test_a_mail_that_was_cut_says_so() -> None:
    (found,) = events(raw("ordinary"), STORE, Delivery(cut="only the first 64 kB were fetched"))
    assert isinstance(found.fact, Message)
    assert found.fact.degraded == "only the first 64 kB were fetched"
    assert found.fact.body.truncated


def test_words_over_their_bound_are_cut_and_kept_as_a_file() -> None:
    text = "水壶漏水。\n" * 20_000
    found = message_of(mail(text, Content_Type="text/plain; charset=utf-8"))
    assert found.body.truncated
    assert len(found.body.text.encode()) <= 120_000
    assert found.attachments[0].filename == "body.txt"
    assert found.attachments[0].content == text.encode()
    assert found.degraded


def test_html_over_its_bound_leaves_text_and_a_file() -> None:
    markup = "<p>My kettle leaks.</p>" * 40_000
    found = message_of(mail(markup, Content_Type="text/html"))
    assert found.body.html == ""
    assert found.body.text.startswith("My kettle leaks.")
    assert found.attachments[0].filename == "body.html"


def test_parts_over_their_number_are_left_out_loudly() -> None:
    many = "--b\n\nx\n" * 700
    found = message_of(mail(many, Content_Type="multipart/mixed; boundary=b"))
    assert found.degraded == "more than 500 parts"
