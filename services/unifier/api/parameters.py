"""The parameters that several operations share, and how lists in them are read."""

from typing import Annotated

from fastapi import Path, Query

from unifier.api.ids import parsed_time
from unifier.api.problems import wrong_parameter

PAGE = 25
MOST = 100
MOST_ENTRIES = 200

Limit = Annotated[int, Query(ge=1, le=MOST, description="Items a page.")]
EntryLimit = Annotated[int, Query(ge=1, le=MOST_ENTRIES, description="Entries a page.")]
Cursor = Annotated[str | None, Query(min_length=1, description="`next_cursor` of the page before, with equal filters.")]
Expand = Annotated[str | None, Query(description="What to bring along, separated by commas. Costs the ETag.")]
Id = Annotated[str, Path(description="Any id it ever had.")]


def words(name: str, given: str | None, allowed: frozenset[str] | None = None) -> tuple[str, ...]:
    """The values of a parameter that is a list with commas. Raises `malformed-request` for an empty or unknown one."""
    if given is None:
        return ()
    values = tuple(dict.fromkeys(value.strip() for value in given.split(",")))
    if not all(values):
        raise wrong_parameter(name, "values separated by commas, none of them empty")
    if allowed is not None and not allowed.issuperset(values):
        raise wrong_parameter(name, f"one or more of {', '.join(sorted(allowed))}")
    return values


def moment(name: str, given: str | None) -> int | None:
    """A time in ms. Raises `malformed-request` for what is no RFC 3339 time with a zone."""
    if given is None:
        return None
    at = parsed_time(given)
    if at is None:
        raise wrong_parameter(name, "a time like 2026-01-31T12:00:00Z (write + as %2B)")
    return at
