"""Runs `bitnet run --receipt`, `verify-receipt` and `verify` as a user does, and checks what they say with Python's own
SHA-256 and JSON. Forgers are tried who know how receipts are made, but do not run the model.

    receipt_test.py PATH_OF_BITNET [unittest options]
"""

import copy
import hashlib
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MODEL = ROOT / "examples/stories/stories.gguf"
OTHER = ROOT / "tests/golden/b158-i2s.gguf"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}
BITNET = ""


def run(*args, **environment):
    return subprocess.run([BITNET, *map(str, args)], capture_output=True, timeout=600, stdin=subprocess.DEVNULL,
                          env={**ENVIRONMENT, **environment})


def digest_of(value):
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).digest()


def statement_of(receipt):
    return digest_of({key: value for key, value in receipt.items() if key not in ("chain", "digest")})


def forge(receipt, logits):
    """A receipt that is right in every point but the logits, which the forger does not have."""
    receipt = copy.deepcopy(receipt)
    receipt.pop("digest"), receipt.pop("chain")
    statement = link = digest_of(receipt)
    receipt["chain"] = []
    for token, digest in zip(receipt["generated_ids"], logits):
        link = hashlib.sha256(link + statement + struct.pack("<i", token) + digest).digest()
        receipt["chain"].append(link.hex())
    receipt["digest"] = digest_of(receipt).hex()
    return receipt


class Receipts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = Path(cls.folder.name)
        cls.file = cls.path / "receipt.json"
        result = run("run", "-p", "Once upon a time", "-n", 40, "--seed", 3, "--receipt", cls.file)
        assert result.returncode == 0, result.stderr.decode()
        cls.text = result.stdout.decode()
        cls.receipt = json.loads(cls.file.read_bytes())

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def verify(self, receipt, *args):
        path = self.path / "changed.json"
        path.write_text(receipt if isinstance(receipt, str) else json.dumps(receipt), encoding="utf-8")
        result = run("verify-receipt", path, "--json", *args)
        self.assertIn(result.returncode, (0, 1), result.stderr.decode())
        report = json.loads(result.stdout)
        self.assertEqual(report["valid"], result.returncode == 0)
        return report

    def test_the_receipt_says_what_ran(self):
        receipt = self.receipt
        self.assertEqual(receipt["schema_version"], "1.0.0")
        self.assertEqual(receipt["compute_path"], "real")
        self.assertEqual(receipt["model"]["sha256"], hashlib.sha256(MODEL.read_bytes()).hexdigest())
        self.assertEqual(receipt["seed"], 3)
        self.assertEqual(len(receipt["generated_ids"]), 40)
        self.assertEqual(len(receipt["chain"]), 40)
        self.assertTrue(any(kernel.startswith("mul_mat/i2s") for kernel in receipt["kernels"]))
        self.assertEqual(receipt["kernels"], sorted(set(receipt["kernels"])))
        traced = run("run", "-p", "Once upon a time", "-n", 40, "--seed", 3, "--json")
        self.assertEqual(json.loads(traced.stdout)["ids"], receipt["generated_ids"])

    def test_the_kernels_are_those_that_ran(self):
        file = self.path / "scalar.json"
        self.assertEqual(run("run", "-n", 4, "--kernel", "scalar", "--receipt", file).returncode, 0)
        kernels = json.loads(file.read_bytes())["kernels"]
        self.assertTrue(all(kernel.endswith("scalar") for kernel in kernels), kernels)

    def test_digest_and_chain_follow_the_written_rules(self):
        receipt = dict(self.receipt)
        digest = receipt.pop("digest")
        self.assertEqual(digest_of(receipt).hex(), digest)
        self.assertEqual(forge(self.receipt, [b""] * 40)["digest"] == digest, False)

    def test_an_honest_receipt_is_confirmed(self):
        report = self.verify(self.receipt)
        self.assertEqual((report["valid"], report["model_matched"], report["replayed"]), (True, False, 0))
        report = self.verify(self.receipt, "--replay", "5%")
        self.assertEqual((report["valid"], report["model_matched"], report["replayed"]), (True, True, 2))
        for threads in (1, 2):
            report = self.verify(self.receipt, "-m", MODEL, "--replay", "all", "-t", threads)
            self.assertEqual((report["valid"], report["replayed"]), (True, 40))
        result = run("verify-receipt", self.file, "--replay", "3", "--kernel", "scalar")
        self.assertEqual(result.stdout.decode(), "valid: form and digest, model, 3 of 40 positions computed again\n")

    def test_an_edited_receipt_is_caught_by_its_digest(self):
        for key, value in (("seed", 4), ("timestamp", "2020-01-01T00:00:00Z"), ("finish_reason", "end")):
            self.assertEqual(self.verify({**self.receipt, key: value})["failed_check"], "digest")

    def test_a_forger_without_the_logits_is_caught_at_any_position(self):
        random.seed(1)
        invented = forge(self.receipt, [random.randbytes(32) for _ in range(40)])
        self.assertTrue(self.verify(invented)["valid"])  # its form is right
        for seed in range(5):
            report = self.verify(invented, "--replay", "5%", "--seed", seed)
            self.assertEqual(report["failed_check"], "replay")
            self.assertGreaterEqual(report["first_mismatch"], 0)

    def test_a_forger_who_changes_a_claim_needs_every_logit_again(self):
        for change in ({"seed": 9}, {"timestamp": "2020-01-01T00:00:00Z"}, {"kernels": self.receipt["kernels"][:-1]}):
            forged = forge({**self.receipt, **change}, [bytes(32)] * 40)
            self.assertTrue(self.verify(forged)["valid"])
            self.assertEqual(self.verify(forged, "--replay", "1")["failed_check"], "replay")

    def test_a_receipt_of_another_model_is_refused(self):
        self.assertEqual(self.verify(self.receipt, "-m", OTHER)["failed_check"], "model")

    def test_options_and_files_that_cannot_be_used(self):
        for args, code, words in (
            (("verify-receipt", self.path / "none.json"), 1, "none.json"),
            (("verify-receipt", self.file, "--replay", "5"), 0, ""),
            (("verify-receipt", self.file, "--replay", "five"), 2, "--replay"),
            (("verify-receipt", self.file, "--replay", "101%"), 2, "--replay"),
            (("verify-receipt", self.file, "--replay", "-1"), 2, "--replay"),
            (("verify-receipt", OTHER), 1, "not valid JSON"),
            (("run", "-n", 1, "--receipt", self.path / "no/folder.json"), 1, "folder does not exist"),
            (("verify", OTHER), 1, "not a golden file"),
            (("verify", "-m", OTHER), 2, "which golden file"),
            (("verify", "--write", self.path / "golden.json"), 2, "-p"),
        ):
            result = run(*args)
            self.assertEqual(result.returncode, code, args)
            self.assertIn(words, result.stderr.decode())
            self.assertLessEqual(result.stderr.count(b"\n"), 1)

    def test_the_variable_names_the_file_and_the_option_wins(self):
        by_variable, by_option = self.path / "variable.json", self.path / "option.json"
        self.assertEqual(run("run", "-n", 2, BITNET_RECEIPT=str(by_variable)).returncode, 0)
        self.assertTrue(self.verify(by_variable.read_text(encoding="utf-8"))["valid"])
        by_variable.unlink()
        result = run("run", "-n", 2, "--receipt", by_option, BITNET_RECEIPT=str(by_variable))
        self.assertEqual(result.returncode, 0)
        self.assertTrue(by_option.exists() and not by_variable.exists())


class Golden(unittest.TestCase):
    def test_this_machine_computes_the_default_model_right_with_every_level(self):
        result = run("verify", "--json")
        self.assertEqual(result.returncode, 0, result.stdout.decode())
        results = json.loads(result.stdout)
        kernels = json.loads(run("kernels", "--json").stdout)
        self.assertEqual({row["level"] for row in results}, {k["level"] for k in kernels if k["runnable"]})
        self.assertTrue(all(row["same"] and row["positions"] > 100 for row in results))

    def test_a_golden_file_of_a_model_is_written_verified_and_its_damage_seen(self):
        with tempfile.TemporaryDirectory() as folder:
            golden = Path(folder) / "golden.json"
            result = run("verify", "--write", golden, "-m", OTHER, "-p", "a", "-p", "b c", "-n", 5)
            self.assertEqual(result.returncode, 0, result.stderr.decode())
            result = run("verify", golden, "-m", OTHER, "-t", 1)
            self.assertEqual(result.returncode, 0, result.stderr.decode())
            self.assertIn("same bits", result.stdout.decode())
            content = json.loads(golden.read_bytes())
            self.assertEqual(len(content["receipts"]), 2)
            content["receipts"][1] = forge(content["receipts"][1], [bytes(32)] * 5)
            golden.write_text(json.dumps(content), encoding="utf-8")
            result = run("verify", golden, "-m", OTHER, "--kernel", "scalar", "-t", 1)
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stdout.decode(), "scalar +1 thread +.*DIFFERENT: .*position 0")


if __name__ == "__main__":
    BITNET = sys.argv.pop(1)
    unittest.main()
