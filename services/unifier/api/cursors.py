"""Sealed cursors: encrypted and authenticated, bound to tenant, operation and filters. It knows no list.

Encrypted, because a position tells of sizes and ids that are nobody's business; bound, because a cursor of one list must not
open another. AES-256-GCM with a random 96-bit nonce (NIST SP 800-38D); the first key seals, all of them open.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from onethread.errors import Misconfigured
from unifier.api.problems import Problem

_NONCE = 12
_LONGEST = 100_000


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a page ended. `at`, `id`: the last item; `seqs`: the last seq read of each strand; `root`: the conversation."""

    epoch: int
    at: int = 0
    id: str = ""
    seqs: dict[str, int] = {}
    root: str = ""


class List(NamedTuple):
    """Which list a cursor is of."""

    tenant: str
    operation: str
    filters: tuple[tuple[str, str], ...] = ()


_place = msgspec.json.Decoder(Place)


class Cursors:
    """Seals and opens. `keys`: newest first, of any length; raises Misconfigured for none."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or not all(keys):
            raise Misconfigured("the API needs at least one key to seal cursors with: set `keys`")
        self._ciphers = [AESGCM(hashlib.sha256(b"onethread cursor\0" + key).digest()) for key in keys]

    def seal(self, of: List, place: Place) -> str:
        """The cursor."""
        nonce = os.urandom(_NONCE)
        sealed = self._ciphers[0].encrypt(nonce, msgspec.json.encode(place), msgspec.json.encode(of))
        return base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def open(self, of: List, cursor: str, epoch: int) -> Place:
        """The place. Raises the problems `invalid-cursor` and, for one of another epoch, `cursor-expired`."""
        place = self._opened(of, cursor)
        if place.epoch != epoch:
            raise Problem(
                "cursor-expired",
                "The cursor is from before a restore of the store: list again from the start.",
                epoch=epoch,
                oldest_at=None,
            )
        return place

    def _opened(self, of: List, cursor: str) -> Place:
        if len(cursor) > _LONGEST:
            raise _invalid()
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error) as error:
            raise _invalid() from error
        for cipher in self._ciphers:
            try:
                return _place.decode(cipher.decrypt(raw[:_NONCE], raw[_NONCE:], msgspec.json.encode(of)))
            except (InvalidTag, ValueError):
                continue
        raise _invalid()


def _invalid() -> Problem:
    return Problem(
        "invalid-cursor",
        "The cursor was not given for this list with these filters.",
        errors=[{"parameter": "cursor", "detail": "not a cursor of this list and these filters"}],
    )
