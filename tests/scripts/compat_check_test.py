"""`bitnet compat-check`, and the values that `bitnet inspect --tensor` shows.

    compat_check_test.py PATH_OF_BITNET [unittest options]
"""

import json
import os
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests/golden"
OFFICIAL, LLAMA, DENSE = GOLDEN / "b158-i2s.gguf", GOLDEN / "llama-i2s.gguf", GOLDEN / "llama-q8.gguf"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}
BITNET = ""


def run(*args):
    return subprocess.run([BITNET, *map(str, args)], capture_output=True, timeout=300, stdin=subprocess.DEVNULL, env=ENVIRONMENT)


def with_type(data, tensor, n_dims, value):
    at = data.index(struct.pack("<Q", len(tensor)) + tensor) + 8 + len(tensor) + 4 + 8 * n_dims
    return data[:at] + struct.pack("<I", value) + data[at + 4 :]


class CompatCheck(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def file(self, data):
        path = Path(self.folder.name) / "it's one.gguf"
        path.write_bytes(data)
        return path

    def answers(self, path, exit_code=0, *options):
        result = run("compat-check", path, "--json", *options)
        self.assertEqual(result.returncode, exit_code, result.stderr.decode(errors="replace"))
        report = json.loads(result.stdout)
        return report, {row["engine"]: row for row in report["engines"]}

    def verdicts(self, *args):
        return {name: row["verdict"] for name, row in self.answers(*args)[1].items()}

    def test_each_engine_has_an_answer_and_its_reasons(self):
        report, engines = self.answers(OFFICIAL)
        self.assertEqual((report["gguf_version"], report["architecture"]), (3, "bitnet-b1.58"))
        self.assertEqual({name: row["verdict"] for name, row in engines.items()},
                         {"bitnet": "runs", "llama.cpp": "no", "bitnet.cpp": "runs", "ik_llama.cpp": "converts"})
        self.assertRegex(" ".join(engines["llama.cpp"]["reasons"]), r"it has no I2_S.*no graph for the architectures bitnet-b1\.58")
        self.assertRegex(" ".join(engines["ik_llama.cpp"]["reasons"]), "only to requantise")
        dense = self.verdicts(DENSE)
        self.assertEqual(set(dense.values()), {"runs"})
        self.assertEqual(self.verdicts(GOLDEN / "b158-tq2.gguf")["ik_llama.cpp"], "no")

    def test_the_exit_code_is_the_answer_of_the_engine_that_was_asked_about(self):
        for engine, code in (("bitnet", 0), ("llama.cpp", 1), ("bitnet.cpp", 0), ("ik_llama.cpp", 1)):
            self.assertEqual(run("compat-check", OFFICIAL, "--engine", engine).returncode, code, engine)
        self.assertEqual(run("compat-check", OFFICIAL, "--engine", "other").returncode, 2)
        self.assertEqual(run("compat-check", "/nonexistent.gguf").returncode, 1)

    def test_a_file_that_this_version_cannot_run_is_told_about_all_the_same(self):
        data = OFFICIAL.read_bytes()
        _, engines = self.answers(self.file(with_type(data, b"blk.0.attn_q.weight", 2, 24)), 1)
        self.assertEqual(engines["bitnet"]["verdict"], "no")
        self.assertIn("blk.0.attn_q.weight", engines["bitnet"]["reasons"][0])
        _, engines = self.answers(self.file(data.replace(b"bitnet-b1.58", b"bitnet-b1.59")), 1)
        self.assertIn("architecture", engines["bitnet"]["reasons"][0])
        iq = self.verdicts(self.file(with_type(data, b"blk.0.attn_q.weight", 2, 135)), 1)
        self.assertEqual((iq["llama.cpp"], iq["bitnet.cpp"]), ("no", "no"))
        without = data.replace(b"tokenizer.ggml.pre", b"tokenizer.ggml.prx")
        _, engines = self.answers(self.file(without))
        self.assertRegex(" ".join(engines["bitnet.cpp"]["reasons"]), "without tokenizer.ggml.pre")

    def test_an_older_version_is_told_with_what_a_conversion_does(self):
        data = OFFICIAL.read_bytes()
        report, engines = self.answers(self.file(data[:4] + struct.pack("<I", 2) + data[8:]))
        self.assertEqual(report["gguf_version"], 2)
        self.assertRegex(report["convert"]["2"], "nothing changes")
        self.assertRegex(report["convert"]["3"], "header of version 3")
        self.assertEqual(engines["bitnet"]["verdict"], "runs")
        self.assertIn("bitnet convert FILE OUT --target-version 3", [row["command"] for row in report["suggestions"]])

    def test_every_suggestion_is_a_command_that_works_as_it_stands(self):
        data = LLAMA.read_bytes()
        seen = set()
        for path in (LLAMA, GOLDEN / "bitnet-i2s-silu.gguf", GOLDEN / "llama-f16.gguf"):
            seen |= self.try_suggestions(path, 0)
        seen |= self.try_suggestions(self.file(data[:4] + struct.pack("<I", 2) + data[8:]), 0)
        seen |= self.try_suggestions(self.file(data.replace(b"output_norm.weight", b"output_nerm.weight")), 1)
        self.assertGreaterEqual(seen, {"convert", "inspect", "validate"})

    def try_suggestions(self, path, exit_code):
        report, _ = self.answers(path, exit_code)
        seen = set()
        for row in report["suggestions"]:
            out = Path(self.folder.name) / "out.gguf"
            out.unlink(missing_ok=True)
            words = [{"FILE": str(path), "OUT": str(out)}.get(word, word) for word in shlex.split(row["command"])]
            result = run(*words[1:])
            # validate says with its exit code that the file is not valid.
            self.assertIn(result.returncode, (0, 1) if words[1] == "validate" else (0,), f"{words} {result.stderr.decode()}")
            if "OUT" in row["command"]:
                self.assertEqual(run("compat-check", out).returncode, 0)
            seen.add(words[1])
        return seen

    def test_commands_in_messages_of_the_sources_exist(self):
        listed = re.findall(r"^  ([a-z][a-z-]+) ", run("--help").stdout.decode(), re.MULTILINE)
        self.assertIn("compat-check", listed)
        n_found = 0
        for folder in ("src", "server", "examples", "kernels", "ggml-like"):
            for path in sorted((ROOT / folder).rglob("*.cpp")):
                for text in re.findall(r'"(?:[^"\\\n]|\\.)*"', path.read_text(encoding="utf-8")):
                    for command in re.findall(r"`bitnet ([a-z][a-z-]*)", text):
                        n_found += 1
                        self.assertIn(command, listed, f"{path}: {text}")
        self.assertGreater(n_found, 20)


class InspectTensor(unittest.TestCase):
    def values(self, *options, model=OFFICIAL, tensor="blk.0.attn_q.weight"):
        result = run("inspect", model, "--tensor", tensor, "--json", *options)
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
        return json.loads(result.stdout)

    def test_a_ternary_tensor_has_three_values_and_its_rows_are_shown(self):
        data = OFFICIAL.read_bytes()
        report = self.values()
        self.assertEqual((report["type"], report["width"], report["rows"], report["values"]), ("i2_s", 128, 128, []))
        counts = {row["value"]: row["n"] for row in report["counts"]}
        self.assertEqual((len(counts), sum(counts.values())), (3, 128 * 128))
        self.assertEqual(report["most"], -report["least"])
        self.assertIn(struct.pack("<f", report["most"]), data)  # the scale stands in the file
        rows = self.values("--rows", "5:7")["values"]
        self.assertEqual((len(rows), rows[1]), (2, self.values("--rows", "6")["values"][0]))
        self.assertEqual(sum(self.values("--rows", ":128")["values"], []).count(0.0), counts[0.0])
        text = run("inspect", OFFICIAL, "--tensor", "blk.0.attn_q.weight", "--rows", "127:").stdout.decode()
        self.assertRegex(text, r"(?m)^row 127 \[")

    def test_other_values_are_counted_in_ten_steps(self):
        report = self.values(tensor="token_embd.weight")
        self.assertEqual(len(report["counts"]), 10)
        self.assertEqual(sum(row["n"] for row in report["counts"]), report["width"] * report["rows"])
        self.assertEqual(report["counts"][0]["from"], report["least"])

    def test_what_is_not_there_is_refused(self):
        for code, args in ((1, ("--tensor", "x")), (2, ("--rows", "1")), (2, ("--tensor", "blk.0.attn_q.weight", "--rows", "128")),
                           (2, ("--tensor", "blk.0.attn_q.weight", "--rows", "3:2"))):
            result = run("inspect", OFFICIAL, *args)
            self.assertEqual((result.returncode, result.stdout), (code, b""), args)


if __name__ == "__main__":
    BITNET = sys.argv[1]
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
