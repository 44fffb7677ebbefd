"""Mails as they usually are: two dozen header fields, two renderings, a quote, sometimes a file. Made here, nobody's; no parser."""

import base64
import random
from email.header import Header
from quopri import encodestring

_TEXT = (
    "hello the kettle arrived on monday and it leaks from below where can we send it back please tell us what to do "
    "with the receipt our order number is 4711 thank you and kind regards from all of us für die Küche élan naïve"
)
_WORDS = _TEXT.split()
_TRACE = """\
Received: from out{n}.provider.example (out{n}.provider.example [192.0.2.{n}])
\tby mx.shop.example (Postfix) with ESMTPS id 4ZxT{n}k0Wqz9s
\tfor <support@shop.example>; Mon,  5 Jan 2026 08:0{n}:12 +0000 (UTC)
"""
_HEAD = """\
Return-Path: <mia@customer.example>
Delivered-To: support@shop.example
{trace}Authentication-Results: mx.shop.example; dkim=pass header.d=customer.example header.s=s2026;
\tspf=pass smtp.mailfrom=mia@customer.example; dmarc=pass (p=reject) header.from=customer.example
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=customer.example; s=s2026;
\th=from:to:subject:date:message-id:in-reply-to:references:mime-version:content-type;
\tbh={noise};
\tb={noise}{noise}{noise}
X-Spam-Status: No, score=-2.1 required=5.0 tests=DKIM_SIGNED,DKIM_VALID,SPF_PASS
X-Mailer: Example Mail 16.0 (build 9127)
X-MS-Exchange-Organization-SCL: 1
From: {sender} <mia@customer.example>
To: "Support, Shop" <support@shop.example>, Jo Example <jo@customer.example>
Cc: help@shop.example
Subject: {subject}
Date: Mon, 5 Jan 2026 08:00:1{n} +0000
Message-ID: <m{n}.{noise}@customer.example>
In-Reply-To: <a{n}@shop.example>
References: <r1.{n}@customer.example> <r2.{n}@shop.example>
\t<r3.{n}@customer.example> <a{n}@shop.example>
Reply-To: mia@customer.example
MIME-Version: 1.0
Content-Language: en-GB
"""


def everyday(mails: int = 10) -> tuple[bytes, ...]:
    """Mails of 3 to 90 kB, no two alike; always the same ones, in the same order."""
    chance = random.Random(7)
    return tuple(_mail(chance, number, file=number % 3 == 0) for number in range(mails))


def _mail(chance: random.Random, number: int, *, file: bool) -> bytes:
    paragraphs = [" ".join(chance.choices(_WORDS, k=chance.randint(20, 60))) for _ in range(chance.randint(3, 12))]
    quoted = [" ".join(chance.choices(_WORDS, k=12)) for _ in range(chance.randint(5, 20))]
    text = "\r\n\r\n".join(paragraphs) + "\r\n\r\nOn Sun, 4 Jan 2026 at 10:00, Shop wrote:\r\n"
    text += "\r\n".join(f"> {line}" for line in quoted)
    cells = "".join(f'<p style="margin:0;font:11pt Calibri,sans-serif">{words}</p>\r\n' for words in paragraphs)
    quote = "<br>\r\n".join(quoted)
    page = f'<html><body>{cells}<div class="gmail_quote"><blockquote>{quote}</blockquote></div></body></html>'
    both = _multipart("alternative", "alt", _words("plain", text), _words("html", page))
    body = _multipart("mixed", "mix", both, _file(chance)) if file else both
    return _head(chance, number) + body


def _head(chance: random.Random, number: int) -> bytes:
    head = _HEAD.format(
        trace="".join(_TRACE.format(n=hop) for hop in range(1, 5)),
        noise=base64.b64encode(chance.randbytes(30)).decode().replace("/", "a").replace("+", "b"),
        sender=Header("Mia Läng" if number % 2 else "Mia Lang").encode(),
        subject=Header(f"Re: Rückgabe {number}: kettle" if number % 2 else f"Re: Return {number}: kettle").encode(),
        n=number % 10,
    )
    return head.replace("\n", "\r\n").encode()


def _words(kind: str, text: str) -> bytes:
    return (
        f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'.encode()
        + encodestring(text.encode()).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    )


def _file(chance: random.Random) -> bytes:
    name = 'Content-Type: application/pdf; name="receipt.pdf"\r\nContent-Disposition: attachment; filename="receipt.pdf"\r\n'
    content = base64.encodebytes(b"%PDF-1.7\n" + chance.randbytes(55_000)).replace(b"\n", b"\r\n")
    return name.encode() + b"Content-Transfer-Encoding: base64\r\n\r\n" + content


def _multipart(kind: str, boundary: str, *parts: bytes) -> bytes:
    line = f"--=_{boundary}_0123456789".encode()
    head = f'Content-Type: multipart/{kind}; boundary="{line[2:].decode()}"\r\n\r\n'.encode()
    return head + b"".join(line + b"\r\n" + part + b"\r\n" for part in parts) + line + b"--\r\n"
