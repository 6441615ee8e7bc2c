"""bitnet.h as data: every constant, handle, struct, callback and function of the C interface, in the order of the header.

The raw layers of the bindings that cannot read C (Rust, C#, Python) are written from this, so that none is kept by hand:
read_header() asks the preprocessor and pycparser, nothing is guessed from the text. Types are trees of CType. Needs
pycparser (Debian: python3-pycparser) and a C preprocessor ($CPP, or "cc -E").
"""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import subprocess
from pathlib import Path

from pycparser import c_ast, c_parser

HEADER = Path(__file__).parents[2] / "bitnet.h"

# What bitnet.h takes from <stddef.h> and <stdint.h>. Other types of the C library in it are an error here.
SCALARS = {"int8_t", "uint8_t", "int16_t", "uint16_t", "int32_t", "uint32_t", "int64_t", "uint64_t", "size_t", "float",
           "double", "char", "int", "void"}


@dataclasses.dataclass(frozen=True)
class CType:
    """A scalar of SCALARS, the name of something in the header, a pointer to `to`, or an array of `length` `to`."""
    name: str = ""           # "uint32_t", "bitnet_model"; "" for pointers and arrays
    to: CType | None = None
    is_const: bool = False   # of this level: in "const char *" the char
    length: int = 0          # 0: a pointer

    def __str__(self) -> str:
        if self.to is None:
            return ("const " if self.is_const else "") + self.name
        return f"{self.to} *" if self.length == 0 else f"{self.to}[{self.length}]"


@dataclasses.dataclass(frozen=True)
class Value:
    name: str
    number: int


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a struct, or a parameter."""
    name: str
    type: CType


@dataclasses.dataclass(frozen=True)
class Enum:
    """All are as wide as int32_t. Numbers that the header does not name may come from newer libraries."""
    name: str                  # "" for a list of flags
    values: tuple[Value, ...]  # without the one that makes the enum 32 bits wide


@dataclasses.dataclass(frozen=True)
class Struct:
    name: str
    fields: tuple[Field, ...]  # empty: an opaque handle

    @property
    def is_sized(self) -> bool:
        """Its first field tells the library how much of it the caller knows."""
        return bool(self.fields) and self.fields[0].name == "struct_size"


@dataclasses.dataclass(frozen=True)
class Alias:
    """typedef int32_t bitnet_token"""
    name: str
    type: CType


@dataclasses.dataclass(frozen=True)
class Callback:
    """The type of a pointer to a function."""
    name: str
    result: CType
    parameters: tuple[Field, ...]


@dataclasses.dataclass(frozen=True)
class Function:
    name: str
    result: CType
    parameters: tuple[Field, ...]


@dataclasses.dataclass
class Header:
    version: tuple[int, int, int]
    enums: list[Enum] = dataclasses.field(default_factory=list)
    structs: list[Struct] = dataclasses.field(default_factory=list)
    aliases: list[Alias] = dataclasses.field(default_factory=list)
    callbacks: list[Callback] = dataclasses.field(default_factory=list)
    functions: list[Function] = dataclasses.field(default_factory=list)

    @property
    def handles(self) -> list[Struct]:
        return [struct for struct in self.structs if not struct.fields]


class _Reader:
    def __init__(self, version: tuple[int, int, int]) -> None:
        self.header = Header(version)
        self.handle_names: list[str] = []
        self.bodies: dict[str, c_ast.Struct] = {}

    def type_of(self, node: c_ast.Node, where: str) -> CType:
        if isinstance(node, c_ast.TypeDecl):
            is_const = "const" in node.quals
            if isinstance(node.type, c_ast.IdentifierType):
                return CType(" ".join(node.type.names), is_const=is_const)
            if isinstance(node.type, (c_ast.Struct, c_ast.Enum)) and node.type.name:
                return CType(node.type.name, is_const=is_const)
        if isinstance(node, c_ast.PtrDecl) and not isinstance(node.type, c_ast.FuncDecl):
            return CType(to=self.type_of(node.type, where))
        if isinstance(node, c_ast.ArrayDecl) and isinstance(node.dim, c_ast.Constant):
            return CType(to=self.type_of(node.type, where), length=int(node.dim.value, 0))
        if isinstance(node, c_ast.PtrDecl):
            # A callback without a name of its own gets that of its place: bitnet_reader.read -> bitnet_reader_read.
            self.callback(where, node.type)
            return CType(where)
        raise SystemExit(f"bitnet.h: {where} has a type that no binding could express")

    def parameters(self, node: c_ast.FuncDecl, where: str) -> tuple[Field, ...]:
        found = []
        for parameter in node.args.params if node.args else []:
            kind = self.type_of(parameter.type, f"{where}_{parameter.name}")
            if kind == CType("void"):
                continue
            if kind.length:  # in C an array as a parameter is a pointer
                kind = CType(to=kind.to)
            if not parameter.name:
                raise SystemExit(f"bitnet.h: {where} has a parameter without a name")
            found.append(Field(parameter.name, kind))
        return tuple(found)

    def callback(self, name: str, node: c_ast.FuncDecl) -> None:
        result = self.type_of(node.type, name)
        self.header.callbacks.append(Callback(name, result, self.parameters(node, name)))

    def enum(self, name: str, node: c_ast.Enum) -> None:
        values, number = [], -1
        for item in node.values.enumerators:
            number = number + 1 if item.value is None else _number(item.value)
            if not item.name.endswith("_FORCE_INT32"):
                values.append(Value(item.name, number))
        self.header.enums.append(Enum(name, tuple(values)))

    def struct(self, name: str, node: c_ast.Struct) -> None:
        fields = tuple(Field(field.name, self.type_of(field.type, f"{name}_{field.name}")) for field in node.decls)
        self.header.structs.append(Struct(name, fields))

    def read(self, tree: c_ast.FileAST) -> Header:
        for node in tree.ext:
            if isinstance(node, c_ast.Typedef):
                self.typedef(node)
            elif isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.FuncDecl):
                result = self.type_of(node.type.type, node.name)
                self.header.functions.append(Function(node.name, result, self.parameters(node.type, node.name)))
            elif isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.Struct) and node.type.decls:
                self.struct(node.type.name, node.type)
            elif isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.Enum) and node.type.values:
                self.enum(node.type.name or "", node.type)
        defined = {struct.name for struct in self.header.structs}
        self.header.structs[:0] = [Struct(name, ()) for name in self.handle_names if name not in defined]
        return self.header

    def typedef(self, node: c_ast.Typedef) -> None:
        inner = node.type.type if isinstance(node.type, c_ast.TypeDecl) else None
        if not node.name.startswith("bitnet_"):
            return
        if isinstance(inner, c_ast.Enum):
            self.enum(node.name, inner)
        elif isinstance(inner, c_ast.Struct) and inner.decls:
            self.struct(node.name, inner)
        elif isinstance(inner, c_ast.Struct):
            self.handle_names.append(node.name)
        elif isinstance(node.type, c_ast.PtrDecl) and isinstance(node.type.type, c_ast.FuncDecl):
            self.callback(node.name, node.type.type)
        else:
            self.header.aliases.append(Alias(node.name, self.type_of(node.type, node.name)))


def _number(node: c_ast.Node) -> int:
    if isinstance(node, c_ast.UnaryOp) and node.op in "+-":
        return _number(node.expr) * (-1 if node.op == "-" else 1)
    if isinstance(node, c_ast.BinaryOp) and node.op == "<<":
        return _number(node.left) << _number(node.right)
    if isinstance(node, c_ast.BinaryOp) and node.op == "|":
        return _number(node.left) | _number(node.right)
    if isinstance(node, c_ast.Constant):
        return int(node.value.rstrip("uUlL"), 0)
    raise SystemExit("bitnet.h: a constant is an expression that this reader does not know")


def _check_names(header: Header) -> None:
    """Every type that is used is a scalar or stands in the header."""
    known = SCALARS | {item.name for group in (header.enums, header.structs, header.aliases, header.callbacks)
                       for item in group}

    def check(where: str, kind: CType) -> None:
        while kind.to is not None:
            kind = kind.to
        if kind.name not in known:
            raise SystemExit(f"bitnet.h: {where} uses {kind.name}, which no binding knows")

    for struct in header.structs:
        for field in struct.fields:
            check(f"{struct.name}.{field.name}", field.type)
    for function in [*header.functions, *header.callbacks]:
        check(function.name, function.result)
        for parameter in function.parameters:
            check(f"{function.name}({parameter.name})", parameter.type)


def read_header(path: Path = HEADER) -> Header:
    """Raises SystemExit with one line where the header has what no binding could express."""
    text = path.read_text(encoding="utf-8")
    version = tuple(int(re.search(rf"#define BITNET_VERSION_{part} (\d+)", text)[1]) for part in ("MAJOR", "MINOR", "PATCH"))
    # The C library's headers are full of extensions that pycparser does not read; its types are all that is needed.
    scalars = "".join(f"typedef int {name};\n" for name in sorted(SCALARS) if name.endswith("_t"))
    code = re.sub(r"#include <std(def|int)\.h>", "", text)
    if "#include" in code:
        raise SystemExit("bitnet.h includes more than <stddef.h> and <stdint.h>")
    preprocessor = shlex.split(os.environ.get("CPP", "cc -E"))
    done = subprocess.run([*preprocessor, "-P", "-DBITNET_STATIC", "-x", "c", "-"], input=scalars + code, text=True,
                          capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bitnet.h cannot be preprocessed: {done.stderr.strip()}")
    header = _Reader(version).read(c_parser.CParser().parse(done.stdout, str(path)))
    _check_names(header)
    return header


if __name__ == "__main__":
    the_header = read_header()
    print(f"bitnet.h {'.'.join(map(str, the_header.version))}: {len(the_header.functions)} functions, "
          f"{len(the_header.structs)} structs ({len(the_header.handles)} of them handles), {len(the_header.enums)} enums, "
          f"{len(the_header.callbacks)} callbacks")
