"""Every combination of the build's options configures: options_test.py --source DIR --work DIR [--define NAME=VALUE]...

One folder is configured again and again, so the compiler is looked at once, and the build files must hold exactly the programs
that each combination asks for. The smallest combination is also built, by install_static, and the largest by this build.
Also: what a version does not have is refused or named, never ignored.
"""

from __future__ import annotations

import argparse
import itertools
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

ARGUMENTS = argparse.Namespace()
# In the order of the product below; each with the outputs that are there when it is ON.
PROGRAMS = {"BITNET_EXAMPLES": {"bin/bitnet", "bitnet_basic_generation"}, "BITNET_SERVER": {"bin/server"}, "BITNET_TESTS": {"test_api"}}


class Options(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        shutil.rmtree(ARGUMENTS.work, ignore_errors=True)

    def configure(self, *options: str) -> tuple[int, str]:
        done = subprocess.run(["cmake", "-G", "Ninja", "-S", ARGUMENTS.source, "-B", ARGUMENTS.work,
                               *[f"-D{define}" for define in ARGUMENTS.define], *options],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def outputs(self) -> set[str]:
        text = (ARGUMENTS.work / "build.ninja").read_text(encoding="utf-8")
        return {output.removeprefix("./") for line in re.findall(r"^build ([^:|]+)[^:]*: \w+_(?:EXECUTABLE|LIBRARY)_LINKER", text,
                                                                 re.MULTILINE) for output in line.split()}

    def test_every_combination_configures_and_builds_what_it_says(self):
        count = 0
        for shared, *programs in itertools.product(("ON", "OFF"), repeat=1 + len(PROGRAMS)):
            count += 1
            # Options that only change how things are built come along in turn.
            others = {"BITNET_INSTALL": count % 2, "BITNET_WERROR": count // 2 % 2, "BITNET_REPRODUCIBLE": count // 3 % 2}
            options = [f"-DBITNET_SHARED={shared}", *(f"-D{name}={value}" for name, value in zip(PROGRAMS, programs)),
                       *(f"-D{name}={'ON' if value else 'OFF'}" for name, value in others.items()),
                       f"-DBITNET_DEFAULT_MODEL={'' if count % 4 == 0 else 'examples/stories/stories.gguf'}"]
            with self.subTest(" ".join(options)):
                code, printed = self.configure(*options)
                self.assertEqual(code, 0, printed)
                self.assertNotIn("CMake Warning", printed)
                outputs = self.outputs()
                self.assertEqual("lib/libbitnet.a" in outputs, shared == "OFF", outputs)
                self.assertEqual(any(name.startswith("lib/libbitnet.so") for name in outputs), shared == "ON", outputs)
                for names, value in zip(PROGRAMS.values(), programs):
                    for name in names:
                        there = any(output == name or output.endswith(f"/{name}") for output in outputs)
                        self.assertEqual(there, value == "ON", f"{name}: {sorted(outputs)}")
        self.assertEqual(count, 16)

    def test_what_is_not_there_is_refused_or_named(self):
        code, printed = self.configure("-DBITNET_CUDA=ON", "-DBITNET_NVCC=/nowhere/nvcc")
        self.assertNotEqual(code, 0)
        self.assertIn("BITNET_CUDA: nvcc not found.", printed)
        code, printed = self.configure("-DBITNET_CUDA=OFF", "-UBITNET_NVCC", "-DBITNET_WINGS=ON")
        self.assertEqual(code, 0, printed)
        self.assertIn("BITNET_WINGS: there is no such option", " ".join(printed.split()))
        self.configure("-UBITNET_WINGS")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--define", action="append", default=[])
    _, rest = parser.parse_known_args(namespace=ARGUMENTS)
    unittest.main(argv=[sys.argv[0], *rest])
