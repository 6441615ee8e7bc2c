"""Installs libbitnet and builds and runs a small C program against it, as a user would.

install_test.py <way> --source DIR --build DIR --work DIR [--define NAME=VALUE]...
way     find_package, pkg_config: installs the build folder given, and moves the installed tree before it is used
        subdirectory:             builds the library again inside another project
        static:                   builds and installs the static library, and uses it through CMake and pkg-config; then
                                  again as a self-contained one
--define is passed on to every configure step (compilers, launcher, build type).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def run(*command: str | Path, expect_failure: bool = False, **environment: str) -> str:
    """Runs a command and returns what it printed; ends the test when it does not end as expected."""
    print("+", *command, flush=True)
    done = subprocess.run([str(part) for part in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**os.environ, **environment}, check=False)
    if (done.returncode != 0) != expect_failure:
        print(done.stdout)
        sys.exit(f"install_test: ended with {done.returncode}: {' '.join(map(str, command))}")
    return done.stdout


def expect(condition: bool, message: str) -> None:
    if not condition:
        sys.exit(f"install_test: {message}")


class InstallTest:
    def __init__(self, arguments: argparse.Namespace):
        self.source: Path = arguments.source
        self.build: Path = arguments.build
        self.work: Path = arguments.work
        self.defines = [f"-D{define}" for define in arguments.define]
        header = (self.source / "bitnet.h").read_text(encoding="utf-8")
        self.version = ".".join(re.findall(r"^#define BITNET_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header, re.MULTILINE))
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)

    def run_program(self, program: Path, **environment: str) -> None:
        printed = run(program, **environment).splitlines()
        expect(len(printed) == 2 and printed[0] == f"bitnet {self.version}", f"the program printed {printed}")
        expect(printed[1].startswith("BITNET_E_FILE_NOT_FOUND: ") and "no-such-model.gguf" in printed[1],
               f"the error reads: {printed[1]}")

    def configure_and_build(self, project: str, *options: str | Path, target: str = "app") -> Path:
        folder = self.work / f"{project}-build"
        run("cmake", "-G", "Ninja", "-S", HERE / project, "-B", folder, *self.defines, *options)
        run("cmake", "--build", folder, "--target", target, "--parallel", "2")
        return folder

    def install(self, build: Path, moved: str = "moved") -> Path:
        """Installs, moves what was installed, and looks at it."""
        run("cmake", "--install", build, "--prefix", self.work / "first")
        prefix = self.work / moved
        (self.work / "first").rename(prefix)
        headers = [str(path.relative_to(prefix / "include")) for path in (prefix / "include").rglob("*")]
        expect(headers == ["bitnet.h"], f"the include folder holds {headers}")
        for script in [*prefix.rglob("*.cmake"), *prefix.rglob("*.pc")]:
            text = script.read_text(encoding="utf-8")
            for here in (str(self.work / "first"), str(build), str(self.source)):
                expect(here not in text, f"{script} names {here}")
        return prefix

    def find_package(self) -> None:
        prefix = self.install(self.build)
        major, minor, _ = self.version.split(".")
        soversion = f"{major}.{minor}" if major == "0" else major
        library = next(prefix.rglob(f"libbitnet.so.{self.version}"), None)
        expect(library is not None, "no libbitnet.so of this version was installed")
        dynamic = run("readelf", "-d", library)
        expect(f"soname: [libbitnet.so.{soversion}]" in dynamic, dynamic)
        expect("RPATH" not in dynamic and "RUNPATH" not in dynamic, dynamic)
        self.run_program(self.configure_and_build("find_package", f"-DCMAKE_PREFIX_PATH={prefix}") / "app")
        # Another compatibility line must not be taken for this one.
        other = self.work / "other.cmake"
        other.write_text(f"find_package(bitnet {major}.{int(minor) + 1} REQUIRED PATHS {prefix} NO_DEFAULT_PATH)\n")
        project = self.work / "other"
        project.mkdir()
        (project / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.16)\nproject(other LANGUAGES C)\n"
                                                f"include({other})\n")
        refused = run("cmake", "-G", "Ninja", "-S", project, "-B", self.work / "other-build", *self.defines, expect_failure=True)
        expect("compatible with requested version" in " ".join(refused.split()), refused)

    def compile_with_pkg_config(self, prefix: Path, *options: str, source: Path = HERE / "ten_lines.c") -> Path:
        folder = next(prefix.rglob("bitnet.pc")).parent
        path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PKG_CONFIG_PATH", "")]))
        version = run("pkg-config", "--modversion", "bitnet", PKG_CONFIG_PATH=path).strip()
        expect(version == self.version, f"bitnet.pc says version {version}")
        flags = run("pkg-config", "--cflags", "--libs", *options, "bitnet", PKG_CONFIG_PATH=path).split()
        program = self.work / "program"
        run(os.environ.get("CC", "cc"), "-std=c99", "-pedantic", "-Wall", "-Werror", source, "-o", program, *flags)
        return program

    def pkg_config(self) -> None:
        prefix = self.install(self.build)
        program = self.compile_with_pkg_config(prefix)
        self.run_program(program, LD_LIBRARY_PATH=str(next(prefix.rglob("libbitnet.so")).parent))

    def subdirectory(self) -> None:
        folder = self.configure_and_build("subdirectory", f"-DBITNET_DIR={self.source}")
        self.run_program(folder / "app")

    def static(self) -> None:
        build = self.work / "library"
        options = ["cmake", "-G", "Ninja", "-S", self.source, "-B", build, *self.defines, "-DBITNET_SHARED=OFF",
                   "-DBITNET_TESTS=OFF", "-DBITNET_EXAMPLES=OFF", "-DBITNET_SERVER=OFF"]
        texts = []
        for self_contained in ("OFF", "ON"):  # the second time nothing is compiled again
            run(*options, f"-DBITNET_SELF_CONTAINED={self_contained}")
            run("cmake", "--build", build, "--target", "bitnet", "--parallel", "2")
            prefix = self.install(build, f"moved-{self_contained}")
            archives = [path.name for path in prefix.rglob("*.a")]
            expect(archives == ["libbitnet.a"], f"installed archives: {archives}")
            expect(not list(prefix.rglob("*.so*")), "a static build installed a shared library")
            shutil.rmtree(self.work / "find_package-build", ignore_errors=True)
            for program in (self.configure_and_build("find_package", f"-DCMAKE_PREFIX_PATH={prefix}") / "app",
                            self.compile_with_pkg_config(prefix, "--static")):
                needed = re.findall(r"Shared library: \[(.+?)\]", run("readelf", "-d", program))
                unwanted = ("libbitnet", "libstdc++", "libpcre2") if self_contained == "ON" else ("libbitnet",)
                expect(bool(needed) and not [name for name in needed if name.startswith(unwanted)], f"{program} needs {needed}")
                self.run_program(program)
            story = self.compile_with_pkg_config(prefix, "--static", source=self.source / "examples/basic_generation.c")
            texts.append(run(story, self.source / "examples/stories/stories.gguf", "Once upon a time", BITNET_SEED="1"))
        expect(texts[0].startswith("Generated: ") and len(texts[0]) > 80 and texts[0] == texts[1], f"texts: {texts}")
        self.shows_nothing_else(prefix / next(prefix.rglob("libbitnet.a")))

    def shows_nothing_else(self, archive: Path) -> None:
        """A self-contained archive defines the functions of bitnet.h, and asks for nothing of C++ or PCRE2."""
        exported = (self.source / "tests/rules/exported_symbols.txt").read_text(encoding="utf-8")
        functions = set(re.findall(r"^bitnet_\w+", exported, re.MULTILINE))
        defined = {line.split()[-1] for line in run("nm", "-g", "--defined-only", archive).splitlines() if len(line.split()) == 3}
        expect(bool(functions) and defined == functions, f"defined, but not the interface's: {sorted(defined ^ functions)[:20]}")
        undefined = {line.split()[-1] for line in run("nm", "-u", archive).splitlines() if " U " in line}
        foreign = [name for name in undefined if name.startswith(("_Z", "pcre2_", "__cxa_throw", "__gxx"))]
        expect("malloc" in undefined and not foreign, f"undefined: {foreign}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=["find_package", "pkg_config", "subdirectory", "static"])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--define", action="append", default=[])
    parsed = parser.parse_args()
    if parsed.way == "pkg_config" and shutil.which("pkg-config") is None:
        print("SKIPPED: no pkg-config here")
        sys.exit(77)
    getattr(InstallTest(parsed), parsed.way)()
    print(f"install_test: {parsed.way} works")
