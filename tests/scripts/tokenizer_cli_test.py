"""`bitnet tokenizer` and --tokenizer: what is found, in which order, what is said of it.
Usage: tokenizer_cli_test.py PATH_OF_BITNET [unittest options]

Only the standard library and a golden model of the tree.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BITNET = ""
GOLDEN = Path(__file__).parents[1] / "golden" / "b158-i2s.gguf"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith(("BITNET_", "HF_", "XDG_CACHE"))}


def run(*args, **variables):
    return subprocess.run([BITNET, *map(str, args)], capture_output=True, timeout=120, env={**ENVIRONMENT, **variables})


def tokenizer_json(n_vocab):
    vocab = {"?": 0, "\u2581": 1, "a": 2, **{f"t{i}": i for i in range(3, n_vocab)}}
    return json.dumps({"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
                       "model": {"type": "BPE", "unk_token": "?", "merges": [], "vocab": vocab}})


class TokenizerTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.model = self.folder / "model.gguf"
        # The same model without a vocabulary: its keys are renamed in place, which keeps every offset.
        self.model.write_bytes(GOLDEN.read_bytes().replace(b"tokenizer.ggml.", b"unwanted_.ggml."))
        self.n_vocab = self.found(GOLDEN)["n_vocab"]

    def found(self, *args, **variables):
        result = run("tokenizer", *args, "--json", **variables)
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
        return json.loads(result.stdout)

    def refused(self, *args, **variables):
        result = run("tokenizer", *args, **variables)
        self.assertEqual(result.returncode, 1, result.stdout)
        message = result.stderr.decode()
        self.assertEqual(message.count("\n"), 1, message)
        return message

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def test_the_order_is_named_embedded_beside_cache_download(self):
        self.assertEqual(self.found(GOLDEN)["strategy"], "embedded")
        row = {"name": "mine", "repo": "me/mine", "files": ["tokenizer.json"], "cache_key": "mine",
               "expected_vocab": self.n_vocab}
        table = self.write("table.json", json.dumps({"tokenizers": [row]}))
        cache = self.folder / "cache"
        self.assertIn("me/mine", self.refused(self.model, "--table", table, BITNET_CACHE=str(cache)))
        self.assertIn("BITNET_OFFLINE", self.refused(self.model, "--table", table, "--offline"))
        self.assertIn("BITNET_OFFLINE", self.refused(self.model, "--table", table, BITNET_OFFLINE="1"))
        cached = self.write("cache/models--me--mine/snapshots/abc/tokenizer.json", tokenizer_json(self.n_vocab))
        found = self.found(self.model, "--table", table, BITNET_CACHE=str(cache))
        self.assertEqual((found["strategy"], found["path"], found["uses_cache"]), ("cached", str(cached), True))
        found = self.found(self.model, "--table", table, HF_HUB_CACHE=str(cache))
        self.assertEqual(found["strategy"], "cached")
        self.assertEqual(self.found(self.model, "--table", table, "--cache", cache)["path"], str(cached))
        beside = self.write("tokenizer.json", tokenizer_json(self.n_vocab - 1))
        found = self.found(self.model, "--table", table, BITNET_CACHE=str(cache))
        self.assertEqual((found["strategy"], found["path"]), ("discovered", str(beside)))
        self.assertEqual(found["tokenizer"]["n_vocab"], self.n_vocab)
        # Exactly as many tokens as rows, where that is asked for.
        found = self.found(self.model, "--table", table, BITNET_CACHE=str(cache), BITNET_STRICT_TOKENIZERS="1")
        self.assertEqual(found["strategy"], "cached")
        self.assertTrue(any("tokens" in step and str(beside) in step for step in found["steps"]), found["steps"])
        self.assertEqual(self.found(self.model, "--tokenizer", cached)["strategy"], "exact")

    def test_what_is_found_is_told_to_people_too(self):
        text = run("tokenizer", GOLDEN).stdout.decode()
        self.assertIn("the tokenizer inside the model file", text)
        self.assertIn("inside the model: used", text)
        message = self.refused(self.model)
        self.assertIn("name a tokenizer file", message)

    def test_a_model_runs_with_the_tokenizer_it_is_given(self):
        path = self.write("other/tokenizer.json", tokenizer_json(self.n_vocab))
        prompt = ("run", "-m", self.model, "-p", "aa", "-n", "2", "--temp", "0")
        self.assertEqual(run(*prompt).returncode, 1)
        for tokenizer in (path, path.parent):
            result = run(*prompt, "--tokenizer", tokenizer)
            self.assertEqual(result.returncode, 0, result.stderr)
        large = self.write("large.json", tokenizer_json(self.n_vocab + 1))
        result = run(*prompt, "--tokenizer", large)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"do not belong together", result.stderr)
        ids = json.loads(run("tokenize", "-m", path.parent, "--json", "aa").stdout)["ids"]
        self.assertEqual(ids, [2, 2])

    def test_bad_files_are_one_line_each(self):
        self.assertIn("none.gguf", self.refused(self.folder / "none.gguf"))
        self.assertIn("tokenizers", self.refused(self.model, "--table", self.write("t.json", "{}")))
        self.assertIn("not valid JSON", self.refused(self.model, "--tokenizer", self.write("x.json", "{")))


if __name__ == "__main__":
    BITNET = sys.argv.pop(1)
    unittest.main()
