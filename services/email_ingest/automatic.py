"""Whether a program wrote a mail: answers, notices, lists, bounces, spam. It knows header conventions only. Pure."""

from email_ingest.addresses import Mailbox
from email_ingest.charsets import guess, one_line
from email_ingest.parts import Part

_ROBOTS = ("mailer-daemon", "postmaster", "no-reply", "noreply", "no_reply", "do-not-reply", "donotreply")
_BULK = frozenset({"bulk", "junk", "list"})
_ANSWERING = ("x-autoreply", "x-autorespond", "x-auto-reply")


def _value(part: Part, name: str) -> str:
    return one_line(guess(part.first(name)[:500])).lower()


def list_id(part: Part) -> str:
    """The list's id (RFC 2919) without its description; "" for none."""
    value = one_line(guess(part.first("list-id")[:1000]))
    inside = value.rpartition("<")[2].partition(">")[0] if "<" in value else value
    return inside.strip()[:255]


def auto_submitted(part: Part, sender: Mailbox, ours: frozenset[str]) -> str:
    """The word of RFC 3834 ("auto-replied", "auto-generated", "auto-notified"), or "" for a person's mail.

    `ours`: our addresses. A list that is itself one of them (a group that hands customers' mail on to us) makes nothing
    automatic.
    """
    said = _value(part, "auto-submitted").partition(";")[0].strip()
    if said and said != "no":
        return said.partition(" ")[0][:40]
    precedence = {_value(part, "precedence"), _value(part, "x-precedence")}
    if "auto_reply" in precedence or any(part.first(name) for name in _ANSWERING):
        return "auto-replied"
    own_list = list_id(part).lower() in {address.replace("@", ".") for address in ours}
    listed = not own_list and bool(part.first("list-id") or part.first("list-unsubscribe") or precedence & _BULK)
    suppressed = _value(part, "x-auto-response-suppress") not in ("", "none")
    if listed or suppressed or part.first("feedback-id") or empty_return_path(part) or _is_robot(sender):
        return "auto-generated"
    return ""


def empty_return_path(part: Part) -> bool:
    """Whether the envelope had no sender (RFC 5321, 4.5.5): nobody to answer."""
    return bool(part.all("return-path")) and "".join(_value(part, "return-path").split()) == "<>"


def _is_robot(sender: Mailbox) -> bool:
    return sender.address.partition("@")[0].lower().startswith(_ROBOTS)


def is_bounce(part: Part, sender: Mailbox) -> bool:
    """Whether this reports a mail that did not arrive, in a form of its own: the standard form becomes a receipt."""
    daemon = sender.address.partition("@")[0].lower() in ("mailer-daemon", "postmaster")
    return bool(part.first("x-failed-recipients")) or (daemon and empty_return_path(part))


def is_spam(part: Part) -> bool:
    """Whether a filter marked it."""
    return _value(part, "x-spam-flag").startswith("yes") or _value(part, "x-spam-status").startswith("yes")
