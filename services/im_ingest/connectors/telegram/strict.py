"""Types of what python-telegram-bot parsed: it lets most wrong types pass, so each value is looked at where it is used.

It knows no field: who asks says what a value must be. Everything else is Poison, since no second try will mend it.
"""

from datetime import datetime, timedelta
from typing import TypeVar

from onethread.errors import Poison

T = TypeVar("T")


def words(value: object) -> str:
    """A text; "" where the record has none."""
    if value is None:
        return ""
    return known(value, str)


def whole(value: object) -> int:
    """A whole number that fits 64 bits, as every id of Telegram does (the Bot API promises 52)."""
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise Poison(f"a whole number was expected where the record has {type(value).__name__}")
    return value


def whole_or_none(value: object) -> int | None:
    """As `whole`, for what may be absent."""
    return None if value is None else whole(value)


def degrees(value: object) -> float:
    """A coordinate; JSON has whole numbers too."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -360 <= value <= 360:
        raise Poison(f"a coordinate was expected where the record has {type(value).__name__}")
    return float(value)


def moment(value: object) -> datetime | None:
    """A time as python-telegram-bot makes it from unix seconds: with UTC."""
    return None if value is None else known(value, datetime)


def ordered(value: object, number: int) -> datetime | None:
    """A time whose milliseconds keep the order of numbers that only grow, as message_id does within a chat.

    Telegram's times have whole seconds (Bot API, "Message"): without it a burst of one second would be read in any order. Only
    a burst that passes a multiple of a thousand is read from there.
    """
    at = moment(value)
    return None if at is None else at + timedelta(milliseconds=number % 1000)


def known(value: object, kind: type[T]) -> T:
    """The value, which must be of that kind."""
    if not isinstance(value, kind):
        raise Poison(f"{kind.__name__} was expected where the record has {type(value).__name__}")
    return value
