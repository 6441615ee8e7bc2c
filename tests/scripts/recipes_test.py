"""The recipes of cmake/packaging fit the sources: recipes_test.py [unittest options]

Conan's and vcpkg's own programs are not needed. The port runs in `cmake -P` with vcpkg's functions recording how they are
called. `conan create cmake/packaging/conan` and `vcpkg install` do the rest, by hand: they compile everything.
"""

import ast
import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PORT = ROOT / "cmake/packaging/vcpkg"
CONAN = ROOT / "cmake/packaging/conan"
VCPKG_FUNCTIONS = ("vcpkg_cmake_configure", "vcpkg_cmake_install", "vcpkg_cmake_config_fixup", "vcpkg_fixup_pkgconfig",
                   "vcpkg_copy_pdbs", "vcpkg_install_copyright")
# vcpkg's manifest format; docs: "vcpkg.json Reference".
MANIFEST_FIELDS = {"name", "version", "port-version", "description", "homepage", "documentation", "license", "supports",
                   "dependencies", "features", "default-features"}


def version() -> str:
    header = (ROOT / "bitnet.h").read_text(encoding="utf-8")
    return ".".join(re.findall(r"^#define BITNET_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header, re.MULTILINE))


def build_options() -> set[str]:
    return set(re.findall(r"^option\((BITNET_\w+)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"), re.MULTILINE))


class Vcpkg(unittest.TestCase):
    def run_port(self, linkage: str) -> dict[str, list[str]]:
        """The port's calls of vcpkg's functions, by name."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "packages/debug/include").mkdir(parents=True)
            lines = [f'function({function})\nmessage(STATUS "{function};${{ARGV}}")\nendfunction()' for function in VCPKG_FUNCTIONS]
            lines += [f'set(CURRENT_PORT_DIR "{PORT}")', f'set(CURRENT_PACKAGES_DIR "{folder}/packages")', "set(PORT bitnet)",
                      f"set(VCPKG_LIBRARY_LINKAGE {linkage})", f'include("{PORT}/portfile.cmake")']
            (folder / "run.cmake").write_text("\n".join(lines), encoding="utf-8")
            done = subprocess.run(["cmake", "-P", folder / "run.cmake"], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual((folder / "packages/share/bitnet/usage").read_bytes(), (PORT / "usage").read_bytes())
            self.assertFalse((folder / "packages/debug/include").exists())
        calls = (line.removeprefix("-- ").split(";") for line in done.stdout.splitlines() if line.startswith("-- vcpkg_"))
        return {call[0]: call[1:] for call in calls}

    def test_the_port_builds_this_checkout_with_options_that_exist(self):
        for linkage, shared in (("dynamic", "TRUE"), ("static", "FALSE")):
            calls = self.run_port(linkage)
            self.assertEqual(set(calls), set(VCPKG_FUNCTIONS))
            arguments = calls["vcpkg_cmake_configure"]
            source = Path(arguments[arguments.index("SOURCE_PATH") + 1])
            self.assertEqual(source.resolve(), ROOT)
            options = dict(argument[2:].split("=") for argument in arguments if argument.startswith("-D"))
            self.assertLessEqual(set(options), build_options())
            self.assertIn(options.pop("BITNET_SHARED"), (shared, shared.capitalize(), "1" if shared == "TRUE" else "0"))
            self.assertEqual(set(options.values()), {"OFF"})
            self.assertTrue((ROOT / "LICENSE").samefile(calls["vcpkg_install_copyright"][1]))

    def test_the_manifest_is_one(self):
        manifest = json.loads((PORT / "vcpkg.json").read_text(encoding="utf-8"))
        self.assertLessEqual(set(manifest), MANIFEST_FIELDS)
        self.assertEqual((manifest["name"], manifest["version"]), ("bitnet", version()))
        names = [one if isinstance(one, str) else one["name"] for one in manifest["dependencies"]]
        self.assertEqual(names, sorted(names))
        for name in names:
            self.assertRegex(name, r"\A[a-z0-9]+(-[a-z0-9]+)*\Z")
        # What cmake/dependencies.cmake looks for, and the two that have the functions above.
        self.assertEqual(set(names), {"nlohmann-json", "pcre2", "vcpkg-cmake", "vcpkg-cmake-config"})
        found = re.findall(r"find_package\((\w+)", (ROOT / "cmake/dependencies.cmake").read_text(encoding="utf-8"))
        self.assertEqual(set(found), {"Threads", "PCRE2", "nlohmann_json"})


class Conan(unittest.TestCase):
    def test_the_recipe_takes_sources_and_options_that_exist(self):
        text = (CONAN / "conanfile.py").read_text(encoding="utf-8")
        tree = ast.parse(text)
        sources = next(ast.literal_eval(node.value) for node in tree.body
                       if isinstance(node, ast.Assign) and node.targets[0].id == "SOURCES")
        for pattern in sources:
            self.assertTrue(any(ROOT.glob(pattern)), pattern)
        # Every folder that the library is compiled from is among them.
        built = re.findall(r"^bitnet_internal_library\(\w+ ([\w-]+)\)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"), re.MULTILINE)
        self.assertEqual(len(built), 3)
        self.assertLessEqual({f"{folder}/*" for folder in built}, set(sources))
        named = set(re.findall(r'"(BITNET_\w+)"', text)) - {"BITNET_STATIC"}
        self.assertGreaterEqual(len(named), 5)
        self.assertLessEqual(named, build_options())
        self.assertIn(f"bitnet/{version()}`", (ROOT / "cmake/packaging/README.md").read_text(encoding="utf-8"))

    def test_the_test_package_is_a_project_that_exists(self):
        text = (CONAN / "test_package/conanfile.py").read_text(encoding="utf-8")
        folder = re.search(r'build_script_folder="([^"]+)"', text)[1]
        self.assertTrue((CONAN / "test_package" / folder / "CMakeLists.txt").is_file())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
