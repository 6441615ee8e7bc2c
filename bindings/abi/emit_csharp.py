"""Writes the raw layer of the C# binding from bitnet.h: emit_csharp.py [--check | --layout-c | --list]

Without an option it writes bindings/csharp/BitNet/Interop/*.cs and Enums.cs; --check fails where they are not what it would
write.
--layout-c prints a C program that prints size and offsets of every struct, for the test that compares them with .NET's.
--list prints the names of all functions.

Names stay those of the header. How C becomes C#:
  handles          a SafeHandle class each, which frees itself; functions take it, so a call holds it for its duration and a
                   closed one is an ObjectDisposedException. In structs and lists they are IntPtr: there the caller holds them
  structs          Sequential, blittable: pointers are pointers, callbacks IntPtr, arrays fixed buffers, size_t UIntPtr
  callbacks        delegates with the C calling convention
  flags            constants of Native
"""

from __future__ import annotations

import sys
from pathlib import Path

from header_model import CType, Callback, Function, Header, read_header

PROJECT = Path(__file__).parents[1] / "csharp" / "BitNet"
FOLDER = PROJECT / "Interop"
SCALARS = {"int8_t": "sbyte", "uint8_t": "byte", "int16_t": "short", "uint16_t": "ushort", "int32_t": "int",
           "uint32_t": "uint", "int64_t": "long", "uint64_t": "ulong", "size_t": "UIntPtr", "float": "float",
           "double": "double", "char": "byte", "int": "int", "void": "void"}
KEYWORDS = {"params", "object", "string", "ref", "out", "in", "base", "fixed", "event", "operator", "lock", "as", "is"}
WIDTH = 120
# Files of at most 700 lines: the first function and struct of each part.
FUNCTION_PARTS = {"NativeModels.cs": "bitnet_version_number", "NativeFiles.cs": "bitnet_quantize_config_init"}
STRUCT_PARTS = {"StructsOfModels.cs": "bitnet_error_info", "StructsOfFiles.cs": "bitnet_validation_tensor"}
# The enums that the safe layer shows, with names as in C#: BITNET_E_FILE_NOT_FOUND is Status.FileNotFound.
FRIENDLY = {
    "bitnet_status": ("Status", "BITNET_E_", "What a call of the library came to."),
    "bitnet_error_family": ("ErrorFamily", "BITNET_FAMILY_", "What a status is about."),
    "bitnet_error_severity": ("ErrorSeverity", "BITNET_SEVERITY_", "How bad a failure is."),
    "bitnet_log_level": ("LogLevel", "BITNET_LOG_", "How much a log message matters."),
    "bitnet_token_attribute": ("TokenAttribute", "BITNET_TOKEN_", "What kind of token one is."),
    "bitnet_pooling": ("Pooling", "BITNET_POOLING_", "How the vectors of a text's tokens become one."),
    "bitnet_finish_reason": ("FinishReason", "BITNET_FINISH_", "Why a text ended."),
    "bitnet_receipt_check": ("ReceiptCheck", "BITNET_RECEIPT_CHECK_", "What is wrong with a receipt."),
    "bitnet_finding_kind": ("FindingKind", "BITNET_FINDING_", "What validation found."),
    "bitnet_finding_severity": ("FindingSeverity", "BITNET_FINDING_", "How bad a finding is."),
    "bitnet_device_kind": ("DeviceKind", "BITNET_DEVICE_", "What computes."),
}


def pascal_case(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def header_comment(job: str, header: Header) -> str:
    version = ".".join(map(str, header.version))
    return (f"// {job}\n// Written by bindings/abi/emit_csharp.py from bitnet.h {version}, where every name is explained. "
            "Do not edit.\n")


class Emitter:
    def __init__(self, header: Header) -> None:
        self.header = header
        self.handles = {struct.name for struct in header.handles}
        self.aliases = {alias.name: alias.type for alias in header.aliases}
        self.callbacks = {callback.name for callback in header.callbacks}

    def kind(self, c: CType) -> str:
        """A type wherever it stands in a struct or behind a pointer."""
        if c.to is not None and c.length == 0:
            return "IntPtr" if c.to.name in self.handles else self.kind(c.to) + "*"
        if c.name in self.aliases:
            return self.kind(self.aliases[c.name])
        if c.name in self.callbacks:
            return "IntPtr"
        return SCALARS.get(c.name, c.name)

    def parameter(self, name: str, c: CType, is_free: bool) -> str:
        """A parameter of a function: handles and callbacks keep their types there."""
        shown = "@" + name if name in KEYWORDS else name
        if c.to is not None and c.to.name in self.handles:
            return f"IntPtr {shown}" if is_free else f"{c.to.name} {shown}"
        if c.to is not None and c.to.to is not None and c.to.to.name in self.handles and name.startswith("out_"):
            return f"out {c.to.to.name} {shown}"
        if c.name in self.callbacks:
            return f"{c.name} {shown}"
        return f"{self.kind(c)} {shown}"

    def signature(self, prefix: str, function: Function | Callback, parameters: list[str], indent: str) -> str:
        """The declaration, broken between parameters where it is longer than a line."""
        line = f"{indent}{prefix}{self.kind(function.result)} {function.name}("
        lines = []
        for index, parameter in enumerate(parameters):
            last = index + 1 == len(parameters)
            part = parameter + (");" if last else ",")
            if len(line) + 1 + len(part) > WIDTH:
                lines.append(line.rstrip())
                line = indent + "    "
            line += part if line.endswith(("(", "    ")) else " " + part
        return "\n".join([*lines, line if parameters else line + ");"]) + "\n"

    def functions(self) -> dict[str, str]:
        names = [function.name for function in self.header.functions]
        starts = [names.index(first) for first in FUNCTION_PARTS.values()] + [len(names)]
        files = {}
        for part, (file, begin, end) in enumerate(zip(FUNCTION_PARTS, starts, starts[1:])):
            text = header_comment(f"The functions of bitnet.h, part {part + 1} of {len(FUNCTION_PARTS)}.", self.header)
            text += "using System;\nusing System.Runtime.InteropServices;\n\nnamespace BitNet.Interop\n{\n"
            if part == 0:
                text += "    /// <summary>The functions of bitnet.h as they are there, and its flags.</summary>\n"
            text += "    public static unsafe partial class Native\n    {\n"
            if part == 0:
                major, minor, patch = self.header.version
                text += f"        public const int VersionMajor = {major};\n        public const int VersionMinor = {minor};\n"
                text += f"        public const int VersionPatch = {patch};\n\n"
                for enum in self.header.enums:
                    if not enum.name:
                        text += "".join(f"        public const uint {value.name} = {value.number};\n" for value in enum.values)
                        text += "\n"
            blocks = []
            for function in self.header.functions[begin:end]:
                is_free = function.name.removesuffix("_free") in self.handles
                parameters = [self.parameter(p.name, p.type, is_free) for p in function.parameters]
                blocks.append("        [DllImport(Library, CallingConvention = Convention)]\n"
                              + self.signature("public static extern ", function, parameters, "        "))
            files[file] = text + "".join(blocks) + "    }\n}\n"
        return files

    def structs(self) -> dict[str, str]:
        structs = [struct for struct in self.header.structs if struct.fields]
        names = [struct.name for struct in structs]
        starts = [names.index(first) for first in STRUCT_PARTS.values()] + [len(names)]
        files = {}
        for part, (file, begin, end) in enumerate(zip(STRUCT_PARTS, starts, starts[1:])):
            text = header_comment(f"The structs of bitnet.h, part {part + 1} of {len(STRUCT_PARTS)}.", self.header)
            text += "using System;\nusing System.Runtime.InteropServices;\n\nnamespace BitNet.Interop\n{\n"
            blocks = []
            for struct in structs[begin:end]:
                block = f"    [StructLayout(LayoutKind.Sequential)]\n    public unsafe struct {struct.name}\n    {{\n"
                for field in struct.fields:
                    shown = "@" + field.name if field.name in KEYWORDS else field.name
                    if field.type.length:
                        block += f"        public fixed {self.kind(field.type.to)} {shown}[{field.type.length}];\n"
                    else:
                        block += f"        public {self.kind(field.type)} {shown};\n"
                blocks.append(block + "    }\n")
            files[file] = text + "\n".join(blocks) + "}\n"
        return files

    def enums(self) -> str:
        text = header_comment("The enums and callbacks of bitnet.h.", self.header)
        text += "using System;\nusing System.Runtime.InteropServices;\n\nnamespace BitNet.Interop\n{\n"
        blocks = []
        for enum in self.header.enums:
            if enum.name:
                values = "".join(f"        {value.name} = {value.number},\n" for value in enum.values)
                blocks.append(f"    public enum {enum.name}\n    {{\n{values}    }}\n")
        for callback in self.header.callbacks:
            parameters = [f"{self.kind(p.type)} {p.name}" for p in callback.parameters]
            blocks.append("    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]\n"
                          + self.signature("public unsafe delegate ", callback, parameters, "    "))
        return text + "\n".join(blocks) + "}\n"

    def friendly_enums(self) -> str:
        text = header_comment("The enums of bitnet.h under the names that C# programs use.", self.header)
        text += "namespace BitNet\n{\n"
        blocks = []
        for enum in self.header.enums:
            if enum.name in FRIENDLY:
                name, prefix, summary = FRIENDLY[enum.name]
                values = ""
                for value in enum.values:
                    short = value.name.removeprefix(prefix).removeprefix("BITNET_")
                    values += f"        /// <summary>{value.name}</summary>\n        {pascal_case(short)} = {value.number},\n"
                blocks.append(f"    /// <summary>{summary} See {enum.name} in bitnet.h.</summary>\n"
                              f"    public enum {name}\n    {{\n{values}    }}\n")
        return text + "\n".join(blocks) + "}\n"

    def handle_classes(self) -> str:
        text = header_comment("The handles of bitnet.h: what a create or load function gave is freed once, by whoever is last.",
                              self.header)
        text += "using System;\n\nnamespace BitNet.Interop\n{\n"
        freed = {function.name for function in self.header.functions if function.name.endswith("_free")}
        blocks = []
        for handle in self.header.handles:
            if f"{handle.name}_free" not in freed:
                raise SystemExit(f"bitnet.h: nothing frees {handle.name}")
            blocks.append(f"    public sealed class {handle.name} : NativeHandle\n    {{\n"
                          "        protected override void Free(IntPtr pointer)\n        {\n"
                          f"            Native.{handle.name}_free(pointer);\n        }}\n    }}\n")
        return text + "\n".join(blocks) + "}\n"

    def layout_program(self) -> str:
        text = '/* Prints size and offsets of every struct of bitnet.h. */\n#include <stdio.h>\n\n#include "bitnet.h"\n\nint main(void) {\n'
        for struct in self.header.structs:
            if struct.fields:
                # One of them has no typedef of its own name in this place; the tag always exists.
                text += f'    printf("{struct.name} %zu\\n", sizeof(struct {struct.name}));\n'
                for field in struct.fields:
                    text += f'    printf("{struct.name}.{field.name} %zu\\n", offsetof(struct {struct.name}, {field.name}));\n'
        return text + "    return 0;\n}\n"

    def files(self) -> dict[Path, str]:
        raw = {**self.functions(), **self.structs(), "EnumsAndCallbacks.cs": self.enums(), "Handles.cs": self.handle_classes()}
        return {PROJECT / "Enums.cs": self.friendly_enums(), **{FOLDER / name: text for name, text in raw.items()}}


def main() -> int:
    emitter = Emitter(read_header())
    if "--layout-c" in sys.argv:
        print(emitter.layout_program(), end="")
        return 0
    if "--list" in sys.argv:
        print("\n".join(function.name for function in emitter.header.functions))
        return 0
    stale = 0
    for path, text in emitter.files().items():
        if text.count("\n") > 700:
            raise SystemExit(f"{path.name} has {text.count(chr(10))} lines: divide it in emit_csharp.py")
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path} is not what bitnet.h says: run bindings/abi/emit_csharp.py")
            stale += 1
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
