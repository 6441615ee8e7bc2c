"""Where the tests of the Python binding find things, and what they share. See bindings/CMakeLists.txt for the environment."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
ROOT = Path(os.environ.get("BITNET_ROOT", FOLDER.parents[1]))
MODEL = os.environ.get("BITNET_MODEL", str(ROOT / "examples/stories/stories.gguf"))
INCLUDE = os.environ.get("BITNET_INCLUDE", str(ROOT))
LIBRARY = os.environ.get("BITNET_LIBRARY", "")
EXAMPLES = os.environ.get("BITNET_EXAMPLES", "")
CC = shlex.split(os.environ.get("CC", "cc"))

if not LIBRARY or not Path(LIBRARY).exists():
    raise RuntimeError("BITNET_LIBRARY does not name a libbitnet: build the library as a shared one")
sys.path.insert(0, str(FOLDER))

import bitnet  # noqa: E402

PROMPT = "Once upon a time"


def compile_c(source: Path, program: Path, *options: str) -> None:
    subprocess.run([*CC, "-std=c99", f"-I{INCLUDE}", str(source), "-o", str(program), *options], check=True)


class BitnetTest(unittest.TestCase):
    """Has the default model as self.model, opened once, and a folder that goes when the class is through."""

    model: bitnet.Model
    folder: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.model = bitnet.Model(MODEL)
        cls.addClassCleanup(cls.model.close)
        place = tempfile.TemporaryDirectory()
        cls.addClassCleanup(place.cleanup)
        cls.folder = Path(place.name)

    def context(self, **options) -> bitnet.Context:
        context = self.model.context(**{"n_threads": 1, **options})  # the model is too small for more to pay
        self.addCleanup(context.close)
        return context

    def greedy(self, context: bitnet.Context, prompt=PROMPT, n=24, **options) -> str:
        return context.generate(prompt, temperature=0, max_new_tokens=n, **options).text
