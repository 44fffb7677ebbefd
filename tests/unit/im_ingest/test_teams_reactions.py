"""Names of reactions in Teams, as the emoji that people see."""

import pytest

from im_ingest.connectors.teams.messages import symbol


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("like", "👍"),
        ("1f440_eyes", "👀"),
        ("1f44b_wavinghand-tone4", "👋"),
        ("1f468-200d-1f4bb_mantechnologist", "\U0001f468\u200d\U0001f4bb"),
        ("plusOne", "plusOne"),
        ("my_own_reaction", "my_own_reaction"),
        ("d800_half", "d800_half"),
        ("ffffff_none", "ffffff_none"),
        ("", ""),
    ],
)
def test_a_reaction_is_shown_as_its_emoji_and_else_by_its_name(name: str, expected: str) -> None:
    assert symbol(name) == expected
