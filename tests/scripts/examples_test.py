"""Runs the C programs of examples/ with the default model: examples_test.py PATH_OF_BITNET FOLDER_OF_THE_PROGRAMS [unittest options]

Each must write the text that the `bitnet` command writes with the same settings and seed, which goes another way there, and
must fail like a good program: one line that says why, exit code 1.
"""

import os
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL = str(ROOT / "examples/stories/stories.gguf")
BITNET = ""
FOLDER = Path()
SEED = "11"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}


def run(*command, **variables):
    done = subprocess.run(command, capture_output=True, timeout=300, env={**ENVIRONMENT, **variables}, check=False)
    return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")


class Examples(unittest.TestCase):
    def command(self, prompt, *options):
        """What `bitnet run` writes after the prompt."""
        code, text, error = run(BITNET, "run", "-m", MODEL, "-p", prompt, "--seed", SEED, *options)
        self.assertEqual(code, 0, error)
        return text

    def example(self, name, *arguments, **variables):
        code, text, error = run(FOLDER / f"bitnet_{name}", MODEL, *arguments, BITNET_SEED=SEED, **variables)
        self.assertEqual((code, error), (0, ""))
        return text

    def test_basic_generation_writes_fifty_tokens(self):
        for prompt in ("The future of AI is", "Once upon a time"):
            expected = self.command(prompt, "--temp", "0.8", "-n", "50")
            self.assertGreater(len(expected), 80)
            arguments = [prompt] if prompt != "The future of AI is" else []
            self.assertEqual(self.example("basic_generation", *arguments).rstrip("\n"), f"Generated: {expected}".rstrip("\n"))

    def test_streaming_generation_writes_the_same_text_in_pieces(self):
        for prompt in ("Tell me about Rust:", "Once upon a time"):
            expected = self.command(prompt, "-n", "100")
            arguments = [prompt] if prompt != "Tell me about Rust:" else []
            self.assertEqual(self.example("streaming_generation", *arguments).rstrip("\n"), expected.rstrip("\n"))

    def test_simple_writes_prompt_and_text(self):
        expected = "A cat" + self.command("A cat", "-n", "100")
        self.assertEqual(self.example("simple", "A cat").rstrip("\n"), expected.rstrip("\n"))

    def test_failures_are_one_line(self):
        names = sorted(path.stem for path in (ROOT / "examples").glob("*.c"))
        self.assertGreaterEqual(len(names), 3)
        for name in names:
            with self.subTest(name):
                code, text, error = run(FOLDER / f"bitnet_{name}", "no-such-model.gguf")
                self.assertEqual((code, text, error.count("\n")), (1, "", 1))
                self.assertIn("no-such-model.gguf: the file cannot be opened", error)
                code, text, error = run(FOLDER / f"bitnet_{name}")
                self.assertEqual((code, text, error.count("\n")), (2, "", 1))
                self.assertIn("usage: ", error)


if __name__ == "__main__":
    BITNET, FOLDER = sys.argv[1], Path(sys.argv[2])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
