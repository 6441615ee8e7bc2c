"""Reads symbol tables with nm, for the rules about binaries. A symbol is (object, kind letter, name)."""

from __future__ import annotations

import os
import subprocess
from typing import NamedTuple


class Symbol(NamedTuple):
    where: str  # the object in an archive, or the file
    kind: str   # nm's letter: T text, D data, U undefined, W weak ...
    name: str   # as the linker sees it, without a version


def symbols(path: str, *options: str) -> list[Symbol]:
    """Symbols of an object, archive or shared library."""
    nm = os.environ.get("NM", "nm")
    listed = subprocess.run([nm, "--print-file-name", "--format=posix", *options, path], capture_output=True, text=True,
                            check=True)
    found = []
    for line in listed.stdout.splitlines():
        where, _, rest = line.partition(": ")
        fields = rest.split()
        if len(fields) >= 2:
            found.append(Symbol(where.rsplit("/", 1)[-1].removeprefix(path), fields[1], fields[0].split("@")[0]))
    return found


def demangled(names: list[str]) -> list[str]:
    output = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True)
    return output.stdout.splitlines()
