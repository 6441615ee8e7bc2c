"""Runs `bitnet accuracy` on generated tensors and on a model of the tests.

    accuracy_test.py PATH_OF_BITNET [unittest options]
"""

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MODEL = ROOT / "tests/golden/b158-i2s.gguf"
NARROW = ROOT / "tests/golden/llama-mix.gguf"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}
BITNET = ""


def run(*args):
    return subprocess.run([BITNET, *map(str, args)], capture_output=True, timeout=300, stdin=subprocess.DEVNULL,
                          env=ENVIRONMENT)


class Accuracy(unittest.TestCase):
    def ok(self, *args):
        result = run(*args)
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
        self.assertEqual(result.stderr, b"")
        return result.stdout.decode()

    def ok_json(self, *args):
        text = self.ok(*args, "--json")
        self.assertEqual(text.count("\n"), 1, "one line of JSON")
        return json.loads(text)

    def levels(self):
        return {kernel["level"] for kernel in self.ok_json("kernels") if kernel["runnable"] and kernel["type"] == "i2_s"}

    def test_kernels_and_the_ternary_grid_pass_and_arbitrary_values_have_no_mark(self):
        rows = self.ok_json("accuracy")
        kernels = {row["tensor"] for row in rows if row["envelope"] == "kernel"}
        self.assertEqual(kernels, {f"product on {level}" for level in self.levels()})
        for row in rows:
            self.assertEqual(row["result"], "-" if row["envelope"] == "arbitrary" else "pass", row)
        grid = [row for row in rows if row["envelope"] == "grid"]
        self.assertEqual([row["type"] for row in grid], ["i2_s", "tq1_0", "tq2_0"])
        self.assertEqual(grid[0]["mse"], 0)
        self.assertLess(grid[1]["max_abs_error"], 0.0173 / 2048)

    def test_the_table_has_a_line_for_each_kernel_and_two_for_each_type(self):
        lines = self.ok("accuracy", "--type", "i2_s,q8_0").splitlines()
        self.assertEqual(len(lines), 1 + len(self.levels()) + 4)

    def test_a_model_is_measured_matrix_by_matrix(self):
        tensors = [t for t in self.ok_json("inspect", MODEL)["tensors"] if len(t["shape"]) == 2]
        rows = self.ok_json("accuracy", MODEL, "--type", "i2_s")
        self.assertEqual([row["tensor"] for row in rows], [t["name"] for t in tensors])
        self.assertTrue(any(t["type"] == "i2_s" for t in tensors))
        for row, tensor in zip(rows, tensors):  # what the file holds as i2_s comes back unchanged
            self.assertEqual(row["result"] == "pass", tensor["type"] == "i2_s", row)
            self.assertEqual(row["mse"] == 0, tensor["type"] == "i2_s", row)

    def test_a_type_that_does_not_fit_a_matrix_is_skipped_in_sight(self):
        tensors = [t for t in self.ok_json("inspect", NARROW)["tensors"] if len(t["shape"]) == 2]
        rows = self.ok_json("accuracy", NARROW, "--type", "q6_k,f16")
        for tensor, wide, narrow in zip(tensors, rows[0::2], rows[1::2]):
            self.assertEqual(wide["result"] == "skipped", tensor["shape"][0] % 256 != 0, wide)
            self.assertEqual(narrow["result"], "-")
        self.assertIn("skipped", self.ok("accuracy", NARROW, "--type", "q6_k"))

    def test_what_is_not_there_is_named_on_one_line(self):
        for pattern, *args in (("tl1 is not in this version", "--type", "i2_s,tl1"), ("no type 'q9'", "--type", "q9"),
                               ("no/such.gguf", "no/such.gguf")):
            result = run("accuracy", *args)
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stdout, b"")
            self.assertEqual(result.stderr.count(b"\n"), 1)
            self.assertIn(pattern, result.stderr.decode())


if __name__ == "__main__":
    BITNET = sys.argv.pop(1)
    unittest.main()
