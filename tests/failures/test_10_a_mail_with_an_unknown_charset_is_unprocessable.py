"""What users saw: a charset that nobody knows, or a header that is encoded wrongly, makes a mail "unprocessable".

zammad/zammad#2224, zammad/zammad#2227, zammad/zammad#2722, zammad/zammad#3115, zammad/zammad#2746, zammad/zammad#2201,
zammad/zammad#6141. Here each of the malformed mails of the corpus is a message with the words there are, and its bytes are
kept as the server handed them out.
"""

from failures.house import GENEROUS, House, at
from unit.email_ingest.mails import raw

from onethread import envelope
from onethread.event import Event
from onethread.log.port import TopicPartition
from onethread.log.topics import MESSAGES
from onethread.testing.servers.dovecot import DovecotServer

WORDS = {
    "unknown_charset": ("Kettle", "Der Kessel läuft über."),
    "codec_that_is_no_charset": ("Kettle", "Uryyb vf abg Hello"),
    "lying_utf8": ("Kettle", "Der Kessel läuft über, größer Ärger."),
    "latin1_with_euro": ("Kettle", "Es kostet 20 €, „zu viel“."),
    "gb2312_with_gbk_bytes": ("朱镕基的水壶", "水壶漏水，请换一个。朱镕"),  # noqa: RUF001 -- Chinese
    "gbk_without_headers": ("水壶漏水", "水壶漏水，请换一个。"),  # noqa: RUF001 -- Chinese
    "iso_2022_jp": ("やかんが漏れる", "やかんが漏れます。"),
    "iso_2022_jp_undeclared": ("kettle", "やかんが漏れます。"),
    "shift_jis_vendor": ("kettle", "①やかん～髙"),  # noqa: RUF001 -- Japanese
    "utf16_body": ("Kettle", "Mein Kessel läuft."),
    "eight_bit_without_mime": ("hi", "Läuft über"),
    "raw_8bit_headers": ("Kessel läuft über", "Hello"),
    "raw_utf8_headers": ("Kessel läuft über 🫖", "Hello"),
    "split_encoded_words": ("漏水的水壶 (urgent)", "x"),
    "rfc2231_names": ("Kettle", "five files"),
    "encoded_crlf_injection": ("Hi  Bcc: victim@example.net", "x"),
    "bare_cr": ("Kettle", "Line one\nline two"),
    "truncated_base64": ("Kettle", "My kettle leaks"),
    "missing_boundary": ("Kettle", "The words are here anyway."),
    "odd_message_id": ("Kettle", "x"),
    "date_out_of_range": ("Kettle", "x"),
}
"""Subject and words that a person can read, whatever is wrong with the mail."""
ODD = ("nul_bytes", "garbage", "deep", "empty")
"""Of those it counts only that they are there."""


async def test_each_of_them_is_a_message_with_the_words_there_are(house: House, dovecot_server: DovecotServer) -> None:
    mailbox = house.reads_mail(dovecot_server)
    names = (*WORDS, *ODD)
    mailbox.pour({at(minute): raw(name) for minute, name in enumerate(names)})
    async with house.running(budget=GENEROUS):
        await house.quiet()
    shown = sorted(await house.all_messages(), key=lambda one: one["received_at"])
    assert len(shown) == len(names)
    assert await house.letters() == 0
    readable = [(one["fact"]["subject"], one["fact"]["body"]["text"]) for one in shown[: len(WORDS)]]
    assert dict(zip(WORDS, readable, strict=True)) == WORDS


async def test_the_bytes_of_each_are_kept(house: House, dovecot_server: DovecotServer) -> None:
    mailbox = house.reads_mail(dovecot_server)
    names = [name for name in WORDS if name != "bare_cr"]  # the server itself mends the ends of its lines
    mailbox.pour({at(minute): raw(name) for minute, name in enumerate(names)})
    async with house.running(budget=GENEROUS):
        await house.quiet()
    kept = [kept_bytes(event).replace(b"\r\n", b"\n") for event in await events(house)]
    assert sorted(kept) == sorted(raw(name).replace(b"\r\n", b"\n") for name in names)


def kept_bytes(event: Event) -> bytes:
    assert event.source is not None
    return event.source.data if event.source.text is None else event.source.text.encode()


async def events(house: House) -> list[Event]:
    found = []
    for partition in await house.log.extents(MESSAGES):
        records = await house.log.fetch(TopicPartition(MESSAGES, partition), 0)
        found += [envelope.read(record.value, record.headers) for record in records]
    return found
