"""The tree stays findable: tree_rules.py [root]. File names are unique, files short and opened by a comment, nothing is
promised for later in a comment, and the top level stays small enough to read at a glance. No source of the library calls
what ends the process."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import source_tree

MAX_LINES = 700
ONE_FILE_BY_DESIGN = {"bitnet.h"}  # the whole interface is one header
MAX_TOP_LEVEL = 18
# Names a tool demands in every folder, or in every crate.
REPEATED = {"CMakeLists.txt", "README.md", ".gitignore", "__init__.py", "Cargo.toml", "go.mod", "lib.rs", "build.rs",
            "conanfile.py"}
LIBRARY = ("kernels/", "ggml-like/", "src/")
# Compilers put std::terminate into objects by themselves, so no_abort_no_print cannot see who meant it.
ENDS_THE_HOST = re.compile(r"\b(terminate|__builtin_trap|__builtin_unreachable|_Exit)\s*\(")
LATER = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b")


def opens_with_comment(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and lines[0].startswith("#!"):
        lines = lines[1:]
    return bool(lines) and lines[0].lstrip().startswith(("//", "/*", "#", '"""'))


def check(root: Path) -> tuple[list[str], int]:
    names = source_tree.files(root)
    problems: list[str] = []
    first: dict[str, str] = {}
    for name in names:
        base = Path(name).name
        if base not in REPEATED:
            if base.lower() in first:
                problems.append(f"{name}: {first[base.lower()]} has the same file name; names are unique in this repository")
            first.setdefault(base.lower(), name)
        if Path(name).suffix not in source_tree.CODE | source_tree.SCRIPTS | {".md", ".txt"} and "scripts/" not in name:
            continue
        text = source_tree.read(root, name)
        code = Path(name).suffix in source_tree.CODE | source_tree.SCRIPTS or base == "CMakeLists.txt"
        lines = text.count("\n")
        if code and lines > MAX_LINES and name not in ONE_FILE_BY_DESIGN:
            problems.append(f"{name}: {lines} lines; above {MAX_LINES} a file holds two rooms")
        if code and not opens_with_comment(text):
            problems.append(f"{name}: does not open with a comment that says its job")
        for number, line in enumerate(text.splitlines(), 1):
            if LATER.search(line):
                problems.append(f"{name}:{number}: promises something for later; finish it or take it out")
            if name.startswith(LIBRARY) and Path(name).suffix in source_tree.CODE and ENDS_THE_HOST.search(line):
                problems.append(f"{name}:{number}: may end the program that uses the library; throw an Error")
        if "\t" in text and code and Path(name).suffix != ".go":
            problems.append(f"{name}: has a tab; four spaces here")
    top = sorted({name.split("/", 1)[0] for name in names if not name.startswith(".")})
    if len(top) > MAX_TOP_LEVEL:
        problems.append(f"the top level has {len(top)} entries, at most {MAX_TOP_LEVEL}: {' '.join(top)}")
    return problems, len(names)


if __name__ == "__main__":
    repository = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2])
    source_tree.report("tree_rules", *check(repository))
