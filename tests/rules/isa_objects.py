"""The ODR trap, looked for in the binaries: isa_objects.py <isa_flags.cmake> <archive of the kernels>.

An object compiled for an instruction set (its name ends in _avx2 ...) may define no weak symbol: the linker could keep that
copy of an inline function for the whole library, and a CPU without the instructions would die in it. It may also run
nothing before main, when the CPU has not been looked at.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import source_tree
from symbols import demangled, symbols


def check(flags: str, archive: str) -> tuple[list[str], int]:
    suffixes = tuple("_" + suffix for suffix in re.findall(r"^set\(BITNET_ISA_FLAGS_(\w+)", flags, re.MULTILINE))
    mine = [symbol for symbol in symbols(archive, "--defined-only")
            if re.sub(r"\.(cpp|cc)?\.?o.*$", "", symbol.where.split("[")[-1].rstrip("]")).endswith(suffixes)]
    problems = []
    # DW.ref.*: a pointer to the language's exception routine, data that is the same in every object.
    weak = [symbol for symbol in mine if symbol.kind in "WwVvu" and not symbol.name.startswith("DW.ref.")]
    for symbol, readable in zip(weak, demangled([symbol.name for symbol in weak])):
        problems.append(f"{symbol.where} shares {readable} with the rest of the program; use an anonymous namespace")
    for symbol in mine:
        if symbol.name.startswith("_GLOBAL__sub_I"):
            problems.append(f"{symbol.where} runs code before main ({symbol.name}); make its tables constinit")
    return problems, len(mine)


if __name__ == "__main__":
    source_tree.report("isa_objects", *check(Path(sys.argv[1]).read_text(encoding="utf-8"), sys.argv[2]))
