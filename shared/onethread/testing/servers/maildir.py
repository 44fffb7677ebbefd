"""How a mail gets into a Maildir by its rules; it knows no server.

Sources: "Using maildir format" (https://cr.yp.to/proto/maildir.html), and Maildir++ for folders, which are folders
`.Name.Sub` beside `cur`, `new` and `tmp` (https://www.courier-mta.org/imap/README.maildirquota.html).
"""

import itertools
import os
import socket
import time
from pathlib import Path

from imapclient.imap_utf7 import encode

Owner = tuple[int, int]  # user and group ids

_deliveries = itertools.count()


def create(maildir: Path, owner: Owner | None = None) -> None:
    """Make the folders of one mailbox, for `owner`; nothing happens to those that exist."""
    for folder in (maildir, *(maildir / name for name in ("cur", "new", "tmp"))):
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
            if owner is not None:
                os.chown(folder, *owner)


def folder_of(maildir: Path, name: str) -> Path:
    """Where the mailbox `name` lies, levels parted by `/` and without dots: `INBOX` is the Maildir itself."""
    if name.upper() == "INBOX":
        return maildir
    encoded: bytes = encode(name)
    return maildir / ("." + encoded.decode("ascii").replace("/", "."))


def deliver(mailbox: Path, raw: bytes, owner: Owner | None = None, at: float | None = None) -> None:
    """Write `raw` as a new mail: whole in `tmp`, then renamed into `new`, so that no reader meets half of it.

    `at`: Unix seconds of its arrival, which servers tell as INTERNALDATE (they take the file's time); None: now.
    """
    unique = f"{time.time():.0f}.P{os.getpid()}Q{next(_deliveries)}.{socket.gethostname()}"
    written = mailbox / "tmp" / unique
    written.write_bytes(raw)
    if owner is not None:
        os.chown(written, *owner)
    if at is not None:
        os.utime(written, (at, at))
    written.rename(mailbox / "new" / unique)
