"""The documents say what is true: docs_rules.py [root]. In every Markdown file of the repository
- a command block (```sh) runs scripts that exist, presets that exist, and sets options that exist;
- a link or a `path/in/backticks` points at something that exists;
- a block after <!-- same as FILE --> is that file, word for word (the file is one that a test builds or runs).
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import source_tree

BLOCK = re.compile(r"(?:^<!-- same as (\S+) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def preset_names(root: Path) -> set[str]:
    presets = json.loads(source_tree.read(root, "CMakePresets.json"))
    return {preset["name"] for preset in presets["workflowPresets"]}


def option_names(root: Path) -> set[str]:
    cmake = [source_tree.read(root, "CMakeLists.txt")]
    cmake += [path.read_text(encoding="utf-8") for path in sorted((root / "cmake").glob("*.cmake"))]
    return set(re.findall(r"(?:option|set)\((BITNET_\w+)", "\n".join(cmake)))


def check_commands(root: Path, commands: str) -> list[str]:
    problems = []
    for script in re.findall(r"(?:^|\s)(?:\./)?((?:scripts|\.ci|tests)/[\w./-]+)", commands):
        if not (root / script).exists():
            problems.append(f"runs {script}, which does not exist")
        elif not os.access(root / script, os.X_OK):
            problems.append(f"runs {script}, which is not executable")
    for preset in re.findall(r"--preset[ =](\w+)", commands) + re.findall(r"\bbuild/(\w+)/bin\b", commands):
        if preset not in preset_names(root):
            problems.append(f"uses the preset {preset}, which CMakePresets.json does not have")
    for option in re.findall(r"-D(BITNET_\w+)=", commands):
        if option not in option_names(root):
            problems.append(f"sets {option}, which is no option of the build")
    return problems


def check_paths(root: Path, document: Path, text: str) -> list[str]:
    problems = []
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in link and not (document.parent / link).exists():
            problems.append(f"links to {link}, which does not exist")
    top = {path.name for path in root.iterdir() if path.name not in ("build", ".git")}
    for code in re.findall(r"`([^`\n]+)`", text):
        first = code.split("/", 1)[0]
        if "/" in code and first in top and re.fullmatch(r"[\w.*/+-]+", code) and not list(root.glob(code.rstrip("/"))):
            problems.append(f"names `{code}`, which does not exist")
    return problems


def check(root: Path) -> tuple[list[str], int]:
    documents = [name for name in source_tree.files(root) if name.endswith(".md")]
    problems = []
    for name in documents:
        text = source_tree.read(root, name)
        found = []
        for same_as, language, block in BLOCK.findall(text):
            if language in ("sh", "bash"):
                found += check_commands(root, block)
            if same_as and not (root / same_as).is_file():
                found.append(f"quotes {same_as}, which does not exist")
            elif same_as and source_tree.read(root, same_as).strip() != block.strip():
                found.append(f"quotes {same_as}, which now reads differently")
        found += check_paths(root, root / name, BLOCK.sub("", text))
        problems += [f"{name} {problem}" for problem in found]
    return problems, len(documents)


if __name__ == "__main__":
    source_tree.report("docs_rules", *check(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2])))
