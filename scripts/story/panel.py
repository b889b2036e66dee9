"""The live view: redrawn in place on a terminal, else a line now and then."""

import sys
import time

from .figures import Figures, table

BAR_WIDTH = 40
QUIET_S = 5.0


class Panel:
    def __init__(self, messages: int) -> None:
        self._messages = messages
        self._began = time.monotonic()
        self._is_terminal = sys.stdout.isatty()
        self._drawn = 0
        self._last_line = 0.0

    def show(self, with_weir: Figures, without: Figures) -> None:
        seconds = time.monotonic() - self._began
        if self._is_terminal:
            self._draw([self._progress(seconds, with_weir, without), "", *table(with_weir, without)])
        elif seconds - self._last_line >= QUIET_S:
            self._last_line = seconds
            print(f"{seconds:4.0f} s  with Weir: {_brief(with_weir)}; without: {_brief(without)}", flush=True)

    def erase(self) -> None:
        """Makes room for the summary."""
        if self._is_terminal:
            self._draw([])

    def _draw(self, lines: list[str]) -> None:
        # Up to where the last drawing began (CPL), then erase to the end of the screen (ED).
        home = f"\x1b[{self._drawn}F" if self._drawn else ""
        print(home + "\x1b[J" + "".join(f"{line}\n" for line in lines), end="", flush=True)
        self._drawn = len(lines)

    def _progress(self, seconds: float, with_weir: Figures, without: Figures) -> str:
        handed_over = with_weir.flood_handed_over + without.flood_handed_over
        filled = BAR_WIDTH * handed_over // (2 * self._messages)
        return f"  {seconds:4.0f} s  flood [{'#' * filled}{'.' * (BAR_WIDTH - filled)}]"


def _brief(figures: Figures) -> str:
    block = ", BLOCKED" if figures.isp_blocked_now else ""
    return (f"{figures.flood_handed_over:,} flood in, {figures.flood_accepted:,} out, "
            f"honest {figures.honest_delivered} of {figures.honest_sent}{block}")
