"""A Postfix of one's own: configuration, queue and log under one directory, smtpd on a port of loopback.

The host's Postfix and /etc/postfix are not touched. Needs root, as Postfix does.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# What a small mail server has: a few networks whose mail it relays, and everything else at its default. XCLIENT lets
# the clients of a test pose as hosts of those networks.
MAIN_CF = """\
compatibility_level = 3.6
config_directory = {home}/etc
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/mail.log
maillog_file_prefixes = {home}
myhostname = mail.admin.example
mydestination =
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8 198.51.100.0/24 203.0.113.0/24
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_peername_lookup = no
"""

# Debian's master.cf, without chroot and without the services that nothing here uses.
MASTER_CF = """\
127.0.0.1:{port} inet n -     n       -       -       smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""


class PostfixError(Exception):
    """Postfix would not do as told; the text says what it said."""


class Postfix:
    """One instance. `main` and `master` are what the test adds to main.cf and master.cf."""

    def __init__(self, home: Path, port: int, main: str, master: str = "") -> None:
        self.port = port
        self.log = home / "mail.log"
        self._config = home / "etc"
        self._queue = home / "queue"
        for directory in (self._config, self._queue, home / "data"):
            directory.mkdir(parents=True)
        # Postfix's daemons run as the user postfix.
        home.chmod(0o755)
        shutil.chown(home / "data", "postfix")
        (self._config / "main.cf").write_text(MAIN_CF.format(home=home) + main)
        (self._config / "master.cf").write_text(MASTER_CF.format(port=port) + master)

    def start(self) -> None:
        self._postfix("start")

    def stop(self) -> None:
        """Stops it if it runs. Whatever it was doing, it is gone afterwards."""
        if not (self._queue / "pid/master.pid").exists():
            return
        try:
            self._postfix("stop")
        except PostfixError:
            if self.is_running():
                self._postfix("abort")

    def is_running(self) -> bool:
        return self._run("postfix", "status").returncode == 0

    def queue_length(self) -> int:
        """Messages in the queue. Counts files, for a mailq of thousands costs more than the mail."""
        return sum(1 for name in ("incoming", "active", "deferred") for _ in _files_below(self._queue / name))

    def queue(self) -> Iterator[dict[str, Any]]:
        """The queue as `postqueue -j` tells it."""
        for line in self._run("postqueue", "-j").stdout.splitlines():
            yield json.loads(line)

    def _postfix(self, command: str) -> None:
        done = self._run("postfix", command)
        if done.returncode != 0:
            log = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
            raise PostfixError(f"postfix {command}: {done.stderr}{log}")

    def _run(self, program: str, argument: str) -> subprocess.CompletedProcess[str]:
        # A session of its own: the Ctrl-C that is meant for the story must not reach Postfix before the story's end.
        return subprocess.run([program, "-c", str(self._config), argument], start_new_session=True,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=60,
                              check=False)


def _files_below(directory: Path) -> Iterator[str]:
    for _, _, files in os.walk(directory):
        yield from files
