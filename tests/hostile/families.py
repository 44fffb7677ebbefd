"""Mails made to cost a reader more than their size, in families: each makes one of about n bytes. It knows no reader.

The first ones are what held the usual libraries for seconds: the standard library's `email` (nested multiparts, parameters,
tiny parts, comments), nh3 and selectolax (nested elements, attributes), inscriptis and lxml (attributes), and the quote
strippers talon, mail-parser-reply and email-reply-parser (one long line of "On ").
"""

from collections.abc import Callable

from unit.email_ingest.mails import mail

Family = Callable[[int], bytes]

FAMILIES: dict[str, Family] = {
    "nested multiparts": lambda n: b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(n // 60)
    ),
    "parameters": lambda n: mail("x", Content_Type="text/plain" + "; a=b" * (n // 5)),
    "continuations": lambda n: mail("x", Content_Type="text/plain" + "".join(f"; a*{i}=b" for i in range(n // 9))),
    "tiny parts": lambda n: mail("--b\n\nx\n" * (n // 7), Content_Type="multipart/mixed; boundary=b"),
    "boundary of dashes": lambda n: mail("-" * n, Content_Type=f"multipart/mixed; boundary={'-' * 60}"),
    "nested comments": lambda n: mail("x", From="(" * n),
    "open quotes": lambda n: mail("x", From='"\\' * (n // 2)),
    "addresses": lambda n: mail("x", To="a@x.example," * (n // 12)),
    "header lines": lambda n: mail("x", X="y\r\n" + "a: b\r\n" * (n // 6) + "c: d"),
    "folded header": lambda n: mail("x", Subject="a\r\n " * (n // 4)),
    "encoded words": lambda n: mail("x", Subject="=?utf-8?q?a?= " * (n // 14)),
    "half encoded words": lambda n: mail("x", Subject="=?a?b?" * (n // 6)),
    "references": lambda n: mail("x", References="<a@b> " * (n // 6)),
    "one line of On": lambda n: mail("On " * (n // 3)),
    "lines of On": lambda n: mail("On \n" * (n // 4)),
    "one line of schrieb": lambda n: mail("Am 1 " + " schrieb " * (n // 9)),
    "quote signs": lambda n: mail(">" * n),
    "quoted lines": lambda n: mail("> \n" * (n // 3)),
    "blank lines": lambda n: mail("\n" * n),
    "labels": lambda n: mail("From: \n" * (n // 7)),
    "flowed": lambda n: mail("a \n" * (n // 3), Content_Type="text/plain; format=flowed"),
    "nested elements": lambda n: mail("<div>" * (n // 5), Content_Type="text/html"),
    "nested quotes": lambda n: mail("<blockquote>x" * (n // 13), Content_Type="text/html"),
    "attributes": lambda n: mail("<a" + " b=c" * (n // 4) + ">", Content_Type="text/html"),
    "open comments": lambda n: mail("<!--" * (n // 4), Content_Type="text/html"),
    "open tags": lambda n: mail("<a" * (n // 2), Content_Type="text/html"),
    "open attributes": lambda n: mail("<a '\">" * (n // 6), Content_Type="text/html"),
    "quotes that hide the end": lambda n: mail('<a ">" ' * (n // 7), Content_Type="text/html"),
    "open scripts": lambda n: mail("<script>" * (n // 8), Content_Type="text/html"),
    "entities": lambda n: mail("&" * (n // 2) + "&amp" * (n // 8), Content_Type="text/html"),
    "markers": lambda n: mail("<p class=class=class=x>" * (n // 22), Content_Type="text/html"),
    "links": lambda n: mail("<a href=x>y</a> " * (n // 16), Content_Type="text/html"),
    "base64": lambda n: mail("QQ==\n" * (n // 5), Content_Transfer_Encoding="base64"),
    "quoted-printable": lambda n: mail("=\n" * (n // 2), Content_Transfer_Encoding="quoted-printable"),
    "uuencode": lambda n: mail("#86)C\n" * (n // 6), Content_Transfer_Encoding="x-uuencode"),
    "high bytes": lambda n: mail(b"\xff\x20" * (n // 2)),
    "escape sequences": lambda n: mail(b"\x1b$B\x1b(B" * (n // 6), Content_Type="text/plain; charset=iso-2022-jp"),
    "many bodies in HTML": lambda n: divided(b"Content-Type: text/html\n\n" + b"<b>a</b>&amp;" * 2_500, n),
    "many bodies of blanks": lambda n: divided(b"\n" + b"a \n" * 9_000, n),
    "many bodies without words": lambda n: divided(b"Content-Type: text/html\n\n" + b"<b> </b>" * 4_000, n),
    "nested around a body": lambda n: nested(b"\n" + b"x\n" * (n // 2)),
    "carriage returns": lambda n: mail("\r" * n),
    "blanks": lambda n: mail(" " * n),
    "tags in a forwarded mail": lambda n: mail(b"Subject: x\n\n" + b"<" * n, Content_Type="message/rfc822"),
    "reports": lambda n: mail(
        b"--b\nContent-Type: message/delivery-status\n\n" + b"Action: failed\n\n" * (n // 16),
        Content_Type="multipart/report; boundary=b",
        In_Reply_To="<a@b>",
    ),
}


def divided(part: bytes, n: int) -> bytes:
    """So many of these parts that there are n bytes."""
    return mail(
        b"".join(b"--b\n" + part + b"\n" for _ in range(max(1, n // len(part)))),
        Content_Type="multipart/mixed; boundary=b",
    )


def nested(part: bytes, depth: int = 29) -> bytes:
    """A part inside others, as deep as they are taken apart."""
    for level in range(depth):
        head = f"Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n".encode()
        part = head + part + f"\n--b{level}--\n".encode()
    return part
