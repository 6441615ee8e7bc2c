"""Converts folders of BitNet embedding models (Qwen3, Gemma 3) with `bitnet convert` and runs what comes out.

    embedder_convert_test.py PATH_OF_BITNET [unittest options]

The folders are made of the golden models in NumPy: their weights as masters that ternarising turns back into the same trits,
Gemma's norms without their 1. Exits with 77 (skipped) without NumPy.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests/golden"
sys.path.insert(0, str(GOLDEN))
try:
    import numpy as np
except ImportError as error:
    print(f"SKIPPED: {error} (.ci/run makes an environment with it)")
    sys.exit(77)

import codecs_numpy  # noqa: E402
import hf_folders  # noqa: E402
import oracle  # noqa: E402
from gguf_numpy import read_gguf  # noqa: E402

ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}
BITNET = ""
NAMES = {"token_embd": "embed_tokens", "output_norm": "norm", "attn_norm": "input_layernorm",
         "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}
NAMES |= {name: hf_folders.LAYER_NAMES[name] for name in oracle.PROJECTIONS}
NAMES |= {f"{name}_norm_in": f"{hf_folders.LAYER_NAMES[name]}.norm" for name in oracle.PROJECTIONS}
NORMS = {"qwen3": {"ffn_norm": "post_attention_layernorm"},
         "gemma3": {"ffn_norm": "pre_feedforward_layernorm", "post_attention_norm": "post_attention_layernorm",
                    "post_ffw_norm": "post_feedforward_layernorm"}}


def run(*args):
    return subprocess.run([BITNET, *map(str, args)], capture_output=True, timeout=300, stdin=subprocess.DEVNULL,
                          env=ENVIRONMENT)


def hf_name(arch, name):
    parts = name.removesuffix(".weight").split(".")
    names = NAMES | NORMS[arch]
    return f"layers.{parts[1]}.{names[parts[2]]}.weight" if parts[0] == "blk" else f"{names[parts[0]]}.weight"


def config_of(arch, metadata):
    def key(name):
        return metadata[f"{arch}.{name}"]
    config = {
        "architectures": [{"qwen3": "Qwen3Model", "gemma3": "Gemma3TextModel"}[arch]],
        "hidden_size": key("embedding_length"), "intermediate_size": key("feed_forward_length"),
        "num_hidden_layers": key("block_count"), "num_attention_heads": key("attention.head_count"),
        "num_key_value_heads": key("attention.head_count_kv"), "head_dim": key("rope.dimension_count"),
        "max_position_embeddings": key("context_length"), "vocab_size": key("vocab_size"), "rms_norm_eps": 1e-6,
        "tie_word_embeddings": True}
    if arch == "qwen3":
        return config | {"hidden_act": "silu", "rope_theta": key("rope.freq_base")}
    return config | {"hidden_activation": "gelu_pytorch_tanh", "sliding_window": key("attention.sliding_window"),
                     "sliding_window_pattern": key("attention.sliding_window_pattern"), "rope_local_base_freq": 10000.0,
                     "rope_theta": key("rope.freq_base"), "rope_scaling": {"rope_type": "linear", "factor": 8.0},
                     "query_pre_attn_scalar": key("rope.dimension_count")}


def masters_of(values):
    """Floats that absmean ternarises to the trits of values: zeros become small, the others keep their sign."""
    scale = np.abs(values).max()
    rng = np.random.default_rng(3)
    return np.where(values == 0, rng.uniform(-0.2, 0.2, values.shape) * scale, values).astype(np.float32)


class Embedders(unittest.TestCase):
    def setUp(self):
        self.work = tempfile.TemporaryDirectory()
        self.addCleanup(self.work.cleanup)
        self.dir = Path(self.work.name)

    def folder(self, golden):
        metadata, tensors = read_gguf(GOLDEN / f"{golden}.gguf")
        arch = metadata["general.architecture"]
        folder, stored, wanted = self.dir / golden, {}, {}
        (folder / "1_Pooling").mkdir(parents=True)
        for tensor in tensors.values():
            values = codecs_numpy.decode(tensor).astype(np.float32)
            if tensor.type == "I2_S":
                masters = masters_of(values)
                trits, scale = hf_folders.absmean(masters)
                self.assertTrue(np.array_equal(trits, np.sign(values)))
                wanted[tensor.name] = codecs_numpy.encode(tensor.name, "I2_S", trits.astype(np.float32) * scale)
                values = masters
            else:
                wanted[tensor.name] = tensor
                if arch == "gemma3" and values.ndim == 1 and not tensor.name.endswith("_norm_in.weight"):
                    values = values - np.float32(1)
            kind, array = ("F16", values.astype("<f2")) if tensor.type == "F16" else ("F32", values.astype("<f4"))
            stored[hf_name(arch, tensor.name)] = (kind, array.shape, array.tobytes())
        hf_folders.write_safetensors(folder / "model.safetensors", stored)
        pooling = {1: "pooling_mode_mean_tokens", 3: "pooling_mode_lasttoken"}[metadata[f"{arch}.pooling_type"]]
        files = {"config.json": config_of(arch, metadata), "1_Pooling/config.json": {pooling: True},
                 "modules.json": [{"path": "", "type": "sentence_transformers.models.Transformer"},
                                  {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]}
        for name, content in (files | hf_folders.tokenizer_files()).items():
            (folder / name).write_text(json.dumps(content))
        return folder, metadata, wanted

    def test_folders_of_embedding_models_become_the_tensors_and_keys_of_the_golden_models(self):
        for golden in ("qwen3-i2s", "gemma3-i2s"):
            with self.subTest(model=golden):
                folder, metadata, wanted = self.folder(golden)
                out = self.dir / f"{golden}.gguf"
                result = run("convert", folder, out)
                self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
                found_metadata, found = read_gguf(out)
                self.assertEqual(set(found), set(wanted))
                for name, tensor in wanted.items():
                    self.assertEqual(found[name], tensor, name)
                prefix = metadata["general.architecture"] + "."
                keys = {key: value for key, value in found_metadata.items() if key.startswith(prefix)}
                expected = {key: value for key, value in metadata.items() if key.startswith(prefix)}
                if prefix == "gemma3.":
                    expected["gemma3.rope.freq_base_swa"] = 10000.0
                self.assertEqual(keys, expected)
                result = run("validate", out)
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_a_folder_that_lacks_one_norm_of_many_is_refused_and_nothing_is_written(self):
        folder, _, _ = self.folder("qwen3-i2s")
        file = folder / "model.safetensors"
        # A name of the same length, so that the header stays whole.
        file.write_bytes(file.read_bytes().replace(b"layers.1.mlp.up_proj.norm.weight", b"layers.1.mlp.up_proj.nOrm.weight"))
        out = self.dir / "out.gguf"
        result = run("convert", folder, out)
        self.assertEqual((result.returncode, result.stdout), (1, b""))
        self.assertIn(b"layers.1.mlp.up_proj.norm.weight", result.stderr)
        self.assertFalse(out.exists())


if __name__ == "__main__":
    BITNET = sys.argv.pop(1)
    unittest.main(verbosity=2)
