"""Writes what is mechanical in bindings/rust from bitnet.h: emit_rust.py [--check].

bitnet-sys/src: constants, structs (in two files, by section of the header) and functions of the whole header.
bitnet-sys/tests/layout_test.rs: a table of every field of every struct, compared with C.
bitnet/src/enums.rs, infos.rs: enums and structs of results as the safe layer gives them out (owned strings, bools).

With --check nothing is written: it fails, naming the file, where one is not what would be written.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

import header_model
from header_model import CType, Enum, Header, Struct

RUST = Path(__file__).parents[1] / "rust"
OPENING = "// {job}\n// Written by bindings/abi/emit_rust.py from bitnet.h; change that program, not this file.\n\n"
WIDTH = 120
# Structs of the header's sections up to this one are in structs_run.rs, the others in structs_tools.rs.
LAST_RUN_SECTION = 17

SCALARS = {"int8_t": "i8", "uint8_t": "u8", "int16_t": "i16", "uint16_t": "u16", "int32_t": "i32", "uint32_t": "u32",
           "int64_t": "i64", "uint64_t": "u64", "size_t": "usize", "float": "f32", "double": "f64", "char": "c_char",
           "int": "c_int", "void": "c_void"}
KEYWORDS = {"type", "struct", "in", "fn", "mod", "ref", "self", "use", "where", "match", "move", "loop"}

# Enums of the safe layer, and the names of their values behind which prefix.
SAFE_ENUMS = {"bitnet_status": ("Status", r"BITNET_(E_)?"), "bitnet_error_family": ("Family", "BITNET_FAMILY_"),
              "bitnet_error_severity": ("Severity", "BITNET_SEVERITY_"), "bitnet_log_level": ("LogLevel", "BITNET_LOG_"),
              "bitnet_finish_reason": ("FinishReason", "BITNET_FINISH_"),
              "bitnet_token_attribute": ("TokenAttribute", "BITNET_TOKEN_"),
              "bitnet_pooling": ("Pooling", "BITNET_POOLING_"), "bitnet_i2s_order": ("I2sOrder", "BITNET_I2S_ORDER_"),
              "bitnet_device_kind": ("DeviceKind", "BITNET_DEVICE_"),
              "bitnet_finding_kind": ("FindingKind", "BITNET_FINDING_"),
              "bitnet_finding_severity": ("FindingSeverity", "BITNET_FINDING_"),
              "bitnet_receipt_check": ("ReceiptCheck", "BITNET_RECEIPT_CHECK_")}
# Structs of the safe layer, and the fields of theirs that are enums.
SAFE_STRUCTS: dict[str, tuple[str, dict[str, str]]] = {
    "bitnet_kernel_info": ("KernelInfo", {}), "bitnet_model_info": ("ModelInfo", {}),
    "bitnet_tensor_info": ("TensorInfo", {}), "bitnet_memory_info": ("MemoryInfo", {}),
    "bitnet_tokenizer_info": ("TokenizerInfo", {}), "bitnet_metrics": ("Metrics", {}),
    "bitnet_environment_info": ("EnvironmentInfo", {}), "bitnet_adapter_info": ("AdapterInfo", {}),
    "bitnet_receipt_report": ("ReceiptReport", {"failed_check": "ReceiptCheck"}),
    "bitnet_memory_breakdown": ("MemoryBreakdown", {}), "bitnet_memory_estimate": ("MemoryEstimate", {}),
    "bitnet_validation_finding": ("Finding", {"kind": "FindingKind", "severity": "FindingSeverity", "status": "Status"}),
    "bitnet_validation_tensor": ("ValidatedTensor", {}), "bitnet_validation_info": ("ValidationInfo", {}),
    "bitnet_device_memory": ("DeviceMemory", {}), "bitnet_device_info": ("DeviceInfo", {"kind": "DeviceKind"}),
    "bitnet_quantization_info": ("QuantizationInfo", {}), "bitnet_type_usage": ("TypeUsage", {}),
    "bitnet_model_config": ("ModelConfig", {}), "bitnet_performance_metrics": ("PerformanceMetrics", {}),
    "bitnet_device_stats": ("DeviceStats", {})}
# int32_t that are 0 or 1, besides those called is_, has_ and supports_.
FLAGS = {"runnable", "exact", "selected", "add_bos", "add_eos", "model_matched", "values_checked", "ternary",
         "tied_embeddings", "deterministic", "strict_tokenizers", "offline"}


def escaped(name: str) -> str:
    return f"r#{name}" if name in KEYWORDS else name


def rust_type(header: Header, kind: CType) -> str:
    if kind.to is None:
        if kind.name in {callback.name for callback in header.callbacks}:
            return f"Option<{kind.name}>"
        return SCALARS.get(kind.name, kind.name)
    if kind.length:
        return f"[{rust_type(header, kind.to)}; {kind.length}]"
    return ("*const " if kind.to.is_const else "*mut ") + rust_type(header, kind.to)


def wrapped(start: str, items: Iterable[str], end: str) -> str:
    """start, the items and end on one line, or one item a line where that is too long."""
    items = list(items)
    line = f"{start}{', '.join(items)}{end}"
    if len(line) <= WIDTH:
        return line + "\n"
    indent = " " * (len(start) - len(start.lstrip()) + 4)
    lines, current = [], indent
    for item in items:
        if len(current) + len(item) + 1 > WIDTH:
            lines.append(current.rstrip())
            current = indent
        current += f"{item}, "
    return "\n".join([start, *lines, current.rstrip(), f"{indent[4:]}{end}"]) + "\n"


def signature(header: Header, parameters: Iterable[header_model.Field]) -> list[str]:
    return [f"{escaped(field.name)}: {rust_type(header, field.type)}" for field in parameters]


def result_of(header: Header, kind: CType) -> str:
    return "" if kind == CType("void") else f" -> {rust_type(header, kind)}"


def constants(header: Header) -> str:
    text = OPENING.format(job="Constants, small types and callbacks of bitnet.h.")
    text += "use super::*;\n\n"
    for part, number in zip(("MAJOR", "MINOR", "PATCH"), header.version):
        text += f"pub const BITNET_VERSION_{part}: u32 = {number};\n"
    major, minor, patch = header.version
    text += f"/// What `bitnet_version_number` gives for this header.\npub const BITNET_VERSION_NUMBER: u32 = {major * 10000 + minor * 100 + patch};\n\n"
    for alias in header.aliases:
        text += f"pub type {alias.name} = {rust_type(header, alias.type)};\n"
    for enum in header.enums:
        kind = enum.name or "u32"
        text += "\n" + (f"pub type {enum.name} = i32;\n" if enum.name else "")
        text += "".join(f"pub const {value.name}: {kind} = {value.number};\n" for value in enum.values)
    text += "\n"
    for callback in header.callbacks:
        end = f"){result_of(header, callback.result)};"
        text += wrapped(f"pub type {callback.name} = unsafe extern \"C\" fn(", signature(header, callback.parameters), end)
    return text


def section_of(struct: Struct, lines: list[str]) -> int:
    section = 0
    for line in lines:
        if (heading := re.match(r"/\* ---- (\d+)\. ", line)) is not None:
            section = int(heading[1])
        if re.match(rf"(typedef )?struct {struct.name} \{{", line):
            return section
    raise SystemExit(f"bitnet.h: {struct.name} is in no section")


def structs(header: Header, which: list[Struct], job: str) -> str:
    text = OPENING.format(job=job) + "use super::*;\n"
    for struct in which:
        text += "\n#[repr(C)]\n"
        if not struct.fields:
            text += f"pub struct {struct.name} {{\n    _private: [u8; 0],\n    _marker: Opaque,\n}}\n"
            continue
        text += f"#[derive(Clone, Copy, Debug)]\npub struct {struct.name} {{\n"
        text += "".join(f"    pub {field},\n" for field in signature(header, struct.fields)) + "}\n"
    return text


def functions(header: Header) -> str:
    text = OPENING.format(job="Every function of bitnet.h. What they do is told there.")
    text += "use super::*;\n\nextern \"C\" {\n"
    for function in header.functions:
        end = f"){result_of(header, function.result)};"
        text += wrapped(f"    pub fn {function.name}(", signature(header, function.parameters), end)
    return text + "}\n"


def layout_test(header: Header) -> str:
    text = OPENING.format(job="Every struct has the size, and every field the offset and the size, that a C compiler gives it.")
    text += "#[path = \"compare_layout.rs\"]\nmod compare_layout;\nuse bitnet_sys::*;\nuse compare_layout::{compare, Row};\n\n"
    text += "#[test]\nfn structs_are_laid_out_as_in_c() {\n    let mut rows: Vec<Row> = Vec::new();\n"
    for struct in header.structs:
        if struct.fields:
            text += wrapped(f"    rows!(rows, {struct.name}: ", [escaped(field.name) for field in struct.fields], ");")
    return text + "    compare(&rows);\n}\n"


def camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.lower().split("_"))


ENUM_MACRO = """macro_rules! c_enum {
    ($(#[$about:meta])* $name:ident { $($(#[$meaning:meta])* $variant:ident = $number:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$meaning])* $variant,)*
            /// A number that this version does not know.
            Other(i32),
        }

        impl $name {
            /// From the number of bitnet.h.
            pub fn from_raw(number: i32) -> $name {
                match number {
                    $($number => $name::$variant,)*
                    other => $name::Other(other),
                }
            }

            /// The number in bitnet.h.
            pub fn raw(self) -> i32 {
                match self {
                    $($name::$variant => $number,)*
                    $name::Other(other) => other,
                }
            }
        }
    };
}
"""


def enums(header: Header) -> str:
    text = OPENING.format(job="The enums of bitnet.h that the safe layer shows. Numbers of newer libraries become `Other`.")
    text += ENUM_MACRO
    known = {enum.name: enum for enum in header.enums}
    for name, (rust, prefix) in SAFE_ENUMS.items():
        enum: Enum = known[name]
        text += f"\nc_enum! {{\n    /// `{name}` of bitnet.h.\n    {rust} {{\n"
        for value in enum.values:
            variant = camel(re.sub(f"^{prefix}", "", value.name))
            text += f"        /// `{value.name}`\n        {variant} = {value.number},\n"
        text += "    }\n}\n"
    return text


def info_field(field: header_model.Field, enum_of: dict[str, str], safe: dict[str, str]) -> tuple[str, str]:
    """Type and value, from `raw`, of a field of the safe layer."""
    raw = f"raw.{escaped(field.name)}"
    if field.name in enum_of:
        return enum_of[field.name], f"{enum_of[field.name]}::from_raw({raw})"
    if field.type.to is None:
        if field.type.name == "int32_t" and (field.name in FLAGS or field.name.startswith(("is_", "has_", "supports_"))):
            return "bool", f"{raw} != 0"
        return SCALARS.get(field.type.name, "i32"), raw
    if field.type.length:
        return f"[{SCALARS[field.type.to.name]}; {field.type.length}]", raw
    if field.type.to.name == "char":
        return "String", f"text({raw})"
    return safe[field.type.to.name], f"{safe[field.type.to.name]}::from_raw(&*{raw})"


def infos(header: Header) -> str:
    text = OPENING.format(job="What the library tells about models, devices and runs, as owned values.")
    text += "#![allow(missing_docs)] // each field is told about in bitnet.h, at the struct that is named here\n\n"
    text += "use crate::enums::*;\nuse crate::ffi::text;\nuse bitnet_sys as sys;\n"
    known = {struct.name: struct for struct in header.structs}
    safe = {name: rust for name, (rust, _) in SAFE_STRUCTS.items()}
    for name, (rust, enum_of) in SAFE_STRUCTS.items():
        fields = [(f"{field.name}_name" if field.name == "type" else field.name, *info_field(field, enum_of, safe))
                  for field in known[name].fields if field.name != "struct_size"]
        text += f"\n/// `{name}` of bitnet.h.\n#[derive(Clone, Debug, PartialEq)]\n#[non_exhaustive]\npub struct {rust} {{\n"
        text += "".join(f"    pub {field}: {kind},\n" for field, kind, _ in fields) + "}\n\n"
        text += f"impl {rust} {{\n    pub(crate) unsafe fn from_raw(raw: &sys::{name}) -> {rust} {{\n        {rust} {{\n"
        text += "".join(f"            {field}: {value},\n" for field, _, value in fields) + "        }\n    }\n}\n"
    return text


def emitted(header: Header) -> dict[str, str]:
    lines = header_model.HEADER.read_text(encoding="utf-8").splitlines()
    run = [struct for struct in header.structs if not struct.fields or section_of(struct, lines) <= LAST_RUN_SECTION]
    tools = [struct for struct in header.structs if struct not in run]
    # Two files of results, so that neither is longer than the rule allows.
    first = infos(header)
    cut = first.index("\n/// `bitnet_memory_breakdown`")
    second = first[:first.index("\n/// `")] + first[cut:]
    first = first[:cut]
    return {
        "bitnet-sys/src/constants.rs": constants(header),
        "bitnet-sys/src/structs_run.rs": structs(header, run, f"Handles, and the structs of sections 1 to {LAST_RUN_SECTION} of bitnet.h."),
        "bitnet-sys/src/structs_tools.rs": structs(header, tools, "The structs of the later sections of bitnet.h."),
        "bitnet-sys/src/functions.rs": functions(header),
        "bitnet-sys/tests/layout_test.rs": layout_test(header),
        "bitnet/src/enums.rs": enums(header),
        "bitnet/src/infos.rs": first,
        "bitnet/src/reports.rs": second,
    }


def main() -> int:
    stale = []
    for name, text in emitted(header_model.read_header()).items():
        path = RUST / name
        if "--check" in sys.argv[1:]:
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"bindings/rust/{name} is not what bitnet.h asks for: run bindings/abi/emit_rust.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
