"""One version: version_rules.py [root]. It stands in bitnet.h. What cannot read it there - package files of other languages,
sentences of documents - repeats it, and this finds those that were left behind.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import source_tree

# File name -> where a version of ours stands in it. "full" is 0.1.0, "line" what find_package and the soname say: 0.1 (from 1.0
# on the major version alone may stand for the soname, major.minor for find_package).
FULL = {
    r"Cargo\.toml": r'^version *= *"([\d.]+)"|^bitnet[\w-]* *= *\{[^}\n]*\bversion *= *"=?([\d.]+)"',
    r"pyproject\.toml": r'^version *= *"([\d.]+)"',
    r"[\w.]+\.csproj|Directory\.Build\.props": r"<(?:Package)?Version>([\d.]+)</",
    r"vcpkg\.json": r'"version(?:-\w+)?": *"([\d.]+)"',
    r"conanfile\.py": r'^ +version *= *"([\d.]+)"',
    r"(?:package|default|flake|bitnet)\.nix": r'^ +version *= *"([\d.]+)"',
    r"PKGBUILD": r"^pkgver=([\d.]+)",
}
LINES = r"find_package\(bitnet ([\d.]+)|\blibbitnet\.so\.(\d+(?:\.\d+)*)|\blibbitnet(\d[\d.]*\d)\b"


def check(root: Path) -> tuple[list[str], int]:
    header = source_tree.read(root, "bitnet.h")
    full = ".".join(re.findall(r"^#define BITNET_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$", header, re.MULTILINE))
    if full.count(".") != 2:
        return ["bitnet.h: BITNET_VERSION_MAJOR, _MINOR and _PATCH are not three numbers"], 1
    major, minor, _ = full.split(".")
    line = f"{major}.{minor}"
    problems, looked_at = [], 1
    if re.search(r"\bproject\([^)]*VERSION +\d", source_tree.read(root, "CMakeLists.txt")):
        problems.append("CMakeLists.txt: the version stands in bitnet.h; project() takes it from there")
    for name in source_tree.files(root):
        base = Path(name).name
        pattern = next((pattern for files, pattern in FULL.items() if re.fullmatch(files, base)), None)
        if pattern is not None:
            looked_at += 1
            found = [next(filter(None, match)) if isinstance(match, tuple) else match
                     for match in re.findall(pattern, source_tree.read(root, name), re.MULTILINE)]
            problems += [f"{name}: says version {version}, bitnet.h {full}" for version in found if version != full]
        if Path(name).suffix in (".md", ".cmake", ".h", ".rb") or base in ("CMakeLists.txt", "Containerfile"):
            looked_at += 1
            for match in re.finditer(LINES, source_tree.read(root, name)):
                version = next(filter(None, match.groups()))
                if version not in (full, line) and not (major != "0" and version == major):
                    problems.append(f"{name}: {match[0]} belongs to another version than bitnet.h's {full}")
    return problems, looked_at


if __name__ == "__main__":
    source_tree.report("version_rules", *check(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2])))
