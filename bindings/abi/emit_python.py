"""Writes the raw layer of the Python binding from bitnet.h: emit_python.py [--check]

The files are bindings/python/bitnet/_abi*.py (constants, structs, prototypes for ctypes), _records.py (what the library
tells, as dataclasses) and _options.py (what calls take, as typed keyword arguments). --check writes nothing and fails where a
file is not what would be written.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from header_model import CType, Enum, Field, Header, Struct, read_header

PACKAGE = Path(__file__).parents[1] / "python" / "bitnet"
WIDTH = 118
SCALARS = {"size_t": "c_size_t", "int": "c_int", "char": "c_char", "float": "c_float", "double": "c_double",
           "void": "None"}
# What a program hands in where C has an array and its length, or a handle.
OPTION_HINTS = {
    "logit_bias": "Mapping[int, float]", "dry_breakers": "Sequence[int]", "stop_sequences": "Sequence[str]",
    "grammar": "Grammar", "on_progress": "Callable[[float], object]", "should_abort": "Callable[[], object]",
    "adapters": "Sequence[tuple[str, float]]", "convert": "ConvertOptions",
}


def camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.removeprefix("bitnet_").split("_"))


def wrapped(start: str, items: list[str], end: str, indent: str = "    ") -> str:
    """start + items + end on one line where that fits, else the items filled into lines below start."""
    line = start + ", ".join(items) + end
    if len(line) <= WIDTH:
        return line
    body = textwrap.fill(" ".join(item.replace(" ", "\0") + "," for item in items), WIDTH, initial_indent=indent,
                         subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return f"{start}\n{body.replace(chr(0), ' ')}\n{indent[4:]}{end}"


class Emitter:
    def __init__(self, header: Header) -> None:
        self.header = header
        self.enum_names = {enum.name for enum in header.enums}
        self.structs = {struct.name: struct for struct in header.structs}
        self.version = ".".join(map(str, header.version))

    def opening(self, job: str) -> str:
        return (f'"""{job}\n\nWritten by bindings/abi/emit_python.py from bitnet.h {self.version}; do not edit.\n"""\n\n'
                "from __future__ import annotations\n")

    # ---- constants ----

    def enum_class(self, enum: Enum) -> str:
        names = [value.name.split("_") for value in enum.values]
        shared = 0
        while all(len(words) > shared + 1 and words[shared] == names[0][shared] for words in names):
            shared += 1
        members = []
        for words, value in zip(names, enum.values):
            name = "_".join(words[shared:]).removeprefix("E_" if enum.name == "bitnet_status" else "")
            members.append(f"    {name} = {value.number}")
        if enum.name:
            return f"class {camel(enum.name)}(OpenEnum):\n" + "\n".join(members)
        title = "".join(word.capitalize() for word in names[0][1:shared]) + "Flags"
        return f"class {title}(enum.IntFlag):\n" + "\n".join(members)

    def enums(self) -> str:
        text = self.opening("The constants of bitnet.h. BITNET_E_KV_FULL is Status.KV_FULL, BITNET_FINISH_END FinishReason.END.")
        text += "\nimport enum\n\nfrom ._abi_base import OpenEnum\n"
        text += f"\nHEADER_VERSION = {self.header.version!r}\n"
        return text + "".join(f"\n\n{self.enum_class(one)}\n" for one in self.header.enums)

    # ---- types ----

    def ctype(self, kind: CType) -> str:
        if kind.length:
            return f"{self.ctype(kind.to)} * {kind.length}"
        if kind.to is not None:
            if kind.to == CType("char", is_const=True):
                return "c_char_p"
            if kind.to.name == "void":
                return "c_void_p"
            return f"POINTER({self.ctype(kind.to)})"
        if kind.name in self.enum_names:
            return "c_int32"
        if kind.name in SCALARS:
            return SCALARS[kind.name]
        return "c_" + kind.name.removesuffix("_t") if kind.name.endswith("_t") else kind.name

    def used_names(self, fields: list[CType]) -> set[str]:
        found = set()
        for kind in fields:
            while kind.to is not None:
                kind = kind.to
            found.add(kind.name)
        return found

    def type_blocks(self) -> list[str]:
        """Handles, aliases, then callbacks and structs, each after all that it names."""
        blocks = [f"class {handle.name}(Structure):\n    pass" for handle in self.header.handles]
        blocks.append("\n".join(f"{alias.name} = {self.ctype(alias.type)}" for alias in self.header.aliases))
        waiting: dict[str, tuple[set[str], str]] = {}
        for callback in self.header.callbacks:
            types = [callback.result, *(parameter.type for parameter in callback.parameters)]
            code = wrapped(f"{callback.name} = CFUNCTYPE(", [self.ctype(kind) for kind in types], ")")
            waiting[callback.name] = (self.used_names(types), code)
        for struct in self.header.structs:
            if struct.fields:
                fields = [f'("{field.name}", {self.ctype(field.type)})' for field in struct.fields]
                base = "SizedStruct" if struct.is_sized else "Structure"
                code = wrapped("    _fields_ = [", fields, "]", "        ")
                waiting[struct.name] = (self.used_names([field.type for field in struct.fields]) - {struct.name},
                                        f"class {struct.name}({base}):\n{code}")
        while waiting:
            ready = next((name for name, (names, _) in waiting.items() if not names & waiting.keys()), None)
            if ready is None:
                raise SystemExit(f"emit_python: these name each other: {' '.join(waiting)}")
            blocks.append(waiting.pop(ready)[1])
        return blocks

    def type_file(self) -> str:
        text = self.opening("The handles, structs and callbacks of bitnet.h for ctypes, under their C names.")
        text += "\nfrom ctypes import (\n    CFUNCTYPE, POINTER, Structure, c_char, c_char_p, c_double, c_float, c_int8, c_int32,"
        text += " c_int64, c_size_t, c_uint8,\n    c_uint32, c_uint64, c_void_p,\n)\n\nfrom ._abi_base import SizedStruct\n"
        return text + "".join(f"\n\n{block}\n" for block in self.type_blocks())

    def functions(self) -> str:
        text = self.opening("The prototypes of bitnet.h for ctypes: name, type of the result, types of the parameters.")
        text += "\nfrom ctypes import (\n    POINTER, c_char, c_char_p, c_double, c_float, c_int, c_int8, c_int32, c_int64, c_size_t,"
        text += " c_uint32, c_uint64,\n    c_void_p,\n)\n\nfrom ._abi_types import *  # noqa: F403\n\nPROTOTYPES = (\n"
        for function in self.header.functions:
            types = [self.ctype(parameter.type) for parameter in function.parameters]
            result = self.ctype(function.result)
            end = ",))," if len(types) == 1 else ")),"
            text += wrapped(f'    ("{function.name}", {result}, (', types, end, "        ") + "\n"
        return text + ")\n"

    # ---- what people see ----

    def result_structs(self) -> list[Struct]:
        """Those that functions fill in: parameters named out_..., pointing at a struct with a size."""
        names = []
        for function in self.header.functions:
            for parameter in function.parameters:
                kind = parameter.type.to
                if parameter.name.startswith("out_") and kind is not None and kind.name in self.structs:
                    struct = self.structs[kind.name]
                    if struct.is_sized and struct.name not in names:
                        names.append(struct.name)
        return [struct for struct in self.header.structs if struct.name in names]

    def record_hint(self, field: Field, known: set[str]) -> str | None:
        kind = field.type
        if kind.length:
            return "str" if kind.to.name == "char" else "tuple[int, ...]"
        if kind.to is not None:
            if kind.to == CType("char", is_const=True):
                return "str"
            return f"Optional[{camel(kind.to.name)}]" if kind.to.name in known else None
        if kind.name in ("float", "double"):
            return "float"
        if kind.name == "bitnet_status":
            return "int"
        return "bool" if field.name.startswith(("is_", "has_", "supports_", "requires_", "uses_")) else "int"

    def records(self) -> str:
        text = self.opening("What the library tells about things: its structs of results as dataclasses. bitnet.h says what each\n"
                            "field means; arrays and buffers of theirs are methods of the objects that have them.")
        text += "\nimport dataclasses\nfrom typing import Optional\n\nfrom ._abi_base import Record\n"
        results = self.result_structs()
        order = sorted(results, key=lambda struct: any(
            field.type.to is not None and field.type.to.name in {one.name for one in results} for field in struct.fields))
        known = {struct.name for struct in results}
        for struct in order:
            lines = [f"    {field.name}: {hint}" for field in struct.fields
                     if field.name not in ("struct_size", "reserved") and (hint := self.record_hint(field, known))]
            text += f"\n\n@dataclasses.dataclass(frozen=True)\nclass {camel(struct.name)}(Record):\n" + "\n".join(lines) + "\n"
        return text

    def option_hint(self, field: Field) -> str | None:
        kind = field.type
        if field.name in OPTION_HINTS:
            return OPTION_HINTS[field.name]
        if kind.length:
            return "Sequence[int]"
        if kind.to is not None:
            return "str" if kind.to == CType("char", is_const=True) else None
        if field.name == "struct_size" or field.name == "reserved" or field.name.startswith("has_"):
            return None
        if field.name.startswith("n_") and field.name[2:] in OPTION_HINTS:
            return None
        return {"float": "float", "double": "float"}.get(kind.name, "int")

    def options(self) -> str:
        text = self.opening("What calls take as keyword arguments: the library's structs of parameters. bitnet.h says what each means;\n"
                            "what is not given has the library's default.")
        text += "\nfrom typing import TYPE_CHECKING, Callable, Mapping, Sequence, TypedDict\n\nif TYPE_CHECKING:\n"
        text += "    from ._grammar import Grammar\n"
        for struct in self.header.structs:
            if not struct.name.endswith(("_params", "_config")) or not struct.is_sized:
                continue
            if not any(function.name == f"{struct.name}_init" for function in self.header.functions):
                continue
            lines = [f"    {field.name}: {hint}" for field in struct.fields if (hint := self.option_hint(field))]
            title = camel(struct.name.removesuffix("_params").removesuffix("_config")) + "Options"
            text += f"\n\nclass {title}(TypedDict, total=False):\n" + "\n".join(lines) + "\n"
        return text

    def files(self) -> dict[str, str]:
        names = (self.opening("bitnet.h for ctypes, whole: constants, types and prototypes.") +
                 "\nfrom ._abi_base import OpenEnum, Record, SizedStruct  # noqa: F401\n"
                 "from ._abi_constants import *  # noqa: F403\nfrom ._abi_functions import PROTOTYPES as PROTOTYPES\n"
                 "from ._abi_types import *  # noqa: F403\n")
        return {"_abi.py": names, "_abi_constants.py": self.enums(), "_abi_types.py": self.type_file(),
                "_abi_functions.py": self.functions(), "_records.py": self.records(), "_options.py": self.options()}


def main() -> int:
    stale = 0
    for name, text in Emitter(read_header()).files().items():
        path = PACKAGE / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if "--check" in sys.argv[1:]:
            print(f"emit_python: {path} is not what bitnet.h says; run bindings/abi/emit_python.py")
            stale += 1
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
