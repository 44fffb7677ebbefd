"""The contract of a connector as tests, over every connector that is found. It knows the contract, and no provider.

A project with connectors of its own runs it by a test module of two lines; the packages hold a folder `connectors` each, and
what is installed with an entry point is found besides:

    from onethread.testing.connector_suite import *
    PACKAGES = ("acme_ingest",)

Some checks can be waived where a provider's protocol makes them impossible, in `fixtures/waivers.json`: `{"body": "why"}` where
a signature leaves the body open, `{"stale": "why"}` where it carries no time. A waiver that is not needed fails.
"""

import random
import re
import zlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from onethread.connector import Connector, Raw, Request, Wake, Webhook
from onethread.envelope import decode_value, encode_value
from onethread.errors import Poison, Rejected
from onethread.event import Claim, Event
from onethread.identity import HOST_ONLY
from onethread.registry import connectors
from onethread.testing.ability_suite import (
    test_a_check_over_a_provider_that_is_not_well_says_what_to_do,
    test_a_deep_link_is_a_link_that_carries_its_token,
    test_a_provider_that_is_not_well_is_told_as_that,
)
from onethread.testing.fixtures import (
    REFUSED,
    Case,
    cases,
    events_of,
    folder_of,
    outcome,
    records,
    secret_fields,
    settings_for,
)
from onethread.testing.mutations import noise, replaced, truncations
from onethread.testing.purity import pure

__all__ = [
    "pytest_generate_tests",
    "test_a_changed_request_is_refused",
    "test_a_check_over_a_provider_that_is_not_well_says_what_to_do",
    "test_a_damaged_record_is_refused_or_gives_sound_events",
    "test_a_damaged_request_is_unpacked_or_refused",
    "test_a_deep_link_is_a_link_that_carries_its_token",
    "test_a_fixture_gives_its_recorded_output",
    "test_a_handshake_refuses_by_rejected_alone",
    "test_a_provider_that_is_not_well_is_told_as_that",
    "test_a_record_gives_events_with_ids_of_their_own",
    "test_an_event_can_be_written_and_read",
    "test_every_recorded_output_has_its_input",
    "test_no_evidence_is_the_hosts",
    "test_secrets_are_secret_types_and_never_shown",
    "test_settings_are_described",
    "test_the_readme_says_what_an_admin_needs",
    "test_translating_is_pure",
    "test_translating_reads_no_secret",
]

HEADINGS = ("What it receives", "Setting it up", "Settings", "Known limits")
SECRET_NAME = re.compile(r"(token|secrets?|password|passphrase|credentials?|_key)$")
BY_THE_HOST = ("id", "tenant", "channel_id", "network", "account", "ingested_at", "answers", "source")

AnyConnector = Connector[Any]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test runs for each connector, or for each fixture of each."""
    found_classes = list(connectors(getattr(metafunc.module, "PACKAGES", ())).values())
    found = [case for connector in found_classes for case in cases(connector)]
    for name, some in (("case", found), ("request_case", [case for case in found if case.input().request is not None])):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, some, ids=[f"{case.connector.name}-{case.name}" for case in some])
    if "connector_class" in metafunc.fixturenames:
        metafunc.parametrize("connector_class", found_classes, ids=lambda connector: connector.name)


# --- fixtures ---------------------------------------------------------------------------------------------------------


def test_a_fixture_gives_its_recorded_output(case: Case) -> None:
    """Exactly: a change of what a connector makes of a record is seen in review, as a change of a file."""
    made = msgspec.json.decode(msgspec.json.encode(outcome(case.instance(), case.input())))
    assert case.output.exists(), f"record it: python -m onethread.testing.record {folder_of(case.connector)}"
    expected = msgspec.json.decode(case.output.read_bytes())
    assert made == expected, f"{case.name}: made {made}, recorded {expected}"


def test_every_recorded_output_has_its_input(connector_class: type[AnyConnector]) -> None:
    """Nothing is left behind, and no connector goes without fixtures."""
    found = cases(connector_class)
    outputs = {path.name for path in (folder_of(connector_class) / "fixtures").glob("*.out.json")}
    assert found, f"{connector_class.name} has no fixtures"
    assert outputs <= {case.output.name for case in found}


def test_translating_is_pure(case: Case) -> None:
    """A second time it gives the same, with sockets, files, clocks and random numbers out of reach."""
    connector, given = case.instance(), case.input()
    first = outcome(connector, given)
    with pure():
        second = outcome(connector, given)
    assert first == second


def test_translating_reads_no_secret(case: Case) -> None:
    """Records are normalised again after secrets have changed."""
    connector, given = case.instance(), case.input()
    scrambled = type(connector)(_scrambled(connector.settings))
    for raw in records(connector, given):
        assert list(events_of(connector, raw)) == list(events_of(scrambled, raw))


def _scrambled(settings: Any) -> Any:
    changed: dict[str, Any] = {}
    for name in secret_fields(type(settings)):
        value = getattr(settings, name)
        changed[name] = [SecretStr("other")] * len(value) if isinstance(value, list) else SecretStr("other")
    return settings.model_copy(update=changed)


def test_a_record_gives_events_with_ids_of_their_own(case: Case) -> None:
    """Two events with one id would be one event; what the host fills in is left to it."""
    connector = case.instance()
    for raw in records(connector, case.input()):
        events = events_of(connector, raw)
        keys = [(event.kind, event.external_id, event.revision) for event in events]
        assert len(set(keys)) == len(keys), keys
        assert all(event.external_id for event in events)
        assert not [field for event in events for field in BY_THE_HOST if getattr(event, field)]


def test_an_event_can_be_written_and_read(case: Case) -> None:
    """Structs are checked when they are read, not when they are made: a field of a wrong type would be a dead letter."""
    connector = case.instance()
    for raw in records(connector, case.input()):
        for event in events_of(connector, raw):
            try:
                decode_value(encode_value(event))
            except Exception as error:
                raise AssertionError(f"{event.kind} {event.external_id}: {type(error).__name__}: {error}") from error


def test_no_evidence_is_the_hosts(case: Case) -> None:
    """What only the host can know is not claimed."""
    connector = case.instance()
    for raw in records(connector, case.input()):
        for event in events_of(connector, raw):
            assert not [claim for claim in _claims(event) if claim.evidence in HOST_ONLY]


def _claims(part: Any) -> Iterator[Claim]:
    if isinstance(part, Claim):
        yield part
    elif isinstance(part, msgspec.Struct):
        for field in part.__struct_fields__:
            yield from _claims(getattr(part, field))
    elif isinstance(part, tuple):
        for each in part:
            yield from _claims(each)


# --- damage -----------------------------------------------------------------------------------------------------------


def test_a_damaged_record_is_refused_or_gives_sound_events(case: Case) -> None:
    """Cut short, random, each field missing or of a wrong kind: Poison, or events that can be written and read."""
    connector = case.instance()
    for raw in records(connector, case.input()):
        for label, data in _damaged(raw.data, case.name):
            _survive(connector, msgspec.structs.replace(raw, data=data), label)


_MOST_FIELDS = 1500


def _damaged(data: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """Each field damaged in each way; of a large body some of these, the same in every run."""
    seed = zlib.crc32(name.encode())
    yield from truncations(data)
    yield from noise(data, seed=seed)
    fields = list(replaced(data))
    yield from random.Random(seed).sample(fields, min(len(fields), _MOST_FIELDS))  # noqa: S311 -- repeatable on purpose


def _survive(connector: AnyConnector, raw: Raw, label: str) -> None:
    try:
        events = list(connector.normalize(raw))
    except (Poison, msgspec.MsgspecError, UnicodeError, RecursionError):
        return
    except Exception as error:
        raise AssertionError(f"{label}: {type(error).__name__}: {error}") from error
    for event in events:
        _is_sound(event, label)


def _is_sound(event: Event, label: str) -> None:
    try:
        again = decode_value(encode_value(event))
    except Poison:
        return
    except Exception as error:
        raise AssertionError(f"{label}: the event cannot be written: {type(error).__name__}: {error}") from error
    assert again.kind == event.kind, label


def test_a_damaged_request_is_unpacked_or_refused(request_case: Case) -> None:
    """The same for what comes before: whatever passes the signature, an entrance must be able to set aside."""
    connector, request = _asked(request_case)
    translator = request_case.instance()
    for label, body in _damaged(request.body, request_case.name):
        damaged = msgspec.structs.replace(request, body=body)
        for part in _unpacked(connector, damaged, label):
            if isinstance(part, Raw):
                _survive(translator, part, label)


def _unpacked(connector: Webhook, request: Request, label: str) -> list[Raw | Wake]:
    try:
        return list(connector.unpack(request))
    except REFUSED:
        return []
    except Exception as error:
        raise AssertionError(f"unpack, {label}: {type(error).__name__}: {error}") from error


# --- signatures -------------------------------------------------------------------------------------------------------


def test_a_changed_request_is_refused(request_case: Case) -> None:
    """Without its signature, with another one, with another body, or days later, a request is a stranger's."""
    connector, request = _asked(request_case)
    if request.method == "GET" or _refuses(connector, request):
        return  # what becomes of those is in the recorded output
    waivers = waivers_in(folder_of(request_case.connector))
    signs = [name for name in request.headers if _refuses(connector, _headers(request, name, None))]
    signs_by_query = [name for name in request.query if _refuses(connector, _query(request, name, None))]
    assert signs or signs_by_query, "the request passes without any of its headers and parameters"
    for name, wrong in _forgeries(signs, request.headers):
        assert _refuses(connector, _headers(request, name, wrong)), f"header {name}: {wrong!r} passes"
    for name, wrong in _forgeries(signs_by_query, request.query):
        assert _refuses(connector, _query(request, name, wrong)), f"parameter {name}: {wrong!r} passes"
    other = msgspec.structs.replace(request, body=request.body + b" ")
    later = msgspec.structs.replace(request, arrived_at=request.arrived_at + timedelta(days=3))
    assert _refuses(connector, other) != ("body" in waivers), "another body passes, or the waiver `body` is stale"
    assert _refuses(connector, later) != ("stale" in waivers), "a late request passes, or the waiver `stale` is"


def test_a_handshake_refuses_by_rejected_alone(request_case: Case) -> None:
    """Anybody can call an entrance, by GET without a signature: a parameter that is missing or strange breaks nothing."""
    connector, request = _asked(request_case)
    bare = msgspec.structs.replace(request, method="GET", query={}, headers={}, body=b"")
    one_less = [_query(request, name, None) for name in request.query]
    strange = [_query(request, name, wrong) for name, wrong in _forgeries(list(request.query), request.query)]
    for asked in (bare, *one_less, *strange):
        try:
            connector.handshake(asked)
        except Rejected:
            continue
        except Exception as error:
            raise AssertionError(
                f"handshake raises {type(error).__name__}, not Rejected, for query {asked.query}: {error}"
            ) from error


def _asked(case: Case) -> tuple[Webhook, Request]:
    connector, given = case.instance(), case.input().request
    assert given is not None
    assert isinstance(connector, Webhook), f"{case.connector.name} has a request fixture, but is no Webhook"
    return connector, given.request()


def waivers_in(folder: Path) -> dict[str, str]:
    """What `fixtures/waivers.json` says, in the folder of a connector; empty without one."""
    path = folder / "fixtures" / "waivers.json"
    waivers = msgspec.json.decode(path.read_bytes(), type=dict[str, str]) if path.exists() else {}
    assert all(waivers.values()), "a waiver gives its reason"
    return waivers


def _refuses(connector: Webhook, request: Request) -> bool:
    try:
        connector.authenticate(request)
    except Rejected:
        return True
    except Exception as error:
        raise AssertionError(f"authenticate raises {type(error).__name__}, not Rejected: {error}") from error
    return False


def _headers(request: Request, name: str, value: str | None) -> Request:
    return msgspec.structs.replace(request, headers=_changed(request.headers, name, value))


def _query(request: Request, name: str, value: str | None) -> Request:
    return msgspec.structs.replace(request, query=_changed(request.query, name, value))


def _changed(values: dict[str, str], name: str, value: str | None) -> dict[str, str]:
    rest = {key: old for key, old in values.items() if key != name}
    return rest if value is None else {**rest, name: value}


def _forgeries(names: list[str], values: dict[str, str]) -> list[tuple[str, str]]:
    return [(name, wrong) for name in names for wrong in _wrong(values[name])]


def _wrong(value: str) -> tuple[str, ...]:
    other = "b" if value[-1:] == "a" else "a"
    return ("", value[:-1], value[:-1] + other, value + other, "é" + value, "\udcff" + value, "0" * len(value))


# --- what people read -------------------------------------------------------------------------------------------------


def test_settings_are_described(connector_class: type[AnyConnector]) -> None:
    """The descriptions become the documentation, the form and the prompts."""
    fields = connector_class.settings_model().model_fields
    assert not [name for name, field in fields.items() if not field.description]


def test_secrets_are_secret_types_and_never_shown(connector_class: type[AnyConnector]) -> None:
    """Neither a log of the connector nor a dump of its settings shows one."""
    model = connector_class.settings_model()
    looks_secret = {name for name in model.model_fields if SECRET_NAME.search(name)}
    assert looks_secret <= secret_fields(model), f"of type SecretStr, please: {looks_secret - secret_fields(model)}"
    connector = connector_class(settings_for(connector_class, {}))
    values = [getattr(connector.settings, name) for name in secret_fields(model)]
    secrets = [each for value in values for each in (value if isinstance(value, list) else [value]) if each]
    shown = f"{connector!r} {connector!s} {connector.settings!r} {connector.settings.model_dump_json()}"
    assert not [secret for secret in secrets if secret.get_secret_value() in shown]


def test_the_readme_says_what_an_admin_needs(connector_class: type[AnyConnector]) -> None:
    """The same headings in the same order everywhere, and every setting by its name."""
    folder = folder_of(connector_class)
    assert folder.name == connector_class.name
    path = folder / "README.md"
    wanted = ", ".join(f"`## {heading}`" for heading in HEADINGS)
    assert path.exists(), f"write {path} with the headings {wanted}, and every setting by its name"
    readme = path.read_text("utf-8")
    headings = re.findall(r"^## (.+)$", readme, re.MULTILINE)
    there = [heading for heading in headings if heading in HEADINGS]
    assert there == list(HEADINGS), f"{path} needs the headings {wanted}, in this order"
    assert not [name for name in connector_class.settings_model().model_fields if f"`{name}`" not in readme]
