#!/usr/bin/env python3
"""A relay that fails one time in five, at every stage: nothing is lost, and twice arrives only what the relay itself left open.

    faulty_relay_test.py BINARIES [MESSAGES]      the directory with weir and weir-sim; 2,000 messages unless said

Real Postfix, Weir, and weir-sim as a relay that hangs up, resets, and refuses for a while. Where it goes away between the
final dot and its reply, Postfix must send again, and only there a message may arrive twice; Weir counts those. Needs root
and Postfix, else exits with 77.
"""

import os
import re
import shutil
import sys
import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from story.daemons import Daemon, at_ports, free_port  # noqa: E402
from story.isp import Isp  # noqa: E402
from story.postfix import Postfix  # noqa: E402
from story.smtp_client import SmtpClient  # noqa: E402

CLIENTS = 8
STANDSTILL_S = 60.0  # so long without a message that arrives, and the test gives up

WEIR = """\
listen: 127.0.0.1:10025
admin: {listen: "127.0.0.1:9525"}
upstream: {relays: "[127.0.0.1]:2525", max_connections: 20}
limits: []
"""
# Of 100 transactions about 20 fail. Nothing here bounces.
RELAY = """\
listen: 127.0.0.1:2525
admin: 127.0.0.1:9625
faults:
  - {at: [connect, greeting, ehlo], do: reset, probability: 2%}
  - {at: mail, reply: "451 4.3.0 Mail server temporarily rejected message", probability: 2%}
  - {at: mail, do: drop, probability: 2%}
  - {at: rcpt, reply: "451 4.3.2 Internal server error", probability: 2%}
  - {at: rcpt, do: reset, probability: 1%}
  - {at: data, reply: "421 4.3.0 Server local error", probability: 2%}
  - {at: data, do: drop, probability: 1%}
  - {at: body, do: reset, probability: 2%}
  - {at: dot, do: drop, probability: 2%}
  - {at: dot, reply: "451 4.3.0 Error: queue file write error", probability: 2%}
  - {at: accepted, do: reset, probability: 1%}
  - {at: accepted, do: drop, probability: 1%}
"""
# What was held comes back at once, for nobody has an hour.
IMPATIENT = "minimal_backoff_time = 1s\nmaximal_backoff_time = 3s\nqueue_run_delay = 1s\n"


class FaultyRelay(unittest.TestCase):
    binaries: Path
    messages = 2000

    def setUp(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="weir-faulty-"))
        self.home.chmod(0o755)
        self.stack = ExitStack()
        self.addCleanup(self.clean_up)
        self.admin = free_port()
        ports = {10025: free_port(), 9525: self.admin, 2525: free_port(), 9625: free_port()}
        record = self.home / "relay.jsonl"
        self.start("weir-sim", "relay.yaml", at_ports(RELAY, ports) + f"record: {record}\n", ports[2525])
        self.relay = Isp(record, ports[9625])
        self.stack.callback(self.relay.close)
        self.start("weir", "weir.yaml", at_ports(WEIR, ports), ports[10025], "run")
        configs = ROOT / "configs/postfix"
        main = at_ports((configs / "main.cf").read_text(), ports)
        main = re.sub(r"(?m)^(minimal_backoff_time|maximal_backoff_time|queue_run_delay) =.*\n", "", main) + IMPATIENT
        self.postfix = Postfix(self.home / "postfix", free_port(), main, (configs / "master.cf").read_text())
        self.stack.callback(self.postfix.stop)
        self.postfix.start()

    def clean_up(self) -> None:
        self.stack.close()
        if self._outcome.success:
            shutil.rmtree(self.home)
        else:
            print(f"configurations and logs are in {self.home}", file=sys.stderr)

    def start(self, program: str, file: str, config: str, port: int, *command: str) -> None:
        (self.home / file).write_text(config)
        arguments = [str(self.binaries / program), *command, "--config", str(self.home / file)]
        self.stack.callback(Daemon(arguments, self.home / f"{program}.log", port).stop)

    def metric(self, name: str) -> int:
        connection = HTTPConnection("127.0.0.1", self.admin, timeout=5)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return int(float(re.search(rf"(?m)^{name} (\S+)$", text)[1]))

    def test_nothing_is_lost_and_nothing_doubled_by_us(self) -> None:
        began = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as executor:
            sent = set().union(*executor.map(self.send_share, range(CLIENTS)))
        self.wait_for_arrival(sent)
        unknown = self.metric("weir_outcome_unknown_total")
        print(f"\n{len(sent)} messages in {time.monotonic() - began:.0f} s, "
              f"{self.relay.summary['refused']['fault']} faults: {len(sent - set(self.relay.accepted))} lost, "
              f"{self.relay.accepted_twice} doubled, {unknown} outcomes unknown", flush=True)
        self.assertEqual(sent - set(self.relay.accepted), set(), "lost")
        self.assertLessEqual(self.relay.accepted_twice, unknown, "doubled without a reply that was lost")
        self.assertGreater(self.relay.accepted_twice, 0, "the relay never lost the reply to a message it had: this shows nothing")
        log = self.postfix.log.read_text(errors="replace")
        self.assertNotIn("delivery temporarily suspended", log)
        self.assertNotIn("status=bounced", log)

    def send_share(self, client: int) -> set[str]:
        sent = set()
        with SmtpClient(self.postfix.port, f"198.51.100.{client + 1}") as smtp:
            for number in range(client, self.messages, CLIENTS):
                message_id = f"<{number}@faulty.example>"
                text = f"Message-ID: {message_id}\r\nSubject: fault\r\n\r\n".encode() + b"A line of text.\r\n" * 200
                smtp.send(f"a@c{client}.example", ["b@rcpt.example"], text)
                sent.add(message_id)
        return sent

    def wait_for_arrival(self, sent: set[str]) -> None:
        last, since = -1, time.monotonic()
        while len(self.relay.accepted) < len(sent):
            self.relay.update()
            if len(self.relay.accepted) != last:
                last, since = len(self.relay.accepted), time.monotonic()
            elif time.monotonic() - since > STANDSTILL_S:
                return
            time.sleep(0.2)
        self.wait_for_an_empty_queue()

    def wait_for_an_empty_queue(self) -> None:
        """What arrived without Postfix's knowing is still there, and may arrive again."""
        deadline = time.monotonic() + STANDSTILL_S
        while self.postfix.queue_length() > 0 and time.monotonic() < deadline:
            time.sleep(0.2)
        self.relay.update()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if os.geteuid() != 0 or shutil.which("postfix") is None:
        print("skipped: needs root and Postfix")
        sys.exit(77)
    FaultyRelay.binaries = Path(sys.argv.pop(1)).resolve()
    if len(sys.argv) > 1:
        FaultyRelay.messages = int(sys.argv.pop(1))
    unittest.main()
