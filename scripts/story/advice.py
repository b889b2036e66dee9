"""What the admin does next, shown on a message that really waits in the queue."""

import re
import textwrap

from .column import Column
from .traffic import NEIGHBOUR


def advice(with_weir: Column) -> list[str]:
    held = with_weir.held_message()
    if held is None:
        return ["No message of the neighbour's waits in the queue."]
    queue_id, reason = held
    found = re.search(r"weir: .*?ref=[0-9A-F]+", reason)
    return [
        "  What the admin does next, with Weir. `postqueue -p` shows why mail waits:",
        *indented(found.group() if found else reason),
        f"  `grep {queue_id}` in Weir's log shows the whole story of the message:",
        *indented(log_line(with_weir, queue_id)),
        "  This deletes the neighbour's mail from the queue, and nobody else's:",
        "      postqueue -j | jq -r 'select(any(.recipients[]; .delay_reason // \"\" |",
        f"        contains(\"weir: client {NEIGHBOUR} \"))) | .queue_id' | postsuper -d -",
    ]


def log_line(column: Column, queue_id: str) -> str:
    with column.weir_log.open(errors="replace") as log:
        return next((line.strip() for line in log if queue_id in line), "(no line: that should not be)")


def indented(text: str) -> list[str]:
    return textwrap.wrap(text, 110, initial_indent="      ", subsequent_indent="        ", break_long_words=False)
