#!/usr/bin/env python3
"""Mail through Weir, through HAProxy as a plain TCP proxy, and through nothing, side by side in one run.

    tests/bench/load_rig.py [--weir build/release/weir] [--rounds 5] [--messages 4000]

Postfix's smtp-source sends, its smtp-sink receives; what is measured is the proxy in between: CPU seconds of its
process (from /proc) and messages a second. Absolute figures depend on the machine; the ratio to HAProxy in the same
round is what carries over, so rounds interleave the contenders and medians are printed. With --idle N it also holds N
idle sessions and prints the resident memory that each costs. With --tls the proxies speak TLS to the sink (another HAProxy
stands before it), Weir both with connections that it keeps and with one for each message.
"""

import argparse
import os
import pathlib
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time

LOOPBACK = "127.0.0.1"
TICK = os.sysconf("SC_CLK_TCK")

HAPROXY = """
global
    nbthread 1
    maxconn 8000
defaults
    mode tcp
    timeout connect 10s
    timeout client 300s
    timeout server 300s
frontend smtp
    bind 127.0.0.1:{listen}
    default_backend sink
backend sink
    server sink 127.0.0.1:{sink}
"""

# The same with TLS towards the sink, and the end of that TLS before it.
HAPROXY_TLS = HAPROXY.replace("server sink 127.0.0.1:{sink}", "server sink 127.0.0.1:{tls} ssl verify none")
TLS_SINK = HAPROXY.replace("bind 127.0.0.1:{listen}", "bind 127.0.0.1:{listen} ssl crt {certificate}")

# Limits are on, and wide enough that nothing is held: their cost is part of what is measured.
WEIR = """
listen: ["127.0.0.1:{listen}"]
upstream: {{relays: ["[127.0.0.1]:{sink}"], max_connections: 60, max_messages_per_connection: {messages}, tls: {tls}}}
limits:
  - {{name: client, per: client, messages: 1000000/s, recipients: 1000000/s, new_sender_domains: 1000/s}}
  - {{name: sender-domain, per: [client, sender_domain], messages: 1000000/s}}
admin: {{listen: "127.0.0.1:{admin}"}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection((LOOPBACK, port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"nothing listens on port {port}")


def cpu_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_kib(pid: int) -> int:
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS")


class Contender:
    """A proxy, or none, in front of the sink."""

    def __init__(self, name: str, port: int, process: subprocess.Popen | None):
        self.name = name
        self.port = port
        self.process = process

    def run(self, scenario: dict) -> tuple[float, float]:
        """CPU microseconds a message, and messages a second."""
        before = cpu_seconds(self.process.pid) if self.process else 0.0
        started = time.monotonic()
        arguments = ["smtp-source", "-s", str(scenario["sessions"]), "-m", str(scenario["messages"]), "-l",
                     str(scenario["size"]), "-f", "a@customer.example", "-t", "b@example.net"]
        if scenario["keep"]:
            arguments.append("-d")
        subprocess.run([*arguments, f"{LOOPBACK}:{self.port}"], check=True)
        elapsed = time.monotonic() - started
        used = cpu_seconds(self.process.pid) - before if self.process else 0.0
        return used / scenario["messages"] * 1e6, scenario["messages"] / elapsed


def start(command: list[str], log: pathlib.Path) -> subprocess.Popen:
    with log.open("wb") as out:
        return subprocess.Popen(command, stdout=out, stderr=out)


def measure(contenders: list[Contender], scenario: dict, rounds: int) -> None:
    costs: dict[str, list[float]] = {c.name: [] for c in contenders}
    rates: dict[str, list[float]] = {c.name: [] for c in contenders}
    for contender in contenders:
        contender.run({**scenario, "messages": max(scenario["messages"] // 10, 50)})
    for _ in range(rounds):
        for contender in contenders:
            cost, rate = contender.run(scenario)
            costs[contender.name].append(cost)
            rates[contender.name].append(rate)
    print(f"\n{scenario['name']}: {scenario['messages']} messages of {scenario['size']} bytes, "
          f"{scenario['sessions']} at once, {rounds} rounds")
    for name in costs:
        cpu = f"{statistics.median(costs[name]):8.1f} us CPU a message" if name != "none" else " " * 26
        print(f"  {name:14} {cpu}  {statistics.median(rates[name]):9.0f} messages/s")
    for name in (name for name in costs if name.startswith("weir")):
        ratios = [w / h for w, h in zip(costs[name], costs["haproxy"]) if h > 0]
        print(f"  {name} / haproxy, CPU: median {statistics.median(ratios):.2f} (min {min(ratios):.2f}, "
              f"max {max(ratios):.2f})")


def hold_idle(contender: Contender, count: int) -> None:
    before = resident_kib(contender.process.pid)
    held = []
    for _ in range(count):
        connection = socket.create_connection((LOOPBACK, contender.port))
        connection.recv(512)
        connection.sendall(b"EHLO idle.example\r\n")
        connection.recv(1024)
        held.append(connection)
    after = resident_kib(contender.process.pid)
    print(f"  {contender.name:8} {count} idle sessions: {(after - before) / count:.2f} KiB resident each "
          f"({before} KiB -> {after} KiB)")
    for connection in held:
        connection.close()


SCENARIOS = [
    {"name": "connection per message", "sessions": 10, "share": 1, "size": 4096, "keep": False},
    {"name": "connection per message", "sessions": 50, "share": 1, "size": 4096, "keep": False},
    {"name": "kept connections", "sessions": 10, "share": 4, "size": 4096, "keep": True},
    {"name": "kept connections", "sessions": 50, "share": 4, "size": 4096, "keep": True},
    {"name": "large messages", "sessions": 4, "share": 0.1, "size": 1_000_000, "keep": True},
]


class Rig:
    """The sink and the proxies before it. All are stopped at the end."""

    def __init__(self, weir: str) -> None:
        self._weir = weir
        self._directory = pathlib.Path(tempfile.mkdtemp(prefix="weir-bench-"))
        self._processes: list[subprocess.Popen] = []
        self._sink = free_port()
        as_nobody = ["-u", "nobody"] if os.geteuid() == 0 else []
        self._start("sink", ["smtp-sink", *as_nobody, f"{LOOPBACK}:{self._sink}", "1024"], self._sink)

    def stop(self) -> None:
        for process in self._processes:
            process.terminate()
            process.wait()

    def plain(self) -> list[Contender]:
        return [self._haproxy("haproxy", HAPROXY), self._start_weir("weir", "{level: none}", 100_000, self._sink),
                Contender("none", self._sink, None)]

    def with_tls(self) -> list[Contender]:
        certificate = self._directory / "both.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=sink", "-out", certificate, "-keyout", certificate.with_suffix(".key")],
                       check=True, capture_output=True)
        certificate.write_text(certificate.read_text() + certificate.with_suffix(".key").read_text())
        tls_sink = self._haproxy("tls-sink", TLS_SINK, certificate=certificate).port
        level = "{level: encrypt, wrapper: true}"
        return [self._haproxy("haproxy", HAPROXY_TLS, tls=tls_sink), self._start_weir("weir", level, 100_000, tls_sink),
                self._start_weir("weir, not kept", level, 1, tls_sink)]

    def _haproxy(self, name: str, config: str, **words: object) -> Contender:
        port = free_port()
        file = self._directory / f"{name}.cfg"
        file.write_text(config.format(listen=port, sink=self._sink, **words))
        return self._start(name, ["haproxy", "-f", str(file)], port)

    def _start_weir(self, name: str, tls: str, messages: int, relay: int) -> Contender:
        port = free_port()
        file = self._directory / f"{name}.yaml"
        file.write_text(WEIR.format(listen=port, sink=relay, admin=free_port(), messages=messages, tls=tls))
        return self._start(name, [self._weir, "run", "--config", str(file)], port)

    def _start(self, name: str, command: list[str], port: int) -> Contender:
        process = start(command, self._directory / f"{name}.log")
        self._processes.append(process)
        wait_for_port(port)
        return Contender(name, port, process)


def print_memory(contenders: list[Contender], when: str) -> None:
    figures = [f"{c.name} {resident_kib(c.process.pid)} KiB" for c in contenders if c.process]
    print(f"\nresident {when}: {', '.join(figures)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", default="build/release/weir")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--idle", type=int, default=0)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--only", default="", help="scenarios whose name holds this")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    rig = Rig(options.weir)
    try:
        contenders = rig.with_tls() if options.tls else rig.plain()
        print_memory(contenders, "at the start")
        for scenario in (s for s in SCENARIOS if options.only in s["name"]):
            measure(contenders, {**scenario, "messages": int(options.messages * scenario["share"])}, options.rounds)
        print_memory(contenders, "after the load")
        if options.idle:
            for contender in contenders[:2]:
                hold_idle(contender, options.idle)
    finally:
        rig.stop()


if __name__ == "__main__":
    main()
