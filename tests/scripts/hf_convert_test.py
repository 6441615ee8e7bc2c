"""Converts Hugging Face folders with `bitnet convert` and compares the files with a conversion of its own in NumPy.

    hf_convert_test.py PATH_OF_BITNET [unittest options]

The folders and what they must become are those of tests/golden/hf_folders.py; transformers' own logits of them, computed
by tests/golden/check_hf_folders.py, are held against the converted files. Exits with 77 (skipped) without NumPy.
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
EXPECTED = json.loads((GOLDEN / "expected_hf_folders.json").read_text())["models"]
BITNET = ""


def run(*args):
    return subprocess.run([BITNET, *map(str, args)], capture_output=True, timeout=300, stdin=subprocess.DEVNULL,
                          env=ENVIRONMENT)


class HfFolders(unittest.TestCase):
    def setUp(self):
        self.work = tempfile.TemporaryDirectory()
        self.addCleanup(self.work.cleanup)
        self.dir = Path(self.work.name)

    def convert(self, source, name="out.gguf", *options):
        out = self.dir / name
        result = run("convert", source, out, *options)
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
        return out

    def folder(self, kind, name="folder", shards=1, seed=5):
        folder = self.dir / name
        hf_folders.write_folder(kind, folder, seed, shards)
        return folder

    def refused(self, pattern, source):
        """Nothing is left in the folder of the new file, not even in part."""
        out = self.dir / "new"
        out.mkdir(exist_ok=True)
        result = run("convert", source, out / "out.gguf")
        self.assertEqual((result.returncode, result.stdout), (1, b""))
        error = result.stderr.decode()
        self.assertRegex(error, pattern)
        self.assertEqual(error.count("\n"), 1, error)
        self.assertEqual(list(out.iterdir()), [])

    def test_every_kind_of_folder_becomes_the_tensors_and_keys_that_numpy_makes_of_it(self):
        for kind in hf_folders.KINDS:
            with self.subTest(kind=kind.name):
                metadata, tensors = read_gguf(self.convert(self.folder(kind, kind.name), f"{kind.name}.gguf"))
                wanted = hf_folders.expected_tensors(kind, 5)
                self.assertEqual(list(tensors), [tensor.name for tensor in wanted])
                for tensor in wanted:
                    self.assertEqual(tensors[tensor.name], tensor, tensor.name)
                keys = {key: value for key, value in metadata.items() if not key.startswith(("tokenizer.", "general."))}
                keys["general.architecture"] = metadata["general.architecture"]
                self.assertEqual(keys, hf_folders.expected_metadata(kind))

    def test_converted_models_have_the_logits_that_transformers_gives_the_folder(self):
        for record in EXPECTED:
            with self.subTest(kind=record["kind"]):
                kind = hf_folders.kind_named(record["kind"])
                out = self.convert(self.folder(kind, kind.name, seed=record["seed"]), f"{kind.name}.gguf")
                logits = oracle.logits_of(oracle.load_model(out, half_cache=False), record["prompt"])
                self.assertEqual(logits.argmax(axis=1).tolist(), record["argmax"])
                gap = np.abs(logits[-1, :len(record["last"])] - record["last"]).max()
                self.assertLess(gap, 1e-4 * record["spread"])

    def test_the_engine_computes_a_converted_folder_to_the_bit_as_the_file_that_numpy_writes(self):
        for kind in hf_folders.KINDS:
            with self.subTest(kind=kind.name):
                converted = self.convert(self.folder(kind, kind.name), f"{kind.name}.gguf")
                reference = self.dir / f"{kind.name}-numpy.gguf"
                hf_folders.write_expected(kind, 5, reference)
                outputs = []
                for model in (converted, reference):
                    result = run("run", "-m", model, "-p", "the heron in", "-n", "24", "--temp", "0", "--json", "--logprobs", "20")
                    self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
                    output = json.loads(result.stdout)
                    outputs.append((output["prompt_ids"], output["ids"], output["logprobs"]))
                self.assertEqual(*outputs)

    def test_packed_weights_and_masters_of_one_model_are_the_same_file(self):
        packed = self.convert(self.folder(hf_folders.kind_named("b158-packed"), "packed"), "packed.gguf")
        masters = self.convert(self.folder(hf_folders.kind_named("b158-masters"), "masters"), "masters.gguf")
        self.assertEqual(packed.read_bytes(), masters.read_bytes())

    def test_a_model_in_three_files_is_the_one_in_a_single_file(self):
        kind = hf_folders.kind_named("falcon")
        single = self.convert(self.folder(kind, "single"), "single.gguf")
        sharded = self.convert(self.folder(kind, "sharded", shards=3), "sharded.gguf", "-t", "1")
        self.assertEqual(single.read_bytes(), sharded.read_bytes())

    def test_f16_keeps_the_ternary_values_of_masters(self):
        kind = hf_folders.kind_named("b158-masters")
        _, tensors = read_gguf(self.convert(self.folder(kind), "out.gguf", "--type", "f16"))
        for name, masters in hf_folders.masters_of(kind, 5).items():
            if not hf_folders.is_projection(name):
                continue
            trits, scale = hf_folders.absmean(masters)
            tensor = tensors[name + ".weight"]
            self.assertEqual(tensor.type, "F16")
            wanted = (trits * scale.astype(np.float16)).astype(np.float64)
            np.testing.assert_array_equal(codecs_numpy.decode(tensor).reshape(wanted.shape), wanted)

    def test_a_plain_llama_is_ternarised_where_that_is_asked_for_and_refused_otherwise(self):
        folder = self.folder(hf_folders.kind_named("llama-dense"))
        result = run("convert", folder, self.dir / "refused.gguf", "--type", "i2_s")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr.decode(), "is not ternary")
        _, tensors = read_gguf(self.convert(folder, "out.gguf", "--type", "i2_s", "--ternarize"))
        self.assertEqual(tensors["blk.1.ffn_down.weight"].type, "I2_S")

    def test_what_is_wrong_with_a_folder_is_one_line_and_leaves_no_file(self):
        kind = hf_folders.kind_named("b158-packed")
        folder = self.folder(kind)
        weights = folder / "model.safetensors"
        whole, config = weights.read_bytes(), json.loads((folder / "config.json").read_text())
        weights.write_bytes(whole[:-1])
        self.refused("model.safetensors: the file is truncated", folder)
        weights.write_bytes(whole + b"\0")
        self.refused("1 bytes behind the last tensor", folder)
        weights.write_bytes(whole[:8] + b"[" + whole[9:])
        self.refused("not a safetensors file", folder)
        # A code 3 in the last packed weight, which is found when most of the file is written.
        tensors = hf_folders.stored_tensors(kind, hf_folders.masters_of(kind, 5))
        name = "model.layers.1.mlp.down_proj.weight"
        dtype, shape, data = tensors[name]
        hf_folders.write_safetensors(weights, tensors | {name: (dtype, shape, data[:-1] + b"\xff")})
        self.refused(f"tensor '{name}' has the code 3", folder)
        weights.write_bytes(whole)
        (folder / "config.json").write_text(json.dumps(config | {"vocab_size": 300}))
        self.refused("config.json asks for \\[300, 128\\]", folder)
        (folder / "config.json").write_text(json.dumps(config | {"architectures": ["MambaForCausalLM"]}))
        self.refused("'MambaForCausalLM' cannot be converted", folder)
        (folder / "config.json").unlink()
        self.refused("config.json", folder)

    def test_the_new_file_is_none_of_those_that_are_read(self):
        folder = self.folder(hf_folders.kind_named("falcon"))
        before = (folder / "config.json").read_bytes()
        result = run("convert", folder, folder / "config.json")
        self.assertEqual(result.returncode, 1)
        self.assertEqual((folder / "config.json").read_bytes(), before)


if __name__ == "__main__":
    BITNET = sys.argv.pop(1)
    unittest.main()
