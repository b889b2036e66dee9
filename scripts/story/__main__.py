"""Tells the story. Exits with 0 if it ends as promised, with 1 if it does not, leaving the logs behind."""

import argparse
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .advice import advice
from .column import Column, Tree
from .figures import table
from .outcome import Outcome
from .panel import Panel
from .traffic import FLOOD_DOMAINS, NEIGHBOUR

HONEST_LEAD_S = 3.0  # before the flood
HONEST_TAIL_S = 5.0  # after it, at least
SETTLE_S = 3.0  # for the last honest messages to arrive
REFRESH_S = 0.5


class Interrupted(Exception):
    """A signal asked for the end."""


def options_of(arguments: list[str]) -> argparse.Namespace:
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(prog="scripts/run.sh", description="The story of the flood, with Weir and without.")
    parser.add_argument("--messages", type=int, default=2000, help="size of the flood (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=30,
                        help="honest mail is sent for so long, and longer if the flood lasts (default %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures and promises there")
    parser.add_argument("--keep", action="store_true", help="leave configurations, queues and logs behind in any case")
    parser.add_argument("--binaries", type=Path, default=root / "build/release", metavar="DIR",
                        help="where weir and weir-sim are (default build/release)")
    parser.set_defaults(configs=root / "configs")
    options = parser.parse_args(arguments)
    if options.messages < 1:
        parser.error("--messages: a flood has at least one")
    return options


class Story:
    """Two columns side by side. A signal ends it between any two steps, and everything it started with it."""

    def __init__(self, options: argparse.Namespace, home: Path, interrupted: threading.Event) -> None:
        self._options = options
        self._home = home
        self._interrupted = interrupted
        self._panel = Panel(options.messages)

    def tell(self) -> Outcome:
        began = time.monotonic()
        with ExitStack() as stack:
            print("Starting Postfix, Weir and an ISP; and beside them Postfix and an ISP without Weir.", flush=True)
            with_weir, without = columns = self._start(stack)
            with traffic() as (executor, stop):
                sending = [task for column in columns for task in column.begin_honest_mail(executor, stop)]
                self._watch(columns, sending, until=time.monotonic() + HONEST_LEAD_S)
                print(f"{NEIGHBOUR}, a neighbour, floods both: {self._options.messages:,} messages, "
                      f"{FLOOD_DOMAINS} made-up sender domains, 7 to 17 recipients each.", flush=True)
                flood = [column.begin_flood(executor, stop) for column in columns]
                self._watch(columns, flood + sending, until=began + self._options.seconds - HONEST_TAIL_S, tasks=flood)
                self._watch(columns, sending, until=time.monotonic() + HONEST_TAIL_S)
            self._settle(with_weir)
            outcome = Outcome(self._options.messages, time.monotonic() - began, with_weir.figures(), without.figures())
            self._panel.erase()
            print_outcome(outcome, with_weir)
        return outcome

    def _start(self, stack: ExitStack) -> tuple[Column, Column]:
        tree = Tree(self._options.configs, self._options.binaries)

        def start(name: str) -> Column:
            return Column(stack, tree, self._home / name, self._options.messages, with_weir=name == "with-weir")

        with ThreadPoolExecutor() as executor:
            with_weir, without = executor.map(start, ("with-weir", "without"))
        return with_weir, without

    def _watch(self, columns: tuple[Column, Column], running: list[Future[None]], until: float,
               tasks: list[Future[None]] = []) -> None:
        """Shows how it goes, `until` a time and until the `tasks` are done. What fails in `running` is raised."""
        while time.monotonic() < until or not all(task.done() for task in tasks):
            self._pause(REFRESH_S)
            for task in running:
                if task.done():
                    task.result()
            self._panel.show(*(column.figures() for column in columns))

    def _settle(self, column: Column) -> None:
        deadline = time.monotonic() + SETTLE_S
        while column.figures().honest_waiting and time.monotonic() < deadline:
            self._pause(0.1)

    def _pause(self, seconds: float) -> None:
        if self._interrupted.wait(seconds):
            raise Interrupted


@contextmanager
def traffic() -> Iterator[tuple[Executor, threading.Event]]:
    """Threads for those who send, and the event that stops them; it is set at the end in any case."""
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=16) as executor:
        try:
            yield executor, stop
        finally:
            stop.set()


def print_outcome(outcome: Outcome, with_weir: Column) -> None:
    print("", *table(outcome.with_weir, outcome.without_weir), "", sep="\n")
    for promise in outcome.promises():
        print(f"  {'kept  ' if promise.kept else 'BROKEN'}  {promise.text}")
    print("", *advice(with_weir), "", f"  {outcome.seconds:.0f} s.", sep="\n", flush=True)


def interrupted_by_signals() -> threading.Event:
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: interrupted.set())
    return interrupted


def main() -> int:
    options = options_of(sys.argv[1:])
    interrupted = interrupted_by_signals()
    home = Path(tempfile.mkdtemp(prefix="weir-story-"))
    home.chmod(0o755)  # Postfix's daemons, which are not root, have to get through
    is_as_promised = False
    try:
        outcome = Story(options, home, interrupted).tell()
        is_as_promised = outcome.is_as_promised()
        if options.json:
            outcome.write_json(options.json)
    except Interrupted:
        print("Interrupted; everything is stopped.", file=sys.stderr)
        shutil.rmtree(home)
        return 130
    finally:
        if is_as_promised and not options.keep:
            shutil.rmtree(home)
        elif home.exists():
            print(f"Configurations, queues and logs are in {home}", file=sys.stderr)
    return 0 if is_as_promised else 1


if __name__ == "__main__":
    sys.exit(main())
