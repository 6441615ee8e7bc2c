"""Runs `bitnet validate` and `bitnet estimate` as a user does.

    validate_test.py PATH_OF_BITNET [unittest options]
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests/golden/b158-i2s.gguf"
STORIES = ROOT / "examples/stories/stories.gguf"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}
BITNET = ""


def run(*args, **environment):
    return subprocess.run([BITNET, *map(str, args)], capture_output=True, timeout=300, stdin=subprocess.DEVNULL,
                          env={**ENVIRONMENT, **environment})


class ModelChecks(unittest.TestCase):
    def ok(self, *args, **environment):
        result = run(*args, **environment)
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
        return result

    def ok_json(self, *args, **environment):
        return json.loads(self.ok(*args, "--json", **environment).stdout)

    def fails(self, exit_code, pattern, *args, **environment):
        result = run(*args, **environment)
        error = result.stderr.decode(errors="replace")
        self.assertEqual(result.returncode, exit_code, error)
        self.assertEqual(result.stdout, b"")
        self.assertRegex(error, pattern)


class Validate(ModelChecks):
    def broken(self, folder):
        """A file that lacks a tensor, so that it does not load, and has values that are no ternary codes."""
        data = GOLDEN.read_bytes().replace(b"output_norm.weight", b"output_nerm.weight")
        path = Path(folder) / "broken.gguf"
        path.write_bytes(data[:-4096] + b"\xff" * 4096)
        return path

    def test_a_good_model_is_valid(self):
        text = self.ok("validate", GOLDEN).stdout.decode()
        self.assertRegex(text, r"\Avalid: 35 tensors, 0 errors, 0 warnings, 0 notes; \d+\.\d % of the ternary")
        self.ok("validate", GOLDEN, "--strict")
        report = self.ok_json("validate", GOLDEN)
        self.assertEqual((report["schema"], report["is_valid"], report["findings"]), ("bitnet-validation/1", True, []))

    def test_all_that_is_wrong_is_listed_and_the_exit_code_is_1(self):
        with tempfile.TemporaryDirectory() as folder:
            path = self.broken(folder)
            self.fails(1, "output_norm.weight", "run", "-m", path, "-p", "x")
            result = run("validate", path)
            self.assertEqual((result.returncode, result.stderr), (1, b""))
            text = result.stdout.decode()
            self.assertRegex(text, r"(?m)^error: output_norm\.weight: the tensor is missing$")
            self.assertRegex(text, r"(?m)^error: output_nerm\.weight: the architecture does not use")
            self.assertRegex(text, r"(?m)^not valid: 35 tensors, \d+ errors")
            result = run("validate", path, "--json")
            self.assertEqual(result.returncode, 1)
            report = json.loads(result.stdout)
            self.assertEqual(report["is_valid"], False)
            self.assertEqual(len(report["findings"]), report["n_errors"] + report["n_warnings"] + report["n_notes"])

    def test_strict_refuses_warnings(self):
        zero = ROOT / "tests/golden/b158-zero-layer.gguf"
        self.assertIn(b"warning: ", self.ok("validate", zero).stdout)
        result = run("validate", zero, "--strict")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"not valid: ", result.stdout)

    def test_a_file_that_is_not_there_is_a_failure_like_any_other(self):
        self.fails(1, "no-such.gguf", "validate", "no-such.gguf")


class Estimate(ModelChecks):
    def test_parts_make_the_total_and_the_cache_follows_the_context(self):
        one = self.ok_json("estimate", GOLDEN, "--ctx", "1000", "--batch", "32", "-t", "1")
        two = self.ok_json("estimate", GOLDEN, "--ctx", "2000", "--batch", "32", "-t", "1")
        three = self.ok_json("estimate", GOLDEN, "--ctx", "3000", "--batch", "32", "-t", "1")
        self.assertEqual(three["kv"] - two["kv"], two["kv"] - one["kv"])
        weights = one["weights"]
        roles = sum(weights[role] for role in ("attention", "feed_forward", "norm", "embedding", "output", "other"))
        self.assertEqual(roles, weights["mapped"] + weights["owned"])
        self.assertEqual(one["total"], roles + one["kv"] + sum(one["scratch"].values()))
        self.assertEqual(one["context"]["n_batch"], 32)
        text = self.ok("estimate", GOLDEN, "--ctx", "1000", "--batch", "32", "-t", "1").stdout.decode()
        self.assertRegex(text, rf"(?m)^total +{one['total']}  ")
        self.assertRegex(text, rf"(?m)^KV cache +{one['kv']}  ")

    def test_a_limit_refuses_what_the_estimate_says_is_too_much(self):
        total = self.ok_json("estimate", STORIES, "--ctx", "100")["total"]
        args = ("run", "-m", STORIES, "-p", "x", "-n", "1", "--ctx", "100")
        self.fails(1, f"BITNET_MEMORY_LIMIT allows {total - 1} ", *args, BITNET_MEMORY_LIMIT=str(total - 1))
        self.ok(*args, BITNET_MEMORY_LIMIT=str(total))

    def test_wrong_numbers_and_files(self):
        self.fails(2, "--ctx", "estimate", GOLDEN, "--ctx", "0")
        self.fails(1, "no-such.gguf", "estimate", "no-such.gguf")


if __name__ == "__main__":
    BITNET = sys.argv.pop(1)
    unittest.main()
