"""What the story promises, and whether it came true."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from .figures import Figures

MOST_FLOOD_AT_ISP = 20
MOST_DELAY_S = 1.0


@dataclass(frozen=True)
class Promise:
    text: str
    kept: bool


@dataclass(frozen=True)
class Outcome:
    messages: int
    seconds: float
    with_weir: Figures
    without_weir: Figures

    def promises(self) -> list[Promise]:
        weir, bare = self.with_weir, self.without_weir
        return [
            Promise(f"with Weir at most {MOST_FLOOD_AT_ISP} of the flood's {self.messages:,} messages reach the ISP",
                    weir.flood_accepted <= MOST_FLOOD_AT_ISP),
            Promise("with Weir the ISP never blocks this host", weir.isp_times_blocked == 0),
            Promise("with Weir all honest mail is delivered, and once",
                    0 < weir.honest_sent == weir.honest_delivered and weir.accepted_twice == 0),
            Promise(f"with Weir 99 % of honest mail is delivered within {MOST_DELAY_S:.0f} s",
                    weir.honest_delay_p99_s is not None and weir.honest_delay_p99_s < MOST_DELAY_S),
            Promise("both took the whole flood",
                    weir.flood_handed_over == bare.flood_handed_over == self.messages),
            Promise("without Weir the ISP does block this host (else all this shows nothing)",
                    bare.isp_times_blocked > 0),
        ]

    def is_as_promised(self) -> bool:
        return all(promise.kept for promise in self.promises())

    def write_json(self, file: Path) -> None:
        document = {**asdict(self), "promises": [asdict(promise) for promise in self.promises()],
                    "as_promised": self.is_as_promised()}
        file.write_text(json.dumps(document, indent=2) + "\n")
