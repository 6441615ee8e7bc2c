"""The three examples, against the C programs of the same names: same arguments, same text, same exit."""

from __future__ import annotations

import os
import subprocess
import sys
import unittest

from python_test_support import EXAMPLES, FOLDER, MODEL

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(FOLDER), "BITNET_SEED": "11", "BITNET_NUM_THREADS": "1"}


def run(*command: str) -> tuple[int, str, str]:
    done = subprocess.run(command, capture_output=True, timeout=120, env=ENVIRONMENT, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def python(name: str, *arguments: str) -> tuple[int, str, str]:
    return run(sys.executable, str(FOLDER / "examples" / f"{name}.py"), *arguments)


@unittest.skipUnless(EXAMPLES, "this build has no C examples to compare with")
class Examples(unittest.TestCase):
    def test_basic_generation(self):
        expected = run(f"{EXAMPLES}/bitnet_basic_generation", MODEL)
        self.assertEqual(python("basic_generation", MODEL), expected)
        self.assertEqual(expected[0], 0)
        self.assertGreater(len(expected[1]), 80)

    def test_streaming_generation(self):
        expected = run(f"{EXAMPLES}/bitnet_streaming_generation", MODEL, "Once upon a time")
        self.assertEqual(python("streaming_generation", MODEL, "Once upon a time"), expected)

    def test_device_selection(self):
        for device in ("auto", "cpu"):
            expected = run(f"{EXAMPLES}/bitnet_device_selection", MODEL, device)
            code, text, error = python("device_selection", MODEL, device)
            self.assertEqual((code, error), (0, ""))
            first, rest = text.split("\n", 1)
            self.assertRegex(first, r"\Acpu: \d+ of \d+ MiB free\Z")
            self.assertEqual(rest, expected[1].split("\n", 1)[1])

    def test_failures_are_told_to_a_person(self):
        code, text, error = python("device_selection", MODEL, "cuda:3")
        self.assertEqual((code, text), (1, ""))
        self.assertIn("cuda:3", error)
        code, text, error = python("basic_generation", "/no/such.gguf")
        self.assertEqual((code, text), (1, ""))
        self.assertRegex(error, r"\A/no/such.gguf: .*\n- ")


if __name__ == "__main__":
    unittest.main()
