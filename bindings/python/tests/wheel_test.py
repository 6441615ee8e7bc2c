"""The wheel: built as pip builds it, the same bytes every time, installed into a new environment, and used there.

Nothing of this checkout is visible there: no PYTHONPATH, no BITNET_LIBRARY; what runs is what the wheel carries.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile
from pathlib import Path

from python_test_support import FOLDER, LIBRARY, MODEL, PROMPT, bitnet

sys.path.insert(0, str(FOLDER))
import wheel_backend  # noqa: E402

PLAIN = {name: value for name, value in os.environ.items() if not name.startswith(("BITNET_", "PYTHON", "PIP_", "LD_"))}
PROGRAM = f"""
import bitnet, bitnet._library
with bitnet.Model({MODEL!r}) as model, model.context(n_threads=1) as context:
    print(context.generate({PROMPT!r}, temperature=0, max_new_tokens=24).text)
print("\\n".join(sorted({{line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}})))
"""

if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
    print(f"SKIPPED: {sys.executable} has no pip")
    sys.exit(77)


def run(*command: object, **variables: str) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env={**PLAIN, **variables},
                          check=False)
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


class Wheel(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        place = tempfile.TemporaryDirectory()
        cls.addClassCleanup(place.cleanup)
        cls.folder = Path(place.name)
        run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "-q", "-w", cls.folder, FOLDER, BITNET_LIBRARY=LIBRARY)
        cls.wheel, = cls.folder.glob("*.whl")

    def test_pip_builds_what_the_script_builds_byte_for_byte(self):
        made = Path(run(sys.executable, FOLDER / "wheel_backend.py", "--library", LIBRARY, "--out", self.folder / "script").strip())
        self.assertEqual((made.name, hashlib.sha256(made.read_bytes()).digest()),
                         (self.wheel.name, hashlib.sha256(self.wheel.read_bytes()).digest()))

    def test_its_names_and_records(self):
        version = re.escape(bitnet.__version__)
        self.assertRegex(self.wheel.name, rf"\Abitnet-{version}-py3-none-(manylinux_2_\d+|linux)_\w+\.whl\Z")
        with zipfile.ZipFile(self.wheel) as archive:
            names = archive.namelist()
            self.assertIn("bitnet/lib/libbitnet.so", names)
            self.assertEqual(archive.read("bitnet/lib/libbitnet.so"), Path(LIBRARY).read_bytes())
            self.assertIn("bitnet/py.typed", names)
            info = f"bitnet-{bitnet.__version__}.dist-info"
            record = archive.read(f"{info}/RECORD").decode()
            self.assertEqual([line.split(",")[0] for line in record.splitlines()], names)
            self.assertIn("\nRequires-Python: >=3.9\n", archive.read(f"{info}/METADATA").decode())
            self.assertIn(self.wheel.stem.split("-", 2)[2], archive.read(f"{info}/WHEEL").decode())

    def test_its_tag_asks_for_the_linux_that_it_needs(self):
        found = re.search(r"manylinux_2_(\d+)_", self.wheel.name)
        if found is None:
            self.skipTest("no manylinux tag fits this library")
        needed = subprocess.run(["objdump", "-T", LIBRARY], capture_output=True, text=True, check=True).stdout
        self.assertGreaterEqual(int(found[1]), max(int(n) for n in re.findall(r"GLIBC_2\.(\d+)", needed)))
        with self.assertRaises(SystemExit):
            wheel_backend.find_library({"library": "/no/such/libbitnet.so"})

    def test_installed_it_runs_on_what_it_carries(self):
        place = self.folder / "environment"
        run(sys.executable, "-m", "venv", "--without-pip", place)
        python = place / "bin" / "python"
        run(sys.executable, "-m", "pip", "--python", python, "install", "--no-index", "--no-deps", "-q", self.wheel)
        text, *maps = run(python, "-I", "-c", PROGRAM).splitlines()
        with bitnet.Model(MODEL) as model, model.context(n_threads=1) as context:
            expected = context.generate(PROMPT, temperature=0, max_new_tokens=24).text
        self.assertEqual(text, expected.split("\n")[0])
        packages = str(place.resolve() / "lib")
        ours = [path for path in maps if "bitnet" in Path(path).name or "pcre2" in Path(path).name]
        self.assertTrue(ours)
        for path in ours:
            self.assertTrue(path.startswith(packages), path)
        self.assertTrue(list(place.glob("lib/python*/site-packages/bitnet-*.dist-info/INSTALLER")))

    def test_the_source_archive_holds_what_builds_the_wheel(self):
        name = wheel_backend.build_sdist(str(self.folder))
        with tarfile.open(self.folder / name) as archive:
            base = name.removesuffix(".tar.gz")
            self.assertLessEqual({f"{base}/{part}" for part in ("PKG-INFO", "LICENSE", "README.md", "pyproject.toml",
                                                               "wheel_backend.py", "bitnet/__init__.py")},
                                 set(archive.getnames()))


if __name__ == "__main__":
    unittest.main()
