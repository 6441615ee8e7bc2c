"""The raw layer against C itself: sizes and offsets of all structs, values of all constants, and every function is there."""

from __future__ import annotations

import ctypes
import enum
import re
import subprocess
import unittest
from pathlib import Path

from python_test_support import INCLUDE, BitnetTest, bitnet, compile_c

from bitnet import _abi, _abi_constants, _abi_types
from bitnet._library import lib


class Layout(BitnetTest):
    def run_c(self, name: str, lines: list[str]) -> list[str]:
        source = self.folder / f"{name}.c"
        source.write_text('#include <stdio.h>\n#include <stddef.h>\n#include "bitnet.h"\nint main(void) {\n' + "\n".join(lines)
                          + "\nreturn 0;\n}\n")
        # Only types are used: nothing to link, but for the inline functions of the header, which nobody calls.
        compile_c(source, self.folder / name, "-O1", "-DBITNET_STATIC", "-Wno-unused-function", "-w",
                  *("-Wl,--unresolved-symbols=ignore-all",))
        return subprocess.run([self.folder / name], capture_output=True, text=True, check=True).stdout.splitlines()

    def test_structs_have_the_layout_of_c(self):
        structs = {name: kind for name, kind in vars(_abi_types).items()
                   if isinstance(kind, type) and issubclass(kind, ctypes.Structure) and hasattr(kind, "_fields_")}
        header = (Path(INCLUDE) / "bitnet.h").read_text(encoding="utf-8")
        self.assertEqual(sorted(structs), sorted(set(re.findall(r"struct (bitnet_\w+) \{", header))))
        expected, lines = [], []
        for name, kind in structs.items():
            expected.append(f"{name} {ctypes.sizeof(kind)}")
            lines.append(f'printf("%s %zu\\n", "{name}", sizeof({name}));')
            for field, _ in kind._fields_:
                place = getattr(kind, field)
                expected.append(f"{name}.{field} {place.offset} {place.size}")
                lines.append(f'printf("%s %zu %zu\\n", "{name}.{field}", offsetof({name}, {field}), '
                             f"sizeof((({name} *)0)->{field}));")
        self.assertGreater(len(expected), 600)
        self.assertEqual(self.run_c("layout", lines), expected)

    def test_constants_have_the_values_of_c(self):
        header = (Path(INCLUDE) / "bitnet.h").read_text(encoding="utf-8")
        names = set(re.findall(r"^\s+(BITNET_\w+) = -?\d+", header, re.MULTILINE))
        names |= set(re.findall(r"^    X\((BITNET_\w+), -?\d+", header, re.MULTILINE))
        names = sorted(name for name in names if not name.endswith("FORCE_INT32"))
        found = dict(line.split() for line in self.run_c("constants", [f'printf("%s %d\\n", "{n}", (int){n});' for n in names]))
        self.assertGreater(len(names), 140)
        ours = [(member, number) for kind in vars(_abi_constants).values()
                if isinstance(kind, type) and issubclass(kind, enum.Enum) and kind.__module__ == _abi_constants.__name__
                for member, number in kind.__members__.items()]
        self.assertEqual(len(ours), len(names))
        for member, number in ours:
            matching = [name for name in names if name.endswith(f"_{member}") and int(found[name]) == number]
            self.assertTrue(matching, member)

    def test_every_function_of_the_header_is_there(self):
        header = (Path(INCLUDE) / "bitnet.h").read_text(encoding="utf-8")
        names = set(re.findall(r"^BITNET_API [^;]*?\b(bitnet_\w+)\(", header, re.MULTILINE))
        self.assertEqual({name for name, _, _ in _abi.PROTOTYPES}, names)
        for name, result, parameters in _abi.PROTOTYPES:
            function = getattr(lib, name)
            self.assertEqual((function.restype, list(function.argtypes)), (result, list(parameters)))

    def test_numbers_of_newer_libraries_are_members_too(self):
        self.assertEqual(bitnet.Status(-9999).name, "UNKNOWN_-9999")
        self.assertEqual(bitnet.FinishReason(99), 99)


if __name__ == "__main__":
    unittest.main()
