"""Each feature has a test: feature_coverage.py [root].

feature_coverage.txt has a line "ID | file | test" for each test that holds a row of the specification's feature list (F), of the
competitors' (G) or of ours (M): the exact name of a TEST_CASE, or of a test function (or a part of one, check_*) of a script that
ctest runs. A
line stands for a test that truly fails when the feature breaks. PENDING holds the features that no test holds yet: a
feature is here or there, and this set only shrinks.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import source_tree


def numbered(letter: str, *ranges: tuple[int, int]) -> list[str]:
    width = 3 if letter == "F" else 2
    return [f"{letter}{number:0{width}}" for first, last in ranges for number in range(first, last + 1)]


# Generation, information, validation, metrics, determinism, receipts, errors, embedding hosts, adapters, guidance; the server;
# formats, conversion, comparison, downloads.
NEEDED = (numbered("F", (2, 67), (69, 89), (91, 107)) + [f"F090{part}" for part in "abcdeg"] +
          numbered("G", (1, 8), (12, 38), (41, 41), (54, 54), (56, 56), (59, 63), (65, 65), (68, 70), (72, 72), (75, 75)) +
          numbered("M", (1, 2), (4, 10), (21, 21)))

PENDING: set[str] = set()


def tests_of(name: str, text: str) -> set[str]:
    """The names of the tests in a file."""
    if name.endswith(".py"):
        return set(re.findall(r"^\s*def (test\w*|check_\w+)\(", text, flags=re.MULTILINE))
    # A long name may be several literals.
    cases = re.findall(r'\bTEST_CASE(?:_TEMPLATE)?\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)', text)
    return {"".join(re.findall(r'"((?:[^"\\]|\\.)*)"', case)).replace('\\"', '"') for case in cases}


def check(root: Path, needed: list[str], pending: set[str]) -> list[str]:
    problems = []
    held: set[str] = set()
    scripts = "".join(source_tree.read(root, name) for name in source_tree.files(root)
                      if name.startswith("tests/") and name.endswith("CMakeLists.txt"))
    lines = source_tree.read(root, "tests/rules/feature_coverage.txt").splitlines()
    rows = [line for line in lines if line and not line.startswith("#")]
    for line in rows:
        parts = [part.strip() for part in line.split(" | ")]
        if len(parts) != 3:
            problems.append(f"'{line}' is not: ID | file | test")
            continue
        feature, name, test = parts
        held.add(feature)
        if feature not in needed:
            problems.append(f"{feature} is no feature of the list")
        elif not (root / name).is_file():
            problems.append(f"{feature} names {name}, which does not exist")
        elif test not in tests_of(name, source_tree.read(root, name)):
            problems.append(f"{feature} names a test that {name} does not have: {test}")
        # Scripts of the server and the bindings are found by their folders.
        elif name.endswith(".py") and name not in scripts and not name.startswith(("tests/server/", "bindings/")):
            problems.append(f"{feature} names {name}, which ctest does not run")
    if rows != sorted(rows):
        problems.append("the lines are not sorted")
    if len(rows) != len(set(rows)):
        problems.append("a line is there twice")
    problems += [f"{feature} has no test: add a line, or the test" for feature in needed if feature not in held | pending]
    problems += [f"{feature} has a test now: take it out of PENDING" for feature in sorted(held & pending)]
    problems += [f"{feature} is pending and no feature of the list" for feature in sorted(pending - set(needed))]
    return problems


if __name__ == "__main__":
    for feature in sorted(PENDING):
        print(f"MISSING {feature}")
    source_tree.report("feature_coverage", check(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]), NEEDED,
                                                 PENDING), len(NEEDED))
