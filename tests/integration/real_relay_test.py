#!/usr/bin/env python3
"""Weir between two real Postfixes: the second is the relay, with TLS, and with a login by Cyrus SASL.

    real_relay_test.py BINARIES      the directory with weir and weir-sim

Every mechanism that weir knows a password for, STARTTLS and TLS from the first byte, a password that changes. Needs root
and Postfix, else exits with 77.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from contextlib import ExitStack
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from story.daemons import Daemon, at_ports, free_port  # noqa: E402
from story.isp import Isp  # noqa: E402
from story.postfix import Postfix  # noqa: E402
from story.smtp_client import SmtpClient  # noqa: E402

ARRIVAL_S = 20.0
USER, REALM, PASSWORD = "governor", "isp.example", "correct horse"

# The ISP's relay: nobody may send without a login, and nobody may log in without TLS.
RELAY_MAIN = """\
relayhost = [127.0.0.1]:{sink}
smtpd_tls_cert_file = {home}/relay.pem
smtpd_tls_key_file = {home}/relay.key
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_loglevel = 1
smtpd_sasl_auth_enable = yes
smtpd_sasl_local_domain = {realm}
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
"""
RELAY_MASTER = """\
127.0.0.1:{wrapper} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
tlsmgr unix - - n 1000? 1 tlsmgr
"""
RELAY_SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {home}/sasldb2
mech_list: SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN
"""

WEIR = """\
listen: 127.0.0.1:{listen}
admin: {{listen: "127.0.0.1:{admin}"}}
limits: []
upstream:
  relays: "[127.0.0.1]:{relay}"
  tls: {{level: secure, ca_file: {home}/ca.pem, server_name: relay.isp.example, wrapper: {wrapper}}}
  auth: {{username: {user}@{realm}, password_file: {home}/password, mechanisms: [{mechanism}]}}
"""


def run(*command: str, text: str = "") -> None:
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stderr}{done.stdout}")


class RealRelay(unittest.TestCase):
    """Both Postfixes and the sink are started once; each test has a Weir of its own between them."""

    binaries: Path
    has_failed = False

    @classmethod
    def setUpClass(cls) -> None:
        cls.home = Path(tempfile.mkdtemp(prefix="weir-relay-"))
        cls.home.chmod(0o755)
        cls.services = ExitStack()
        cls.addClassCleanup(cls.clean_up)
        cls.make_certificates()
        cls.set_password(PASSWORD)
        sink = cls.start_sink()
        cls.wrapper_port = free_port()
        cls.relay = cls.start_postfix("relay", RELAY_MAIN.format(sink=sink, home=cls.home, realm=REALM),
                                      RELAY_MASTER.format(wrapper=cls.wrapper_port))
        cls.weir_port = free_port()
        configs = ROOT / "configs/postfix"
        cls.postfix = cls.start_postfix("postfix", at_ports((configs / "main.cf").read_text(), {10025: cls.weir_port}),
                                        (configs / "master.cf").read_text())

    @classmethod
    def clean_up(cls) -> None:
        cls.services.close()
        if cls.has_failed:
            print(f"configurations and logs are in {cls.home}", file=sys.stderr)
        else:
            shutil.rmtree(cls.home)

    @classmethod
    def start_sink(cls) -> int:
        port, admin, record = free_port(), free_port(), cls.home / "sink.jsonl"
        (cls.home / "sink.yaml").write_text(
            f"listen: 127.0.0.1:{port}\nadmin: 127.0.0.1:{admin}\nrecord: {record}\n")
        command = [str(cls.binaries / "weir-sim"), "--config", str(cls.home / "sink.yaml")]
        cls.services.callback(Daemon(command, cls.home / "sink.log", port).stop)
        cls.sink = Isp(record, admin)
        cls.services.callback(cls.sink.close)
        return port

    @classmethod
    def start_postfix(cls, name: str, main: str, master: str) -> Postfix:
        postfix = Postfix(cls.home / name, free_port(), main, master)
        sasl = cls.home / name / "etc/sasl"
        sasl.mkdir()
        (sasl / "smtpd.conf").write_text(RELAY_SASL.format(home=cls.home))
        cls.services.callback(postfix.stop)
        postfix.start()
        return postfix

    @classmethod
    def make_certificates(cls) -> None:
        ca = [str(cls.home / "ca.pem"), str(cls.home / "ca.key")]
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=test CA", "-out", ca[0], "-keyout", ca[1])
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=relay", "-addext", "subjectAltName=DNS:relay.isp.example", "-CA", ca[0], "-CAkey", ca[1],
            "-out", str(cls.home / "relay.pem"), "-keyout", str(cls.home / "relay.key"))

    @classmethod
    def set_password(cls, password: str) -> None:
        database = cls.home / "sasldb2"
        run("saslpasswd2", "-p", "-c", "-f", str(database), "-u", REALM, USER, text=password)
        shutil.chown(database, "postfix")

    def setUp(self) -> None:
        self.weir_log = self.home / f"weir-{self._testMethodName}.log"
        (self.home / "password").write_text(PASSWORD + "\n")
        self.addCleanup(self.remember_failure)

    def remember_failure(self) -> None:
        type(self).has_failed |= not self._outcome.success

    def start(self, mechanism: str, wrapper: bool = False) -> None:
        ports = {"listen": self.weir_port, "admin": free_port(),
                 "relay": self.wrapper_port if wrapper else self.relay.port}
        (self.home / "weir.yaml").write_text(WEIR.format(**ports, home=self.home, user=USER, realm=REALM,
                                                         mechanism=mechanism, wrapper=str(wrapper).lower()))
        command = [str(self.binaries / "weir"), "run", "--config", str(self.home / "weir.yaml")]
        self.addCleanup(Daemon(command, self.weir_log, ports["listen"]).stop)

    def send(self, number: int) -> str:
        message_id = f"<{number}.{self._testMethodName}@real-relay.example>"
        with SmtpClient(self.postfix.port, "198.51.100.7") as client:
            message = f"Message-ID: {message_id}\r\nSubject: real\r\n\r\nA line.".encode()
            client.send("a@customer.example", ["b@rcpt.example"], message)
        return message_id

    def wait_for(self, message_id: str) -> None:
        deadline = time.monotonic() + ARRIVAL_S
        while message_id not in self.sink.accepted:
            if time.monotonic() > deadline:
                self.fail(f"{message_id} did not arrive:\n{self.weir_log.read_text()[-1500:]}"
                          f"{self.relay.log.read_text()[-1500:]}")
            time.sleep(0.05)
            self.sink.update()

    def deliver_with(self, mechanism: str, wrapper: bool = False) -> None:
        self.start(mechanism, wrapper)
        for number in range(3):
            self.wait_for(self.send(number))
        log = self.relay.log.read_text()
        self.assertIn(f"sasl_method={mechanism}, sasl_username={USER}@{REALM}", log)
        self.assertRegex(log, r"Anonymous TLS connection established from .*: TLSv1\.3")
        self.assertNotIn(PASSWORD, self.weir_log.read_text())

    def test_scram_sha_256(self) -> None:
        self.deliver_with("SCRAM-SHA-256")

    def test_scram_sha_1(self) -> None:
        self.deliver_with("SCRAM-SHA-1")

    def test_cram_md5(self) -> None:
        self.deliver_with("CRAM-MD5")

    def test_plain(self) -> None:
        self.deliver_with("PLAIN")

    def test_login(self) -> None:
        self.deliver_with("LOGIN")

    def test_tls_from_the_first_byte(self) -> None:
        self.deliver_with("SCRAM-SHA-256", wrapper=True)

    def test_a_password_that_changes(self) -> None:
        (self.home / "password").write_text("the old one\n")
        self.start("PLAIN")
        waiting = self.send(1)
        log = self.postfix.log
        deadline = time.monotonic() + ARRIVAL_S
        while "451 4.7.8 weir: cannot log in" not in log.read_text():
            self.assertLess(time.monotonic(), deadline, log.read_text()[-1500:])
            time.sleep(0.05)
        self.assertNotIn("delivery temporarily suspended", log.read_text())
        (self.home / "password").write_text(PASSWORD + "\n")
        deadline = time.monotonic() + ARRIVAL_S
        while waiting not in self.sink.accepted:
            self.assertLess(time.monotonic(), deadline)
            subprocess.run(["postqueue", "-c", str(self.home / "postfix/etc"), "-f"], check=True)
            time.sleep(0.5)
            self.sink.update()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if os.geteuid() != 0 or any(shutil.which(tool) is None for tool in ("postfix", "saslpasswd2", "openssl")):
        print("skipped: needs root, Postfix, saslpasswd2 and openssl")
        sys.exit(77)
    RealRelay.binaries = Path(sys.argv.pop(1)).resolve()
    unittest.main()
