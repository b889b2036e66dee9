#!/usr/bin/env python3
"""Restarts of weir under a real Postfix with 60 messages a second: nothing lost, nothing doubled, nothing suspended.

    restart_under_load_test.py BINARIES      the directory with weir and weir-sim

Both ways to restart without closing the port: a supervisor that keeps the listening socket open (socket activation),
and a new weir beside the old one on the same port (SO_REUSEPORT). Needs root and Postfix, else exits with 77.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from story.daemons import Daemon, at_ports, free_port  # noqa: E402
from story.figures import percentile  # noqa: E402
from story.isp import Isp  # noqa: E402
from story.postfix import Postfix  # noqa: E402
from story.smtp_client import SmtpClient  # noqa: E402

RESTARTS = 10
BETWEEN_RESTARTS_S = 1.0
CLIENTS = 6
MESSAGES_PER_CLIENT_AND_SECOND = 10
ARRIVAL_S = 10.0

WEIR = """\
listen: 127.0.0.1:10025
upstream: {relays: "[127.0.0.1]:2525"}
limits: []
"""
# With a latency, transactions are under way whenever the restart comes.
RELAY = """\
listen: 127.0.0.1:2525
admin: 127.0.0.1:9625
latency: 20ms
"""

# What systemd does: the socket as descriptor 3, and the variables of sd_listen_fds(3).
ACTIVATE = 'exec 3<&"$0"- && LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'


class Weir:
    """One life of weir, ready when the constructor returns. With `listening`, that socket is handed down to it."""

    def __init__(self, binary: Path, config: Path, listening: socket.socket | None = None) -> None:
        home = config.parent
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, (home / "weir.log").open("ab") as log:
            name = home / f"notify-{time.monotonic_ns()}"
            notify.bind(str(name))
            notify.settimeout(10)
            command = [str(binary), "run", "--config", str(config)]
            descriptors = ()
            if listening is not None:
                descriptors = (listening.fileno(),)
                command = ["bash", "-c", ACTIVATE, str(listening.fileno()), *command]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, pass_fds=descriptors,
                                             env={**os.environ, "NOTIFY_SOCKET": str(name)})
            try:
                while b"READY=1" not in notify.recv(4096).splitlines():
                    pass
            except BaseException:
                self.kill()
                raise

    def drain(self) -> float:
        """SIGTERM, and its end; returns how long that took."""
        began = time.monotonic()
        self._process.terminate()
        if self._process.wait(40) != 0:
            raise AssertionError(f"weir ended with {self._process.returncode}")
        return time.monotonic() - began

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class Load:
    """Steady mail into Postfix, until stopped. Knows when each message's final dot was sent."""

    def __init__(self, port: int) -> None:
        self.sent: dict[str, float] = {}
        self._port = port
        self._stop = threading.Event()
        self._executor = ThreadPoolExecutor(CLIENTS)
        self._clients = [self._executor.submit(self._run, number) for number in range(CLIENTS)]

    def _run(self, number: int) -> None:
        address, sequence = f"198.51.100.{number + 1}", 0
        with SmtpClient(self._port, address) as client:
            due = time.monotonic()
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                sequence += 1
                due += 1 / MESSAGES_PER_CLIENT_AND_SECOND
                message_id = f"<{sequence}.{address}@restart.example>"
                message = f"Message-ID: {message_id}\r\nSubject: restart\r\n\r\nA line.".encode()
                self.sent[message_id] = client.send(f"a@c{number}.example", ["b@rcpt.example"], message)

    def stop(self) -> None:
        self._stop.set()
        self._executor.shutdown()
        for client in self._clients:
            client.result()


class RestartUnderLoad(unittest.TestCase):
    binaries: Path

    def setUp(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="weir-restart-"))
        self.home.chmod(0o755)
        self.stack = ExitStack()
        self.addCleanup(self.clean_up)
        self.port, relay, admin = free_port(), free_port(), free_port()
        ports = {10025: self.port, 2525: relay, 9625: admin}
        self.config = self.home / "weir.yaml"
        self.config.write_text(at_ports(WEIR, ports))
        record = self.home / "relay.jsonl"
        (self.home / "relay.yaml").write_text(at_ports(RELAY, ports) + f"record: {record}\n")
        command = [str(self.binaries / "weir-sim"), "--config", str(self.home / "relay.yaml")]
        self.stack.callback(Daemon(command, self.home / "relay.log", relay).stop)
        self.relay = Isp(record, admin)
        self.stack.callback(self.relay.close)
        configs = ROOT / "configs/postfix"
        self.postfix = Postfix(self.home / "postfix", free_port(), at_ports((configs / "main.cf").read_text(), ports),
                               (configs / "master.cf").read_text())
        self.stack.callback(self.postfix.stop)
        self.postfix.start()

    def clean_up(self) -> None:
        self.stack.close()
        if self._outcome.success:
            shutil.rmtree(self.home)
        else:
            print(f"configurations and logs are in {self.home}", file=sys.stderr)

    def start_weir(self, listening: socket.socket | None = None) -> Weir:
        weir = Weir(self.binaries / "weir", self.config, listening)
        self.stack.callback(weir.kill)
        return weir

    def test_socket_kept_by_a_supervisor(self) -> None:
        listening = self.stack.enter_context(socket.create_server(("127.0.0.1", self.port), backlog=128))
        weir = self.start_weir(listening)
        load = Load(self.postfix.port)
        drains = []
        for _ in range(RESTARTS):
            time.sleep(BETWEEN_RESTARTS_S)
            drains.append(weir.drain())
            weir = self.start_weir(listening)
        self.end(load, drains)

    def test_new_weir_beside_the_old_one(self) -> None:
        weir = self.start_weir()
        load = Load(self.postfix.port)
        drains = []
        for _ in range(RESTARTS):
            time.sleep(BETWEEN_RESTARTS_S)
            successor = self.start_weir()
            drains.append(weir.drain())
            weir = successor
        self.end(load, drains)

    def end(self, load: Load, drains: list[float]) -> None:
        time.sleep(BETWEEN_RESTARTS_S)
        load.stop()
        self.wait_for_arrival(load)
        log = self.postfix.log.read_text(errors="replace")
        delays = [self.relay.accepted[message] - sent for message, sent in load.sent.items()
                  if message in self.relay.accepted]
        print(f"\n{self._testMethodName}: {len(load.sent)} messages, {RESTARTS} restarts; "
              f"delay p50 {percentile(delays, 0.5):.2f} s, p95 {percentile(delays, 0.95):.2f} s, max {max(delays):.2f} s; "
              f"drains {', '.join(f'{drain:.2f}' for drain in drains)} s; "
              f"{len(re.findall('status=deferred', log))} deferred, {len(re.findall('lost connection', log))} lost "
              f"connections, {self.relay.accepted_twice} doubled", flush=True)
        self.assertEqual(set(load.sent) - set(self.relay.accepted), set(), "lost")
        self.assertEqual(self.relay.accepted_twice, 0)
        self.assertNotIn("delivery temporarily suspended", log)

    def wait_for_arrival(self, load: Load) -> None:
        deadline = time.monotonic() + ARRIVAL_S
        while len(self.relay.accepted) < len(load.sent) and time.monotonic() < deadline:
            time.sleep(0.1)
            self.relay.update()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if os.geteuid() != 0 or shutil.which("postfix") is None:
        print("skipped: needs root and Postfix")
        sys.exit(77)
    RestartUnderLoad.binaries = Path(sys.argv.pop(1)).resolve()
    unittest.main()
