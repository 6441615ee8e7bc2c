"""Compiles and runs every code block of the guides: docs_test.py --build DIR [--define NAME=VALUE]... [--write] [unittest options]

The build folder is installed into a temporary prefix and the guides are followed there as a reader would follow them. Each
guide has a folder of its own with model.gguf (the default model) and tiny.gguf (a golden one with random weights), and its
blocks run in it from top to bottom:
    ```c       a whole program: app.c, compiled against the package as C99 and as C11 without warnings, run as ./app
    ```cmake   a whole CMakeLists.txt: configured and built with the app.c above; its app must print what that one printed.
               After <!-- same as tests/install/... --> it is a file that the install tests build
    ```sh      commands, with the installed `bitnet` on the path; the last one must succeed, and so must all before it
    ```python  a script, with libbitnet on the library path
    ```text    exactly what the block above it prints on standard output
Any other fence is an error, so no block can go untested. --write puts what was printed into the text blocks instead; read
the difference before you commit it. Without pkg-config the script says so and exits with 77 (skipped).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("c", "cmake", "sh", "python", "text")
QUOTE = re.compile(r"<!-- same as (\S+) -->")
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
# The system's locale and the caller's settings must not show in what programs print.
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("BITNET_", "RAYON_", "LC_", "LANG"))}


@dataclass
class Block:
    language: str
    line: int  # of the opening fence, from 1
    end: int   # of the closing fence
    text: str
    quotes: str | None  # FILE of <!-- same as FILE -->


def parse(text: str) -> tuple[list[Block], list[str]]:
    """The fenced blocks of a guide, and what is wrong with them."""
    lines = text.splitlines()
    blocks: list[Block] = []
    problems: list[str] = []
    opened: int | None = None
    for number, line in enumerate(lines, 1):
        if opened is None and re.match(r"\s*(```|~~~)", line):
            if not re.fullmatch(r"```[a-z]+", line):
                problems.append(f"line {number}: '{line}' is no fence; write ``` and a language at the line's beginning")
            opened = number
        elif opened is not None and line.strip() in ("```", "~~~"):
            language = lines[opened - 1].lstrip("`~ ")
            quote = QUOTE.fullmatch(lines[opened - 2]) if opened > 1 else None
            blocks.append(Block(language, opened, number, "\n".join(lines[opened:number - 1]) + "\n", quote and quote[1]))
            if language not in LANGUAGES:
                problems.append(f"line {opened}: a block of '{language}' cannot be tested; use one of {', '.join(LANGUAGES)}")
            if language == "text" and (len(blocks) < 2 or blocks[-2].language == "text"):
                problems.append(f"line {opened}: a text block that no block above prints")
            opened = None
    if opened is not None:
        problems.append(f"line {opened}: the block never ends")
    return blocks, problems


class Package:
    """libbitnet and the command, installed from a build folder into a folder of its own."""

    def __init__(self, build: Path, prefix: Path, defines: list[str]):
        self.defines = defines
        subprocess.run(["cmake", "--install", build, "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)
        library = next(prefix.rglob("bitnet.pc")).parents[1]
        self.shared = bool(list(library.glob("libbitnet.so*")))
        self.environment = {
            **CLEAN, "LC_ALL": "C.UTF-8", "CMAKE_PREFIX_PATH": str(prefix), "LD_LIBRARY_PATH": str(library),
            "PATH": f"{prefix / 'bin'}{os.pathsep}{CLEAN['PATH']}",
            "PKG_CONFIG_PATH": os.pathsep.join(filter(None, [str(library / "pkgconfig"), CLEAN.get("PKG_CONFIG_PATH", "")])),
        }
        static = [] if self.shared else ["--static"]
        self.flags = subprocess.run(["pkg-config", "--cflags", "--libs", *static, "bitnet"], check=True, text=True,
                                    stdout=subprocess.PIPE, env=self.environment).stdout.split()


class Failed(Exception):
    pass


class Guide:
    """One guide, followed in a folder of its own."""

    def __init__(self, package: Package, folder: Path):
        self.package = package
        self.folder = folder
        self.printed = ""  # by the last program
        shutil.copy(ROOT / "examples/stories/stories.gguf", folder / "model.gguf")
        shutil.copy(ROOT / "tests/golden/b158-i2s.gguf", folder / "tiny.gguf")
        shutil.copy(ROOT / "tests/golden/lora-first.gguf", folder / "adapter.gguf")
        shutil.copy(ROOT / "tests/golden/b25-i2s-untied.gguf", folder / "base.gguf")  # of the adapter

    def run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.folder, env=self.package.environment, capture_output=True, timeout=600,
                              stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            shown = (done.stdout + done.stderr).decode(errors="replace")
            raise Failed(f"{' '.join(command)[:60]} ended with {done.returncode}:\n{shown}")
        return done.stdout.decode("utf-8")

    def run_c(self, block: Block) -> str:
        (self.folder / "app.c").write_text(block.text, encoding="utf-8")
        for standard in ("-std=c99", "-std=c11"):
            self.run(os.environ.get("CC", "cc"), standard, *WARNINGS, "app.c", "-o", "app", "-pthread", *self.package.flags)
        self.printed = self.run("./app")
        return self.printed

    def run_cmake(self, block: Block) -> str:
        if block.quotes:
            if not block.quotes.startswith("tests/install/"):
                raise Failed(f"quotes {block.quotes}, which no install test builds")
            return ""  # docs_rules.py compares the words
        if not (self.folder / "app.c").exists():
            raise Failed("a CMakeLists.txt with no program above it")
        (self.folder / "CMakeLists.txt").write_text(block.text, encoding="utf-8")
        build = f"build-{block.line}"
        self.run("cmake", "-G", "Ninja", "-S", ".", "-B", build, *(f"-D{define}" for define in self.package.defines))
        self.run("cmake", "--build", build)
        printed = self.run(f"{build}/app")
        if printed != self.printed:
            raise Failed(f"the program built with CMake prints\n{printed}and not\n{self.printed}")
        return printed

    def run_sh(self, block: Block) -> str:
        return self.run("sh", "-e", "-c", block.text)

    def run_python(self, block: Block) -> str:
        if not self.package.shared:
            raise unittest.SkipTest("Python blocks need the shared library")
        (self.folder / "app.py").write_text(block.text, encoding="utf-8")
        return self.run(sys.executable, "app.py")

    def follow(self, text: str) -> tuple[list[str], str]:
        """What is wrong with the guide, and the guide with what was really printed."""
        blocks, problems = parse(text)
        lines = text.splitlines()
        if problems:
            return problems, text
        outputs: list[tuple[Block, str]] = []
        printed = ""
        for block in blocks:
            try:
                if block.language != "text":
                    printed = getattr(self, f"run_{block.language}")(block)
                    continue
                outputs.append((block, printed))
                if printed.rstrip("\n") != block.text.rstrip("\n"):
                    problems.append(f"line {block.line}: the block above prints\n{printed}and not\n{block.text}")
            except Failed as failed:
                problems.append(f"line {block.line}: {failed}")
                break  # what follows may need it
        for block, printed in reversed(outputs):
            lines[block.line:block.end - 1] = printed.rstrip("\n").splitlines()
        return problems, "\n".join(lines) + "\n"


GUIDES = sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != "README.md")
package: Package
write = False


class Guides(unittest.TestCase):
    """One test per guide, made below."""

    def follow(self, path: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            problems, text = Guide(package, Path(folder)).follow(path.read_text(encoding="utf-8"))
        if write:
            path.write_text(text, encoding="utf-8")
            problems = [problem for problem in problems if "the block above prints" not in problem]
        if problems:
            self.fail("\n".join(f"{path.relative_to(ROOT)} {problem}" for problem in problems))

    def test_there_are_guides_and_the_index_names_each(self):
        index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
        self.assertNotIn("```", index, "the index has no code: nothing would run it")
        self.assertEqual(sorted(set(re.findall(r"\]\(([\w-]+\.md)\)", index))), [path.name for path in GUIDES])
        self.assertGreaterEqual(len(GUIDES), 10)


for guide in GUIDES:
    setattr(Guides, f"test_{guide.stem.replace('-', '_')}", lambda self, path=guide: self.follow(path))

HELLO = '#include <stdio.h>\nint main(void) { printf("hello\\n"); return 0; }\n'


class TheCheckItself(unittest.TestCase):
    """A guide with a fault does not pass."""

    def problems(self, text: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            return "\n".join(Guide(package, Path(folder)).follow(text)[0])

    def test_good_blocks_pass(self):
        self.assertEqual(self.problems(f"# G\n```c\n{HELLO}```\nprints\n```text\nhello\n```\n```sh\necho a\n```\n"), "")

    def test_faults_are_found(self):
        for text, expected in (
            ("```\nx\n```\n", "is no fence"),
            ("```rust\nfn main() {}\n```\n", "'rust' cannot be tested"),
            ("  ```c\nint x;\n```\n", "is no fence"),
            ("~~~c\nint x;\n~~~\n", "is no fence"),
            ("```c\nint main(void) { return 0; }\n", "never ends"),
            ("```text\nx\n```\n", "no block above prints"),
            (f"```c\n{HELLO}```\n```text\nhello!\n```\n", "and not\nhello!"),
            (f"```c\n{HELLO.replace('return', 'int unused; return')}```\n", "unused"),
            (f"```c\n{HELLO.replace('return 0', 'return 3')}```\n", "ended with 3"),
            ("```c\nint x;\n```\n", "undefined reference to `main'"),
            ("```sh\nfalse\ntrue\n```\n", "ended with 1"),
            ("```cmake\nproject(x)\n```\n", "no program above"),
            ("<!-- same as README.md -->\n```cmake\nx\n```\n", "no install test builds"),
        ):
            with self.subTest(text):
                self.assertIn(expected, self.problems(text))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--define", action="append", default=[])
    parser.add_argument("--write", action="store_true")
    options, rest = parser.parse_known_args()
    if shutil.which("pkg-config") is None:
        print("SKIPPED: no pkg-config here")
        sys.exit(77)
    write = options.write
    with tempfile.TemporaryDirectory() as installed:
        package = Package(options.build, Path(installed), options.define)
        unittest.main(argv=[sys.argv[0], *rest])
