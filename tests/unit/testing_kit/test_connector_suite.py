"""The suite's own teeth: a sound connector passes, and each fault that it is for is found."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from onethread.testing import connector_suite as suite
from onethread.testing.fixtures import Case, cases, connector_in
from onethread.testing.purity import Impure
from onethread.testing.record import record

SOUND = '''
"""Acme Chat: a signed JSON webhook."""

import random
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
from pydantic import BaseModel, Field, SecretStr

from onethread.connector import Connector, Raw, Rejected, Request, Webhook, signed, utc
from onethread.event import Body, Claim, Event, Message, Party


class Settings(BaseModel):
    account: str = Field(description="Shop id.")
    secrets: list[SecretStr] = Field(min_length=1, description="Webhook secrets.")


class Item(msgspec.Struct):
    id: str
    user: str
    at: int
    text: str = ""


class Acme(Connector[Settings], Webhook):
    name = network = "NAME"

    def authenticate(self, request: Request) -> None:
        at = request.headers.get("x-acme-time", "")
        body = at.encode("utf-8", "replace") + request.body
        if not signed(request.headers.get("x-acme-signature", ""), self.settings.secrets, body):
            raise Rejected("not signed by one of the secrets")
        if (request.arrived_at - utc(int(at))).total_seconds() > 300:
            raise Rejected("too old")

    def normalize(self, raw: Raw) -> Iterable[Event]:
        item = msgspec.json.decode(raw.data, type=Item)
        who = Party(claims=(Claim("acme_user", item.user),))
        yield Event(item.id, Message(body=Body(text=item.text)), sender=who, received_at=utc(item.at))
'''

README = "# Acme\n## What it receives\n## Setting it up\n## Settings\n`account` `secrets`\n## Known limits\n"
ITEM = {"id": "m1", "user": "mia", "at": 1767225600, "text": "Hi"}
HEADERS = {
    "x-acme-time": "1767225600",
    "x-acme-signature": "SIGNATURE",
}
numbers = iter(range(1000))


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., type[Any]]]:
    """Makes a connector from the sound one, with some of its lines changed."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def make(*changes: tuple[str, str]) -> type[Any]:
        name = f"acme{next(numbers)}"
        folder = tmp_path / name
        (folder / "fixtures").mkdir(parents=True)
        source = dedent(SOUND).replace("NAME", name)
        for old, new in changes:
            assert old in source
            source = source.replace(old, new)
        for path, content in (("__init__.py", ""), ("connector.py", source), ("README.md", README)):
            (folder / path).write_text(content)
        write(folder, "record", {"raw": {"json": ITEM}})
        write(folder, "signed", {"request": {"json": ITEM, "headers": HEADERS | {"x-acme-signature": signature()}}})
        importlib.invalidate_caches()
        connector = connector_in(folder)
        for case in cases(connector):
            record(case)
        return connector

    yield make
    for module in set(sys.modules) - before:
        del sys.modules[module]


def write(folder: Path, name: str, content: Any) -> None:
    (folder / "fixtures" / f"{name}.in.json").write_text(json.dumps(content))


def signature() -> str:
    import hashlib
    import hmac

    import msgspec

    body = HEADERS["x-acme-time"].encode() + msgspec.json.encode(ITEM)
    return hmac.new(b"sample-secret", body, hashlib.sha256).hexdigest()


def case_of(connector: type[Any], name: str) -> Case:
    return next(case for case in cases(connector) if case.name == name)


def folder(connector: type[Any]) -> Path:
    return case_of(connector, "record").path.parent


BY_CASE = [
    suite.test_a_fixture_gives_its_recorded_output,
    suite.test_translating_is_pure,
    suite.test_translating_reads_no_secret,
    suite.test_a_record_gives_events_with_ids_of_their_own,
    suite.test_an_event_can_be_written_and_read,
    suite.test_no_evidence_is_the_hosts,
    suite.test_a_damaged_record_is_refused_or_gives_sound_events,
]
BY_REQUEST = [
    suite.test_a_damaged_request_is_unpacked_or_refused,
    suite.test_a_changed_request_is_refused,
    suite.test_a_handshake_refuses_by_rejected_alone,
]
BY_CONNECTOR = [
    suite.test_every_recorded_output_has_its_input,
    suite.test_settings_are_described,
    suite.test_secrets_are_secret_types_and_never_shown,
    suite.test_the_readme_says_what_an_admin_needs,
]


def test_a_sound_connector_passes(acme: Callable[..., type[Any]]) -> None:
    connector = acme()
    for by_connector in BY_CONNECTOR:
        by_connector(connector)
    for case in cases(connector):
        for by_case in BY_CASE:
            by_case(case)
    for by_request in BY_REQUEST:
        by_request(case_of(connector, "signed"))
    assert not [name for name in vars(suite) if name.startswith("test_") and name not in suite.__all__]


TEXT = "text=item.text"


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        (TEXT, "text=str(time.time())", suite.test_translating_is_pure),
        (TEXT, "text=str(random.random())", suite.test_translating_is_pure),
        (TEXT, "text=Path(__file__).read_text()", suite.test_translating_is_pure),
        (
            TEXT,
            "text=str(self.settings.secrets[0].get_secret_value())",
            suite.test_translating_reads_no_secret,
        ),
        (TEXT, "text=raw.data.decode('latin-1').split('Hi')[1]", None),
        ("type=Item)", "type=Item)\n        assert item.text != ''", None),
        ('"acme_user", item.user', '"acme_user", item.user, evidence="desk"', suite.test_no_evidence_is_the_hosts),
        (
            "        yield Event(",
            "        for _ in 'ab': yield Event(",
            suite.test_a_record_gives_events_with_ids_of_their_own,
        ),
        ("yield Event(item.id", 'yield Event(""', suite.test_a_record_gives_events_with_ids_of_their_own),
        ("text=item.text", "text=item.at", suite.test_an_event_can_be_written_and_read),
        ("received_at=", 'tenant="t1", received_at=', suite.test_a_record_gives_events_with_ids_of_their_own),
    ],
)
def test_a_fault_in_translating_is_found(
    acme: Callable[..., type[Any]], old: str, new: str, check: Callable[[Case], None] | None
) -> None:
    case = case_of(acme((old, new)), "record")
    with pytest.raises(AssertionError):
        (check or suite.test_a_damaged_record_is_refused_or_gives_sound_events)(case)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('raise Rejected("not signed by one of the secrets")', "pass"),
        ("total_seconds() > 300", "total_seconds() < 0"),
        ("+ request.body", "+ HEAD"),
        ("if not signed(", "int(at)\n        if not signed("),
        ('"x-acme-signature", ""', '"x-acme-signature", "")[-64:] + (""'),
    ],
)
def test_a_fault_in_authenticating_is_found(acme: Callable[..., type[Any]], old: str, new: str) -> None:
    constant = f"HEAD = {json.dumps(json.dumps(ITEM, separators=(',', ':')))}.encode()\n\n\nclass Settings"
    case = case_of(acme((old, new), ("class Settings", constant)), "signed")
    with pytest.raises(AssertionError):
        suite.test_a_changed_request_is_refused(case)


HANDSHAKE = """
    def handshake(self, request: Request) -> Answer | None:
        if request.method != "GET":
            return None
        CHECK
        return Answer(request.query["challenge"].encode("utf-8", "replace"))

    def normalize("""


@pytest.mark.parametrize(
    ("check", "found"),
    [
        ("", "KeyError"),
        ("return Answer(request.query.get('challenge', '').encode('ascii'))", "UnicodeEncodeError"),
        ("if not request.query.get('challenge', '').isalnum(): raise Rejected('no challenge', status=400)", ""),
    ],
)
def test_a_handshake_that_breaks_over_a_parameter_is_found(
    acme: Callable[..., type[Any]], check: str, found: str
) -> None:
    imported = ("import Connector, Raw", "import Answer, Connector, Raw")
    connector = acme(imported, ("    def normalize(", HANDSHAKE.replace("CHECK", check)))
    write(folder(connector).parent, "asked", {"request": {"method": "GET", "query": {"challenge": "abc"}}})
    case = case_of(connector, "asked")
    if found:
        with pytest.raises(AssertionError, match=found):
            suite.test_a_handshake_refuses_by_rejected_alone(case)
    else:
        suite.test_a_handshake_refuses_by_rejected_alone(case)


def test_a_waiver_gives_way_where_the_protocol_does_and_fails_when_it_is_stale(acme: Callable[..., type[Any]]) -> None:
    unsigned = acme(("total_seconds() > 300", "total_seconds() < 0"))
    (folder(unsigned) / "waivers.json").write_text('{"stale": "Acme signs no time."}')
    suite.test_a_changed_request_is_refused(case_of(unsigned, "signed"))
    sound = acme()
    (folder(sound) / "waivers.json").write_text('{"stale": "Acme signs no time."}')
    with pytest.raises(AssertionError, match="stale"):
        suite.test_a_changed_request_is_refused(case_of(sound, "signed"))


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ('(description="Shop id.")', "()", suite.test_settings_are_described),
        ("list[SecretStr]", "list[str]", suite.test_secrets_are_secret_types_and_never_shown),
        (
            'name = network = "',
            'def __repr__(self):\n        return self.settings.secrets[0].get_secret_value()\n\n    name = network = "',
            suite.test_secrets_are_secret_types_and_never_shown,
        ),
        ("secrets: list", "hooks: list", suite.test_the_readme_says_what_an_admin_needs),
    ],
)
def test_a_fault_in_settings_is_found(
    acme: Callable[..., type[Any]], old: str, new: str, check: Callable[[type[Any]], None]
) -> None:
    changes = [(old, new)]
    if "hooks" in new or "list[str]" in new:
        changes.append(("self.settings.secrets", "[]"))
    with pytest.raises(AssertionError):
        check(acme(*changes))


def test_another_output_than_the_recorded_one_is_found(acme: Callable[..., type[Any]]) -> None:
    case = case_of(acme(), "record")
    case.output.write_text(case.output.read_text().replace("Hi", "Ho"))
    with pytest.raises(AssertionError, match="recorded"):
        suite.test_a_fixture_gives_its_recorded_output(case)
    case.output.unlink()
    with pytest.raises(AssertionError, match="python -m"):
        suite.test_a_fixture_gives_its_recorded_output(case)


def test_an_output_without_input_is_found(acme: Callable[..., type[Any]]) -> None:
    connector = acme()
    case_of(connector, "record").path.unlink()
    with pytest.raises(AssertionError):
        suite.test_every_recorded_output_has_its_input(connector)


def test_a_readme_without_a_heading_is_found(acme: Callable[..., type[Any]]) -> None:
    connector = acme()
    (folder(connector).parent / "README.md").write_text(README.replace("## Known limits", ""))
    with pytest.raises(AssertionError):
        suite.test_the_readme_says_what_an_admin_needs(connector)


def test_a_missing_readme_is_asked_for_with_its_headings(acme: Callable[..., type[Any]]) -> None:
    connector = acme()
    (folder(connector).parent / "README.md").unlink()
    with pytest.raises(AssertionError, match="## Setting it up"):
        suite.test_the_readme_says_what_an_admin_needs(connector)


def test_a_refused_request_is_recorded_with_its_status(acme: Callable[..., type[Any]]) -> None:
    connector = acme(('"not signed by one of the secrets"', '"not signed", status=403'))
    write(folder(connector).parent, "forged", {"request": {"json": ITEM, "headers": {"x-acme-time": "1767225600"}}})
    case = case_of(connector, "forged")
    assert record(case)
    assert json.loads(case.output.read_bytes()) == {"error": "Rejected", "status": 403}


def test_recording_a_package_off_the_path_says_which_path(tmp_path: Path) -> None:
    inner = tmp_path / "acme_off_the_path" / "acme"
    inner.mkdir(parents=True)
    for path in (inner.parent, inner):
        (path / "__init__.py").touch()
    (inner / "connector.py").touch()
    command = [sys.executable, "-m", "onethread.testing.record", str(inner)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"set PYTHONPATH={tmp_path}" in done.stderr
    assert "Traceback" not in done.stderr


def test_recording_writes_only_what_changed(acme: Callable[..., type[Any]]) -> None:
    case = case_of(acme(), "record")
    assert not record(case)
    case.output.write_text(json.dumps(json.loads(case.output.read_bytes())))
    assert record(case) == "laid out anew"
    for before in ("[]", "no JSON"):
        case.output.write_text(before)
        assert record(case) == "changed"
    case.output.unlink()
    assert record(case) == "new"
    suite.test_a_fixture_gives_its_recorded_output(case)


def test_impure_is_a_failed_assertion() -> None:
    assert issubclass(Impure, AssertionError)
