"""A GGUF reader and writer of its own, for the golden oracle and for the export of examples/stories.

Written from the format description alone, so that a mistake in the C++ reader or writer cannot hide by being
shared with its tests. Little-endian GGUF v3 is written; v2 and v3 are read. Files here are tiny and trusted: the checks
below guard against our own slips, not against hostile input.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Metadata value types: name -> (id, struct letter). Strings and arrays have no letter.
VALUE_TYPES = {
    "u8": (0, "B"), "i8": (1, "b"), "u16": (2, "H"), "i16": (3, "h"), "u32": (4, "I"), "i32": (5, "i"),
    "f32": (6, "f"), "bool": (7, "?"), "string": (8, None), "array": (9, None), "u64": (10, "Q"), "i64": (11, "q"),
    "f64": (12, "d"),
}
VALUE_NAMES = {number: name for name, (number, _) in VALUE_TYPES.items()}

# Tensor types: name -> (id, elements per block, bytes per block). I2_S has four elements per byte and a 32-byte tail
# per tensor, which tensor_bytes() adds.
TENSOR_TYPES = {
    "F32": (0, 1, 4), "F16": (1, 1, 2), "Q4_0": (2, 32, 18), "Q8_0": (8, 32, 34), "Q6_K": (14, 256, 210),
    "BF16": (30, 1, 2), "TQ1_0": (34, 256, 54), "TQ2_0": (35, 256, 66), "I2_S": (36, 128, 32),
}
TENSOR_NAMES = {number: name for name, (number, _, _) in TENSOR_TYPES.items()}
I2S_TAIL = 32


@dataclass
class Tensor:
    """One tensor as stored: `ne` is the file's order, fastest first, so a matrix is [K inputs, M outputs]."""

    name: str
    type: str
    ne: tuple[int, ...]
    data: bytes


def tensor_bytes(type_name: str, ne: tuple[int, ...]) -> int:
    """Stored size of a tensor; asserts that a row is a whole number of blocks."""
    _, block, size = TENSOR_TYPES[type_name]
    assert ne[0] % block == 0, f"{type_name} needs rows in multiples of {block}, got {ne}"
    count = int(np.prod(ne, dtype=np.int64))
    return count // block * size + (I2S_TAIL if type_name == "I2_S" else 0)


class _Cursor:
    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    def number(self, letter: str):
        (value,) = struct.unpack_from("<" + letter, self.data, self.at)
        self.at += struct.calcsize("<" + letter)
        return value

    def string(self) -> str:
        # Vocabularies hold arbitrary bytes; surrogateescape keeps them reversible.
        length = self.number("Q")
        raw = self.data[self.at:self.at + length]
        assert len(raw) == length, "string runs past the end"
        self.at += length
        return raw.decode("utf-8", "surrogateescape")

    def value(self, type_name: str):
        if type_name == "string":
            return self.string()
        if type_name == "array":
            element, count = VALUE_NAMES[self.number("I")], self.number("Q")
            assert element != "array", "nested arrays are not read"
            return [self.value(element) for _ in range(count)]
        return self.number(VALUE_TYPES[type_name][1])


def read_gguf(path: str | Path) -> tuple[dict, dict[str, Tensor]]:
    """Reads a file into (metadata, tensors by name)."""
    data = Path(path).read_bytes()
    assert data[:4] == b"GGUF", f"{path}: not a GGUF file"
    cursor = _Cursor(data)
    cursor.at = 4
    version = cursor.number("I")
    assert version in (2, 3), f"{path}: version {version}"
    tensor_count, kv_count = cursor.number("Q"), cursor.number("Q")
    metadata: dict = {}
    for _ in range(kv_count):
        key = cursor.string()
        assert key not in metadata, f"{path}: key {key} twice"
        metadata[key] = cursor.value(VALUE_NAMES[cursor.number("I")])
    infos = []
    for _ in range(tensor_count):
        name = cursor.string()
        ne = tuple(cursor.number("Q") for _ in range(cursor.number("I")))
        infos.append((name, ne, TENSOR_NAMES[cursor.number("I")], cursor.number("Q")))
    alignment = metadata.get("general.alignment", 32)
    base = -(-cursor.at // alignment) * alignment
    tensors: dict[str, Tensor] = {}
    for name, ne, type_name, offset in infos:
        size = tensor_bytes(type_name, ne)
        raw = data[base + offset:base + offset + size]
        assert len(raw) == size, f"{path}: {name} runs past the end"
        assert name not in tensors, f"{path}: tensor {name} twice"
        tensors[name] = Tensor(name, type_name, ne, raw)
    return metadata, tensors


def _pack_string(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogateescape")
    return struct.pack("<Q", len(raw)) + raw


def _pack_value(type_name: str, value) -> bytes:
    if type_name == "string":
        return _pack_string(value)
    if type_name.startswith("array:"):
        element = type_name[len("array:"):]
        head = struct.pack("<IQ", VALUE_TYPES[element][0], len(value))
        return head + b"".join(_pack_value(element, item) for item in value)
    return struct.pack("<" + VALUE_TYPES[type_name][1], value)


def write_gguf(path: str | Path, metadata: list[tuple[str, str, object]], tensors: list[Tensor]) -> None:
    """Writes a v3 file. `metadata` rows are (key, type, value); an array's type is "array:<element>"."""
    alignment = next((value for key, _, value in metadata if key == "general.alignment"), 32)
    out = bytearray(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)))
    for key, type_name, value in metadata:
        kind = "array" if type_name.startswith("array:") else type_name
        out += _pack_string(key) + struct.pack("<I", VALUE_TYPES[kind][0]) + _pack_value(type_name, value)
    body = bytearray()
    for tensor in tensors:
        assert len(tensor.data) == tensor_bytes(tensor.type, tensor.ne), f"{tensor.name}: wrong byte count"
        out += _pack_string(tensor.name) + struct.pack("<I", len(tensor.ne))
        out += struct.pack(f"<{len(tensor.ne)}QIQ", *tensor.ne, TENSOR_TYPES[tensor.type][0], len(body))
        body += tensor.data
        body += bytes(-len(body) % alignment)
    out += bytes(-len(out) % alignment)
    Path(path).write_bytes(bytes(out + body))
