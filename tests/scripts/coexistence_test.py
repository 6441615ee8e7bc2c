"""Loads libbitnet with others into one process: coexistence_test.py LIBBITNET.so TwoVersions|WithLlama [unittest options]

TwoVersions: a second libbitnet, of another version. WithLlama: llama.cpp, that is the Python package xllamacpp, whose extension
shows all of llama.cpp's and ggml's symbols. Each case runs in a process of its own: coexistence_test.py --child CASE LIBRARY...
Reads symbol tables with nm and readelf (binutils).
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STORIES = ROOT / "examples/stories/stories.gguf"
FOR_BOTH = ROOT / "tests/golden/llama-f16.gguf"  # random weights, of an architecture that llama.cpp knows
LIBRARY = ""
PROMPT = b"Once upon a time"


class Engine:
    """libbitnet by the functions that need no struct."""

    def __init__(self, path: str, mode: int):
        self.library = ctypes.CDLL(path, mode)
        for name in ("bitnet_version_string", "bitnet_last_error"):
            getattr(self.library, name).restype = ctypes.c_char_p
        self.library.bitnet_model_get_tokenizer.restype = ctypes.c_void_p

    def check(self, status: int) -> None:
        if status != 0:
            raise RuntimeError(f"{status}: {self.library.bitnet_last_error().decode()}")

    def version(self) -> str:
        return self.library.bitnet_version_string().decode()

    def text(self, model_path: Path, n_tokens: int = 32) -> str:
        """What the most likely tokens are after the prompt."""
        call = self.library
        model, context = ctypes.c_void_p(), ctypes.c_void_p()
        self.check(call.bitnet_model_load(os.fsencode(model_path), None, ctypes.byref(model)))
        self.check(call.bitnet_context_create(model, None, ctypes.byref(context)))
        tokenizer = ctypes.c_void_p(call.bitnet_model_get_tokenizer(model))
        tokens, n = (ctypes.c_int32 * 64)(), ctypes.c_size_t()
        self.check(call.bitnet_tokenizer_encode(tokenizer, PROMPT, ctypes.c_size_t(len(PROMPT)), ctypes.c_uint32(1), tokens,
                                                ctypes.c_size_t(64), ctypes.byref(n)))
        logits, best, piece = ctypes.c_void_p(), ctypes.c_int32(), ctypes.create_string_buffer(256)
        written = b""
        for _ in range(n_tokens):
            self.check(call.bitnet_context_decode_tokens(context, 0, tokens, n))
            self.check(call.bitnet_context_get_logits(context, -1, ctypes.byref(logits)))
            n_vocab = ctypes.c_size_t(call.bitnet_tokenizer_get_n_vocab(tokenizer))
            self.check(call.bitnet_logits_argmax(logits, n_vocab, ctypes.byref(best)))
            tokens[0], n.value = best.value, 1
            size = ctypes.c_size_t()
            self.check(call.bitnet_tokenizer_decode(tokenizer, tokens, ctypes.c_size_t(1), ctypes.c_uint32(0), piece,
                                                    ctypes.c_size_t(256), ctypes.byref(size)))
            written += piece.raw[:size.value]
        call.bitnet_context_free(context)
        call.bitnet_model_free(model)
        return written.decode(errors="replace")

    def fail(self) -> str:
        model = ctypes.c_void_p()
        self.library.bitnet_model_load(b"no-such-model.gguf", None, ctypes.byref(model))
        return self.library.bitnet_last_error().decode()


def llama_text() -> str:
    """What llama.cpp writes; its extension is loaded with all its symbols in the open."""
    flags = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL)
    import xllamacpp
    sys.setdlopenflags(flags)
    params = xllamacpp.CommonParams()
    params.model.path = str(FOR_BOTH)
    params.n_parallel, params.n_ctx, params.warmup = 1, 256, False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    answer = xllamacpp.Server(params).handle_completions(
        {"prompt": PROMPT.decode(), "n_predict": 24, "temperature": 0, "seed": 1})
    return (json.loads(answer) if isinstance(answer, (str, bytes)) else answer)["choices"][0]["text"]


# What children do: each returns what is to be compared.

def child_alone(path: str) -> dict:
    engine = Engine(path, os.RTLD_NOW | os.RTLD_LOCAL)
    return {"version": engine.version(), "stories": engine.text(STORIES), "both": engine.text(FOR_BOTH)}


def child_two(first: str, second: str, mode: str) -> dict:
    engines = [Engine(path, os.RTLD_NOW | getattr(os, mode)) for path in (first, second)]
    # An error of one is none of the other, on the same thread.
    engines[0].fail()
    errors = [engine.library.bitnet_last_error().decode() for engine in engines]
    # A log of one hears nothing of the other.
    heard: list[list[str]] = [[], []]
    callback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    kept = [callback(lambda level, message, data, log=log: log.append(message.decode())) for log in heard]
    engines[0].library.bitnet_log_set_callback(kept[0], 0, None)
    engines[1].text(STORIES, 1)
    silent = len(heard[0])
    engines[0].text(STORIES, 1)
    engines[0].library.bitnet_log_set_callback(None, 0, None)
    # Both at the same time.
    texts: list[str] = ["", ""]

    def write(index: int) -> None:
        texts[index] = engines[index].text(STORIES)

    threads = [threading.Thread(target=write, args=(index,)) for index in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"versions": [engine.version() for engine in engines], "errors": errors, "texts": texts,
            "heard": [silent, len(heard[0]), len(heard[1])]}


def child_llama(path: str, first: str) -> dict:
    mode = os.RTLD_NOW | os.RTLD_GLOBAL
    if first == "bitnet":
        engine = Engine(path, mode)
        before = engine.text(FOR_BOTH)
        llama = llama_text()
    else:
        llama = llama_text()
        engine = Engine(path, mode)
        before = engine.text(FOR_BOTH)
    return {"both": before, "stories": engine.text(STORIES), "error": engine.fail(), "llama": llama, "llama_again": llama_text()}


def child_llama_alone() -> dict:
    return {"llama": llama_text()}


def run_child(case: str, *arguments: str) -> dict:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}
    done = subprocess.run([sys.executable, __file__, "--child", case, *arguments], capture_output=True, timeout=120, text=True,
                          env=environment, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{case} {arguments} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def symbols(path: str, *options: str) -> set[str]:
    lines = subprocess.run(["nm", "-D", *options, path], capture_output=True, check=True, text=True).stdout.splitlines()
    return {line.split()[-1].split("@")[0] for line in lines}


class TwoVersions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.alone = run_child("alone", LIBRARY)
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        # The same library under another path, and as its successor: another version, another soname of the same length.
        major, minor, _ = cls.alone["version"].split(".")
        cls.next_version = f"{major}.{int(minor) + 1}.7"
        code = Path(LIBRARY).read_bytes()
        cls.copy, cls.next = str(cls.folder / "copy.so"), str(cls.folder / "next.so")
        Path(cls.copy).write_bytes(code)
        changed = code.replace(cls.alone["version"].encode(), cls.next_version.encode())
        changed = changed.replace(f"libbitnet.so.{major}.{minor}\0".encode(), f"libbitnet.so.{major}.{int(minor) + 1}\0".encode())
        assert len(changed) == len(code) and changed != code
        Path(cls.next).write_bytes(changed)

    def test_two_versions_work_in_one_process(self):
        for mode in ("RTLD_LOCAL", "RTLD_GLOBAL"):
            for second, version in ((self.copy, self.alone["version"]), (self.next, self.next_version)):
                with self.subTest(mode=mode, version=version):
                    both = run_child("two", LIBRARY, second, mode)
                    self.assertEqual(both["versions"], [self.alone["version"], version])
                    self.assertEqual(both["texts"], [self.alone["stories"]] * 2)
                    self.assertIn("no-such-model.gguf", both["errors"][0])
                    self.assertEqual(both["errors"][1], "")
                    silent, first, other = both["heard"]
                    self.assertEqual((silent, other), (0, 0))
                    self.assertGreater(first, 0)

    def test_calls_of_its_own_functions_stay_inside(self):
        done = subprocess.run(["readelf", "--wide", "--relocs", LIBRARY], capture_output=True, check=True, text=True)
        self.assertIn("R_", done.stdout)
        self.assertEqual([line for line in done.stdout.splitlines() if " bitnet_" in line], [])


class WithLlama(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.alone = run_child("alone", LIBRARY)

    def test_llama_cpp_and_bitnet_write_in_one_process(self):
        expected = run_child("llama_alone")["llama"]
        self.assertGreater(len(expected), 8)
        self.assertGreater(len(self.alone["stories"]), 40)
        for first in ("bitnet", "llama"):
            with self.subTest(first=first):
                together = run_child("llama", LIBRARY, first)
                self.assertEqual((together["llama"], together["llama_again"]), (expected, expected))
                self.assertEqual((together["both"], together["stories"]), (self.alone["both"], self.alone["stories"]))
                self.assertIn("no-such-model.gguf", together["error"])

    def test_no_symbol_is_in_both(self):
        extension = next(Path(importlib.util.find_spec("xllamacpp").origin).parent.glob("xllamacpp*.so"))
        ours, theirs = symbols(LIBRARY, "--defined-only"), symbols(str(extension), "--defined-only")
        self.assertIn("bitnet_model_load", ours)
        self.assertIn("ggml_init", theirs)  # it does show its symbols
        self.assertIn("llama_decode", theirs)
        self.assertEqual(ours & theirs, set())
        self.assertEqual({name for name in ours if not name.startswith("bitnet_")}, set())
        self.assertEqual({name for name in symbols(LIBRARY, "--undefined-only") if name.startswith(("llama_", "ggml_"))}, set())


if __name__ == "__main__":
    if sys.argv[1] == "--child":
        print(json.dumps(globals()[f"child_{sys.argv[2]}"](*sys.argv[3:])), flush=True)
        os._exit(0)  # llama.cpp's threads are its own business
    LIBRARY = str(Path(sys.argv[1]).resolve())
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
