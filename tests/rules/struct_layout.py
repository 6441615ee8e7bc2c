"""Structs of the ABI grow at their end: struct_layout.py <bitnet.h> <struct_layout.txt> [--write].

struct_layout.txt has a line for each struct of bitnet.h, with its fields in order. Once a line is there, its fields stay as
they are; new ones come behind them and are added to the line (--write does that, and nothing else). Every struct whose
size a caller tells (struct_size) also needs a row in tests/api/struct_size_test.cpp, which holds its first size.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import source_tree


def structs(header: str) -> dict[str, list[str]]:
    """Fields of each struct, in order, as "type name"."""
    code = re.sub(r"/\*.*?\*/", " ", header, flags=re.DOTALL)
    found = {}
    for body, name in re.findall(r"\btypedef\s+struct\s+\w+\s*\{(.*?)\}\s*(\w+)\s*;", code, flags=re.DOTALL):
        fields = []
        for field in filter(None, (" ".join(part.split()) for part in body.split(";"))):
            # "bitnet_token bos, eos" declares two fields; the commas of a function pointer do not.
            kind, names = field.split(" ", 1) if "(" not in field else ("", "")
            fields += [f"{kind} {part.strip()}" for part in names.split(",")] if "," in names else [field]
        found[name] = fields
    return found


def read_layout(text: str) -> dict[str, list[str]]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: fields.split("; ") for name, fields in (line.split(": ", 1) for line in lines)}


def check(header: str, layout: str, size_test: str) -> list[str]:
    actual, listed = structs(header), read_layout(layout)
    problems = [f"struct_layout.txt names {name}, which bitnet.h does not have" for name in listed if name not in actual]
    for name, fields in actual.items():
        known = listed.get(name, [])
        for old, new in zip(known, fields + ["nothing"] * len(known)):
            if old != new:
                problems.append(f"{name} has '{new}' where programs expect '{old}'; new fields come at the end")
                break
        else:
            problems += [f"{name} has '{field}', struct_layout.txt does not" for field in fields[len(known):]]
        if "uint32_t struct_size" in fields and fields[0] != "uint32_t struct_size":
            problems.append(f"{name} does not begin with struct_size")
        if "uint32_t struct_size" in fields and f"STRUCT_ROW({name}," not in size_test:
            problems.append(f"{name} has no row in struct_size_test.cpp: STRUCT_ROW({name}, <its first size>)")
    return problems


def write(header: str, layout: str) -> str:
    """The layout with new structs and new fields behind the known ones."""
    listed = read_layout(layout)
    for name, fields in structs(header).items():
        known = listed.get(name, [])
        if fields[:len(known)] == known:
            listed[name] = fields
    comments = [line for line in layout.splitlines() if line.startswith("#")]
    return "\n".join(comments + [f"{name}: {'; '.join(listed[name])}" for name in sorted(listed)]) + "\n"


if __name__ == "__main__":
    the_header, the_layout = (Path(argument).read_text(encoding="utf-8") for argument in sys.argv[1:3])
    if sys.argv[3:] == ["--write"]:
        the_layout = write(the_header, the_layout)
        Path(sys.argv[2]).write_text(the_layout, encoding="utf-8")
    root = Path(__file__).parents[2]
    source_tree.report("struct_layout", check(the_header, the_layout, source_tree.read(root, "tests/api/struct_size_test.cpp")),
                       len(structs(the_header)))
