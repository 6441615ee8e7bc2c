"""Builds the C# binding with Mono and tests it: csharp_binding_test.py [unittest options]

Environment: BITNET_LIBRARY (the shared library; required), BITNET_INCLUDE (folder of bitnet.h), BITNET_MODEL (default: the
stories model), BITNET_EXAMPLES (folder of the C examples; without it theirs are not compared), BITNET_BUILD (where to build),
CC. Without mcs and mono (Debian: mono-mcs, mono-runtime) it says so and exits with 77: skipped.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree
from pathlib import Path

BINDING = Path(__file__).resolve().parents[1]
ROOT = BINDING.parents[1]
EMITTER = ROOT / "bindings/abi/emit_csharp.py"
EXAMPLES = ("BasicGeneration", "StreamingGeneration", "DeviceSelection")
LIBRARY = os.environ.get("BITNET_LIBRARY", "")
INCLUDE = os.environ.get("BITNET_INCLUDE", str(ROOT))
MODEL = os.environ.get("BITNET_MODEL", str(ROOT / "examples/stories/stories.gguf"))
C_EXAMPLES = os.environ.get("BITNET_EXAMPLES", "")
CC = os.environ.get("CC", "cc")
# One thread: the test shares two cores with others, and texts do not depend on it.
ENVIRONMENT = {**{key: value for key, value in os.environ.items() if not key.startswith("BITNET_")},
               "BITNET_LIBRARY": LIBRARY, "BITNET_MODEL": MODEL, "BITNET_ROOT": str(ROOT), "BITNET_NUM_THREADS": "1"}
BUILD = Path()


def run(*command, **variables):
    done = subprocess.run([str(part) for part in command], capture_output=True, timeout=240, env={**ENVIRONMENT, **variables},
                          check=False)
    return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")


def must(*command):
    code, text, error = run(*command)
    if code != 0:
        raise AssertionError(f"{' '.join(map(str, command))}\n{text}{error}")
    return text


def readme_program():
    """The blocks of README.md, one after the other, in one program. Mono's compiler does not know "await foreach"."""
    blocks = re.findall(r"^```csharp\n(.*?)^```$", (BINDING / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    blocks = [block for block in blocks if "static void Main" not in block and "await foreach" not in block]
    body = "".join(f"{{ {block} }}\n" for block in blocks)
    return ("using System; using BitNet; static class P { static void Main(string[] a) { string modelPath = a[0]; "
            "using (Model model = Model.Load(modelPath)) using (Context context = model.CreateContext()) {\n" + body + "} } }\n")


def setUpModule():
    """Everything is compiled once; warnings are errors."""
    if not Path(LIBRARY).is_file():
        raise AssertionError(f"BITNET_LIBRARY is no file: '{LIBRARY}'")
    sources = sorted(BINDING.glob("BitNet/*.cs")) + sorted(BINDING.glob("BitNet/Interop/*.cs"))
    compile_cs = ("mcs", "-nologo", "-warnaserror", "-unsafe")
    must(*compile_cs, "-target:library", f"-doc:{BUILD / 'BitNet.xml'}", "-nowarn:1591,1573", f"-out:{BUILD / 'BitNet.dll'}", *sources)
    must(*compile_cs, f"-r:{BUILD / 'BitNet.dll'}", f"-out:{BUILD / 'BitNet.Tests.exe'}", *sorted(BINDING.glob("tests/*.cs")))
    for name in EXAMPLES:
        must(*compile_cs, f"-r:{BUILD / 'BitNet.dll'}", f"-out:{BUILD / name}.exe", BINDING / f"examples/{name}.cs")
    must(*compile_cs, f"-r:{BUILD / 'BitNet.dll'}", f"-out:{BUILD / 'FirstProgram.exe'}", BINDING / "examples/FirstProgram.cs")
    (BUILD / "ReadmeBlocks.cs").write_text(readme_program(), encoding="utf-8")
    must(*compile_cs, f"-r:{BUILD / 'BitNet.dll'}", f"-out:{BUILD / 'ReadmeBlocks.exe'}", BUILD / "ReadmeBlocks.cs")
    must(CC, "-I", INCLUDE, BINDING / "tests/greedy_reference.c", LIBRARY, f"-Wl,-rpath,{Path(LIBRARY).parent}", "-o",
         BUILD / "greedy_reference")


class CSharpBinding(unittest.TestCase):
    def test_the_raw_layer_is_what_the_emitter_writes(self):
        code, text, error = run(sys.executable, EMITTER, "--check")
        if "No module named 'pycparser'" in error:
            self.skipTest("no pycparser (Debian: python3-pycparser)")
        self.assertEqual((code, text, error), (0, "", ""))

    def test_conformance_and_api(self):
        """C01 to C16, struct layouts against C, the rest of the safe layer: BitNet.Tests.exe."""
        reference = subprocess.run([BUILD / "greedy_reference", MODEL], capture_output=True, env=ENVIRONMENT, check=True)
        (BUILD / "greedy.txt").write_bytes(reference.stdout)
        code, program, error = run(sys.executable, EMITTER, "--layout-c")
        if "No module named 'pycparser'" in error:
            self.skipTest("no pycparser (Debian: python3-pycparser)")
        (BUILD / "layout.c").write_text(program, encoding="utf-8")
        must(CC, "-I", INCLUDE, BUILD / "layout.c", "-o", BUILD / "layout")
        (BUILD / "layout.txt").write_text(must(BUILD / "layout"), encoding="utf-8")
        code, text, error = run("mono", BUILD / "BitNet.Tests.exe", BITNET_GREEDY_TEXT=str(BUILD / "greedy.txt"),
                                BITNET_LAYOUT=str(BUILD / "layout.txt"))
        print(text, end="")
        self.assertEqual((code, error), (0, ""), text)
        passed = set(re.findall(r"^passed +\w+\.(C\d\d)_", text, flags=re.MULTILINE))
        self.assertEqual(passed, {f"C{number:02d}" for number in range(1, 17)}, "each scenario of conformance.md")

    def test_examples_write_what_the_c_examples_write(self):
        if not C_EXAMPLES:
            self.skipTest("BITNET_EXAMPLES is not set: the C examples were not built")
        for name, c_name in zip(EXAMPLES, ("basic_generation", "streaming_generation", "device_selection")):
            expected = run(Path(C_EXAMPLES) / f"bitnet_{c_name}", MODEL, BITNET_SEED="11")
            found = run("mono", BUILD / f"{name}.exe", MODEL, BITNET_SEED="11")
            self.assertEqual(expected[0], 0, expected)
            if name == "DeviceSelection":  # free memory moves from run to run
                expected, found = ((*side[:1], re.sub(r"^cpu: \d+ of", "cpu: N of", side[1]), side[2]) for side in (expected, found))
            self.assertGreater(len(found[1]), 80)
            self.assertEqual(found, expected, name)

    def test_the_blocks_of_the_readme_run(self):
        code, text, error = run("mono", BUILD / "FirstProgram.exe", MODEL)
        self.assertEqual((code, error), (0, ""))
        self.assertGreater(len(text), 80)
        code, text, error = run("mono", BUILD / "ReadmeBlocks.exe", MODEL)
        self.assertEqual((code, error), (0, ""))
        for part in ("Length, 60 tokens", "Hello, 🌍", "\n256\n", "FileNotFound of Io", "100 %", "Info: loaded"):
            self.assertIn(part, text)

    def test_the_package_has_the_version_of_the_header(self):
        header = (ROOT / "bitnet.h").read_text(encoding="utf-8")
        version = ".".join(re.search(rf"#define BITNET_VERSION_{part} (\d+)", header)[1] for part in ("MAJOR", "MINOR", "PATCH"))
        project = xml.etree.ElementTree.parse(BINDING / "BitNet/BitNet.csproj")
        self.assertEqual(project.findtext("PropertyGroup/Version"), version)
        for file in project.findall("ItemGroup/None"):
            if "$" not in file.get("Include"):
                self.assertTrue((BINDING / "BitNet" / file.get("Include")).is_file(), file.get("Include"))

    def test_examples_say_what_is_wrong(self):
        for name in EXAMPLES:
            code, text, error = run("mono", BUILD / f"{name}.exe", "/no/such.gguf")
            self.assertEqual((code, text), (1, ""))
            self.assertIn("/no/such.gguf", error)
        code, _, error = run("mono", BUILD / "DeviceSelection.exe", MODEL, "metal")
        self.assertEqual(code, 1)
        self.assertIn("metal", error)

    def test_a_library_that_is_missing_or_of_another_version_is_refused(self):
        """C14 from outside: a library that only knows its version."""
        code, _, error = run("mono", BUILD / "BasicGeneration.exe", MODEL, BITNET_LIBRARY="/no/such/libbitnet.so")
        self.assertEqual(code, 1)
        self.assertIn("set BITNET_LIBRARY", error)
        for number, version in ((200, "0.2"), (10000, "1.0")):
            source = BUILD / "other_version.c"
            source.write_text(f"unsigned bitnet_version_number(void) {{ return {number}; }}\n", encoding="utf-8")
            other = BUILD / f"libother{number}.so"
            must(CC, "-shared", "-fPIC", source, "-o", other)
            code, _, error = run("mono", BUILD / "BasicGeneration.exe", MODEL, BITNET_LIBRARY=str(other))
            self.assertEqual(code, 1)
            self.assertIn(f"has version {version}; this binding needs 0.1", error)

    def test_a_library_beside_the_assembly_is_found(self):
        folder = BUILD / "beside"
        folder.mkdir(exist_ok=True)
        for name in ("BitNet.dll", "BasicGeneration.exe"):
            shutil.copy(BUILD / name, folder)
        link = folder / "libbitnet.so.0.1"
        link.unlink(missing_ok=True)
        link.symlink_to(LIBRARY)
        code, text, error = run("mono", folder / "BasicGeneration.exe", MODEL, BITNET_LIBRARY="")
        self.assertEqual((code, error), (0, ""))
        self.assertIn("Generated: ", text)


if __name__ == "__main__":
    missing = [tool for tool in ("mcs", "mono") if shutil.which(tool) is None]
    if missing:
        print(f"SKIPPED: no {' and '.join(missing)} for the C# binding (Debian: apt-get install mono-mcs mono-runtime)")
        sys.exit(77)
    if os.environ.get("BITNET_BUILD"):
        BUILD = Path(os.environ["BITNET_BUILD"])
        BUILD.mkdir(parents=True, exist_ok=True)
        unittest.main(verbosity=2)
    with tempfile.TemporaryDirectory() as temporary:
        BUILD = Path(temporary)
        unittest.main(verbosity=2)
