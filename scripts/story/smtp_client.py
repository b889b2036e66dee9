"""Just enough of an SMTP client, pipelining: smtplib waits for each reply, and would be slower than Postfix."""

import socket
import time
from types import TracebackType


class SmtpError(Exception):
    """A command was refused, or the connection ended."""


class SmtpClient:
    """One session with Postfix, posing as the host `address` by XCLIENT."""

    def __init__(self, port: int, address: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = self._socket.makefile("rb")
        self._expect(220)
        self._say("EHLO client.example", 250)
        self._say(f"XCLIENT ADDR={address} NAME=[UNAVAILABLE]", 220)
        self._say("EHLO client.example", 250)

    def send(self, sender: str, recipients: list[str], message: bytes) -> float:
        """Hands one message over. Returns the time (of the wall clock) at which its final dot was sent."""
        commands = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{recipient}>" for recipient in recipients), "DATA"]
        self._socket.sendall("".join(f"{command}\r\n" for command in commands).encode())
        for _ in commands[:-1]:
            self._expect(250)
        self._expect(354)
        ended = time.time()
        self._socket.sendall(message + b"\r\n.\r\n")
        self._expect(250)
        return ended

    def close(self) -> None:
        self._replies.close()
        self._socket.close()

    def __enter__(self) -> "SmtpClient":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def _say(self, command: str, expected: int) -> None:
        self._socket.sendall(f"{command}\r\n".encode())
        self._expect(expected)

    def _expect(self, code: int) -> None:
        line = b"xxx-"
        while line[3:4] == b"-":
            line = self._replies.readline()
        if not line.startswith(str(code).encode()):
            raise SmtpError(f"Postfix said {line.decode(errors='replace').strip() or 'nothing'}, not {code}")
