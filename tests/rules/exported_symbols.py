"""The ABI is a reviewed list: exported_symbols.py <bitnet.h> <exported_symbols.txt> [<libbitnet.so>].

bitnet.h declares exactly the functions of the list, and the shared library shows exactly those and nothing else.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import source_tree
from symbols import symbols


def declared(header: str) -> list[str]:
    """The functions marked BITNET_API, in order of name."""
    code = re.sub(r"/\*.*?\*/", " ", header, flags=re.DOTALL)
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", " ", code, flags=re.MULTILINE)  # directives, macros included
    return sorted(re.findall(r"\bBITNET_API\b[^;{}()]*?(\w+)\s*\(", code))


def differences(what: str, actual: list[str], expected: list[str]) -> list[str]:
    problems = [f"{what} has {name}, the list does not" for name in sorted(set(actual) - set(expected))]
    problems += [f"{what} lacks {name}, which the list names" for name in sorted(set(expected) - set(actual))]
    problems += [f"{what} has {name} twice" for name in sorted(set(actual)) if actual.count(name) > 1]
    return problems


def check(header: str, listed: list[str], library: str | None) -> list[str]:
    problems = differences("bitnet.h", declared(header), listed)
    if listed != sorted(listed):
        problems.append("the list is not sorted")
    if library:
        shown = [symbol.name for symbol in symbols(library, "--dynamic", "--defined-only")]
        problems += differences(Path(library).name, shown, listed)
    return problems


if __name__ == "__main__":
    text = Path(sys.argv[2]).read_text(encoding="utf-8")
    names = [line for line in text.splitlines() if line and not line.startswith("#")]
    source_tree.report("exported_symbols",
                       check(Path(sys.argv[1]).read_text(encoding="utf-8"), names, (sys.argv[3:] or [None])[0]), len(names))
