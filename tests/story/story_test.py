#!/usr/bin/env python3
"""The story ends as promised, and its JSON says so in figures.

    story_test.py BINARIES      the directory with weir and weir-sim

Needs root and Postfix, else exits with 77.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


class StoryTest(unittest.TestCase):
    binaries: Path

    def test_it_ends_as_promised(self) -> None:
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            story = subprocess.run([sys.executable, "-B", "-m", "story", "--binaries", self.binaries, "--json", file.name],
                                   env={**os.environ, "PYTHONPATH": str(SCRIPTS)}, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, timeout=170, check=False)
            print(story.stdout)
            self.assertEqual(story.returncode, 0)
            told = json.load(file)
        self.assertTrue(told["as_promised"])
        self.assertTrue(all(promise["kept"] for promise in told["promises"]))
        with_weir, without = told["with_weir"], told["without_weir"]
        self.assertLessEqual(with_weir["flood_accepted"], 20)
        self.assertGreaterEqual(with_weir["flood_held"], told["messages"] - 20)
        self.assertEqual(with_weir["honest_delivered"], with_weir["honest_sent"])
        self.assertLess(with_weir["honest_delay_p99_s"], 1)
        self.assertEqual(with_weir["isp_times_blocked"], 0)
        self.assertGreaterEqual(without["isp_times_blocked"], 1)
        self.assertGreater(without["honest_waiting"], 0)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if os.geteuid() != 0 or shutil.which("postfix") is None:
        print("skipped: needs root and Postfix")
        sys.exit(77)
    StoryTest.binaries = Path(sys.argv.pop(1)).resolve()
    unittest.main()
