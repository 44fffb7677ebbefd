"""What the mail connector is held against: mbsync, which makes a durable copy and no more. It parses no mail.

Where there is no mbsync: what a careful program would do that only wants the same, in Python. mbsync is of Debian's `isync`
(https://isync.sourceforge.io/mbsync.html).
"""

import asyncio
import os
import resource
import shutil
from pathlib import Path
from typing import Any

import msgspec
from imapclient import IMAPClient

from bench.contender import Contender, Incomplete, Notes, Usage
from bench.program import usage

MBSYNC = shutil.which("mbsync")

_CONFIGURATION = """\
FSync yes

IMAPStore far
Host {box.host}
Port {box.port}
User {box.user}
Pass "{box.password}"
SSLType None
AuthMechs LOGIN

MaildirStore near
Path {folder}/
Inbox {folder}/INBOX

Channel bench
Far :far:
Near :near:
Patterns INBOX
Sync PullNew
Create Near
SyncState *
"""
_TOGETHER = 200  # mails in one FETCH


class Mailbox(msgspec.Struct, frozen=True):
    """An INBOX, and how to log in; `mails` that are in it, with the UIDs from 1 on, without a gap."""

    host: str
    port: int
    user: str
    password: str
    mails: int


class Mbsync(Contender):
    """One run into an empty Maildir, every mail and the state synced to the disk. A mail is a unit, kept or skipped."""

    def __init__(self, name: str, mailbox: Mailbox) -> None:
        self.name, self._mailbox = name, mailbox
        self._peak = 0

    async def open(self, folder: Path) -> None:
        """See Contender."""
        self._folder = folder
        self._near = folder / "near"
        self._rc = folder / "mbsyncrc"
        self._rc.write_text(_CONFIGURATION.format(box=self._mailbox, folder=self._near))

    async def prepare(self) -> None:
        """See Contender: nothing is known from before."""
        shutil.rmtree(self._near, ignore_errors=True)
        self._near.mkdir()

    async def run(self) -> int:
        """See Contender: from its start to its end."""
        assert MBSYNC is not None
        arguments = ["--config", str(self._rc), "--quiet", "bench"]
        environment = {**os.environ, "HOME": str(self._folder)}
        pipe = asyncio.subprocess.PIPE
        running = await asyncio.create_subprocess_exec(MBSYNC, *arguments, stdout=pipe, stderr=pipe, env=environment)
        watching = asyncio.create_task(self._watch(running.pid))
        said, complained = await running.communicate()
        watching.cancel()
        self._said = (said + complained).decode("utf-8", "replace")
        if running.returncode != 0:
            raise Incomplete(f"mbsync ended with {running.returncode}: {self._said[-500:]}")
        return self._mailbox.mails

    async def check(self) -> None:
        """See Contender: all but what it said it skips."""
        inbox = self._near / "INBOX"
        self._kept = sum(1 for name in ("cur", "new") for _ in (inbox / name).iterdir())
        skipped = sum(line.endswith("skipping.") for line in self._said.splitlines())
        if self._kept + skipped < self._mailbox.mails:
            raise Incomplete(f"{self._kept} of {self._mailbox.mails} mails are there: {self._said[-500:]}")

    def program(self) -> Usage | None:
        """See Contender: all that mbsync used so far."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return Usage(used.ru_utime + used.ru_stime, self._peak)

    def notes(self) -> Notes:
        """How many mails were kept."""
        return {"mails kept": f"{self._kept:,} of {self._mailbox.mails:,}"}

    async def _watch(self, pid: int) -> None:
        # `getrusage` of a child counts what this process had before it became mbsync.
        while True:
            await asyncio.sleep(0.05)
            self._peak = max(self._peak, usage(pid).peak_bytes)


class FetchToMaildir(Contender):
    """imapclient in batches; each mail written and synced in `tmp`, renamed into `new`, the folder synced once a batch."""

    def __init__(self, name: str, mailbox: Mailbox) -> None:
        self.name, self._mailbox = name, mailbox

    async def open(self, folder: Path) -> None:
        """See Contender."""
        self._near = folder / "near"

    async def prepare(self) -> None:
        """See Contender."""
        shutil.rmtree(self._near, ignore_errors=True)
        for name in ("cur", "new", "tmp"):
            (self._near / name).mkdir(parents=True)

    async def run(self) -> int:
        """See Contender."""
        await asyncio.to_thread(self._copy)
        return self._mailbox.mails

    async def check(self) -> None:
        """See Contender."""
        kept = sum(1 for _ in (self._near / "new").iterdir())
        if kept != self._mailbox.mails:
            raise Incomplete(f"{kept} of {self._mailbox.mails} mails are there")

    def _copy(self) -> None:
        box = self._mailbox
        with IMAPClient(box.host, box.port, ssl=False) as client:
            client.login(box.user, box.password)
            client.select_folder("INBOX", readonly=True)
            uids = client.search("ALL")
            for begin in range(0, len(uids), _TOGETHER):
                self._store(client.fetch(uids[begin : begin + _TOGETHER], ["BODY.PEEK[]"]))

    def _store(self, answers: dict[int, dict[bytes, Any]]) -> None:
        for uid, answer in answers.items():
            written = self._near / "tmp" / f"{uid}.bench"
            with written.open("wb") as file:
                file.write(answer[b"BODY[]"])
                file.flush()
                os.fsync(file.fileno())
            written.rename(self._near / "new" / written.name)
        folder = os.open(self._near / "new", os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
