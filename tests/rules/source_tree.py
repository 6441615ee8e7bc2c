"""What the rules look at: the files of the checkout, without build outputs, and the report every rule ends with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CODE = {".c", ".h", ".cpp", ".inc", ".cu", ".cuh"}
SCRIPTS = {".py", ".sh", ".cmake", ".go", ".rs", ".cs"}


def files(root: Path) -> list[str]:
    """Paths relative to root, as git sees them (new files included, ignored ones not); without git, by walking."""
    if (root / ".git").exists():
        git = subprocess.run(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"],
                             capture_output=True, check=False)
        if git.returncode == 0:
            listed = [name for name in git.stdout.decode().split("\0") if name]
            return sorted(name for name in listed if (root / name).is_file())
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in ("build", ".git", "__pycache__")]
        found += [str((Path(folder) / name).relative_to(root)) for name in names if not name.endswith(".pyc")]
    return sorted(found)


def code_files(root: Path) -> list[str]:
    return [name for name in files(root) if Path(name).suffix in CODE]


def read(root: Path, name: str) -> str:
    return (root / name).read_text(encoding="utf-8")


def report(rule: str, problems: list[str], looked_at: int) -> None:
    """Prints every problem and exits; finding nothing to look at is a failure too."""
    if looked_at == 0:
        problems = ["found nothing to check: is the path right?"]
    for problem in problems:
        print(f"{rule}: {problem}")
    print(f"{rule}: {looked_at} checked, {len(problems)} wrong")
    sys.exit(1 if problems else 0)
