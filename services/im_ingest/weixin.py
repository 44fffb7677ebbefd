"""What WeChat and WeCom share at the entrance: signature, AES envelope, and XML from strangers. It knows no product.

Sources: WeChat Developers, "Message encryption and decryption" (three modes, envelope, keys) and "Access guide" (signature); WeCom
Developers, "Encryption and decryption scheme" (document 90968). The envelope is the same in both: AES-256-CBC, its IV the key's first
half, padded in blocks of 32 bytes, over 16 random bytes, the length of the message, the message, and the id of whom it is for.
"""

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated
from xml.parsers import expat

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from pydantic import AfterValidator, SecretStr

from im_ingest.seconds import spread
from onethread.connector import Rejected, Request, same, utc
from onethread.errors import Poison

WINDOW = 300
"""Seconds that the signed time may be away. A delivery is tried three times, five seconds each."""

TIME = re.compile(r"[0-9]{10}")
KEY = re.compile(r"[A-Za-z0-9]{43}")

CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r")
FORBIDDEN = re.compile(b"\xef\xbf[\xbe\xbf]")
"""Control characters, U+FFFE and U+FFFF: what XML may not hold, and people's words may all the same."""

LARGEST, DEEPEST, MOST = 1 << 20, 8, 5000
"""Of an XML document: bytes, elements in one another, elements."""

ORDER = "order"
"""Of records of one second: where `about` says which came first."""

ONCE = frozenset(
    {"ToUserName", "FromUserName", "CreateTime", "MsgType", "MsgId", "Event", "Token", "OpenKfId", "Encrypt"}
)
"""Fields that a document may say once: they decide who wrote, what, and to whom."""

BLOCK, RANDOM, LENGTH = 32, 16, 4
"""Of the envelope, in bytes: the padding's block, the random beginning, the length before the message."""


def _encoding_aes_key(secret: SecretStr) -> SecretStr:
    if not KEY.fullmatch(secret.get_secret_value()):
        raise ValueError("an EncodingAESKey has 43 letters and digits")
    return secret


AesKey = Annotated[SecretStr, AfterValidator(_encoding_aes_key)]
"""An EncodingAESKey: base64 of 32 bytes without its last character, `=`."""


# --- signature ------------------------------------------------------------------------------------------------------


def signature(token: str, *parts: str) -> str:
    """SHA-1 over token and parts, sorted as bytes and put together. Parts are timestamp, nonce, and what is signed, if anything."""
    ordered = sorted(part.encode("utf-8", "surrogatepass") for part in (token, *parts))
    return hashlib.sha1(b"".join(ordered), usedforsecurity=False).hexdigest()  # both platforms define SHA-1


def signed(request: Request, tokens: Sequence[SecretStr], parameter: str, now: datetime, *sealed: str) -> Request:
    """The request with a time of `now`, and `parameter` as the platform signs it with the first of `tokens`."""
    time = str(int(now.timestamp()))
    value = signature(tokens[0].get_secret_value(), time, request.query.get("nonce", ""), *sealed)
    return msgspec.structs.replace(
        request, query={**request.query, "timestamp": time, parameter: value}, arrived_at=now
    )


def authenticate(request: Request, tokens: Iterable[SecretStr], parameter: str, *sealed: str) -> None:
    """Whether `parameter` of the query is a signature of ours, and of now. `sealed`: the ciphertext, where it is signed."""
    given, time, nonce = (request.query.get(name, "") for name in (parameter, "timestamp", "nonce"))
    matches = [
        same(given, signature(token.get_secret_value(), time, nonce, *sealed)) and bool(token.get_secret_value())
        for token in tokens
    ]
    if not any(matches):
        raise Rejected(f"{parameter} is not one by any of `tokens`")
    if not TIME.fullmatch(time) or abs((request.arrived_at - utc(int(time))).total_seconds()) > WINDOW:
        raise Rejected("timestamp is more than five minutes away")


# --- envelope -------------------------------------------------------------------------------------------------------


def sealed_in(body: bytes) -> str:
    """The ciphertext of a body. Raises Rejected for a body that is none of theirs."""
    try:
        return fields(body)["Encrypt"]
    except (Poison, KeyError) as error:
        raise Rejected("the body holds no Encrypt") from error


def opened(sealed: str, keys: Iterable[SecretStr], receiver: str) -> bytes:
    """The message inside. `receiver`: our app's or corporation's id, which must be in it. Raises Poison, saying what to change.

    Only for what is signed: who could try ciphertexts would learn from the answers what is in them.
    """
    try:
        data = base64.b64decode(sealed, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Poison("Encrypt is no base64") from error
    contents = [content for key in keys if (content := _content(data, key)) is not None]
    if not contents:
        raise Poison("no key opens it: put the platform's EncodingAESKey in front of `aes_keys`")
    for message, whom in contents:
        if same(whom.decode("utf-8", "replace"), receiver):
            return message
    raise Poison("it is for another app or corporation than the settings name")


def sealed(message: bytes, key: SecretStr, receiver: str) -> str:
    """The message in an envelope that `opened` opens."""
    secret = base64.b64decode(key.get_secret_value() + "=")
    plain = os.urandom(RANDOM) + len(message).to_bytes(LENGTH, "big") + message + receiver.encode()
    padding = BLOCK - len(plain) % BLOCK
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(secret[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()).decode()


def sealed_delivery(message: bytes, keys: Sequence[SecretStr], receiver: str) -> tuple[str, bytes]:
    """The ciphertext of a delivery, and the body that brings it."""
    ciphertext = sealed(message, keys[0], receiver)
    return ciphertext, f"<xml><Encrypt><![CDATA[{ciphertext}]]></Encrypt></xml>".encode()


def _content(data: bytes, key: SecretStr) -> tuple[bytes, bytes] | None:
    """Message and receiver; None where this key does not open it."""
    if not data or len(data) % (algorithms.AES.block_size // 8):
        return None
    secret = base64.b64decode(key.get_secret_value() + "=")
    decryptor = Cipher(algorithms.AES(secret), modes.CBC(secret[:16])).decryptor()
    plain = decryptor.update(data) + decryptor.finalize()
    padding = plain[-1]
    if not 1 <= padding <= BLOCK or plain[-padding:] != bytes([padding]) * padding:
        return None
    inside = plain[RANDOM:-padding]
    end = LENGTH + int.from_bytes(inside[:LENGTH], "big")
    if len(inside) < LENGTH or end > len(inside):
        return None
    return inside[LENGTH:end], inside[end:]


# --- time ---


def order(second: str, seen: datetime, place: int = 0) -> dict[str, str]:
    """For `Raw.about`: milliseconds that keep the order in which records of one second were seen. The platforms tell seconds only.

    `seen`: when it came; `place`: among the records of one second that came together. "{}" for what is no time.
    """
    if not TIME.fullmatch(second):
        return {}
    return {ORDER: str(spread(utc(int(second)), seen, place))}


def moment(second: int, about: Mapping[str, str]) -> datetime:
    """A time of the platform's, with `order`. Raises Poison for what no calendar holds."""
    return utc(second) + timedelta(milliseconds=int(about.get(ORDER, "0")))


# --- XML ------------------------------------------------------------------------------------------------------------


def fields(document: bytes) -> dict[str, str]:
    """The text of every element that holds no other, by its path below the root: "Content", "ScanCodeInfo.ScanResult".

    Raises Poison for what is no XML, is too large, brings a document type (so there are no entities but XML's own five), or says a
    field of `ONCE` twice. Other fields that are repeated are told with commas; of lists inside elements the first of each name is given. Characters that XML forbids are left out.
    """
    if len(document) > LARGEST:
        raise Poison("XML of more than a megabyte")
    reader = _Reader()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _no_doctype
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(FORBIDDEN.sub(b"", document.translate(None, CONTROLS)), True)  # noqa: FBT003 -- expat takes no keywords
    except expat.ExpatError as error:
        raise Poison(f"no XML: {expat.ErrorString(error.code)}") from error
    return reader.found


def _no_doctype(*_: object) -> None:
    raise Poison("XML with a document type")


class _Reader:
    """Collects what expat reports."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self._path: list[str] = []
        self._text: list[str] = []
        self._elements = 0
        self._leaf = False

    def start(self, name: str, _: dict[str, str]) -> None:
        self._path.append(name)
        self._elements += 1
        if len(self._path) > DEEPEST or self._elements > MOST:
            raise Poison("XML that is too deep, or of too many elements")
        self._leaf = True
        self._text.clear()

    def text(self, data: str) -> None:
        self._text.append(data)

    def end(self, _: str) -> None:
        depth, name = len(self._path), ".".join(self._path[1:])
        self._path.pop()
        if self._leaf and depth > 1:
            if depth == 2 and name in self.found:
                self._again(name)
            self.found.setdefault(name, "".join(self._text))
        self._leaf = False

    def _again(self, name: str) -> None:
        if name in ONCE:
            raise Poison(f"XML that says {name} twice")
        self.found[name] += "," + "".join(self._text)
