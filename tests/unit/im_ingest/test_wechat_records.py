"""Records of an Official Account with every field left out, or of a wrong kind: refused, or sound events. XML is not what the suite damages."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from im_ingest import weixin
from im_ingest.connectors.wechat.connector import WeChat
from onethread.connector import Raw
from onethread.envelope import decode_value, encode_value
from onethread.errors import Poison
from onethread.testing.fixtures import Case, cases
from onethread.testing.weixin_server import xml

WRONG = (
    "",
    "text",
    "-1",
    "0.5",
    "nan",
    "1e300",
    "9" * 40,
    "a" * 10_000,
    "<" * 1000,
    "\0",
    "9999-12-31T23:59:59Z",
    "]]>",
)
RECORDS = [case for case in cases(WeChat) if case.input().raw is not None and case.input().raw.text]  # type: ignore[union-attr]


def damaged(fields: dict[str, str]) -> Iterator[str]:
    flat = {name: text for name, text in fields.items() if "." not in name}
    for name in flat:
        yield xml(**{other: text for other, text in flat.items() if other != name})
        for wrong in WRONG:
            yield xml(**{**flat, name: wrong})


@pytest.mark.parametrize("case", RECORDS, ids=lambda case: Path(case.path).name)
def test_a_damaged_field_is_refused_or_gives_sound_events(case: Case) -> None:
    given = case.input().raw
    assert given is not None
    assert given.text is not None
    try:
        fields = weixin.fields(given.text.encode())
    except Poison:
        return  # damaged already
    connector = case.instance()
    for document in damaged(fields):
        try:
            events = list(connector.normalize(Raw(document.encode())))
        except (Poison, msgspec.MsgspecError):
            continue
        for event in events:
            assert decode_value(encode_value(event)).kind == event.kind
