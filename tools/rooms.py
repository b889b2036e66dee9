#!/usr/bin/env python3
"""Draws the house's arrows from its #includes, and names every include that has no arrow.

    tools/rooms.py [ROOT]      reads ROOT/include and ROOT/src; exits with 1 if anything is wrong

A room is a directory under include/weir (its door) and src (what is behind it). The tables below are the
law; docs/architecture.md draws the same picture.
"""

import re
import sys
from pathlib import Path
from typing import Iterator, NamedTuple, Optional

# Which rooms a room may include. Nothing below includes app, admin, config or store.
ARROWS = {
    "core": set(),
    "smtp": {"core"},
    "limit": {"core"},
    "net": {"core"},
    "telemetry": {"core"},
    "policy": {"core", "limit", "smtp"},
    "store": {"core", "limit", "policy"},
    "config": {"core"},
    "proxy": {"core", "limit", "smtp", "net", "policy", "telemetry"},
    "admin": {"core", "net", "proxy", "telemetry"},
    "sim": {"core", "smtp", "net", "telemetry"},
}
ARROWS["app"] = set(ARROWS)

# Rooms that may also include any other room's settings.hpp.
READS_SETTINGS = {"config"}

# Whose libraries these are, by how their headers begin. The first match counts.
LIBRARIES = (
    ("OpenSSL", re.compile(r"openssl/|boost/asio/ssl"), {"net"}),
    ("Asio", re.compile(r"boost/(asio|beast)\b"), {"net", "proxy", "admin", "app", "sim"}),
    ("prometheus-cpp", re.compile(r"prometheus/"), {"telemetry", "sim"}),
    ("yaml-cpp", re.compile(r"yaml-cpp/"), {"config", "sim"}),
    ("hiredis", re.compile(r"hiredis/"), {"store"}),
    ("SQLite", re.compile(r"sqlite3"), {"store"}),
)

INCLUDE = re.compile(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
WEIR_HEADER = re.compile(r"weir/(\w+)/(.+)")


class Violation(NamedTuple):
    file: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


def check(root: Path) -> Iterator[Violation]:
    """Every include under `root` that breaks a rule, in the order of files and lines."""
    for base in (root / "include" / "weir", root / "src"):
        for file in sorted(base.glob("*/**/*")):
            if file.suffix in (".hpp", ".cpp"):
                yield from check_file(root, base, file)


def check_file(root: Path, base: Path, file: Path) -> Iterator[Violation]:
    room = file.relative_to(base).parts[0]
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        found = INCLUDE.match(line)
        if not found:
            continue
        quoted, system = found.groups()
        message = wrong_with(room, base, file, quoted or system, is_quoted=quoted is not None)
        if message:
            yield Violation(file.relative_to(root), number, message)


def wrong_with(room: str, base: Path, file: Path, header: str, is_quoted: bool) -> Optional[str]:
    """What is wrong with `file`, in `room`, including `header`; None when nothing is."""
    if room not in ARROWS:
        return f"{room} is not a room: give it its arrows in tools/rooms.py"
    door = WEIR_HEADER.fullmatch(header)
    if door:
        return wrong_with_door(room, *door.groups())
    if is_quoted:
        return wrong_with_private(room, base, file, header)
    return wrong_with_library(room, header)


def wrong_with_door(room: str, other: str, header: str) -> Optional[str]:
    if other == room or other in ARROWS[room]:
        return None
    if room in READS_SETTINGS and header == "settings.hpp":
        return None
    return f"{room} may not include {other}"


def wrong_with_private(room: str, base: Path, file: Path, header: str) -> Optional[str]:
    if base.name != "src":
        return f'a public header may not include the private "{header}"'
    own = base / room
    if any((place / header).resolve().is_relative_to(own.resolve()) and (place / header).is_file()
           for place in (file.parent, own)):
        return None
    return f'"{header}" is not a private header of {room}'


def wrong_with_library(room: str, header: str) -> Optional[str]:
    for name, pattern, rooms in LIBRARIES:
        if pattern.match(header):
            return None if room in rooms else f"{name} is for {', '.join(sorted(rooms))}, not for {room}"
    return None


def main() -> int:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    violations = list(check(root))
    for violation in violations:
        print(violation)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
