"""The figures of one column at one moment, and the table that sets two columns side by side."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

LABEL_WIDTH = 36
COLUMN_WIDTH = 30


@dataclass(frozen=True)
class Figures:
    flood_handed_over: int
    flood_accepted: int
    flood_domains_accepted: int
    flood_held: int | None  # by Weir; None without it
    honest_sent: int
    honest_delivered: int
    honest_waiting: int
    oldest_waiting_s: float
    honest_delay_p50_s: float | None
    honest_delay_p99_s: float | None
    honest_delay_max_s: float | None
    accepted_twice: int
    isp_refusals: int
    isp_blocked_now: bool
    isp_times_blocked: int
    isp_blocked_s: float
    isp_first_block_after_s: float | None  # the beginning of the flood
    queue_length: int


def percentile(values: list[float], share: float) -> float | None:
    """Nearest rank: a value that occurred."""
    if not values:
        return None
    return sorted(values)[math.ceil(share * len(values)) - 1]


def rows(figures: Figures) -> Iterator[tuple[str, str]]:
    """What is worth a line, with its label."""
    yield "Flood taken by Postfix", f"{figures.flood_handed_over:,}"
    yield "  held back by Weir", "-" if figures.flood_held is None else f"{figures.flood_held:,} times"
    yield "  reached the ISP", _of_domains(figures)
    yield "Honest mail sent", f"{figures.honest_sent:,}"
    yield "  delivered", f"{figures.honest_delivered:,}"
    yield "  still waiting", _waiting(figures)
    yield "  delay p50 / p99 / max", _delays(figures)
    yield "ISP has blocked this host", _block(figures)
    yield "ISP refused", f"{figures.isp_refusals:,} sessions and messages"
    yield "Left in Postfix's queue", f"{figures.queue_length:,} messages"


def table(with_weir: Figures, without: Figures) -> list[str]:
    lines = [_line("", "with Weir", "without Weir"), _line("", "-" * (COLUMN_WIDTH - 2), "-" * (COLUMN_WIDTH - 2))]
    for (label, left), (_, right) in zip(rows(with_weir), rows(without), strict=True):
        lines.append(_line(label, left, right))
    return lines


def _line(label: str, left: str, right: str) -> str:
    return f"  {label:<{LABEL_WIDTH - 2}}{left:<{COLUMN_WIDTH}}{right}".rstrip()


def _of_domains(figures: Figures) -> str:
    return f"{figures.flood_accepted:,} ({figures.flood_domains_accepted:,} sender domains)"


def _waiting(figures: Figures) -> str:
    if not figures.honest_waiting:
        return "0"
    return f"{figures.honest_waiting:,}, the oldest for {figures.oldest_waiting_s:.0f} s"


def _delays(figures: Figures) -> str:
    delays = (figures.honest_delay_p50_s, figures.honest_delay_p99_s, figures.honest_delay_max_s)
    return " / ".join("-" if delay is None else f"{delay:.2f}" for delay in delays) + " s"


def _block(figures: Figures) -> str:
    if figures.isp_first_block_after_s is None:
        return "no"
    times = "" if figures.isp_times_blocked == 1 else f", {figures.isp_times_blocked} times"
    return f"after {figures.isp_first_block_after_s:.1f} s, for {figures.isp_blocked_s:.0f} s{times}"
