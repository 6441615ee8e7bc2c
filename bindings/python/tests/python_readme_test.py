"""The blocks of README.md, run one after the other as they stand there, beside the default model as model.gguf."""

from __future__ import annotations

import contextlib
import io
import os
import re
import textwrap
import unittest
from pathlib import Path

from python_test_support import FOLDER, MODEL, BitnetTest


class Readme(BitnetTest):
    def test_its_blocks_run(self):
        (self.folder / "model.gguf").symlink_to(Path(MODEL).resolve())
        text = (FOLDER / "README.md").read_text(encoding="utf-8")
        blocks = re.findall(r"^( *)```python\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
        self.assertEqual(len(blocks), 11)
        before, names, printed = Path.cwd(), {}, []
        os.chdir(self.folder)
        try:
            for _, block in blocks:
                out = io.StringIO()
                with contextlib.redirect_stdout(out):
                    exec(compile(textwrap.dedent(block), "README.md", "exec"), names)
                printed.append(out.getvalue())
        finally:
            os.chdir(before)
            for name in ("other", "context", "model"):
                names[name].close()
        self.assertGreater(len(printed[0]), 100)
        self.assertIn("bitnet-b1.58", printed[1])
        self.assertRegex(printed[5], r'(?s)\A\{.*"name".*\}\n(yes|no)\n\Z')
        self.assertEqual(printed[7], "DEADLINE\n")
        self.assertIn("BITNET_E_FILE_NOT_FOUND missing.gguf: ", printed[8])
        self.assertEqual(printed[10], "True\n")


if __name__ == "__main__":
    unittest.main()
