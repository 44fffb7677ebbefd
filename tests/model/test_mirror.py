"""The model takes the steps that the code takes: what is new in the code fails here until the model knows it."""

import pytest
from model import mirror, search  # noqa: F401 -- `search` brings all steps
from model.base import STEPS


@pytest.mark.parametrize("place", mirror.PROGRAM, ids=":".join)
def test_the_code_takes_the_steps_that_the_model_takes(place: tuple[str, str]) -> None:
    assert mirror.program(*place) == mirror.PROGRAM[place]


def test_each_call_of_the_store_is_a_step_of_the_model() -> None:
    found = {place: calls for place, calls in mirror.store_calls().items() if place not in mirror.ABOUT_PEOPLE_ONLY}
    assert found == {place: set(steps) for place, steps in mirror.CALLS.items()}
    named = {step for steps in mirror.CALLS.values() for step in steps.values()} - {""}
    assert named | mirror.ELSEWHERE == STEPS.keys()
