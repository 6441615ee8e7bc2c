"""The tools of examples/stories, end to end on a corpus of toy stories: tokenizer, training, resuming, export; then the
engine must read the file and give the figure that PyTorch gave. Usage: train_stories_test.py PATH_OF_BITNET

Needs torch, tokenizers, tqdm and matplotlib (with_modules.py skips it otherwise, visibly).
"""

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
STORIES = ROOT / "examples/stories"
BITNET = ""
TIMEOUT = 600
SHAPE = ["--layers", "2", "--embd", "128", "--heads", "2", "--ff", "256", "--batch-tokens", "1024", "--no-compile"]


def toy_story(rng):
    name, place = rng.choice(["Lily", "Tom", "Mia", "Max"]), rng.choice(["park", "sea", "wood"])
    thing = rng.choice(["red ball", "old hat", "small boat", "big tree"])
    return "\n".join(rng.choice([f"Once upon a time {name} went to the {place}.", f"{name} saw a {thing}.",
                                 f'"I like the {thing}," said {name}.', f"{name} was happy in the {place}."])
                     for _ in range(rng.randrange(3, 9)))


class Training(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.data = Path(cls.folder.name)
        rng = random.Random(1)
        (cls.data / "tinystories").mkdir()
        (cls.data / "books").mkdir()
        cls.stories = [toy_story(rng) for _ in range(400)]
        train = cls.data / "tinystories/train.txt"
        train.write_text("\n<|endoftext|>\n".join(cls.stories), encoding="utf-8")
        (cls.data / "books/book.txt").write_text("\n".join(toy_story(rng) for _ in range(100)), encoding="utf-8")
        cls.tokenizer = cls.data / "tokenizer.json"
        cls.tool("train_tokenizer.py", "--vocab", "320", "--out", cls.tokenizer, train)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def tool(cls, script, *args, exit_code=0):
        result = subprocess.run([sys.executable, STORIES / script, *map(str, args)], capture_output=True, timeout=TIMEOUT)
        text = (result.stdout + result.stderr).decode(errors="replace")
        assert result.returncode == exit_code, text
        return text

    def train_arguments(self, run, *args):
        return ["--data", self.data, "--tokenizer", self.tokenizer, "--out", run, "--device", "cpu", *SHAPE, *args]

    def test_what_was_trained_is_what_the_engine_runs(self):
        run = self.data / "run"
        self.tool("train.py", *self.train_arguments(run, "--steps", 60, "--stop-at", 30))
        first = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        self.tool("train.py", *self.train_arguments(run, "--steps", 60))
        log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        self.assertEqual(log[:len(first)], first, "resuming keeps what was")
        self.assertEqual(log[-1]["step"], 60)
        held_out = [record["held_out"] for record in log if "held_out" in record]
        self.assertLess(held_out[-1], held_out[0], "it learns")
        self.assertTrue((run / "loss.png").read_bytes().startswith(b"\x89PNG"))

        model = self.data / "toy.gguf"
        self.tool("export.py", "--run", run, "--tokenizer", self.tokenizer, "--out", model)
        text = self.data / "held_out.txt"
        text.write_text("\n<|endoftext|>\n".join(self.stories[-100:]), encoding="utf-8")
        result = subprocess.run([BITNET, "perplexity", "-m", model, "-f", text, "--stories", "--json"],
                                capture_output=True, timeout=TIMEOUT)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        # bf16 products in training against exact ones here.
        self.assertAlmostEqual(json.loads(result.stdout)["bits_per_byte"], held_out[-1], delta=0.01 * held_out[-1])

    def test_a_signal_leaves_a_checkpoint_to_go_on_from(self):
        run = self.data / "stopped"
        process = subprocess.Popen([sys.executable, STORIES / "train.py",
                                    *map(str, self.train_arguments(run, "--steps", 100000))],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertIn(b"ternary weights", process.stdout.readline())
        time.sleep(3)
        process.send_signal(signal.SIGTERM)
        out, error = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 0, error.decode())
        self.assertIn(b"goes on from there", out)
        self.assertTrue((run / "checkpoint.pt").exists())
        self.assertEqual(list(run.glob("*.part")), [])

    def test_another_shape_than_the_checkpoints_is_refused(self):
        run = self.data / "other"
        self.tool("train.py", *self.train_arguments(run, "--steps", 1))
        message = self.tool("train.py", *self.train_arguments(run, "--steps", 2, "--layers", 3), exit_code=1)
        self.assertIn("another shape", message)


if __name__ == "__main__":
    BITNET = str(Path(sys.argv.pop(1)).resolve())
    unittest.main()
