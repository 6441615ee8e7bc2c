"""The files written from bitnet.h are what would be written now, and a changed header changes them."""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "bindings" / "abi"))

import emit_python  # noqa: E402
from header_model import HEADER, read_header  # noqa: E402


CHANGES = {  # file: what is changed in the header, and what that file then says
    "_abi_constants.py": ("BITNET_FINISH_DEADLINE = 6", "BITNET_FINISH_DEADLINE = 7", "DEADLINE = 7"),
    "_abi_types.py": ("    int32_t use_mmap; ", "    int64_t use_mmap; ", '("use_mmap", c_int64)'),
    "_abi_functions.py": ("bitnet_model_free(bitnet_model *model)", "bitnet_model_free(bitnet_context *model)",
                          '("bitnet_model_free", None, (POINTER(bitnet_context),))'),
    "_records.py": ("    uint64_t n_parameters;      /* elements", "    double n_parameters;      /* elements",
                    "n_parameters: float"),
    "_options.py": ("    float top_p; ", "    float top_q; ", "top_q: float"),
}


class Emitted(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.header = read_header()

    def test_the_committed_files_are_what_would_be_written(self):
        for name, text in emit_python.Emitter(self.header).files().items():
            with self.subTest(name):
                committed = (emit_python.PACKAGE / name).read_text(encoding="utf-8")
                self.assertEqual(committed, text, "run bindings/abi/emit_python.py")

    def test_changes_of_the_header_show(self):
        text = HEADER.read_text(encoding="utf-8")
        for before, after, _ in CHANGES.values():
            self.assertIn(before, text)
            text = text.replace(before, after, 1)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bitnet.h"
            path.write_text(text, encoding="utf-8")
            changed = emit_python.Emitter(read_header(path)).files()
        for name, (_, _, said) in CHANGES.items():
            with self.subTest(name):
                self.assertIn(said, changed[name])
                self.assertNotIn(said, (emit_python.PACKAGE / name).read_text(encoding="utf-8"))

    def test_the_command_fails_for_a_stale_file(self):
        def run(*arguments: str) -> int:
            with mock.patch.object(sys, "argv", ["emit_python.py", *arguments]), contextlib.redirect_stdout(io.StringIO()):
                return emit_python.main()

        with tempfile.TemporaryDirectory() as folder, mock.patch.object(emit_python, "PACKAGE", Path(folder)), \
                mock.patch.object(emit_python, "read_header", lambda: self.header):
            self.assertEqual((run(), run("--check")), (0, 0))
            (Path(folder) / "_options.py").write_text("", encoding="utf-8")
            self.assertEqual(run("--check"), 1)
            (Path(folder) / "_records.py").unlink()
            self.assertEqual((run(), run("--check")), (0, 0))


if __name__ == "__main__":
    unittest.main()
