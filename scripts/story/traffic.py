"""Who sends mail in the story: one neighbour who floods, and two customers with something to say.

All addresses are documentation's: hosts of RFC 5737, domains under .example.
"""

import itertools
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from .smtp_client import SmtpClient

NEIGHBOUR = "203.0.113.9"
FLOOD_DOMAINS = 400
FLOOD_MARK = "flood-"

HONEST_CLIENTS = {"198.51.100.20": ["baker.example", "cafe.example"],
                  "198.51.100.21": ["school.example", "library.example"]}


@dataclass(frozen=True)
class Mail:
    sender: str
    recipients: list[str]
    message_id: str

    def text(self, paragraphs: int) -> bytes:
        lines = [f"From: <{self.sender}>", f"To: <{self.recipients[0]}>", f"Message-ID: {self.message_id}",
                 "Subject: story", "", *["A line of some seventy characters, as mail has them, again and again."] *
                 paragraphs]
        return "\r\n".join(lines).encode()


def is_flood(message_id: str) -> bool:
    return message_id.startswith(f"<{FLOOD_MARK}")


def flood(count: int) -> Iterator[Mail]:
    """The same flood each time: hundreds of made-up sender domains, 7 to 17 recipients each."""
    chance = random.Random(1)
    domains = [f"{chance.randrange(36**6):x}.example" for _ in range(FLOOD_DOMAINS)]
    for number in range(count):
        recipients = [f"user{chance.randrange(10**6)}@rcpt{chance.randrange(100)}.example"
                      for _ in range(chance.randint(7, 17))]
        yield Mail(f"info{number}@{chance.choice(domains)}", recipients, f"<{FLOOD_MARK}{number}@story.example>")


class Flood:
    """Pushes the flood into one Postfix as fast as that takes it.

    Over one connection: four get no more in on two cores, but keep Postfix's queue manager from the processor, and then
    honest mail's delay says how small the machine is and nothing of Weir.
    """

    def __init__(self, port: int, count: int) -> None:
        self.handed_over = 0
        self._port = port
        self._mails = flood(count)

    def run(self, stop: threading.Event) -> None:
        with SmtpClient(self._port, NEIGHBOUR) as client:
            for mail in self._mails:
                if stop.is_set():
                    return
                client.send(mail.sender, mail.recipients, mail.text(10))
                self.handed_over += 1


class HonestClient:
    """One message about every second, each in a session of its own, as people's programs do."""

    def __init__(self, port: int, address: str, domains: list[str]) -> None:
        self.sent: dict[str, float] = {}  # Message-ID -> when its final dot was sent
        self._port = port
        self._address = address
        self._domains = domains

    def run(self, stop: threading.Event) -> None:
        chance = random.Random(self._address)
        for number, domain in enumerate(itertools.cycle(self._domains)):
            mail = Mail(f"info@{domain}", [f"friend{number}@rcpt.example"], f"<{number}.{self._address}@story.example>")
            with SmtpClient(self._port, self._address) as client:
                self.sent[mail.message_id] = client.send(mail.sender, mail.recipients, mail.text(20))
            if stop.wait(chance.uniform(0.8, 1.4)):
                return
