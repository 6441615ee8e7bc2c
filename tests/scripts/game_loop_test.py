"""Runs bitnet_game_loop: game_loop_test.py PATH_OF_BITNET PATH_OF_BITNET_GAME_LOOP [unittest options]

In virtual time, where a piece of the model's work always takes as long: so what is tested is the logic of budgets, and
never how busy this machine is. How many frames a real run misses is measured by hand (examples/game-loop/README.md).
"""

import os
import re
import subprocess
import sys
import unittest

BITNET = ""
GAME_LOOP = ""
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}
NAMES = {"frames": "frames", "missed": "missed", "worst frame": "worst_frame", "model, worst": "model_worst",
         "model, 99 %": "model_99", "tokens written": "tokens", "stories begun": "stories"}


def run(*command):
    done = subprocess.run(command, capture_output=True, timeout=120, env=ENVIRONMENT, check=False)
    return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")


class GameLoop(unittest.TestCase):
    def play(self, *options):
        """The text before the table, and the table's numbers."""
        code, printed, error = run(GAME_LOOP, *options)
        self.assertEqual((code, error), (0, ""))
        text, lines = re.fullmatch(r"(.*?)((?:^[a-z][a-z0-9, %]* +\d+(?:\.\d+ ms)?\n)+)", printed, re.DOTALL | re.MULTILINE).groups()
        rows = [re.fullmatch(r"(.*?) +([\d.]+)( ms)?", line) for line in lines.splitlines()]
        return text, {NAMES[row[1]]: float(row[2]) for row in rows if row[1] in NAMES}

    def test_the_budget_is_kept_to_a_piece(self):
        for budget, piece in ((2000, 40), (2000, 70), (500, 40), (100, 300)):
            with self.subTest(budget=budget, piece=piece):
                _, table = self.play("--virtual", str(piece), "--budget-us", str(budget), "--frames", "200", "--quiet")
                self.assertEqual((table["frames"], table["missed"]), (200, 0))
                self.assertGreater(table["model_99"], 0)
                self.assertLess(table["model_worst"], (budget + piece) / 1000)
                self.assertLessEqual(table["model_99"], table["model_worst"])
                # The game's longest work, a third above 6 ms, and the model; nothing else.
                self.assertLess(table["worst_frame"], 8 + (budget + piece) / 1000)

    def test_the_text_is_that_of_the_command_whatever_the_budget(self):
        code, expected, error = run(BITNET, "run", "-p", "Once upon a time", "--seed", "7", "-n", "100")
        self.assertEqual(code, 0, error)
        lengths = set()
        for budget in ("2000", "333"):
            text, table = self.play("--virtual", "40", "--seed", "7", "--budget-us", budget, "--frames", "200")
            lengths.add(table["tokens"])
            written = text.removeprefix("Once upon a time").split("\n\nThe little dragon")[0].rstrip("\n")
            self.assertGreater(len(written), 20)
            shorter, longer = sorted((written, expected.rstrip("\n")), key=len)
            self.assertTrue(longer.startswith(shorter), (longer, shorter))
        self.assertEqual(len(lengths), 2)  # the larger budget wrote more

    def test_the_model_gives_way_to_the_game(self):
        options = ("--virtual", "40", "--frames", "300", "--quiet")
        # A game that has nothing left: every frame is late by its own fault, and the model gets none of it.
        _, table = self.play(*options, "--work-us", "30000")
        self.assertEqual((table["missed"], table["tokens"], table["model_worst"]), (300, 0, 0))
        # A game that is late now and then is late as often as without the model.
        _, alone = self.play(*options, "--work-us", "13500", "--budget-us", "0")
        _, both = self.play(*options, "--work-us", "13500")
        self.assertEqual((alone["tokens"], alone["model_worst"]), (0, 0))
        self.assertGreater(both["tokens"], 0)
        self.assertGreater(alone["missed"], 0)
        self.assertEqual(both["missed"], alone["missed"])
        # Without a reserve and with pieces that are too large it is the model's fault, and the table says so.
        _, greedy = self.play(*options, "--work-us", "12000", "--virtual", "4000", "--reserve-us", "0")
        self.assertGreater(greedy["missed"], 0)

    def test_a_run_repeats_itself(self):
        options = ("--virtual", "40", "--frames", "1000")
        first = self.play(*options)
        self.assertEqual(self.play(*options), first)
        self.assertGreaterEqual(first[1]["stories"], 2)
        self.assertIn("\n\nThe little dragon", first[0])

    def test_real_time_runs_at_the_speed_asked_for(self):
        text, table = self.play("--frames", "40", "--fps", "200", "--work-us", "500")
        self.assertEqual(table["frames"], 40)
        self.assertGreater(table["tokens"], 0)
        self.assertTrue(text.startswith("Once upon a time"))

    def test_failures_are_one_line(self):
        code, text, error = run(GAME_LOOP, "-m", "no-such-model.gguf")
        self.assertEqual((code, text, error.count("\n")), (1, "", 1))
        self.assertIn("no-such-model.gguf", error)
        for wrong in (["--frames"], ["--frames", "0"], ["--frames", "1x"], ["--fps", "-1"], ["--speed", "1"], ["fast"]):
            code, text, error = run(GAME_LOOP, *wrong)
            self.assertEqual((code, text), (2, ""), wrong)
            self.assertIn("usage: bitnet_game_loop", error)


if __name__ == "__main__":
    BITNET, GAME_LOOP = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
