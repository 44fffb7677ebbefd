"""How a time is written on the command line. It knows no command."""

from datetime import UTC, datetime

from all_in_one.context import fail
from unifier.reading import milliseconds


def at(text: str) -> int:
    """RFC 3339, as 2026-01-05T09:00:00Z, or its date alone; without a zone it is UTC. Unix milliseconds; ends the command else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is no time: write it as 2026-01-05T09:00:00Z", status=2)
    return milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
