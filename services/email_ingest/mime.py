"""The bytes of a mail to events, once for all mail connectors. Pure: no I/O, clock or randomness. It knows no protocol.

Every mail becomes an event, whatever is in it; what could not be read of it, `degraded` says. One mail may give several events
only as a delivery report about several recipients. Where reading its bodies fails or costs too much, `excerpt` makes the same
events, with the same ids, of its header and the beginning of its words.
"""

import hashlib
from datetime import datetime

import msgspec

from email_ingest import automatic, bodies, reports
from email_ingest.addresses import Mailbox
from email_ingest.authentication import verdict
from email_ingest.charsets import clean, guess, one_line
from email_ingest.headers import date, identifier, identifiers, words
from email_ingest.participants import Participants, party, tokens
from email_ingest.parts import Part, parse
from email_ingest.quotes import is_forward
from onethread.event import Body, Event, MailFacts, Message, Place, Receipt
from onethread.identity import canonical_email, digest

MAX_SUBJECT = 1_000
MAX_LINES_READ = 2_000_000


class Mailstore(msgspec.Struct, frozen=True):
    """Whose mail it is: what is the same for all mail of a channel.

    `address`: the mailbox; `addresses`: all that are ours, the mailbox and its aliases; `authserv_ids`: the names our own
    receiving servers write into Authentication-Results, "" for servers that write none.
    """

    address: str
    addresses: frozenset[str] = frozenset()
    authserv_ids: frozenset[str] = frozenset()

    @property
    def canonical(self) -> frozenset[str]:
        """All our addresses in canonical form."""
        return frozenset(canonical_email(address) for address in (self.address, *self.addresses)) - {""}


class Delivery(msgspec.Struct, frozen=True):
    """How one mail lay in its mailbox. `cut`: why these are not all of its bytes; "" if they are."""

    folder: str = "INBOX"
    sent: bool = False
    internal_date: datetime | None = None
    cut: str = ""
    provider_thread: str = ""


def events(raw: bytes, store: Mailstore, delivery: Delivery) -> tuple[Event, ...]:
    """The events of one mail: its message, or its receipts. Never empty."""
    return _Mail(raw, store, delivery).events()


def excerpt(raw: bytes, store: Mailstore, delivery: Delivery, because: str) -> tuple[Event, ...]:
    """What `events` gives, without reading the bodies: the first words as they stand, and the mail itself as a file."""
    return _Mail(raw, store, delivery).events(because)


def _place(store: Mailstore, delivery: Delivery) -> Place:
    return Place(kind="mailbox", id=f"{store.address}/{delivery.folder}", name=delivery.folder)


class _Mail:
    """One mail, its parts and its sender, while its event is put together."""

    def __init__(self, raw: bytes, store: Mailstore, delivery: Delivery) -> None:
        self.raw, self.store, self.delivery = raw, store, delivery
        tree = parse(raw)
        self.root = tree.root
        self.notes = dict.fromkeys(tree.notes)
        self.verdict = verdict(self.root.all("authentication-results"), store.authserv_ids)
        self.people = Participants(self.root, store.canonical, self.verdict, sent=delivery.sent)
        self.subject = words(self.root.first("subject"))[:MAX_SUBJECT]

    def events(self, because: str = "") -> tuple[Event, ...]:
        found = () if self.people.outbound else reports.read(self.root)
        return tuple(self._receipt(report) for report in found) or (self._message(because),)

    def _message(self, because: str) -> Event:
        root = self.root
        external_id, revision, aliases = self._ids()
        if because:
            content = bodies.beginning(self.raw, root, because)
        else:
            content = bodies.read(root, forward=is_forward(self.subject))
        self.notes.update(dict.fromkeys(content.notes))
        self._note_what_is_missing()
        people, recipients = self.people, self.people.recipients()
        self.notes.update(dict.fromkeys(people.notes))
        fact = Message(
            subject=self.subject,
            body=self._body(content.body),
            attachments=content.attachments,
            in_reply_to=identifiers(*root.all("in-reply-to")),
            references=identifiers(*root.all("references")),
            reply_to=people.reply_to(),
            aliases=aliases,
            auto_submitted=automatic.auto_submitted(root, people.mailbox, people.ours),
            auth_results=self.verdict.results,
            mail=MailFacts(
                list_id=automatic.list_id(root),
                bounce=automatic.is_bounce(root, people.mailbox),
                calendar=content.calendar,
                spam=automatic.is_spam(root),
                protection=content.protection,
            ),
            degraded="; ".join(self.notes),
        )
        return Event(
            external_id,
            fact,
            revision,
            place=_place(self.store, self.delivery),
            direction="outbound" if people.outbound else "inbound",
            echo=people.outbound,
            sender=people.sender(),
            recipients=recipients,
            sent_at=date(root.first("date")),
            received_at=self._received_at(),
            tokens=tokens(recipients),
            channel_data=self._channel_data(),
        )

    def _receipt(self, report: reports.Report) -> Event:
        """`external_id`: mail and reader; `revision`: the status, so that a repeated report is one."""
        reader = report.recipient or self.people.mailbox.address
        return Event(
            f"{report.target}/{reader}",
            Receipt(status=report.status, target=report.target, error=report.error),
            report.status,
            place=_place(self.store, self.delivery),
            sender=party(Mailbox(reader, "", sound=False)),
            sent_at=date(self.root.first("date")),
            received_at=self._received_at(),
        )

    def _ids(self) -> tuple[str, str, tuple[str, ...]]:
        """Message-ID, else a digest that stands in for it; the revision that keeps two mails of one id apart; other ids.

        Never over delivery headers: they differ in each copy of a mail.
        """
        sent = one_line(guess(self.root.first("date")))
        sender = one_line(guess(self.root.first("from")))
        body = _body_digest(self.root)
        names = list(dict.fromkeys(filter(None, map(identifier, self.root.all("message-id")))))
        if names:
            return names[0], digest(sent, sender, body), tuple(names[1:5])
        return digest(sender, sent, "message", self.subject, body), digest(sent, sender, body), ()

    def _note_what_is_missing(self) -> None:
        if self.delivery.cut:
            self.notes[self.delivery.cut] = None
        if not self.raw.strip():
            self.notes["an empty mail"] = None
        elif not self.root.fields:
            self.notes["no mail header"] = None

    def _body(self, body: Body) -> Body:
        """The body. A mail whose parts gave no words, because they could not be read, shows an excerpt of its bytes."""
        language = one_line(guess(self.root.first("content-language")[:100])).partition(",")[0].strip()[:35]
        if not body.text and self.notes and not body.html:
            body = msgspec.structs.replace(body, text=clean(guess(self._undivided()[: bodies.MAX_EXCERPT])).strip())
        return msgspec.structs.replace(body, language=language, truncated=body.truncated or bool(self.delivery.cut))

    def _undivided(self) -> bytes:
        """The body's bytes; those of a mail that was divided into parts are only in the whole."""
        return self.raw if self.root.children else self.root.body

    def _received_at(self) -> datetime | None:
        """The server's date, else that of the topmost Received (the last hop), else nothing."""
        if self.delivery.internal_date is not None:
            return self.delivery.internal_date
        return date(self.root.first("received").rpartition(b";")[2])

    def _channel_data(self) -> dict[str, str]:
        root = self.root
        feedback = root.parameters.get("report-type", b"").lower() == b"feedback-report"
        found = {
            "thread_index": one_line(guess(root.first("thread-index")[:500])),
            "provider_thread": self.delivery.provider_thread,
            "report": "feedback" if feedback else "",
        }
        return {name: value for name, value in found.items() if value}


def _body_digest(part: Part) -> str:
    """A hash of what the parts hold, the same however a relay encoded them or wrote their boundaries.

    Relays change the ends of lines, too. To undo that is work for each line, and is done for the first `MAX_LINES_READ` bytes
    of texts; a text beyond is hashed as it stands.
    """
    state = hashlib.sha256()
    left = MAX_LINES_READ
    waiting = [part]
    while waiting:
        part = waiting.pop()
        if part.children:
            waiting.extend(reversed(part.children))
            continue
        content = part.content()
        if part.main_type == "text" and len(content) <= left:
            left -= len(content)
            content = b"\n".join(line.rstrip() for line in content.splitlines()).strip()
        state.update(len(content).to_bytes(8, "big"))
        state.update(content)
    return state.hexdigest()
