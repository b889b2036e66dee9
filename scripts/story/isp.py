"""What the ISP saw: weir-sim's record of each transaction, and its summary."""

import json
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from .traffic import is_flood


def get_json(port: int, path: str) -> Any:
    """From an admin port. urllib would ask the environment for a proxy."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return json.load(connection.getresponse())
    finally:
        connection.close()


class Isp:
    """Reads along in the record. What it knows is as of the last update()."""

    def __init__(self, record: Path, admin_port: int) -> None:
        self.accepted: dict[str, float] = {}  # Message-ID -> when
        self.accepted_twice = 0
        self.flood_domains: set[str] = set()  # of accepted messages
        self.refusals = 0  # sessions and messages
        self.first_block: float | None = None
        self.summary: dict[str, Any] = {}
        self._record = record.open("rb")
        self._admin_port = admin_port

    def update(self) -> None:
        self.summary = get_json(self._admin_port, "/api/v1/summary")
        while line := self._record.readline():
            if not line.endswith(b"\n"):  # still being written
                self._record.seek(-len(line), 1)
                return
            self._learn(json.loads(line))

    def flood_accepted(self) -> int:
        return sum(is_flood(message_id) for message_id in self.accepted)

    def close(self) -> None:
        self._record.close()

    def _learn(self, event: dict[str, Any]) -> None:
        when = datetime.fromisoformat(event["time"]).timestamp()
        if event["reason"] == "reputation" and self.first_block is None:
            self.first_block = when
        if event["event"] == "connection_refused" or event["outcome"] in ("deferred", "rejected"):
            self.refusals += 1
        elif event["outcome"] == "accepted":
            self._accept(event, when)

    def _accept(self, event: dict[str, Any], when: float) -> None:
        message_id = event["message_id"]
        if message_id in self.accepted:
            self.accepted_twice += 1
        self.accepted.setdefault(message_id, when)
        if is_flood(message_id):
            self.flood_domains.add(event["sender"].rpartition("@")[2])
