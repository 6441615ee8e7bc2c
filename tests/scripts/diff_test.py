"""Famous broken files, made from golden models, and the causes that `bitnet diff` names for them; and runs compared node by node.

    diff_test.py PATH_OF_BITNET [unittest options]

The files are written with the golden oracle's own GGUF writer and codecs, so nothing here depends on what it tests.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests/golden"
sys.path.insert(0, str(GOLDEN))
import codecs_numpy  # noqa: E402
import tiny_models  # noqa: E402
from gguf_numpy import Tensor, read_gguf, write_gguf  # noqa: E402

ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}
BITNET = ""
Q, GATE, DOWN = "blk.1.attn_q.weight", "blk.0.ffn_gate.weight", "blk.2.ffn_down.weight"


def run(*args):
    return subprocess.run([BITNET, *map(str, args)], capture_output=True, timeout=300, stdin=subprocess.DEVNULL, env=ENVIRONMENT)


def spec_of(name):
    return next(spec for spec in tiny_models.SPECS if spec.name == name)


def i2s_like(tensor, codes):
    """An I2_S tensor with these bytes and the other one's tail."""
    return Tensor(tensor.name, "I2_S", tensor.ne, codes.astype(np.uint8).tobytes() + tensor.data[-32:])


class Diffs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.metadata, self.tensors = read_gguf(GOLDEN / "b158-i2s.gguf")

    def write(self, tensors=None, name="other.gguf", spec="b158-i2s", metadata=None):
        path = Path(self.folder.name) / name
        write_gguf(path, metadata or tiny_models.metadata_of(spec_of(spec)), list((tensors or self.tensors).values()))
        return path

    def changed(self, name, tensor):
        if not isinstance(tensor, Tensor):
            tensor = codecs_numpy.encode(name, self.tensors[name].type, tensor)
        return self.write({**self.tensors, name: tensor})

    def diff(self, a, b, *options, same=False):
        result = run("diff", a, b, "--json", *options)
        self.assertEqual(result.returncode, 0 if same else 1, result.stderr.decode(errors="replace"))
        report = json.loads(result.stdout)
        self.assertEqual(report["same"], same)
        return report

    def weights(self, name):
        return codecs_numpy.decode(self.tensors[name])

    def kinds(self, path, *options, a=GOLDEN / "b158-i2s.gguf"):
        """The causes of the one tensor that differs."""
        report = self.diff(a, path, *options)
        (row,) = report["tensors"]
        return [cause["kind"] for cause in row["causes"]]

    def both_ways(self, name, tensor, kind):
        path = self.changed(name, tensor)
        self.assertEqual(self.kinds(path), [kind])
        (there,) = self.diff(GOLDEN / "b158-i2s.gguf", path)["tensors"]
        (back,) = self.diff(path, GOLDEN / "b158-i2s.gguf")["tensors"]
        self.assertEqual([cause["kind"] for cause in back["causes"]], [kind])
        return there["causes"][0]["text"], back["causes"][0]["text"]


class Files(Diffs):
    def test_a_file_is_the_same_as_itself_and_as_the_same_values_in_another_type(self):
        self.diff(GOLDEN / "b158-i2s.gguf", GOLDEN / "b158-i2s.gguf", same=True)
        report = self.diff(GOLDEN / "b158-tq1.gguf", GOLDEN / "b158-tq2.gguf", same=True)
        self.assertEqual(report["same_in_another_type"], 14)
        self.assertEqual({row["key"] for row in report["metadata"]}, {"general.name", "general.file_type"})
        wide = {name: codecs_numpy.encode(name, "F32", codecs_numpy.decode(t)) for name, t in self.tensors.items()}
        self.diff(GOLDEN / "b158-i2s.gguf", self.write(wide), same=True)

    def test_the_first_difference_is_named_with_row_column_values_and_size(self):
        weights = self.weights(GATE)
        other = np.abs(weights).max() * 7
        wide = {**self.tensors, GATE: codecs_numpy.encode(GATE, "F32", weights)}
        weights = weights.copy()
        weights[3, 17], weights[200, 5] = 0.5, other
        a, b = self.write(wide, "a.gguf"), self.write({**wide, GATE: codecs_numpy.encode(GATE, "F32", weights)})
        (row,) = self.diff(a, b)["tensors"]
        self.assertEqual((row["name"], row["row"], row["column"], row["rows"], row["values"]), (GATE, 3, 17, 2, 2))
        self.assertAlmostEqual(row["value_b"], 0.5)
        self.assertEqual((row["largest_row"], row["largest_column"]), (200, 5))
        self.assertEqual(row["causes"][0]["kind"], "few_rows")
        text = run("diff", a, b).stdout.decode()
        self.assertIn(f"{GATE} (f32, f32): row 3, value 17: ", text)
        self.assertIn("2 rows differ: 3, 200 of 384", text)

    def test_i2s_bytes_in_arm_order_are_named_and_which_file_has_them(self):
        tensor = self.tensors[DOWN]
        codes = (np.sign(self.weights(DOWN)) + 1).astype(np.uint8).reshape(-1, 4, 16)
        arm = codes[:, 0] << 6 | codes[:, 1] << 4 | codes[:, 2] << 2 | codes[:, 3]
        there, back = self.both_ways(DOWN, i2s_like(tensor, arm), "i2s_arm_order")
        self.assertIn("bytes of B are in the ARM order", there)
        self.assertIn("bytes of A are in the ARM order", back)

    def test_other_packings_that_were_read_as_i2s_are_named(self):
        tensor, codes = self.tensors[GATE], (np.sign(self.weights(GATE)) + 1).astype(np.uint8)
        rows = codes.reshape(-1, 4, codes.shape[1])
        four = rows[:, 0] << 6 | rows[:, 1] << 4 | rows[:, 2] << 2 | rows[:, 3]
        self.both_ways(GATE, i2s_like(tensor, four), "i2s_four_rows")
        quarters = codes.reshape(4, -1, codes.shape[1])
        packed = quarters[0] | quarters[1] << 2 | quarters[2] << 4 | quarters[3] << 6
        self.both_ways(GATE, i2s_like(tensor, packed), "packed_bytes_copied")

    def test_packed_rows_that_were_unpacked_in_a_wrong_way_are_named(self):
        weights = self.weights(GATE)
        quarters = weights.reshape(4, -1, weights.shape[1])
        self.both_ways(GATE, quarters.transpose(1, 0, 2).reshape(weights.shape), "packed_rows_as_neighbours")
        self.both_ways(GATE, quarters[::-1].reshape(weights.shape), "packed_rows_reversed")
        self.both_ways(GATE, quarters.transpose(1, 2, 0).reshape(weights.shape), "packed_rows_as_columns")

    def test_rows_of_q_permuted_for_the_other_rope_are_named(self):
        weights = self.weights(Q)
        permuted = weights.reshape(4, 2, 16, -1).swapaxes(1, 2).reshape(weights.shape)
        there, back = self.both_ways(Q, permuted, "rope_permuted")
        self.assertIn("the rows of B are in the order for RoPE with pairs", there)
        self.assertIn("the rows of A are in the order for RoPE with pairs", back)

    def test_an_inverted_scale_is_named_and_so_is_one_with_rows_permuted_besides(self):
        weights = self.weights(GATE)
        scale = np.float32(np.abs(weights).max())
        inverted = (np.sign(weights) / scale).astype(np.float32)
        self.assertEqual(self.kinds(self.changed(GATE, codecs_numpy.encode(GATE, "F16", inverted))), ["scale_inverted"])
        weights = self.weights(Q)
        both = np.sign(weights) / np.float32(np.abs(weights).max())
        permuted = both.reshape(4, 2, 16, -1).swapaxes(1, 2).reshape(weights.shape).astype(np.float32)
        self.assertEqual(self.kinds(self.changed(Q, codecs_numpy.encode(Q, "F32", permuted))), ["scale_inverted", "rope_permuted"])

    def test_absmean_applied_twice_is_named(self):
        weights = self.weights(GATE)
        again = np.sign(weights) * np.float32(np.abs(weights).mean())
        there, back = self.both_ways(GATE, again.astype(np.float32), "absmean_twice")
        self.assertIn("applied to B's weights", there)
        self.assertIn("applied to A's weights", back)

    def test_signs_and_codes_that_mean_other_weights_are_named(self):
        weights = self.weights(GATE)
        scale = np.abs(weights).max()
        self.both_ways(GATE, -weights, "sign_flipped")
        rotated = np.where(weights < 0, 0.0, np.where(weights == 0, scale, -scale))
        self.both_ways(GATE, rotated, "codes_mapped")

    def test_single_rows_and_another_order_of_rows_are_named(self):
        weights = self.weights(GATE).copy()
        weights[7] = np.roll(weights[7], 1)
        there, _ = self.both_ways(GATE, weights, "one_row")
        self.assertIn("one row differs: 7 of 384", there)
        self.both_ways(GATE, np.roll(self.weights(GATE), 5, axis=0), "rows_reordered")

    def test_a_square_matrix_transposed_is_named(self):
        self.both_ways(Q, np.ascontiguousarray(self.weights(Q).T), "transposed")

    def test_rounding_is_told_from_other_differences(self):
        masters = np.random.default_rng(7).normal(0, 0.02, (384, 128)).astype(np.float32)
        wide = {**self.tensors, GATE: codecs_numpy.encode(GATE, "F32", masters)}
        a = self.write(wide, "a.gguf")
        for kind in ("F16", "BF16", "Q8_0", "Q4_0"):
            with self.subTest(kind=kind):
                path = self.write({**wide, GATE: codecs_numpy.encode(GATE, kind, masters)})
                (row,) = self.diff(a, path)["tensors"]
                self.assertEqual(row["causes"][0]["kind"], "rounding")
                self.assertIn(f"B is A rounded to {kind.lower()}", row["causes"][0]["text"])
        scaled = self.write({**wide, GATE: codecs_numpy.encode(GATE, "F32", masters * np.float32(1.75))})
        (row,) = self.diff(a, scaled)["tensors"]
        self.assertEqual((row["causes"][0]["kind"], "1.75" in row["causes"][0]["text"]), ("scale_factor", True))
        scale = np.abs(masters).mean()
        ternary = np.clip(np.rint(masters / scale), -1, 1) * scale
        path = self.write({**wide, GATE: codecs_numpy.encode(GATE, "I2_S", ternary.astype(np.float32))})
        (row,) = self.diff(a, path)["tensors"]
        self.assertEqual(row["causes"][0]["kind"], "ternarised")
        other = self.write({**wide, GATE: codecs_numpy.encode(GATE, "F32", masters[::-1] * 3 + 1)})
        self.assertEqual(self.kinds(other, a=a), ["unknown"])

    def test_zeros_and_values_that_are_no_numbers_are_named(self):
        self.both_ways(GATE, np.zeros_like(self.weights(GATE)), "all_zero")
        weights = self.weights(GATE).astype(np.float32)
        weights[3, 3] = np.nan
        path = self.changed(GATE, codecs_numpy.encode(GATE, "F32", weights))
        self.assertEqual(self.kinds(path), ["not_finite"])

    def test_factors_of_a_projection_are_part_of_its_weights(self):
        spec = spec_of("bitnet-i2s-silu")
        _, tensors = read_gguf(GOLDEN / "bitnet-i2s-silu.gguf")
        merged = {}
        for name, tensor in tensors.items():
            if name.endswith(".scale"):
                continue
            factor = tensors.get(name.replace(".weight", ".scale"))
            values = codecs_numpy.decode(tensor).astype(np.float32)
            if factor is not None:
                values = values * codecs_numpy.decode(factor).astype(np.float32)
            merged[name] = codecs_numpy.encode(name, "F32" if factor is not None else tensor.type, values)
        path = self.write(merged, metadata=tiny_models.metadata_of(spec))
        self.diff(GOLDEN / "bitnet-i2s-silu.gguf", path, same=True)

    def test_keys_that_change_what_a_text_becomes_are_named(self):
        rows = tiny_models.metadata_of(spec_of("b158-i2s"))
        without = self.write(metadata=[row for row in rows if row[0] != "tokenizer.ggml.pre"])
        report = self.diff(GOLDEN / "b158-i2s.gguf", without)
        self.assertEqual([cause["kind"] for cause in report["causes"]], ["tokenizer_pre_missing"])
        self.assertIn("B lacks tokenizer.ggml.pre", report["causes"][0]["text"])
        changed = [(k, t, v[:9] + ["other"] + v[10:] if k == "tokenizer.ggml.tokens" else v) for k, t, v in rows]
        report = self.diff(GOLDEN / "b158-i2s.gguf", self.write(metadata=changed))
        self.assertEqual([(row["key"], row["entry"]) for row in report["metadata"]], [("tokenizer.ggml.tokens", "[9]")])
        renamed = [(k, t, "x" if k == "general.name" else v) for k, t, v in rows]
        self.diff(GOLDEN / "b158-i2s.gguf", self.write(metadata=renamed), same=True)

    def test_tensors_that_are_missing_or_of_another_shape_are_named(self):
        less = {name: t for name, t in self.tensors.items() if name != DOWN}
        (row,) = self.diff(GOLDEN / "b158-i2s.gguf", self.write(less))["tensors"]
        self.assertEqual((row["name"], row["b"]), (DOWN, None))
        (row,) = self.diff(self.write(less), GOLDEN / "b158-i2s.gguf")["tensors"]
        self.assertEqual((row["name"], row["a"]), (DOWN, None))
        turned = codecs_numpy.encode(GATE, "I2_S", np.ascontiguousarray(self.weights(GATE).T))
        (row,) = self.diff(GOLDEN / "b158-i2s.gguf", self.changed(GATE, turned))["tensors"]
        self.assertIn("the shapes differ: A [128, 384], B [384, 128]", row["problem"])

    def test_quick_reads_some_rows_and_all_of_a_tensor_where_those_differ(self):
        weights = self.weights(GATE).copy()
        weights[7] = 0
        self.diff(GOLDEN / "b158-i2s.gguf", self.changed(GATE, weights), "--quick", same=True)  # row 7 is none of the 32
        path = self.changed(GATE, -self.weights(GATE))
        self.assertEqual(self.kinds(path, "--quick"), ["sign_flipped"])

    def test_what_is_no_model_is_refused_with_one_line(self):
        path = Path(self.folder.name) / "x.gguf"
        path.write_bytes(b"GGUF" + b"\x03\0\0\0" + b"\xff" * 64)
        for args in ((path, path), (path, GOLDEN / "b158-i2s.gguf"), ("/nonexistent", path), (path,)):
            result = run("diff", *args)
            self.assertIn(result.returncode, (1, 2))
            self.assertEqual((result.stdout, result.stderr.count(b"\n")), (b"", 1))


class Runs(Diffs):
    MODEL = GOLDEN / "b158-i2s.gguf"

    def trace(self):
        folder = Path(self.folder.name) / "trace"
        self.assertEqual(run("diff", "--dump", folder, "-m", self.MODEL, "-p", "hello the").returncode, 0)
        return folder

    def test_a_model_is_the_same_with_every_kernel_and_number_of_threads(self):
        report = self.diff(self.MODEL, self.MODEL, "-p", "hello the", "--kernel", "scalar", "--threads-b", 3, "--kernel-b",
                           "avx2" if b"avx2" in run("kernels").stdout else "scalar", same=True)
        self.assertEqual((report["tolerance"], report["largest_relative_before"]), (0, 0))
        self.assertGreater(report["n_nodes"], 50)

    def test_the_first_node_token_and_value_are_named_and_the_cause_in_the_file(self):
        report = self.diff(self.MODEL, self.changed(Q, -self.weights(Q)), "-p", "hello the")
        first = report["first"]
        self.assertEqual((first["node"], first["layer"], first["token"]), ("blk.1.attn_q", 1, 0))
        self.assertEqual(first["causes"][0]["kind"], "sign_flipped")
        self.assertAlmostEqual(first["a"], -first["b"])

    def test_another_epsilon_is_named_at_the_first_norm(self):
        rows = [(k, t, 1e-2 if k.endswith("rms_epsilon") else v) for k, t, v in tiny_models.metadata_of(spec_of("b158-i2s"))]
        first = self.diff(self.MODEL, self.write(metadata=rows), "-p", "hello the")["first"]
        self.assertEqual((first["node"], first["causes"][0]["kind"]), ("blk.0.attn_norm", "norm_epsilon"))

    def test_another_vocabulary_is_told_before_any_node(self):
        rows = [(k, t, v[:3] if k == "tokenizer.ggml.merges" else v) for k, t, v in tiny_models.metadata_of(spec_of("b158-i2s"))]
        report = self.diff(self.MODEL, self.write(metadata=rows), "-p", "hello on the an")
        self.assertGreaterEqual(report["tokens_differ_at"], 1)
        self.assertIsNone(report["first"])

    def test_values_that_were_written_are_compared_with(self):
        folder = self.trace()
        self.diff(self.MODEL, folder, same=True)
        self.assertEqual(np.load(folder / "blk.0.attn_q.npy").dtype, np.float32)
        path = folder / "blk.1.ffn_up.npy"
        values = np.load(path).astype(np.float64)
        values[2, 5] += 10 * np.abs(values[2]).max()
        np.save(path, values)
        first = self.diff(self.MODEL, folder)["first"]
        self.assertEqual((first["node"], first["token"], first["value"]), ("blk.1.ffn_up", 2, 5))
        self.assertEqual(run("diff", "--dump", folder, "-m", self.MODEL, "-p", "x").returncode, 1)  # it is there

    def test_a_part_of_a_reference_is_enough_and_silu_for_relu2_is_named(self):
        folder = self.trace()
        gate, up = (np.load(folder / f"blk.0.ffn_{name}.npy").astype(np.float64) for name in ("gate", "up"))
        for file in folder.iterdir():
            if file.name not in ("tokens.npy", "blk.0.ffn_gate.npy", "blk.0.ffn_relu2.npy"):
                file.unlink()
        (folder / "blk.0.ffn_relu2.npy").rename(folder / "blk.0.ffn_silu.npy")
        self.diff(self.MODEL, folder, same=True)
        np.save(folder / "blk.0.ffn_silu.npy", gate / (1 + np.exp(-gate)) * up)
        first = self.diff(self.MODEL, folder)["first"]
        self.assertEqual((first["node"], first["causes"][0]["kind"]), ("blk.0.ffn_relu2", "activation"))
        self.assertIn("A's feed-forward network has relu^2, B's has SiLU", first["causes"][0]["text"])

    def test_the_other_pairing_of_rope_is_named_and_so_are_q_rows_for_it(self):
        folder = self.trace()
        q, table = (np.load(folder / f"{name}.npy").astype(np.float64) for name in ("blk.0.attn_q", "rope_table"))
        cos, sin = table[:, None, 0::2], table[:, None, 1::2]
        heads = q.reshape(len(q), 4, 32)
        even, odd = heads[..., 0::2], heads[..., 1::2]
        turned = np.empty_like(heads)
        turned[..., 0::2], turned[..., 1::2] = even * cos - odd * sin, even * sin + odd * cos
        np.save(folder / "blk.0.rope_q.npy", turned.reshape(q.shape))
        first = self.diff(self.MODEL, folder)["first"]
        self.assertEqual((first["node"], first["causes"][0]["kind"]), ("blk.0.rope_q", "rope_pairing"))
        self.assertGreaterEqual(first["token"], 1)  # position 0 turns nothing
        np.save(folder / "blk.0.attn_q.npy", heads.reshape(-1, 4, 2, 16).swapaxes(2, 3).reshape(q.shape))
        first = self.diff(self.MODEL, folder)["first"]
        self.assertEqual((first["node"], first["causes"][0]["kind"]), ("blk.0.attn_q", "rope_permuted"))
        np.save(folder / "blk.0.attn_q.npy", q * 3.5)
        first = self.diff(self.MODEL, folder)["first"]
        self.assertEqual(first["causes"][0]["kind"], "scale_factor")

    def test_folders_of_anything_else_are_refused(self):
        folder = self.trace()
        good = (folder / "blk.0.attn_q.npy").read_bytes()
        for bad in (b"", b"\x93NUMPY", good[:60], good[:-4], good + b"\0", good.replace(b"<f4", b">f4"),
                    good.replace(b"(6, 128)", b"(9999999999999999999, 128)"), good.replace(b"False", b"True ")):
            (folder / "blk.0.attn_q.npy").write_bytes(bad)
            result = run("diff", self.MODEL, folder)
            self.assertEqual((result.returncode, result.stdout), (1, b""), bad[:80])
            self.assertRegex(result.stderr.decode(), r"\Abitnet: .*blk\.0\.attn_q\.npy: ")


if __name__ == "__main__":
    BITNET = sys.argv[1]
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
