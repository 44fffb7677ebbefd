"""The protocol as a small model: every interleaving, death and rebalance of small scenes."""

import pytest
from model.scenes import BY_NAME, MUTATIONS, SCENES, UNMENDED, WIDE, Scene
from model.search import Search

MOST = 5_000_000
"""States of one scene in the long form, some five gigabytes: what is not seen then is said."""


def explored(scene: Scene, at_most: int = MOST) -> bool:
    """Whether it was all; nothing was wrong."""
    found = Search(scene).explore(at_most)
    seen = f"{found.states} states, {found.ends} ends{', cut' * found.cut}"
    print(f"{scene.name}, {scene.workers} workers, {scene.crashes} deaths: {seen}")  # noqa: T201 -- asked with -s
    assert not found.wrong, str(found)
    return not found.cut


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_nothing_that_can_happen_breaks_a_promise(scene: Scene) -> None:
    assert explored(scene)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("scene", WIDE, ids=lambda scene: scene.name)
def test_nothing_that_can_happen_with_more_deaths_or_workers_does(scene: Scene) -> None:
    explored(scene)


@pytest.mark.parametrize("broken", MUTATIONS)
def test_a_broken_protocol_is_found(broken: str) -> None:
    found = Search(BY_NAME[MUTATIONS[broken]], broken).explore()
    assert found.wrong, f"not found in {found.states} states: {broken}"


def test_what_is_not_promised_is_known() -> None:
    found = Search(UNMENDED).explore()
    assert found.wrong, "the protocol has become better than its description: say so in docs/reliability.md"
    assert found.way[-1].endswith("dies")
