"""`onethread verify` over damaged stores: it names exactly what is broken, and the commands that it names mend it."""

import shlex
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from healing.damages import DAMAGES, Damaged, a_head_counts_wrong
from healing.site import Site, events, run

from onethread.testing.servers.mongodb import MongoServer
from unifier.model import scoped


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The story over SQLite, told once."""
    site = Site(tmp_path_factory.mktemp("story"))
    run(site.prepare())
    run(site.tell(events()))
    return site.folder


@pytest.fixture(params=["sqlite", "mongodb"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """The story, in a log and a store of the test's own."""
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("story"), tmp_path, dirs_exist_ok=True)
        return Site(tmp_path)
    server: MongoServer = request.getfixturevalue("mongo_server")
    site = Site(tmp_path, server.url, f"healing_{uuid.uuid4().hex}")
    run(site.prepare())
    run(site.tell(events()))
    return site


def damages() -> Iterator[Any]:
    """All of them over SQLite; over MongoDB one for each invariant every day, and all in the long form."""
    seen: set[str] = set()
    for damage in DAMAGES:
        name = damage.do.__name__
        yield pytest.param("sqlite", damage, id=f"sqlite-{name}")
        marks = () if damage.broken - seen else (pytest.mark.soak,)
        yield pytest.param("mongodb", damage, id=f"mongodb-{name}", marks=marks)
        seen |= damage.broken


@pytest.mark.parametrize(("site", "damage"), [*damages()], indirect=["site"])
def test_what_is_damaged_is_named_and_mended_by_the_command_named(site: Site, damage: Damaged) -> None:
    run(damaged(site, damage))
    report = site.verified()
    assert {one["invariant"] for one in report["broken"]} == damage.broken, report
    assert all(one["findings"] and finding["mend"] for one in report["broken"] for finding in one["findings"]), report
    assert "example.com" not in str(report)
    assert "+1555" not in str(report)
    for command in report["mend"]:
        program, *arguments = shlex.split(command)
        assert program == "onethread"
        result = site.command(*arguments)
        assert result.exit_code == 0, (command, result.output)
    run(site.tell([]))
    after = site.verified()
    assert after["clean"], (report["mend"], after)
    assert run(stored(site)) == {scoped(event.tenant, event.id) for event in events()}


async def stored(site: Site) -> set[str]:
    """The messages of the story that are there."""
    async with site.opened() as (_, store):
        return {*await store.entries([scoped(event.tenant, event.id) for event in events()])}


async def damaged(site: Site, damage: Damaged) -> None:
    async with site.opened() as (_, store):
        await damage.do(store)


def test_a_store_at_rest_is_clean(site: Site) -> None:
    report = site.verified()
    assert report["clean"], report
    assert report["looked"]["entries"] == len(events()) + 1  # and one that says that two strands were joined
    assert report["unjudged"] == {}


def test_people_read_what_is_broken_and_what_to_do(tmp_path: Path, story: Path) -> None:
    site = Site(tmp_path)
    shutil.copytree(story, tmp_path, dirs_exist_ok=True)
    clean = site.command("verify", "--at-rest", "--tenant", "other")
    assert clean.exit_code == 0
    assert "Looked at 1 strands, 2 entries" in clean.output
    assert "Nothing is broken" in clean.output
    run(damaged(site, Damaged(a_head_counts_wrong, set())))
    broken = site.command("verify", "--at-rest")
    assert broken.exit_code == 1
    assert "I5, a head is the fold of its strand's entries, to the end: broken 1 times" in broken.output
    assert broken.output.endswith("To mend it, stop the unifier; then:\n  onethread rebuild\n")


def test_what_it_cannot_look_at_is_no_finding(tmp_path: Path) -> None:
    result = Site(tmp_path).command("verify")
    assert result.exit_code == 2
    assert "could not check" in result.output
    assert "onethread topics apply" in result.output
