"""The packages as their users meet them: package_test.py --source DIR --build DIR --work DIR

cpack makes them from the finished build; then the archive and the Debian packages are unpacked into folders of their own
(dpkg-deb -x: no root needed) and used: the command tells a story, a C program is compiled against the header and run. Checks
names, dependencies, licences and manual pages, SHA256SUMS, and the SBOM against what the programs really load and, where
cyclonedx-python-lib is installed, against CycloneDX's schema.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import unittest
from pathlib import Path

ARGUMENTS = argparse.Namespace()
HERE = Path(__file__).resolve().parent
# Settings of the caller must not decide what programs find.
CLEAN = {name: value for name, value in os.environ.items()
         if not name.startswith("BITNET_") and name not in ("LD_LIBRARY_PATH", "PKG_CONFIG_PATH", "DESTDIR")}


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run([str(part) for part in command], text=True, capture_output=True,
                          env={**CLEAN, "LC_ALL": "C", **environment}, check=False)
    if done.returncode != 0:
        raise AssertionError(f"ended with {done.returncode}: {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def needed(binary: Path) -> list[str]:
    return re.findall(r"\(NEEDED\).*\[(.+)\]", run("readelf", "-d", binary))


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder: Path = ARGUMENTS.work / "packages"
        shutil.rmtree(ARGUMENTS.work, ignore_errors=True)
        cls.folder.mkdir(parents=True)
        # gzip: half the time of what is handed out, and the same files inside.
        run("cpack", "--config", ARGUMENTS.build / "CPackConfig.cmake", "-B", cls.folder, "-D", "CPACK_DEBIAN_COMPRESSION_TYPE=gzip")
        header = (ARGUMENTS.source / "bitnet.h").read_text(encoding="utf-8")
        cls.version = ".".join(re.findall(r"^#define BITNET_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header, re.MULTILINE))
        major, minor, _ = cls.version.split(".")
        cls.soversion = f"0.{minor}" if major == "0" else major
        cls.machine = run("dpkg", "--print-architecture").strip()
        cls.debs = {name: cls.folder / f"{name}_{cls.version}-1_{cls.machine}.deb"
                    for name in (f"libbitnet{cls.soversion}", "libbitnet-dev", "bitnet")}
        cls.archive = cls.folder / f"bitnet-{cls.version}-linux-{platform.machine()}.tar.gz"
        cls.sbom = cls.folder / f"bitnet-{cls.version}-linux-{platform.machine()}.cdx.json"
        cls.root = ARGUMENTS.work / "root"
        for deb in cls.debs.values():
            run("dpkg-deb", "--extract", deb, cls.root)
        cls.libraries = cls.root / "usr/lib" / run("dpkg-architecture", "-qDEB_HOST_MULTIARCH").strip()
        with tarfile.open(cls.archive) as archive:
            cls.members = archive.getmembers()
            archive.extractall(ARGUMENTS.work / "unpacked")
        cls.prefix = ARGUMENTS.work / "unpacked" / cls.archive.name.removesuffix(".tar.gz")

    def field(self, package: str, name: str) -> str:
        return run("dpkg-deb", "--field", self.debs[package], name).strip()

    def tells_a_story(self, program: Path, **environment: str) -> None:
        # A private folder as HOME: the story must come from the model inside the program.
        tell = ("run", "-p", "Once upon a time", "-n", "16", "--temp", "0")
        text = run(program, *tell, HOME=str(ARGUMENTS.work), **environment)
        self.assertRegex(text, r"^,? \w+( \w+)+")
        self.assertEqual(text, run(ARGUMENTS.build / "bin/bitnet", *tell))
        server = program.with_name("bitnet-server")
        self.assertIn(f"bitnet-server {self.version}", run(server, "--version", **environment))

    def runs_ten_lines(self, program: Path, **environment: str) -> None:
        printed = run(program, **environment)
        self.assertIn(f"bitnet {self.version}\nBITNET_E_FILE_NOT_FOUND: ", printed)

    def test_every_package_is_there_and_in_the_sums(self):
        expected = {path.name for path in [*self.debs.values(), self.archive, self.sbom]}
        self.assertLessEqual(expected, {path.name for path in self.folder.iterdir()})
        if (ARGUMENTS.source / "bindings/python/wheel_backend.py").exists():
            wheels = [path.name for path in self.folder.glob(f"bitnet-{self.version}-py3-none-*.whl")]
            self.assertEqual(len(wheels), 1)
            expected.update(wheels)
        sums = dict(reversed(line.split("  ")) for line in (self.folder / "SHA256SUMS").read_text().splitlines())
        self.assertLessEqual(expected, sums.keys())
        for name, digest in sums.items():
            self.assertEqual(hashlib.sha256((self.folder / name).read_bytes()).hexdigest(), digest, name)

    def test_debian_packages_say_what_they_need(self):
        library = f"libbitnet{self.soversion}"
        for package in self.debs:
            self.assertEqual(self.field(package, "Package"), package)
            self.assertEqual(self.field(package, "Version"), f"{self.version}-1")
            self.assertEqual(self.field(package, "Architecture"), self.machine)
            self.assertIn("engine for ternary (BitNet b1.58) language models\n", self.field(package, "Description"))
        self.assertRegex(self.field(library, "Depends"), r"libc6 \(>= .*libpcre2-8-0")
        self.assertEqual(self.field("libbitnet-dev", "Depends"), f"{library} (= {self.version}-1)")
        self.assertIn(f"{library} (= {self.version}-1)", self.field("bitnet", "Depends"))
        self.assertRegex(self.field("bitnet", "Depends"), r"libcpp-httplib.*libssl3")
        control = ARGUMENTS.work / "control"
        run("dpkg-deb", "--control", self.debs[library], control)
        self.assertEqual((control / "shlibs").read_text().split()[:3], ["libbitnet", self.soversion, library])
        self.assertEqual((control / "triggers").read_text(), "activate-noawait ldconfig\n")
        self.assertEqual({path.name for path in control.iterdir()}, {"control", "md5sums", "shlibs", "triggers"})

    def test_debian_files_are_where_they_belong(self):
        library, owned = f"libbitnet{self.soversion}", {}
        for package, deb in self.debs.items():
            lines = run("dpkg-deb", "--contents", deb).splitlines()
            for line in lines:
                mode, owner = line.split()[:2]
                self.assertEqual(owner, "root/root", line)
                self.assertIn(mode, ("drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x", "lrwxrwxrwx"), line)
            owned[package] = {line.split()[5].removeprefix(".") for line in lines if not line.startswith("d")}
            for document in ("copyright", "changelog.Debian.gz"):
                self.assertIn(f"/usr/share/doc/{package}/{document}", owned[package])
        folder = f"/{self.libraries.relative_to(self.root)}"
        self.assertEqual({name for name in owned[library] if "/doc/" not in name},
                         {f"{folder}/libbitnet.so.{self.version}", f"{folder}/libbitnet.so.{self.soversion}"})
        self.assertLessEqual({"/usr/include/bitnet.h", f"{folder}/libbitnet.so", f"{folder}/pkgconfig/bitnet.pc"}, owned["libbitnet-dev"])
        self.assertEqual({name for name in owned["bitnet"] if "/doc/" not in name},
                         {"/usr/bin/bitnet", "/usr/bin/bitnet-server", "/usr/share/man/man1/bitnet.1.gz",
                          "/usr/share/man/man1/bitnet-server.1.gz"})
        self.assertIn("License: Expat\n Permission is hereby granted", (self.root / f"usr/share/doc/{library}/copyright").read_text())
        for program in ("bitnet", "bitnet-server"):
            self.assertNotRegex(run("readelf", "-d", self.root / "usr/bin" / program), "R(UN)?PATH")

    def test_manual_pages_name_every_command(self):
        page = gzip.decompress((self.root / "usr/share/man/man1/bitnet.1.gz").read_bytes()).decode()
        commands = re.findall(r"^  ([a-z-]+)  ", run(self.prefix / "bin/bitnet", "--help").split("Subcommands:")[1], re.MULTILINE)
        self.assertGreater(len(commands), 15)
        for command in commands:
            self.assertIn(f'.SS "bitnet {command}"'.replace("-", "\\-"), page)
        self.assertIn(".B \\-m,\\-\\-model FILE", page)
        self.assertIn("Listening", gzip.decompress((self.root / "usr/share/man/man1/bitnet-server.1.gz").read_bytes()).decode())

    def test_debian_programs_and_library_work(self):
        environment = {"LD_LIBRARY_PATH": str(self.libraries)}
        self.tells_a_story(self.root / "usr/bin/bitnet", **environment)
        program = ARGUMENTS.work / "ten_lines"
        flags = run("pkg-config", "--cflags", "--libs", "bitnet", PKG_CONFIG_PATH=str(self.libraries / "pkgconfig")).split()
        run("cc", "-std=c99", "-Werror", HERE / "ten_lines.c", "-o", program, *flags)
        self.runs_ten_lines(program, **environment)

    def test_debian_package_is_found_by_cmake(self):
        build = ARGUMENTS.work / "find"
        run("cmake", "-G", "Ninja", "-S", HERE / "find_package", "-B", build, f"-DCMAKE_PREFIX_PATH={self.root / 'usr'}")
        run("cmake", "--build", build)
        self.runs_ten_lines(build / "app")

    def test_archive_works_where_it_is_unpacked(self):
        for name in ("bitnet", "bitnet-server"):  # the library beside them, wherever that is
            self.assertRegex(run("readelf", "-d", self.prefix / "bin" / name), r"R(UN)?PATH.*\[\$ORIGIN/\.\./lib")
        self.tells_a_story(self.prefix / "bin/bitnet")
        program = ARGUMENTS.work / "unpacked_ten_lines"
        flags = run("pkg-config", "--cflags", "--libs", "bitnet", PKG_CONFIG_PATH=str(self.prefix / "lib/pkgconfig")).split()
        run("cc", "-std=c99", HERE / "ten_lines.c", "-o", program, *flags)
        self.runs_ten_lines(program, LD_LIBRARY_PATH=str(self.prefix / "lib"))
        names = {member.name.split("/", 1)[1] for member in self.members if not member.isdir()}
        self.assertLessEqual({"include/bitnet.h", "share/doc/bitnet/LICENSE", "share/doc/bitnet/bitnet.cdx.json", "share/man/man1/bitnet.1",
                              "lib/libbitnet.so", "bin/bitnet", "bin/bitnet-server"}, names)

    def test_archive_shows_nothing_of_who_made_it(self):
        self.assertEqual({(member.uid, member.gid) for member in self.members}, {(0, 0)})
        self.assertEqual(len({member.mtime for member in self.members}), 1)
        self.assertLessEqual({member.mode for member in self.members if member.isdir()}, {0o755})
        for names in ([member.name for member in self.members],
                      run("sh", "-c", 'dpkg-deb --fsys-tarfile "$1" | tar --list', "-", self.debs["bitnet"]).splitlines()):
            self.assertEqual([name.rstrip("/") for name in names], sorted(name.rstrip("/") for name in names))
        for path in filter(Path.is_file, [*self.prefix.rglob("*"), *self.root.rglob("*")]):
            content = path.read_bytes()
            for place in (ARGUMENTS.source, ARGUMENTS.build, ARGUMENTS.work):
                self.assertNotIn(bytes(place), content, path)

    def test_sbom_has_what_is_really_linked(self):
        bom = json.loads(self.sbom.read_text(encoding="utf-8"))
        self.assertEqual(bom["metadata"]["component"]["version"], self.version)
        listed = {match[1] for entry in bom["components"] if (match := re.match(r"pkg:deb/debian/([^@]+)@", entry.get("purl", "")))}
        for binary in (self.libraries / "libbitnet.so", self.root / "usr/bin/bitnet", self.root / "usr/bin/bitnet-server"):
            for name in needed(binary):
                if name.startswith("libbitnet"):
                    continue
                where = re.search(rf"^\s*{re.escape(name)} .*=> (\S+)", run("ldconfig", "--print-cache"), re.MULTILINE)
                owner = run("sh", "-c", 'dpkg-query --search "$1" || dpkg-query --search "/usr$1"', "-", where[1])
                self.assertIn(owner.split(":")[0].replace("+", "%2B"), listed, f"{binary.name} needs {name}")
        self.assertLessEqual({"nlohmann-json3-dev", "libcli11-dev", "libcpp-httplib-dev"}, listed)  # headers alone
        self.assertNotIn("doctest-dev", listed)
        model = next(entry for entry in bom["components"] if entry["type"] == "machine-learning-model")
        digest = hashlib.sha256((ARGUMENTS.source / "examples/stories/stories.gguf").read_bytes()).hexdigest()
        self.assertEqual(model["hashes"], [{"alg": "SHA-256", "content": digest}])
        for entry in bom["components"]:
            self.assertTrue(entry["type"] != "library" or entry["licenses"][0]["expression"], entry)

    def test_sbom_keeps_to_the_schema(self):
        try:
            from cyclonedx.schema import SchemaVersion
            from cyclonedx.validation.json import JsonStrictValidator
            validator = JsonStrictValidator(SchemaVersion.V1_5)
            problem = validator.validate_str(self.sbom.read_text(encoding="utf-8"))
        except ImportError as missing:
            self.skipTest(f"no cyclonedx-python-lib[json-validation] here: {missing}")
        self.assertIsNone(problem, problem)
        broken = self.sbom.read_text(encoding="utf-8").replace('"scope": "required"', '"scope": "perhaps"', 1)
        self.assertIsNotNone(validator.validate_str(broken))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for argument in ("source", "build", "work"):
        parser.add_argument(f"--{argument}", type=Path, required=True)
    _, rest = parser.parse_known_args(namespace=ARGUMENTS)
    for tool in ("cpack", "dpkg-deb", "dpkg-shlibdeps", "file", "pkg-config", "readelf"):
        if shutil.which(tool) is None:
            print(f"SKIPPED: no {tool} here (Debian: scripts/install-packages test)")
            sys.exit(77)
    unittest.main(argv=[sys.argv[0], *rest])
