"""The ABI stays calm: abi_baseline.py <abi_baseline.txt> [--write].

abi_baseline.txt has a line for every function, callback, number and small struct of bitnet.h, as programs in the field were
compiled with it, and the version that this began with. A line that changes or goes away breaks them, so it needs a new
minor version before 1.0 and a new major one after: the soname follows it, and find_package and the bindings refuse the
other. The last release (the newest tag v*, where there is one) is held in the same way, whatever the file says. What is new is added by --write, and nothing else is - unless bitnet.h has the version that allows breaking, where
--write begins a new baseline. Structs that say their size may grow at the end; struct_layout.py holds those.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import source_tree

sys.path.insert(0, str(Path(__file__).parents[2] / "bindings/abi"))

HEAD = "# The ABI that programs rely on, and the version it began with. abi_baseline.py --write adds to it; see docs/abi.md.\n"


def described(header) -> tuple[str, dict[str, str]]:
    """The version, and what a compiled program knows of each name. Names of parameters are not part of it."""
    found = {}
    for alias in header.aliases:
        found[f"type {alias.name}"] = str(alias.type)
    for enum in header.enums:
        for value in enum.values:
            found[f"number {value.name}"] = str(value.number)
    for struct in header.structs:
        if not struct.fields:
            found[f"handle {struct.name}"] = "opaque"
        elif not struct.is_sized:
            found[f"struct {struct.name}"] = "; ".join(f"{field.type} {field.name}" for field in struct.fields)
    for kind, functions in (("callback", header.callbacks), ("function", header.functions)):
        for function in functions:
            parameters = ", ".join(str(parameter.type) for parameter in function.parameters)
            found[f"{kind} {function.name}"] = f"({parameters}) -> {function.result}"
    return ".".join(map(str, header.version)), found


def read_baseline(text: str) -> tuple[str, dict[str, str]]:
    lines = [line.split(": ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    known = dict(lines)
    return known.pop("version"), known


def may_break(version: str, baseline: str) -> bool:
    """Programs made for baseline never meet a library of this version."""
    new, old = ([int(part) for part in text.split(".")] for text in (version, baseline))
    return new[0] > old[0] or (old[0] == new[0] == 0 and new[1] > old[1])


def next_version(baseline: str) -> str:
    major, minor, _ = map(int, baseline.split("."))
    return f"0.{minor + 1}.0 (before 1.0 a new minor version)" if major == 0 else f"{major + 1}.0.0 (a new major version)"


def check(header, text: str) -> list[str]:
    version, actual = described(header)
    baseline, known = read_baseline(text)
    if may_break(version, baseline):
        return [f"bitnet.h is {version}, the baseline still {baseline}: --write begins a new one"]
    problems = []
    for name, what in known.items():
        if name not in actual:
            problems.append(f"{name} is gone; programs made for {baseline} use it: keep it, or make it {next_version(baseline)}")
        elif actual[name] != what:
            problems.append(f"{name} is {actual[name]}, programs made for {baseline} expect {what}: keep it and add a new "
                            f"name, or make it {next_version(baseline)}")
    problems += [f"{name} is new: add it with --write" for name in actual if name not in known]
    return problems


def write(header, text: str) -> str:
    """The baseline with what is new; a new one where the version allows to break the old."""
    version, actual = described(header)
    baseline, known = read_baseline(text) if text else (version, {})
    if may_break(version, baseline):
        baseline, known = version, {}
    merged = {**actual, **known}
    return HEAD + f"version: {baseline}\n" + "".join(f"{name}: {merged[name]}\n" for name in sorted(merged))


def check_release(header, released) -> list[str]:
    """header against that of the last release, which may lack what is new."""
    if may_break(described(header)[0], described(released)[0]):
        return []
    return [f"since the last release: {problem}" for problem in check(header, write(released, ""))
            if not problem.endswith("with --write")]


def last_release(root: Path, read_header):
    """The header of the newest release tag; None without one."""
    tag = subprocess.run(["git", "-C", str(root), "describe", "--tags", "--match", "v[0-9]*", "--abbrev=0"], text=True,
                         capture_output=True, check=False).stdout.strip()
    if not tag:
        return None
    text = subprocess.run(["git", "-C", str(root), "show", f"{tag}:bitnet.h"], text=True, capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bitnet.h")
        path.write_text(text, encoding="utf-8")
        return read_header(path)


if __name__ == "__main__":
    from header_model import read_header  # needs pycparser; what is above does not
    the_header, the_file = read_header(), Path(sys.argv[1])
    the_text = the_file.read_text(encoding="utf-8") if the_file.exists() else ""
    if sys.argv[2:] == ["--write"]:
        the_text = write(the_header, the_text)
        the_file.write_text(the_text, encoding="utf-8")
    the_problems = check(the_header, the_text)
    if (release := last_release(Path(__file__).parents[2], read_header)) is not None:
        the_problems += check_release(the_header, release)
    source_tree.report("abi_baseline", the_problems, len(described(the_header)[1]))
