"""How ids and times look outside, and how the outside's are taken in. It knows the forms, not what they name.

An id from outside is never trusted to be one: what is not of its form names nothing, and a tenant is always put before it.
"""

import re
from datetime import UTC, datetime

from onethread.envelope import milliseconds
from onethread.identity import digest
from unifier.model import plain, scoped
from unifier.reading import milliseconds as unix_milliseconds
from unifier.reading import moment

_FORM = re.compile(r"[a-z0-9_]{1,64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_BIRTH = len("cnv_") + 14
"""A strand's id is `cnv_`, its birth in milliseconds of 14 digits, and the hash of the event that founded it."""
_MARK = 8


def inside(tenant: str, given: str, prefix: str) -> str | None:
    """The id within its tenant, None for what is no id of this kind."""
    if not given.startswith(prefix) or not _FORM.fullmatch(given):
        return None
    return scoped(tenant, given)


def founder(strand: str) -> str:
    """The scoped id of the event that founded a scoped strand."""
    tenant, _, name = strand.partition("/")
    return scoped(tenant, f"evt_{name[_BIRTH:]}")


def customer_id(identity: str) -> str:
    """`cus_…` of the scoped identity that is a customer's root."""
    return f"cus_{plain(identity).removeprefix('idn_')}"


def identity_of_customer(tenant: str, given: str) -> str | None:
    """The scoped identity that `cus_…` is named after."""
    return inside(tenant, f"idn_{given.removeprefix('cus_')}", "idn_") if given.startswith("cus_") else None


# --- attachments ---------------------------------------------------------------------------------------------------


def attachment_id(entry: str, index: int) -> str:
    """`att_…` of an entry's file: the entry's hash, so that it can be found, and a digest of entry and index."""
    name = plain(entry)
    return f"att_{name.removeprefix('evt_')}{digest(name, str(index))[:_MARK]}"


def entry_of_attachment(tenant: str, given: str) -> str | None:
    """The scoped entry that holds an attachment; `attachment_id` tells which of its files it is."""
    return (
        inside(tenant, f"evt_{given.removeprefix('att_')[:-_MARK]}", "evt_") if inside(tenant, given, "att_") else None
    )


# --- times ---------------------------------------------------------------------------------------------------------


def shown(at: int) -> str:
    """Unix milliseconds as RFC 3339 in UTC with milliseconds and `Z`."""
    return shown_moment(moment(at))


def shown_or_none(at: int) -> str | None:
    """The same; 0 is unknown."""
    return shown(at) if at else None


def shown_moment(at: datetime) -> str:
    """A moment as RFC 3339 in UTC with milliseconds and `Z`."""
    return milliseconds(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parsed_time(text: str) -> int | None:
    """Unix milliseconds of an RFC 3339 time with its zone; None for anything else."""
    if not _TIME.fullmatch(text):
        return None
    try:
        return unix_milliseconds(datetime.fromisoformat(text).astimezone(UTC))
    except (ValueError, OverflowError):
        return None
