"""Dovecot 2.3 for tests, run by any user from a configuration of its own; it touches nothing of an installed Dovecot's.

Source of the settings: the manual of Dovecot 2.3 (https://doc.dovecot.org/2.3/), "Rootless Installation" among it.
"""

import base64
import grp
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from onethread.testing.servers.imap import ImapServer, find_program

_CONFIGURATION = """\
protocols = imap
listen = {host}
base_dir = {home}/run
state_dir = {home}/run
log_path = /dev/stderr
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login

# All processes are of one user, and none may change its root folder.
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
first_valid_gid = 1

# A wrong password is answered at once, and as many connections are let in as a test makes.
auth_failure_delay = 0
mail_max_userip_connections = 200

mail_location = maildir:{home}/mail/%u
passdb {{
  driver = passwd-file
  args = {home}/passwd
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""


class DovecotServer(ImapServer):
    """Dovecot with a Maildir per user.

    Its files lie in a short folder of their own, not below `folder`, which keeps the log: Unix sockets take no path over 108
    bytes, and for root the whole server runs as `nobody`, since Dovecot serves no mail as root; `nobody` can enter no
    folder of the test runner's. `stop` leaves the files, so that it can start again; they go with `discard`.
    """

    name = "Dovecot"

    def __init__(self, folder: Path, users: Mapping[str, str]) -> None:
        super().__init__(folder, users)
        self._home = Path(tempfile.mkdtemp(prefix="dovecot-"))

    @classmethod
    def missing(cls) -> str | None:
        """None, or that it is not installed, or not of version 2.3, whose configuration this writes."""
        program = find_program("dovecot")
        if program is None:
            return "Dovecot is not installed: apt-get install dovecot-imapd."
        version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.strip()
        if version.startswith("2.3."):
            return None
        return f"Dovecot {version} is installed, and these tests configure 2.3: install dovecot-imapd of Debian 12."

    @property
    def mail(self) -> Path:
        """The folder with one Maildir per user."""
        return self._home / "mail"

    def account(self) -> tuple[int, int] | None:
        """`nobody` for root, who may read no mail; else whoever runs the tests."""
        if os.getuid() != 0:
            return None
        nobody = pwd.getpwnam("nobody")
        return nobody.pw_uid, nobody.pw_gid

    def prepare(self) -> None:
        """Write the configuration and the password file, and make the Maildirs."""
        uid, gid = self.account() or (os.getuid(), os.getgid())
        names = {"user": pwd.getpwuid(uid).pw_name, "group": grp.getgrgid(gid).gr_name}
        numbers = {"uid": uid, "gid": gid, "port": self.port}
        text = _CONFIGURATION.format(host=self.host, home=self._home, **names, **numbers)
        # Base64, since the file's fields are parted by colons.
        passwords = {user: base64.b64encode(password.encode()).decode() for user, password in self.users.items()}
        lines = [f"{user}:{{PLAIN.B64}}{password}::::::\n" for user, password in passwords.items()]
        (self._home / "dovecot.conf").write_text(text)
        (self._home / "passwd").write_text("".join(lines))
        for name in ("run", "mail"):
            (self._home / name).mkdir(mode=0o755)
        for path in (self._home, *self._home.iterdir()):
            os.chown(path, uid, gid)
        self.create_mailboxes()

    def command(self) -> list[str]:
        """The master process, in the foreground."""
        return [find_program("dovecot") or "dovecot", "-F", "-c", str(self._home / "dovecot.conf")]

    def discard(self) -> None:
        """End it for good, and delete its files."""
        super().discard()
        shutil.rmtree(self._home, ignore_errors=True)
