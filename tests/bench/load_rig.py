#!/usr/bin/env python3
"""Mail through Weir, through HAProxy as a plain TCP proxy, and through nothing, side by side in one run.

    tests/bench/load_rig.py [--weir build/release/weir] [--rounds 5] [--messages 4000]

Postfix's smtp-source sends, its smtp-sink receives; what is measured is the proxy in between: CPU seconds of its
process (from /proc) and messages a second. Absolute figures depend on the machine; the ratio to HAProxy in the same
round is what carries over, so rounds interleave the contenders and medians are printed. With --idle N it also holds N
idle sessions and prints the resident memory that each costs.
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

# Limits are on, and wide enough that nothing is held: their cost is part of what is measured.
WEIR = """
listen: ["127.0.0.1:{listen}"]
upstream: {{relays: ["[127.0.0.1]:{sink}"], max_connections: 60, max_messages_per_connection: 100000}}
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
    ratios = [w / h for w, h in zip(costs["weir"], costs["haproxy"]) if h > 0]
    print(f"\n{scenario['name']}: {scenario['messages']} messages of {scenario['size']} bytes, "
          f"{scenario['sessions']} at once, {rounds} rounds")
    for name in costs:
        cpu = f"{statistics.median(costs[name]):8.1f} us CPU a message" if name != "none" else " " * 26
        print(f"  {name:8} {cpu}  {statistics.median(rates[name]):9.0f} messages/s")
    print(f"  weir / haproxy, CPU: median {statistics.median(ratios):.2f} (min {min(ratios):.2f}, max {max(ratios):.2f})")


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", default="build/release/weir")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--idle", type=int, default=0)
    parser.add_argument("--only", default="", help="scenarios whose name holds this")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="weir-bench-"))
    sink, haproxy, weir, admin = (free_port() for _ in range(4))
    (directory / "haproxy.cfg").write_text(HAPROXY.format(listen=haproxy, sink=sink))
    (directory / "weir.yaml").write_text(WEIR.format(listen=weir, sink=sink, admin=admin))
    processes = []
    try:
        processes.append(start(["smtp-sink", *(["-u", "nobody"] if os.geteuid() == 0 else []), f"{LOOPBACK}:{sink}", "1024"], directory / "sink.log"))
        wait_for_port(sink)
        processes.append(start(["haproxy", "-f", str(directory / "haproxy.cfg")], directory / "haproxy.log"))
        processes.append(start([options.weir, "run", "--config", str(directory / "weir.yaml")], directory / "weir.log"))
        wait_for_port(haproxy)
        wait_for_port(weir)
        contenders = [Contender("haproxy", haproxy, processes[1]), Contender("weir", weir, processes[2]),
                      Contender("none", sink, None)]
        print(f"resident at start: weir {resident_kib(processes[2].pid)} KiB, haproxy {resident_kib(processes[1].pid)} KiB")
        scenarios = [
            {"name": "connection per message", "sessions": 10, "messages": options.messages, "size": 4096, "keep": False},
            {"name": "connection per message", "sessions": 50, "messages": options.messages, "size": 4096, "keep": False},
            {"name": "kept connections", "sessions": 10, "messages": options.messages * 4, "size": 4096, "keep": True},
            {"name": "kept connections", "sessions": 50, "messages": options.messages * 4, "size": 4096, "keep": True},
            {"name": "large messages", "sessions": 4, "messages": options.messages // 10, "size": 1_000_000, "keep": True},
        ]
        for scenario in (s for s in scenarios if options.only in s["name"]):
            measure(contenders, scenario, options.rounds)
        print(f"\nresident after the load: weir {resident_kib(processes[2].pid)} KiB, "
              f"haproxy {resident_kib(processes[1].pid)} KiB")
        if options.idle:
            for contender in contenders[:2]:
                hold_idle(contender, options.idle)
    finally:
        for process in processes:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
