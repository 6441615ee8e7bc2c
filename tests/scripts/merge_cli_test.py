"""Runs `bitnet merge` as a user does and compares what it writes with NumPy's own reading of base and adapters.

    merge_cli_test.py PATH_OF_BITNET [unittest options]
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
import gguf_numpy  # noqa: E402

BASE = GOLDEN / "b25-i2s-untied.gguf"
FIRST, SECOND = GOLDEN / "lora-first.gguf", GOLDEN / "lora-second.gguf"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}
BITNET = ""


def weights(path):
    """Metadata, and the float64 weights of every tensor."""
    metadata, tensors = gguf_numpy.read_gguf(path)
    return metadata, {name: codecs_numpy.decode(t).astype(np.float64) for name, t in tensors.items()}


def peft_folder(folder, pairs, **config):
    """A folder as PEFT saves it: pairs of (module, A, B), float32."""
    folder.mkdir()
    settings = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "bias": "none", "use_dora": False, "use_rslora": False,
                "fan_in_fan_out": False, "modules_to_save": None, "alpha_pattern": {}, "target_modules": ["q_proj"], **config}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    header, data = {}, b""
    for module, a, b in pairs:
        for half, values in (("lora_A", a), ("lora_B", b)):
            values = np.ascontiguousarray(values, np.float32)
            header[f"base_model.model.{module}.{half}.weight"] = {
                "dtype": "F32", "shape": list(values.shape), "data_offsets": [len(data), len(data) + values.nbytes]}
            data += values.tobytes()
    text = json.dumps(header).encode()
    (folder / "adapter_model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    return folder


class Merge(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.out = self.folder / "out.gguf"

    def run_bitnet(self, *args):
        return subprocess.run([BITNET, *map(str, args)], capture_output=True, timeout=300, stdin=subprocess.DEVNULL,
                              env=ENVIRONMENT)

    def ok(self, *args):
        result = self.run_bitnet(*args)
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
        return result.stdout.decode()

    def test_floats_are_base_and_adapters_as_numpy_adds_them(self):
        self.ok("merge", BASE, self.out, "--lora", f"{FIRST}:0.75", "--lora", f"{SECOND}:-0.5", "--type", "f32")
        _, expected = weights(BASE)
        for path, scale in ((FIRST, 0.75), (SECOND, -0.5)):
            metadata, halves = weights(path)
            for name, a in halves.items():
                if name.endswith(".lora_a"):
                    base = name.removesuffix(".lora_a")
                    alpha = float(metadata["adapter.lora.alpha"]) or a.shape[0]  # 0: the scale alone
                    factor = scale * alpha / a.shape[0]
                    expected[base] = expected[base] + factor * halves[base + ".lora_b"] @ a
        _, merged = weights(self.out)
        self.assertEqual(sorted(merged), sorted(expected))
        for name, wanted in expected.items():
            # Sums in float32, a few products long; the head may be f16 in the file.
            tolerance = 1e-3 if name == "output.weight" else 1e-5
            np.testing.assert_allclose(merged[name], wanted, rtol=tolerance, atol=tolerance, err_msg=name)

    def test_a_folder_of_peft_is_added_as_numpy_adds_it(self):
        random = np.random.default_rng(7)
        names = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.o_proj": "attn_output",
                 "mlp.down_proj": "ffn_down"}
        for model, by_root in (("llama-i2s", False), ("b25-i2s-untied", True)):
            metadata, expected = weights(GOLDEN / f"{model}.gguf")
            heads = {"attn_q": metadata[metadata["general.architecture"] + ".attention.head_count"],
                     "attn_k": metadata[metadata["general.architecture"] + ".attention.head_count_kv"]}
            pairs = []
            for layer in (0, 1):
                for module, short in names.items():
                    name = f"blk.{layer}.{short}.weight"
                    n_rows, k = expected[name].shape
                    a, b = random.normal(size=(4, k)), random.normal(size=(n_rows, 4))
                    pairs.append((f"model.layers.{layer}.{module}", a, b))
                    if model == "llama-i2s" and short in heads:  # rotated halves become neighbours
                        b = b.reshape(heads[short], 2, -1, 4).swapaxes(1, 2).reshape(n_rows, 4)
                    expected[name] = expected[name] + 0.5 * (8 / 2 if by_root else 8 / 4) * b @ a
            folder = peft_folder(self.folder / model, pairs, use_rslora=by_root)
            self.ok("merge", GOLDEN / f"{model}.gguf", self.out, "--lora", f"{folder}:0.5", "--type", "f32")
            _, merged = weights(self.out)
            for name, wanted in expected.items():
                tolerance = 1e-3 if name == "output.weight" else 1e-5
                np.testing.assert_allclose(merged[name], wanted, rtol=tolerance, atol=tolerance, err_msg=name)

    def test_what_a_folder_of_peft_must_not_have_is_named(self):
        random = np.random.default_rng(7)
        _, base = weights(BASE)
        n_rows, k = base["blk.0.attn_q.weight"].shape
        module, a, b = "model.layers.0.self_attn.q_proj", random.normal(size=(4, k)), random.normal(size=(n_rows, 4))
        bad = {"dora": ([(module, a, b)], {"use_dora": True}, "'use_dora' asks for DoRA"),
               "saved": ([(module, a, b)], {"modules_to_save": ["lm_head"]}, "replaces whole modules"),
               "scales": ([(module, a, b)], {"alpha_pattern": {"q_proj": 3}}, "scales of their own"),
               "other": ([(module, a, b)], {"peft_type": "IA3"}, "no LoRA adapter"),
               "alpha": ([(module, a, b)], {"lora_alpha": "8"}, "'lora_alpha' is no usable number"),
               "layer": ([("model.layers.99.self_attn.q_proj", a, b)], {}, "'blk.99.attn_q.weight', which the model has not"),
               "module": ([("model.layers.0.self_attn.rotary", a, b)], {}, "adapts a module that"),
               "number": ([("model.layers.x.self_attn.q_proj", a, b)], {}, "adapts a module that"),
               "norm": ([("model.layers.0.input_layernorm", a, b)], {}, "matrices of layers and output.weight only"),
               "shape": ([(module, a[:, 1:], b)], {}, "of another model"),
               "nan": ([(module, a * np.nan, b)], {}, "q_proj.lora_A.weight'")}
        for name, (pairs, config, pattern) in bad.items():
            folder = peft_folder(self.folder / name, pairs, **config)
            result = self.run_bitnet("merge", BASE, self.out, "--lora", folder)
            self.assertNotEqual(result.returncode, 0, name)
            self.assertIn(pattern, result.stderr.decode(), name)
            self.assertEqual(result.stderr.count(b"\n"), 1, name)
            self.assertFalse(self.out.exists(), name)
        pickle = peft_folder(self.folder / "pickle", [(module, a, b)])
        (pickle / "adapter_model.safetensors").rename(pickle / "adapter_model.bin")
        self.assertIn("is a pickle", self.run_bitnet("merge", BASE, self.out, "--lora", pickle).stderr.decode())
        whole = peft_folder(self.folder / "whole", [(module, a, b)])
        weights_file = whole / "adapter_model.safetensors"
        weights_file.write_bytes(weights_file.read_bytes().replace(b"lora_B.weight", b"lora_C.weight"))
        self.assertNotEqual(self.run_bitnet("merge", BASE, self.out, "--lora", whole).returncode, 0)
        self.assertFalse(self.out.exists())

    def test_a_table_tells_what_three_values_lose(self):
        text = self.ok("merge", BASE, self.out, "--lora", f"{FIRST}:0.01", "-t", "1")
        self.assertRegex(text, r"(?m)^tensor +change +codes +error +cosine +kept$")
        self.assertRegex(text, r"(?m)^blk\.0\.attn_q\.weight( +[\d.]+ %){3} +[\d.]+ +-?[\d.]+ %$")
        self.assertRegex(text, r"(?m)^all ")
        self.assertRegex(text, r"(?m)out\.gguf: \d+ tensors merged, \d+ of them ternary, ")
        self.assertIn("Less than half of the change fits", text)
        self.assertEqual(self.run_bitnet("run", "-m", self.out, "-p", "a", "-n", "2", "--temp", "0").returncode, 0)

    def test_json_tells_the_same_for_programs(self):
        report = json.loads(self.ok("merge", BASE, self.out, "--lora", FIRST, "--json"))
        self.assertEqual(report["schema"], "bitnet-merge/1")
        self.assertEqual(report["adapters"], [{"path": str(FIRST), "scale": 1.0}])
        self.assertEqual(report["n_codes_changed"], sum(t["n_codes_changed"] for t in report["tensors"]))
        self.assertEqual(report["n_file_bytes"], self.out.stat().st_size)
        self.assertTrue(0 < report["relative_error"] < 1 and 0 < report["cosine"] < 1)

    def test_a_checkpoint_in_floats_comes_back_as_the_base_it_was(self):
        masters = self.folder / "masters.gguf"
        self.ok("quantize", BASE, masters, "f32")
        report = json.loads(self.ok("merge", BASE, self.out, "--checkpoint", masters, "--json"))
        self.assertEqual(report["n_codes_changed"], 0)
        _, before = weights(BASE)
        _, after = weights(self.out)
        for name, values in before.items():
            np.testing.assert_array_equal(after[name], values, err_msg=name)

    def test_failures_say_what_to_do_and_leave_nothing(self):
        for args, pattern in (((), "nothing to merge"), (("--lora", BASE), "general.type"),
                              (("--lora", self.folder / "none.gguf"), "none.gguf")):
            result = self.run_bitnet("merge", BASE, self.out, *args)
            self.assertNotEqual(result.returncode, 0)
            self.assertEqual(result.stdout, b"")
            self.assertRegex(result.stderr.decode(), pattern)
            self.assertFalse(self.out.exists())


if __name__ == "__main__":
    BITNET = str(Path(sys.argv.pop(1)).resolve())
    unittest.main()
