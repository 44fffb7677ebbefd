"""The contract of what talks to a provider, as tests, where the provider is not well. Part of `connector_suite`; it knows no provider.

Every connection goes to a server on loopback that answers 500, 401, half a document, a page, or hangs up. What a connector
raises then must be an error of the contract, or one of httpx, which the host translates: never a mistake in its code, and
never in silence an empty answer. No secret stands in what people are told.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from pydantic import BaseModel, SecretStr

from onethread.connector import (
    Checks,
    Connector,
    DeepLinks,
    Downloads,
    Keys,
    Lookups,
    Polling,
    Stream,
    Subscribes,
)
from onethread.errors import Misconfigured, OnethreadError, Poison, Rejected, Retryable
from onethread.event import Content
from onethread.host.faults import Bug, translated
from onethread.host.showing import secrets_in
from onethread.testing.fixtures import cases, events_of, records, secret_fields, settings_for
from onethread.testing.recording_host import RecordingHost
from onethread.testing.unwell import LOOPBACK, WAYS, Unwell

__all__ = [
    "test_a_check_over_a_provider_that_is_not_well_says_what_to_do",
    "test_a_deep_link_is_a_link_that_carries_its_token",
    "test_a_provider_that_is_not_well_is_told_as_that",
]

AnyConnector = Connector[Any]
Call = Callable[[RecordingHost], Awaitable[object]]

_PATIENCE = 20.0
_PLAIN = frozenset({"500", "401", "nothing"})
"""No answer at all to anything, in HTTP's own words: even what is only told to the provider has not been taken."""
_LOCATORS = 4
"""Of each ability, from what the fixtures name."""
_FINAL = ("download", "lookup")
"""What is given up at once where it raises Poison, and tried again for two days else."""
_CARRIED = "ot_Ab-1"
_HOOK = "https://hooks.example.com/hooks/chn_sample/0123456789abcdef"


class _Asked(NamedTuple):
    """One call of one ability. `must_fail`: whatever is read of it, an end without an error says that there is nothing."""

    name: str
    call: Call
    must_fail: bool = True


def test_a_check_over_a_provider_that_is_not_well_says_what_to_do(connector_class: type[AnyConnector]) -> None:
    """Each step that is not ok has a `todo`, and one is not, or the host tells what `check` raised; it is never a bug."""
    for settings in _settings(connector_class):
        for way in WAYS:
            connector = connector_class(settings)
            if isinstance(connector, Checks):
                _none(asyncio.run(_checked(connector, way)), way)


def test_a_provider_that_is_not_well_is_told_as_that(connector_class: type[AnyConnector]) -> None:
    """`fetch`, `session`, `resources`, `download`, `lookup`, `load_key`, `subscribe` and `deep_link` raise errors of the contract."""
    for settings in _settings(connector_class):
        for way in WAYS:
            _none(asyncio.run(_called(connector_class(settings), way)), way)


def test_a_deep_link_is_a_link_that_carries_its_token(connector_class: type[AnyConnector]) -> None:
    """Or it is said which setting is missing for it, or the provider has to be asked, and is not well."""
    connector = connector_class(settings_for(connector_class, {}))
    link = asyncio.run(_link(connector)) if isinstance(connector, DeepLinks) else None
    if link is not None:
        assert link.startswith("https://"), f"{link} is no link that people can open"
        assert _CARRIED in link, f"{link} does not carry the token {_CARRIED}"


async def _link(connector: AnyConnector) -> str | None:
    """None: there is none without its provider, or a setting."""
    async with _at(connector, "500") as (there, host, _):
        try:
            link: str = await there.deep_link(host, _CARRIED)
        except (Misconfigured, Retryable):
            return None
        return link


def _none(problems: list[str], way: str) -> None:
    assert not problems, f"the provider answers with {way}:\n" + "\n".join(problems)


def _settings(connector: type[AnyConnector]) -> Iterator[BaseModel]:
    """Those of the fixtures; and with all that is empty filled in, if that is allowed, since what is not set up is not asked for."""
    given = settings_for(connector, {})
    yield given
    empty = {
        name: SecretStr("sample-filled-in") if name in secret_fields(type(given)) else "sample"
        for name in type(given).model_fields
        if getattr(given, name) in ("", SecretStr(""))
    }
    try:
        filled = settings_for(connector, {name: _plain(value) for name, value in empty.items()})
    except Misconfigured:
        return
    if empty:
        yield filled


def _plain(value: SecretStr | str) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


@asynccontextmanager
async def _at(connector: AnyConnector, way: str) -> AsyncIterator[tuple[Any, RecordingHost, Unwell]]:
    """The connector and a host whose every way leads to that provider; settings called `host` and `port` do as well."""
    async with Unwell(way) as provider:
        settings = connector.settings
        if {"host", "port"} <= type(settings).model_fields.keys():
            settings = settings.model_copy(update={"host": LOOPBACK, "port": provider.port})
        there: Any = type(connector)(settings)
        async with RecordingHost(there, provider=provider.url) as host:
            yield there, host, provider


async def _checked(connector: AnyConnector, way: str) -> list[str]:
    problems, steps = [], []
    async with _at(connector, way) as (there, host, provider):

        async def check() -> None:
            async for step in there.check(host):
                steps.append(step)  # noqa: PERF401 -- what came before an error counts

        error = await _error(check())
        problems += _told("check", error, there)
        failed = [step for step in steps if not step.ok]
        problems += [f"check: step {step.name} is not ok, and has no todo" for step in failed if not step.todo]
        problems += [f"check: step {step.name} shows a secret" for step in steps if _shows(step.todo, there)]
        if provider.asked and error is None and not failed:
            problems.append("check: all steps are ok")
    return problems


async def _called(connector: AnyConnector, way: str) -> list[str]:
    problems = []
    async with _at(connector, way) as (there, host, provider):
        for asked in _abilities(there):
            before = provider.asked
            error = await _error(asked.call(host))
            problems += _told(asked.name, error, there)
            if error is None and (asked.must_fail or way in _PLAIN) and provider.asked > before:
                problems.append(f"{asked.name}: returns, as if all were well")
            if (
                provider.asked > before
                and asked.name.startswith(_FINAL)
                and isinstance(_ours(error), Poison | Rejected)
            ):
                problems.append(f"{asked.name}: {type(error).__name__} gives up for good; Retryable comes again")
            if isinstance(error, Rejected) and asked.name.startswith("load_key"):
                problems.append(f"{asked.name}: Rejected, as if the provider had said that the key is nobody's")
    return problems


async def _error(work: Awaitable[object]) -> BaseException | None:
    """What it raises; an endless wait is an error as well."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task}, timeout=_PATIENCE)
    if done:
        return task.exception()
    task.cancel()
    await asyncio.wait({task})
    return AssertionError(f"it goes on for more than {_PATIENCE:.0f} s")


def _told(name: str, error: BaseException | None, connector: AnyConnector) -> list[str]:
    if error is None:
        return []
    ours = _ours(error)
    if isinstance(ours, Bug):
        return [f"{name}: {type(error).__name__} is no error of the contract: {error}"]
    return [f"{name}: {type(ours).__name__} shows a secret"] if _shows(str(ours), connector) else []


def _ours(error: BaseException | None) -> OnethreadError | None:
    return translated(error, datetime.now(UTC)) if error else None


def _shows(text: str, connector: AnyConnector) -> bool:
    return any(secret in text for secret in secrets_in(connector.settings))


def _abilities(connector: Any) -> Iterator[_Asked]:
    """All that can be asked of it without knowing its provider."""
    if isinstance(connector, Polling):
        for resource in connector.resources():
            yield _Asked(f"fetch({resource!r})", _with(connector.fetch, resource, None))
    if isinstance(connector, Stream):
        yield _Asked("resources", _with(connector.resources))
        yield _Asked("session", _with(connector.session, "", None), must_fail=False)
    if isinstance(connector, Keys):
        for name in _keys(connector):
            yield _Asked(f"load_key({name!r})", _with(connector.load_key, name))
    if isinstance(connector, Subscribes):
        yield _Asked("subscribe", _with(connector.subscribe, _HOOK), must_fail=False)
        yield _Asked("subscribe(None)", _with(connector.subscribe, None), must_fail=False)
    if isinstance(connector, DeepLinks):
        yield _Asked("deep_link", _with(connector.deep_link, _CARRIED))
    yield from _errands(connector)


def _with(method: Callable[..., Awaitable[object]], *rest: object) -> Call:
    return lambda host: method(host, *rest)


def _errands(connector: Any) -> Iterator[_Asked]:
    files, lookups = _locators(type(connector))
    if isinstance(connector, Downloads):
        for locator in (*files, "no-such-locator", ""):
            yield _Asked(f"download({locator!r})", _with(connector.download, locator))
    if isinstance(connector, Lookups):
        for locator in (*lookups, "no-such-locator", ""):
            yield _Asked(f"lookup({locator!r})", _with(connector.lookup, locator))


def _locators(connector: type[AnyConnector]) -> tuple[list[str], list[str]]:
    """Some that the events of the fixtures name: of files, and of look-ups."""
    events = [
        event
        for case in cases(connector)
        for raw in records(case.instance(), case.input())
        for event in events_of(case.instance(), raw)
    ]
    files = {file.locator for event in events if isinstance(event.fact, Content) for file in event.fact.attachments}
    lookups = {locator for event in events for locator in event.lookups}
    return (list(islice(sorted(files - {""}), _LOCATORS)), list(islice(sorted(lookups), _LOCATORS)))


def _keys(connector: Any) -> list[str]:
    """Names that recorded requests ask for, and one that is made up."""
    found = {"no-such-key"}
    for case in cases(type(connector)):
        given = case.input().request
        if given is not None:
            try:
                found |= set(connector.key_names(given.request()))
            except (OnethreadError, msgspec.MsgspecError):
                continue
    return sorted(found)[:_LOCATORS]
