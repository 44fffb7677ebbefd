"""pymap for tests: an IMAP server independent of Dovecot, and a Python package, so that mail is tested on any machine.

Its Maildir backend parses and writes mails anew, with Python's `email`: what it serves is the mail, but not byte for byte.
"""

import imaplib
import importlib.util
import sys
from pathlib import Path

from onethread.testing.servers.imap import ImapServer


class PymapServer(ImapServer):
    """pymap with a Maildir per user."""

    name = "pymap"

    @classmethod
    def missing(cls) -> str | None:
        """None, or that the package is not installed."""
        if importlib.util.find_spec("pymap") is not None:
            return None
        return "pymap is not installed: pip install 'pymap>=0.36.7,<0.37', or make test, which installs it."

    @property
    def mail(self) -> Path:
        """The folder with one Maildir per user."""
        return self.folder / "mail"

    def prepare(self) -> None:
        """Write its user files, which look like passwd and shadow, and make the Maildirs."""
        from pysasl.hashing import BuiltinHash

        # A thousand rounds, not half a million: a login is to cost a test nothing.
        digests = {user: BuiltinHash(rounds=1000).hash(password) for user, password in self.users.items()}
        users = [f"{_field(user)}:x::::{_field(user)}:\n" for user in self.users]
        shadow = [f"{_field(user)}:{_field(digest)}:::::::\n" for user, digest in digests.items()]
        self.mail.mkdir()
        (self.mail / "pymap-etc-passwd").write_text("".join(users))
        (self.mail / "pymap-etc-shadow").write_text("".join(shadow))
        self.create_mailboxes()

    def command(self) -> list[str]:
        """The server, in the foreground."""
        start = [sys.executable, "-c", "from pymap.main import main; main()"]
        return [*start, "--no-tls", "--host", self.host, "--port", str(self.port), "maildir", str(self.mail)]

    def deliver(self, user: str, raw: bytes, folder: str = "INBOX", *, at: float | None = None) -> None:
        """As of every server here. It watches no Maildir, so it is asked for the folder's status, and looks."""
        super().deliver(user, raw, folder, at=at)
        if self.running:
            with imaplib.IMAP4(self.host, self.port, timeout=10) as client:
                client.login(user, self.users[user])
                client.status(f'"{folder}"', "(MESSAGES)")


def _field(text: str) -> str:
    return text.replace(":", "\\:")
