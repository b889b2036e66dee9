"""weir and weir-sim as processes: started, waited for, ended by their process ID."""

import random
import socket
import subprocess
import time
from pathlib import Path

# Below the range from which the kernel gives out ports, so that no outgoing connection is in the way.
FIXED_PORTS = range(20000, 32000)


class DaemonError(Exception):
    """It did not come up; the text says what it wrote."""


class Daemon:
    """One process. It is `ready` when its port takes connections."""

    def __init__(self, command: list[str], log: Path, port: int) -> None:
        with log.open("ab") as output:
            # A session of its own: a Ctrl-C is ours to handle, in order.
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            start_new_session=True)
        self._log = log
        try:
            self._wait_for(port)
        except BaseException:
            self.stop()
            raise

    def _wait_for(self, port: int, patience: float = 10) -> None:
        deadline = time.monotonic() + patience
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise DaemonError(f"{self.process.args[0]} did not start:\n{self._log.read_text(errors='replace')}")

    def stop(self, patience: float = 5) -> None:
        if self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def free_port() -> int:
    """A port of loopback on which nothing listens."""
    while True:
        port = random.choice(FIXED_PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def at_ports(text: str, ports: dict[int, int]) -> str:
    """A configuration as it is shown to people, moved from its well-known ports to `ports`."""
    for shown, real in ports.items():
        for host in ("127.0.0.1", "[127.0.0.1]"):
            text = text.replace(f"{host}:{shown}", f"{host}:{real}")
    return text
