"""What the IMAP servers of the kit have in common: users, their Maildirs, and a greeting; it knows no server's configuration."""

import shutil
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path

from onethread.testing.servers import maildir
from onethread.testing.servers.process import ServerProcess, connect


class ImapServer(ServerProcess):
    """An IMAP server without TLS on loopback, for `users`: login name to password."""

    def __init__(self, folder: Path, users: Mapping[str, str]) -> None:
        super().__init__(folder)
        self.users = dict(users)

    @property
    @abstractmethod
    def mail(self) -> Path:
        """The folder with one Maildir per user."""

    def maildir(self, user: str) -> Path:
        """The Maildir of `user`, their INBOX. Raises `KeyError` for an unknown user."""
        if user not in self.users:
            raise KeyError(user)
        return self.mail / user

    def deliver(self, user: str, raw: bytes, folder: str = "INBOX", *, at: float | None = None) -> None:
        """Deliver the mail `raw`, making `folder` (levels parted by `/`) if need be. Works while the server is down, too.

        `at`: Unix seconds of its arrival; None: now.
        """
        mailbox = maildir.folder_of(self.maildir(user), folder)
        maildir.create(mailbox, self.account())
        if mailbox != self.maildir(user):
            (mailbox / "maildirfolder").touch()  # Maildir++: marks a folder that is no INBOX
        maildir.deliver(mailbox, raw, self.account(), at)

    def create_mailboxes(self) -> None:
        """Make every user's Maildir; part of `prepare`."""
        for user in self.users:
            maildir.create(self.maildir(user), self.account())

    def answers(self) -> bool:
        """Whether it greets."""
        with connect(self.host, self.port) as peer, peer.makefile("rb") as greeting:
            return greeting.readline().startswith(b"* OK")


def find_program(name: str) -> str | None:
    """Where the program is; system folders count even if the user's PATH leaves them out."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")
