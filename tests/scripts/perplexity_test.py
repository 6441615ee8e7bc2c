"""`bitnet perplexity` by windows and its KL divergences against NumPy: the golden oracle's logits, and sums written down here.

    perplexity_test.py PATH_OF_BITNET [unittest options]

Windows, strides and files are read the way llama-perplexity does it: this is a second implementation of its counting.
"""

import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests/golden"
sys.path.insert(0, str(GOLDEN))
import oracle  # noqa: E402

ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}
BITNET = ""
DENSE, OTHER = GOLDEN / "llama-q8.gguf", GOLDEN / "bitnet-i2s-silu.gguf"  # the same vocabulary
TEXT = "the hen on the rhine, an inner heat. other tones ran thin; the earth then. " * 3


def run(*args):
    return subprocess.run([BITNET, *map(str, args)], capture_output=True, timeout=300, stdin=subprocess.DEVNULL, env=ENVIRONMENT)


def log_softmax(logits):
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


class Perplexity(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.text = Path(cls.folder.name) / "text.txt"
        cls.text.write_text(TEXT)
        cls.tokens = json.loads(run("tokenize", "-m", DENSE, "--json", "--", TEXT).stdout)["ids"]
        cls.models = {path: oracle.load_model(path) for path in (DENSE, OTHER)}
        cls.bos = cls.models[DENSE].metadata["tokenizer.ggml.bos_token_id"]

    def json_of(self, *args, model=DENSE):
        result = run("perplexity", "-m", model, "--json", *args)
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
        return json.loads(result.stdout)

    def windows(self, n_ctx, model=DENSE, n_windows=None):
        """log p of all tokens and the token that came, for each scored position, in order."""
        rows, targets = [], []
        for begin in range(0, len(self.tokens) - n_ctx + 1, n_ctx)[:n_windows]:
            ids = [self.bos, *self.tokens[begin + 1 : begin + n_ctx]]
            logits = oracle.logits_of(self.models[model], ids)
            rows.append(log_softmax(logits[n_ctx // 2 : n_ctx - 1]))
            targets += self.tokens[begin + n_ctx // 2 + 1 : begin + n_ctx]
        return np.concatenate(rows), np.array(targets)

    def test_second_halves_of_windows_are_scored_as_an_independent_program_scores_them(self):
        for n_ctx in (32, 33):
            rows, targets = self.windows(n_ctx)
            nats = -rows[np.arange(len(targets)), targets]
            found = self.json_of("-f", self.text, "--windows", "--ctx", n_ctx)
            self.assertEqual((found["windows"], found["tokens"]), (len(self.tokens) // n_ctx, len(nats)))
            self.assertAlmostEqual(found["nats_per_token"], nats.mean(), delta=2e-4)
            self.assertAlmostEqual(found["perplexity"], np.exp(nats.mean()), delta=2e-4 * np.exp(nats.mean()))
            error = np.sqrt((np.mean(nats**2) - nats.mean() ** 2) / (len(nats) - 1))
            self.assertAlmostEqual(found["nats_error"], error, delta=1e-5)
            self.assertAlmostEqual(found["perplexity_error"], error * np.exp(nats.mean()), delta=1e-4 * np.exp(nats.mean()))

    def test_a_stride_scores_the_end_of_windows_that_overlap(self):
        n_ctx, stride = 24, 8
        length = n_ctx + stride // 2
        n_windows = -(-(len(self.tokens) - length) // stride)
        nats = []
        for begin in range(0, n_windows * stride, stride):
            rows = log_softmax(oracle.logits_of(self.models[DENSE], self.tokens[begin : begin + length]))
            nats += [-rows[i, self.tokens[begin + i + 1]] for i in range(length - stride - 1, length - 1)]
        found = self.json_of("-f", self.text, "--ctx", n_ctx, "--stride", stride)
        self.assertEqual((found["windows"], found["ctx"], found["tokens"]), (n_windows, length, len(nats)))
        self.assertAlmostEqual(found["nats_per_token"], np.mean(nats), delta=2e-4)

    def test_digits_depend_on_neither_batch_nor_threads_and_chunks_limit_the_windows(self):
        first = self.json_of("-f", self.text, "--windows", "--ctx", 32, "--chunks", 2, "-t", 1)
        again = self.json_of("-f", self.text, "--windows", "--ctx", 32, "--chunks", 2, "-t", 2, "--batch", 5)
        self.assertEqual(first, again)
        self.assertEqual(first["windows"], 2)
        running = run("perplexity", "-m", DENSE, "-f", self.text, "--windows", "--ctx", 32, "--chunks", 2, "--running")
        self.assertRegex(running.stderr.decode(), r"(?m)^\[1\] perplexity [0-9.]+ \+/- [0-9.]+\n\[2\] perplexity ")
        self.assertRegex(running.stdout.decode(), rf"\Aperplexity {first['perplexity']}\n")

    def check_divergence(self, found, base, model, targets, delta):
        p, q = np.exp(base), np.exp(model)
        kld = (p * (base - model)).sum(axis=1)
        i = np.arange(len(targets))
        shift = q[i, targets] - p[i, targets]
        self.assertAlmostEqual(found["mean_kld"], kld.mean(), delta=delta)
        self.assertAlmostEqual(found["mean_kld_error"], kld.std() / np.sqrt(len(kld) - 1), delta=delta)
        for name, share in (("max", 100), ("99", 99), ("90", 90), ("median", 50), ("10", 10), ("min", 0)):
            self.assertAlmostEqual(found["kld"][name], np.percentile(kld, share), delta=10 * delta)
        self.assertAlmostEqual(found["same_top"], np.mean(base.argmax(1) == model.argmax(1)), delta=0.02)
        self.assertAlmostEqual(found["mean_p_difference"], shift.mean(), delta=delta)
        self.assertAlmostEqual(found["rms_p_difference"], np.sqrt(np.mean(shift**2)), delta=delta)
        self.assertAlmostEqual(found["base_perplexity"], np.exp(-base[i, targets].mean()), delta=0.5)
        self.assertAlmostEqual(found["log_ratio"], (base[i, targets] - model[i, targets]).mean(), delta=10 * delta)

    def test_the_divergence_of_two_models_is_that_of_their_logits(self):
        base, targets = self.windows(32, OTHER)
        model, _ = self.windows(32, DENSE)
        found = self.json_of("-f", self.text, "--kl", OTHER, "--ctx", 32)
        self.check_divergence(found, base, model, targets, 5e-4)
        self.assertGreater(found["mean_kld"], 0.01)
        none = self.json_of("-f", self.text, "--kl", DENSE, "--ctx", 32)
        self.assertEqual((none["mean_kld"], none["kld"]["max"], none["same_top"], none["rms_p_difference"]), (0, 0, 1, 0))

    def test_a_file_of_logits_is_as_llama_perplexity_writes_it_and_gives_the_same_divergence(self):
        path = Path(self.folder.name) / "base.kld"
        self.json_of("-f", self.text, "--kl-save", path, "--ctx", 32, model=OTHER)
        data = path.read_bytes()
        magic, n_ctx, n_vocab, n_windows = struct.unpack_from("<8siii", data)
        self.assertEqual((magic, n_ctx, n_windows), (b"_logits_", 32, len(self.tokens) // 32))
        tokens = np.frombuffer(data, "<i4", n_windows * n_ctx, 20)
        self.assertEqual(tokens.tolist(), self.tokens[: len(tokens)])
        rows = np.frombuffer(data, "<u2", -1, 20 + 4 * len(tokens)).reshape(n_windows * 15, (n_vocab + 1) // 2 * 2 + 4)
        scale, least = (np.ascontiguousarray(rows[:, i : i + 2]).view("<f4") for i in (0, 2))
        base, targets = self.windows(32, OTHER)
        stored = scale * rows[:, 4 : 4 + n_vocab] + least
        away = np.abs(stored - np.maximum(base, base.max(1, keepdims=True) - 16))
        self.assertLess(away.max(), 0.1)  # an int8 activation of the float32 engine may fall on the other side of a tie
        self.assertLess(away.mean(), 5e-3)
        model, _ = self.windows(32, DENSE)
        self.check_divergence(self.json_of("--kl-base", path), stored.astype(np.float64), model, targets, 5e-4)
        own = self.json_of("--kl-base", path, model=OTHER)
        self.assertLess(abs(own["mean_kld"]), 1e-6)
        self.assertEqual(own["same_top"], 1)

    def test_damaged_files_and_options_that_do_not_go_together_are_refused(self):
        path = Path(self.folder.name) / "bad.kld"
        self.json_of("-f", self.text, "--kl-save", path, "--ctx", 32, "--chunks", 1, model=OTHER)
        good = path.read_bytes()
        for bad in (b"", good[:12], good[:-2], good + b"\0\0", b"_logitz_" + good[8:], good[:8] + b"\xff" * 12 + good[20:],
                    good[:12] + struct.pack("<i", 1 << 30) + good[16:], good[:20] + struct.pack("<i", 1 << 20) + good[24:]):
            path.write_bytes(bad)
            result = run("perplexity", "-m", DENSE, "--kl-base", path)
            self.assertEqual((result.returncode, result.stdout), (1, b""))
            self.assertRegex(result.stderr.decode(), r"\Abitnet: .*bad\.kld: [^\n]+\n\Z")
        for args in (("--windows", "--stories", "-f", self.text), ("--windows",), ("--stride", 100, "--ctx", 50, "-f", self.text),
                     ("--kl-base", path, "-f", self.text), ("--windows", "--ctx", 3, "-f", self.text)):
            self.assertEqual(run("perplexity", "-m", DENSE, *args).returncode, 2, args)
        result = run("perplexity", "-m", DENSE, "--windows", "--ctx", 5000, "-f", self.text)
        self.assertIn(b"are less than a window of 5000", result.stderr)
        other = run("perplexity", "-m", DENSE, "-f", self.text, "--ctx", 32, "--kl", GOLDEN / "b158-i2s.gguf")
        self.assertIn(b"only models with the same vocabulary can be compared", other.stderr)


if __name__ == "__main__":
    BITNET = sys.argv[1]
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
