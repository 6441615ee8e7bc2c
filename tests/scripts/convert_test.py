"""Runs `bitnet convert` and `bitnet quantize` as a user does, and reads what they write with the Python package gguf.

    convert_test.py PATH_OF_BITNET [unittest options]
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests/golden"
I2S = GOLDEN / "b158-i2s.gguf"
TQ2 = GOLDEN / "b158-tq2.gguf"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}
BITNET = ""

try:
    import gguf
    import numpy as np
except ImportError:
    gguf = None


def run(*args, **settings):
    return subprocess.run([BITNET, *map(str, args)], capture_output=True, timeout=300, stdin=subprocess.DEVNULL,
                          env=ENVIRONMENT, **settings)


class Convert(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.out = self.folder / "out.gguf"

    def ok(self, *args, **settings):
        result = run(*args, **settings)
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
        return result.stdout.decode()

    def fails(self, exit_code, pattern, *args, **settings):
        before = sorted(self.folder.iterdir())
        result = run(*args, **settings)
        error = result.stderr.decode(errors="replace")
        self.assertEqual(result.returncode, exit_code, error)
        self.assertEqual(result.stdout, b"")
        self.assertRegex(error, pattern)
        self.assertEqual(sorted(self.folder.iterdir()), before)

    def test_a_table_and_json_tell_what_was_written(self):
        text = self.ok("quantize", I2S, self.out, "F16", "-t", "1")
        self.assertRegex(text, r"(?m)^i2_s +f16 +encoded +21 ")
        self.assertRegex(text, r"(?m)out\.gguf: f16, 35 tensors, \d+\.\d MiB, GGUF version 3$")
        report = json.loads(self.ok("quantize", I2S, self.out, "f32", "--json"))
        self.assertEqual((report["schema"], report["type"], report["n_tensors"], report["n_inexact"]),
                         ("bitnet-conversion/1", "f32", 35, 0))
        self.assertEqual(report["n_file_bytes"], self.out.stat().st_size)
        self.assertEqual(len(report["tensors"]), 35)

    def test_a_converted_model_runs_and_is_valid(self):
        self.ok("quantize", I2S, self.folder / "floats.gguf", "f32")
        self.ok("quantize", self.folder / "floats.gguf", self.out, "i2_s")
        self.assertRegex(self.ok("validate", self.out, "--strict"), r"\Avalid: 35 tensors")
        texts = [run("run", "-m", path, "-p", "the", "-n", "8", "--temp", "0") for path in (I2S, self.out)]
        self.assertEqual([text.returncode for text in texts], [0, 0])
        self.assertEqual(texts[0].stdout, texts[1].stdout)  # of random weights: no text

    def test_version_2_is_written_where_it_is_asked_for(self):
        self.ok("convert", I2S, self.out, "--target-version", "2")
        self.assertEqual(self.out.read_bytes()[:8], b"GGUF\x02\0\0\0")
        self.ok("validate", self.out, "--strict")
        self.fails(2, "not a whole number from 2 to 3", "convert", I2S, self.out, "--target-version", "1")

    def test_what_cannot_be_is_one_line_and_no_file(self):
        self.fails(1, r"blk\.0\.attn_q\.weight' is not ternary.*--ternarize", "quantize", TQ2, self.out, "i2_s")
        self.fails(1, "not one that GGUF files have; q4_0 is the nearest", "quantize", I2S, self.out, "INT4")
        self.fails(1, "'token_embd.weight' cannot be tq2_0", "quantize", TQ2, self.out, "tq1_0", "--embd", "tq2_0")
        self.fails(1, "this is the model that is read", "quantize", I2S, I2S, "f16")
        self.fails(1, "no-such.gguf", "convert", "no-such.gguf", self.out)
        self.fails(2, "TYPE|type is required", "quantize", I2S, self.out)

    @unittest.skipIf(os.name == "nt", "limits of files are those of POSIX")
    def test_a_full_disk_leaves_nothing(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))

        # Python's own start would give the signal back its deadly default.
        self.fails(1, r"out\.gguf: writing it failed: .*free space", "quantize", I2S, self.out, "f32", preexec_fn=limit,
                   restore_signals=False)

    @unittest.skipIf(gguf is None, "needs the Python packages gguf and numpy")
    def test_the_gguf_package_reads_the_same_values(self):
        def values(path):
            reader = gguf.GGUFReader(path)
            tensors = {t.name: gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32).reshape(-1)
                       for t in reader.tensors}
            return reader, tensors

        self.ok("quantize", TQ2, self.folder / "floats.gguf", "f32", "--embd", "f32")
        reader, exact = values(self.folder / "floats.gguf")
        self.assertEqual(reader.fields["general.file_type"].contents(), 0)
        self.assertNotIn("general.quantization_version", reader.fields)
        file_types = {"f16": 1, "bf16": 32, "q8_0": 7, "q4_0": 2, "q6_k": 18, "tq1_0": 36, "tq2_0": 37}
        for name, file_type in file_types.items():
            with self.subTest(name):
                report = json.loads(self.ok("quantize", self.folder / "floats.gguf", self.out, name, "--json"))
                told = {tensor["name"]: tensor for tensor in report["tensors"]}
                reader, made = values(self.out)
                self.assertEqual(reader.fields["general.file_type"].contents(), file_type)
                if name not in ("f16", "bf16"):
                    self.assertEqual(reader.fields["general.quantization_version"].contents(), 2)
                self.assertEqual(list(made), list(exact))
                for tensor, wanted in exact.items():
                    error = np.abs(made[tensor].astype(np.float64) - wanted)
                    self.assertAlmostEqual(float(error.max()), told[tensor]["max_abs_error"], delta=1e-12)
                    self.assertAlmostEqual(float((error**2).mean()), told[tensor]["mse"], delta=1e-12)
                if name.startswith("tq"):
                    self.assertEqual([t["name"] for t in report["tensors"] if not t["is_exact"]], ["token_embd.weight"])

    @unittest.skipIf(gguf is None, "needs the Python packages gguf and numpy")
    def test_keys_stay_as_they_are(self):
        self.ok("quantize", GOLDEN / "llama-mix.gguf", self.out, "q8_0", "--head", "f16")
        own = {"general.file_type", "general.quantization_version", "general.alignment"}
        before, after = (gguf.GGUFReader(path) for path in (GOLDEN / "llama-mix.gguf", self.out))
        kept = [key for key in before.fields if key not in own and not key.startswith("GGUF.")]
        self.assertEqual([key for key in after.fields if key not in own and not key.startswith("GGUF.")], kept)
        for key in kept:
            self.assertEqual(after.fields[key].types, before.fields[key].types)
            self.assertEqual(after.fields[key].contents(), before.fields[key].contents())


if __name__ == "__main__":
    BITNET = sys.argv.pop(1)
    unittest.main()
