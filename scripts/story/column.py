"""One of the two worlds: a Postfix with its flood and its honest clients, and the ISP at the end of it."""

import threading
import time
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from .daemons import Daemon, at_ports, free_port
from .figures import Figures, percentile
from .isp import Isp, get_json
from .postfix import Postfix
from .traffic import HONEST_CLIENTS, NEIGHBOUR, Flood, HonestClient


@dataclass(frozen=True)
class Tree:
    """Where the story finds what it runs."""

    configs: Path
    binaries: Path

    def config(self, name: str) -> str:
        return (self.configs / name).read_text()


class Column:
    """Everything is started by the constructor, and stopped through `stack`."""

    def __init__(self, stack: ExitStack, tree: Tree, home: Path, messages: int, with_weir: bool) -> None:
        home.mkdir()
        self.weir_admin = free_port() if with_weir else None
        self.weir_log = home / "weir.log"
        relay = self._start_isp(stack, tree, home)
        if with_weir:
            main, master = self._start_weir(stack, tree, home, relay)
        else:
            main, master = f"relayhost = [127.0.0.1]:{relay}\n", ""
        self.postfix = Postfix(home / "postfix", free_port(), main, master)
        stack.callback(self.postfix.stop)
        self.postfix.start()
        self.flood = Flood(self.postfix.port, messages)
        self.honest = [HonestClient(self.postfix.port, address, domains) for address, domains in HONEST_CLIENTS.items()]
        self.flood_began = 0.0

    def _start_isp(self, stack: ExitStack, tree: Tree, home: Path) -> int:
        relay, admin, record = free_port(), free_port(), home / "isp.jsonl"
        config = at_ports(tree.config("story/isp.yaml"), {2525: relay, 9625: admin})
        (home / "isp.yaml").write_text(f"{config}record: {record}\n")
        command = [str(tree.binaries / "weir-sim"), "--config", str(home / "isp.yaml")]
        stack.callback(Daemon(command, home / "isp.log", relay).stop)
        self.isp = Isp(record, admin)
        stack.callback(self.isp.close)
        return relay

    def _start_weir(self, stack: ExitStack, tree: Tree, home: Path, relay: int) -> tuple[str, str]:
        """Starts Weir; returns what it asks of main.cf and master.cf."""
        port = free_port()
        ports = {10025: port, 2525: relay, 9525: self.weir_admin}
        (home / "weir.yaml").write_text(at_ports(tree.config("story/weir.yaml"), ports))
        command = [str(tree.binaries / "weir"), "run", "--config", str(home / "weir.yaml")]
        stack.callback(Daemon(command, self.weir_log, port).stop)
        return at_ports(tree.config("postfix/main.cf"), ports), tree.config("postfix/master.cf")

    def begin_honest_mail(self, executor: Executor, stop: threading.Event) -> list[Future[None]]:
        return [executor.submit(client.run, stop) for client in self.honest]

    def begin_flood(self, executor: Executor, stop: threading.Event) -> Future[None]:
        self.flood_began = time.time()
        return executor.submit(self.flood.run, stop)

    def figures(self) -> Figures:
        sent = {message_id: when for client in self.honest for message_id, when in client.sent.copy().items()}
        self.isp.update()
        accepted = self.isp.accepted
        delays = [accepted[message_id] - when for message_id, when in sent.items() if message_id in accepted]
        waiting = [when for message_id, when in sent.items() if message_id not in accepted]
        first_block = self.isp.first_block
        return Figures(
            flood_handed_over=self.flood.handed_over,
            flood_accepted=self.isp.flood_accepted(),
            flood_domains_accepted=len(self.isp.flood_domains),
            flood_held=self._held(),
            honest_sent=len(sent),
            honest_delivered=len(delays),
            honest_waiting=len(waiting),
            oldest_waiting_s=time.time() - min(waiting, default=time.time()),
            honest_delay_p50_s=percentile(delays, 0.5),
            honest_delay_p99_s=percentile(delays, 0.99),
            honest_delay_max_s=max(delays, default=None),
            accepted_twice=self.isp.accepted_twice,
            isp_refusals=self.isp.refusals,
            isp_blocked_now=self.isp.summary["blocked_now"],
            isp_times_blocked=self.isp.summary["times_blocked"],
            isp_blocked_s=self.isp.summary["blocked_seconds"],
            isp_first_block_after_s=None if first_block is None else first_block - self.flood_began,
            queue_length=self.postfix.queue_length())

    def _held(self) -> int | None:
        if self.weir_admin is None:
            return None
        return get_json(self.weir_admin, "/api/v1/status")["totals"]["held"]

    def held_message(self) -> tuple[str, str] | None:
        """A message of the neighbour's that waits in the queue: its ID, and why, as postqueue -p shows it."""
        for message in self.postfix.queue():
            for recipient in message["recipients"]:
                reason = recipient.get("delay_reason", "")
                if f"weir: client {NEIGHBOUR} " in reason:
                    return message["queue_id"], reason
        return None
