"""A mail as an event by the standard library's `policy.default`: what somebody writes who uses the stock parser well. No host.

The same fields as `email_ingest.mime`: each header is read once, by the class that the policy has for it. What the standard
library has no word for (quotes, HTML to text, Authentication-Results) is ours on both sides.
"""

import hashlib
from collections.abc import Iterable, Iterator
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage, MIMEPart
from email.policy import default
from typing import Any, Literal

from bench.mime_headers_baseline import automatic, date, facts, ids, received_at
from email_ingest.addresses import Mailbox
from email_ingest.authentication import Verdict, proves, verdict
from email_ingest.markup import to_text
from email_ingest.mime import Delivery, Mailstore
from email_ingest.quotes import is_forward, new_words
from onethread.event import (
    Attachment,
    AttachmentKind,
    Body,
    Claim,
    Event,
    Failure,
    Message,
    Party,
    Place,
    Receipt,
    Role,
)
from onethread.identity import canonical_email, digest

_RECIPIENTS: tuple[tuple[str, Role], ...] = (
    ("to", "to"),
    ("cc", "cc"),
    ("bcc", "bcc"),
    ("delivered-to", "delivered_to"),
    ("x-original-to", "delivered_to"),
    ("envelope-to", "delivered_to"),
)
_STATUS: dict[str, Literal["sent", "delayed", "delivered", "failed"]] = {
    "failed": "failed",
    "delayed": "delayed",
    "delivered": "delivered",
    "relayed": "sent",
    "expanded": "delivered",
}


def baseline_events(raw: bytes, store: Mailstore, delivery: Delivery) -> tuple[Event, ...]:
    """The events of one mail. Raises whatever the parser raises."""
    mail = message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    place = Place(kind="mailbox", id=f"{store.address}/{delivery.folder}", name=delivery.folder)
    return tuple(_receipts(mail, place, delivery)) or (_message(mail, store, delivery, place),)


def _message(mail: EmailMessage, store: Mailstore, delivery: Delivery, place: Place) -> Event:
    ours = store.canonical
    found = verdict((str(value).encode() for value in mail.get_all("authentication-results", [])), store.authserv_ids)
    author = next(iter(_addresses(mail, "from")), Address())
    outbound = delivery.sent or (_is(author.addr_spec, ours) and found.results.get("dmarc") != "fail")
    subject = str(mail.get("subject", ""))[:1000]
    recipients = tuple(_recipients(mail, ours))
    body, body_digest = _body(mail, subject), _digest(mail)
    sent, sender = str(mail.get("date", "")), str(mail.get("from", ""))
    names = [name for value in mail.get_all("message-id", []) for name in ids(value)]
    return Event(
        names[0] if names else digest(sender, sent, "message", subject, body_digest),
        Message(
            subject=subject,
            body=body,
            attachments=tuple(map(_attachment, _files(mail))),
            in_reply_to=tuple(ids(mail.get("in-reply-to", ""))),
            references=tuple(ids(mail.get("references", ""))),
            reply_to=tuple(_party(one) for one in _addresses(mail, "reply-to") if one.addr_spec),
            aliases=tuple(names[1:5]),
            auto_submitted=automatic(mail, author),
            auth_results=found.results,
            mail=facts(mail),
        ),
        digest(sent, sender, body_digest),
        place=place,
        direction="outbound" if outbound else "inbound",
        echo=outbound,
        sender=_sender(mail, author, found, outbound=outbound),
        recipients=recipients,
        sent_at=date(mail.get("date")),
        received_at=received_at(mail, delivery),
        tokens=tuple(_tokens(recipients)),
        channel_data={"thread_index": str(mail["thread-index"])} if "thread-index" in mail else {},
    )


# --- who ---


def _addresses(mail: EmailMessage, name: str) -> Iterator[Address]:
    for value in mail.get_all(name, []):
        if hasattr(value, "addresses"):
            yield from value.addresses
        else:  # a header that the policy has no class for: Delivered-To and its kin
            yield from default.header_factory("to", str(value)).addresses


def _party(address: Address, evidence: str = "unsigned_from", **fields: Any) -> Party:
    claims = (Claim("email", address.addr_spec, evidence=evidence),) if address.addr_spec else ()
    return Party(claims=claims, name=address.display_name, kind="person" if claims else "anonymous", **fields)


def _sender(mail: EmailMessage, author: Address, found: Verdict, *, outbound: bool) -> Party:
    mailbox = Mailbox(author.addr_spec, author.display_name, sound=True)
    evidence = "dmarc" if proves(found, mailbox) else "unsigned_from"
    return _party(author, evidence, is_us=outbound, organization=str(mail.get("organization", "")))


def _recipients(mail: EmailMessage, ours: frozenset[str]) -> Iterator[Party]:
    seen: set[tuple[str, str]] = set()
    for header, role in _RECIPIENTS:
        for address in _addresses(mail, header):
            known = (address.addr_spec.lower(), role)
            if address.addr_spec and known not in seen:
                seen.add(known)
                yield _party(address, role=role, is_us=_is(address.addr_spec, ours))


def _is(address: str, ours: frozenset[str]) -> bool:
    local, _, domain = address.rpartition("@")
    return bool(address) and canonical_email(f"{local.partition('+')[0]}@{domain}") in ours


def _tokens(recipients: Iterable[Party]) -> Iterator[str]:
    for one in recipients:
        _, plus, token = one.claims[0].value.rpartition("@")[0].partition("+")
        if plus and one.is_us:
            yield token.removeprefix("c_")


# --- words and files ---


def _body(mail: EmailMessage, subject: str) -> Body:
    plain, rich = mail.get_body(("plain",)), mail.get_body(("html",))
    html = str(rich.get_content()) if rich else ""
    quoted_from = None
    if plain:
        full = str(plain.get_content())
    else:
        converted = to_text(html)
        full, quoted_from = converted.text, converted.quoted_from
    new = new_words(full, quoted_from=quoted_from, forward=is_forward(subject))
    language = str(mail.get("content-language", ""))
    return Body(text=new, text_full="" if new.split() == full.split() else full, html=html, language=language)


def _files(mail: EmailMessage) -> Iterator[MIMEPart]:
    if mail.is_multipart():
        yield from mail.iter_attachments()


def _attachment(part: MIMEPart) -> Attachment:
    content = part.as_bytes() if part.is_multipart() else part.get_payload(decode=True)
    assert isinstance(content, bytes)
    main = part.get_content_maintype()
    kinds: dict[str, AttachmentKind] = {"image": "image", "video": "video", "audio": "audio"}
    return Attachment(
        kind=kinds.get(main, "file"),
        filename=part.get_filename() or "",
        media_type=part.get_content_type(),
        size_bytes=len(content),
        disposition="inline" if part.get_content_disposition() == "inline" else "attachment",
        content_id=str(part.get("content-id", "")).strip("<> "),
        content=content,
        description=str(part.get("content-description", "")),
    )


def _digest(mail: EmailMessage) -> str:
    state = hashlib.sha256()
    for part in mail.walk():
        if not part.is_multipart():
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            state.update(len(content).to_bytes(8, "big") + content)
    return state.hexdigest()


# --- reports ---


def _receipts(mail: EmailMessage, place: Place, delivery: Delivery) -> Iterator[Event]:
    if mail.get_content_type() != "multipart/report":
        return
    parts = list(mail.iter_parts())
    target = next((name for part in parts for name in _returned(part)), "")
    for part in parts:
        if part.get_content_type() == "message/delivery-status" and target:
            for block in part.iter_parts():
                yield from _delivery(block, target, mail, place, delivery)
        if part.get_content_type() == "message/disposition-notification":
            yield from _disposition(part, mail, place, delivery)


def _returned(part: Any) -> list[str]:
    if part.get_content_type() == "message/rfc822":
        return ids(part.get_content().get("message-id", ""))
    if part.get_content_type() == "text/rfc822-headers":
        return ids(message_from_bytes(part.get_payload(decode=True), policy=default).get("message-id", ""))
    return []


def _delivery(block: Any, target: str, mail: EmailMessage, place: Place, delivery: Delivery) -> Iterator[Event]:
    status = _STATUS.get(str(block.get("action", "")).lower())
    if status is None:
        return
    reader = str(block.get("original-recipient", block.get("final-recipient", ""))).partition(";")[2].strip()
    code = str(block.get("status", ""))
    text = str(block.get("diagnostic-code", "")).partition(";")[2].strip()
    bad = status in ("failed", "delayed")
    error = Failure(code=code, text=text, permanent=status == "failed" and not code.startswith("4")) if bad else None
    yield _receipt(Receipt(status=status, target=target, error=error), reader, mail, place, delivery)


def _disposition(part: Any, mail: EmailMessage, place: Place, delivery: Delivery) -> Iterator[Event]:
    block = next(iter(part.iter_parts()), part) if part.is_multipart() else part
    fields = message_from_bytes(block.as_bytes(), policy=default)
    target = next(iter(ids(fields.get("original-message-id", ""))), "")
    reader = str(fields.get("final-recipient", "")).partition(";")[2].strip()
    read = str(fields.get("disposition", "")).partition(";")[2].strip().startswith("displayed")
    if target:
        yield _receipt(Receipt(status="read" if read else "delivered", target=target), reader, mail, place, delivery)


def _receipt(fact: Receipt, reader: str, mail: EmailMessage, place: Place, delivery: Delivery) -> Event:
    return Event(
        f"{fact.target}/{reader}",
        fact,
        fact.status,
        place=place,
        sender=Party(claims=(Claim("email", reader, evidence="unsigned_from"),)),
        sent_at=date(mail.get("date")),
        received_at=received_at(mail, delivery),
    )
