"""Runs `bitnet` without -m: the default model inside it must give the pinned text and figures, from any folder.

    default_model_test.py PATH_OF_BITNET PATH_OF_BITNET_WITHOUT_MODEL [unittest options]

Perplexity needs tinystories/valid.txt under BITNET_TEST_DATA (default: ../shared/data beside the checkout); without it
those tests say so and are skipped. BITNET_WRITE_GOLDEN=1 writes the figures into tests/golden/expected_stories.json.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = Path(os.environ.get("BITNET_TEST_DATA") or ROOT / "../shared/data")
VALID = DATA / "tinystories/valid.txt"
EXPECTED = ROOT / "tests/golden/expected_stories.json"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}
TIMEOUT = 600
FEW, MANY = 5, 200  # stories: for every level of kernels, and once
BITNET = WITHOUT_MODEL = ""


def run(*args, program=None, cwd=None):
    return subprocess.run([program or BITNET, *map(str, args)], capture_output=True, timeout=TIMEOUT, env=ENVIRONMENT,
                          cwd=cwd, stdin=subprocess.DEVNULL)


def run_json(*args, **kwargs):
    result = run(*args, "--json", **kwargs)
    assert result.returncode == 0, result.stderr.decode(errors="replace")
    return json.loads(result.stdout)


def levels():
    kernels = [k for k in run_json("kernels") if k["runnable"]]
    return list(dict.fromkeys(kernel["level"] for kernel in kernels))


def perplexity(n_stories, *args):
    """Tokens, bytes and the digits of the figures, as text: every digit counts."""
    result = run("perplexity", "-f", VALID, "--stories", "--limit", n_stories, *args)
    assert result.returncode == 0, result.stderr.decode(errors="replace")
    lines = dict(line.split() for line in result.stdout.decode().splitlines())
    return {key: lines[key] for key in ("nats_per_token", "bits_per_byte", "tokens", "bytes", "stories")}


class DefaultModel(unittest.TestCase):
    def setUp(self):
        self.expected = json.loads(EXPECTED.read_text(encoding="utf-8"))

    def test_greedy_text_is_pinned_for_every_level_of_kernels_and_from_any_folder(self):
        with tempfile.TemporaryDirectory() as elsewhere:
            for case in self.expected["prompts"]:
                for options in (["-t", 1], ["-t", 2], *(["--kernel", level] for level in levels())):
                    with self.subTest(prompt=case["prompt"], options=options):
                        found = run_json("run", "-p", case["prompt"], "-n", len(case["greedy"]), "--temp", 0, *options,
                                         cwd=elsewhere)
                        self.assertEqual((found["prompt_ids"], found["ids"], found["text"]),
                                         (case["ids"], case["greedy"], case["text"]))

    def test_the_program_knows_no_path_of_a_model_file(self):
        self.assertNotIn(b"stories.gguf", Path(BITNET).read_bytes())

    def test_a_seed_repeats_a_story_and_another_seed_tells_another(self):
        first = run_json("run", "-p", "One day", "-n", 60, "--seed", 1)
        self.assertEqual(run_json("run", "-p", "One day", "-n", 60, "--seed", 1)["ids"], first["ids"])
        self.assertNotEqual(run_json("run", "-p", "One day", "-n", 60, "--seed", 2)["ids"], first["ids"])

    def test_a_whole_story_ends_by_itself(self):
        reasons = {run_json("run", "-n", -1, "--seed", seed)["finish_reason"] for seed in range(1, 6)}
        self.assertIn("end", reasons)

    def test_any_bytes_are_a_prompt(self):
        for prompt in ("", "Zoë saw a 🐉!", "\x01\x02", "x" * 300):
            with self.subTest(prompt=prompt):
                self.assertEqual(run("run", "-p", prompt, "-n", 5).returncode, 0)

    def test_tokenize_and_inspect_take_the_default_model_too(self):
        case = self.expected["prompts"][0]
        self.assertEqual(run_json("tokenize", case["prompt"])["ids"], case["ids"])
        shown = run_json("inspect")
        self.assertTrue(shown["runs"], shown["problem"])
        self.assertEqual(shown["file"], "the default model")
        self.assertEqual(shown["model"]["architecture"], "bitnet-b1.58")
        self.assertEqual(shown["model"]["quantization"], "i2_s")

    def test_it_knows_no_chat(self):
        result = run("run", "--chat", "-p", "Hello")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr.decode(), r"\Abitnet: .*no chat format.*\n\Z")

    def test_a_build_without_a_default_model_says_what_to_do(self):
        for args in (("run", "-p", "x"), ("tokenize", "x"), ("inspect",), ("perplexity", "-f", __file__)):
            with self.subTest(args=args):
                result = run(*args, program=WITHOUT_MODEL)
                self.assertEqual((result.returncode, result.stdout), (2, b""))
                self.assertRegex(result.stderr.decode(), r"\Abitnet: no model given.*no default model.*-m FILE\n\Z")

    @unittest.skipUnless(VALID.exists(), f"no test data {VALID} (set BITNET_TEST_DATA)")
    def test_perplexity_is_pinned_to_the_last_digit(self):
        for level in levels():
            with self.subTest(level=level):
                self.assertEqual(perplexity(FEW, "--kernel", level), self.expected["perplexity"][str(FEW)])
        self.assertEqual(perplexity(MANY), self.expected["perplexity"][str(MANY)])


class Documents(unittest.TestCase):
    def test_the_figures_in_the_documents_are_the_pinned_ones(self):
        pinned = json.loads(EXPECTED.read_text(encoding="utf-8"))
        figures = pinned["perplexity"][str(MANY)]
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        card = (ROOT / "examples/stories/README.md").read_text(encoding="utf-8")
        self.assertIn(f"{float(figures['bits_per_byte']):.3f} bits per", readme)
        self.assertIn(pinned["prompts"][0]["text"].splitlines()[0], readme)
        self.assertIn(figures["bits_per_byte"], card)
        self.assertIn(figures["nats_per_token"], card)
        model = (ROOT / "examples/stories/stories.gguf").read_bytes()
        self.assertIn(hashlib.sha256(model).hexdigest(), card)
        self.assertIn(f"{len(model):,} bytes", card)


def write_golden():
    content = json.loads(EXPECTED.read_text(encoding="utf-8"))
    content["perplexity_of"] = "tinystories/valid.txt, its first stories"
    content["perplexity"] = {str(n): perplexity(n) for n in (FEW, MANY)}
    text = json.dumps(content, indent=1, ensure_ascii=False)
    text = re.sub(r"\[[\d,\s]+\]", lambda ids: re.sub(r"\s+", " ", ids[0]).replace("[ ", "[").replace(" ]", "]"), text)
    EXPECTED.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1].startswith("-"):
        sys.exit("usage: default_model_test.py PATH_OF_BITNET PATH_OF_BITNET_WITHOUT_MODEL [unittest options]")
    BITNET, WITHOUT_MODEL = (str(Path(sys.argv.pop(1)).resolve()) for _ in range(2))
    if os.environ.get("BITNET_WRITE_GOLDEN") == "1":
        write_golden()
    unittest.main()
