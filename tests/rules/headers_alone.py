"""Every header of ours compiles alone: headers_alone.py <c++ compiler> [root]. So a file needs to include only what it uses,
and the order of includes never matters. A header that a source file includes first has been compiled alone by the build; the
others are compiled here. Except those of kernels/ that are written over what the file including them has just defined, as a
kernel over its vector type: *_generic.h, and those with "The including file" in their first comment; and what is for another
processor's compiler, which includes arm_neon.h or is included by that alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import source_tree


FIRST_INCLUDE = re.compile(r'\A(?:\s|//[^\n]*\n|/\*.*?\*/)*#\s*include\s+"([^"]+)"', re.DOTALL)


FOR_OTHERS = re.compile(r"[Tt]he including file|arm_neon\.h|ternary_simd_pair\.h")


def opening(root: Path, name: str) -> str:
    """The first comment and the includes."""
    return "\n".join(line for line in source_tree.read(root, name).splitlines()[:25] if line.startswith(("//", "#include")))


def check(compiler: str, root: Path) -> tuple[list[str], int]:
    names = source_tree.code_files(root)
    firsts = [FIRST_INCLUDE.match(source_tree.read(root, name)) for name in names if name.endswith(".cpp")]
    compiled = {first.group(1) for first in firsts if first}
    headers = [name for name in names if name.endswith(".h") and name != "bitnet.h" and name not in compiled
               and not (name.startswith("kernels/") and (name.endswith("_generic.h") or FOR_OTHERS.search(opening(root, name))))]

    def compile_alone(name: str) -> str | None:
        done = subprocess.run([compiler, "-std=c++20", "-fsyntax-only", "-I", str(root), "-x", "c++", "-"],
                              input=f'#include "{name}"\n', capture_output=True, text=True, check=False)
        lines = [line for line in done.stderr.splitlines() if "error" in line]
        return f"{name}: {lines[0] if lines else done.stderr.strip()}" if done.returncode != 0 else None

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return [problem for problem in pool.map(compile_alone, headers) if problem], len(headers)


if __name__ == "__main__":
    top = Path(sys.argv[2] if len(sys.argv) > 2 else Path(__file__).parents[2])
    source_tree.report("headers_alone", *check(sys.argv[1], top))
