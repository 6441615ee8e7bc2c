"""The bytes of the tiled and row-scaled ternary dialects, from their nests of loops: check_dialects.py [--write].

Independent of the engine and of the closed forms that the C++ tests use: a tile is cut out of the matrix with NumPy the way
the programs that write these files walk over it. Digests of a small matrix in every dialect are kept in
expected_dialects.json; tests/kernels/ternary_dialects_test.cpp compares the engine's encoder with them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

EXPECTED = Path(__file__).resolve().parent / "expected_dialects.json"
CASES = [("tl1", 128, 256, (64, 64, 32)), ("tl1", 128, 256, (128, 128, 64)), ("tl2", 64, 320, (32, 96, 32)),
         ("tl2", 128, 384, (64, 192, 32)), ("tl2", 64, 512, (64, 96, 32)),
         ("iq1_bn", 6, 256, (0, 0, 0)), ("iq2_bn", 6, 256, (0, 0, 0)), ("iq2_bn_r4", 8, 256, (0, 0, 0))]


def matrix(rows: int, columns: int) -> np.ndarray:
    i = np.arange(rows * columns, dtype=np.int64)
    return ((i * i + i // 7) % 3 - 1).reshape(rows, columns)


def pairs_of(w: np.ndarray) -> np.ndarray:
    return 3 * w[:, 0::2] + w[:, 1::2] + 4


def tl1(w: np.ndarray, tiles: tuple[int, int, int], scale: float) -> bytes:
    bm_rows, bk, bm = tiles
    by = 256 // bm
    out = bytearray()
    for top in range(0, w.shape[0], bm_rows):
        for left in range(0, w.shape[1], bk):
            for row in range(top, top + bm_rows, bm):
                for column in range(left, left + bk, by):
                    for group in range(row, row + bm, 16):
                        for four in range(column, column + by, 4):
                            index = pairs_of(w[group:group + 16, four:four + 4])
                            out += (index[:, 0] << 4 | index[:, 1]).astype(np.uint8).tobytes()
    return bytes(out) + np.float32(scale).tobytes() + bytes(28)


def shuffled(nibbles: np.ndarray) -> bytes:
    """[32 rows, 2] -> 32 bytes, 8-row groups in the order 0, 2, 1, 3."""
    byte = (nibbles[:, 0] << 4 | nibbles[:, 1]).astype(np.uint8).reshape(4, 8)
    return byte[[0, 2, 1, 3]].tobytes()


def tl2(w: np.ndarray, tiles: tuple[int, int, int], scale: float) -> bytes:
    bm_rows, bk, _ = tiles
    rows, columns = w.shape
    three = columns // bk * bk
    triples, signs, pairs = bytearray(), bytearray(), bytearray()
    for top in range(0, rows, bm_rows):
        for left in range(0, three, bk):
            for row in range(top, top + bm_rows, 32):
                part = w[row:row + 32, left:left + bk].reshape(32, -1, 3) @ np.array([9, 3, 1])
                for q in range(0, part.shape[1], 2):
                    triples += shuffled(np.abs(part[:, q:q + 2]))
                for q in range(0, part.shape[1], 8):
                    numbers = np.zeros(16, np.int64)
                    for j in range(8):
                        for half in range(2):
                            numbers |= (part[16 * half:16 * half + 16, q + j] < 0).astype(np.int64) << (15 - 2 * j - half)
                    signs += numbers.astype("<u2").tobytes()
        for left in range(three, columns, 32):
            for row in range(top, top + bm_rows, 32):
                index = pairs_of(w[row:row + 32, left:left + 32])
                for q in range(0, 16, 2):
                    pairs += shuffled(index[:, q:q + 2])
    used = bytes(triples + signs + pairs)
    reserved = (columns - 256) * rows // 3 * 5 // 8 + 256 * rows // 2 * 4 // 8
    reserved = (reserved + 31) // 32 * 32
    return used + bytes(reserved - len(used)) + np.float32(scale).tobytes() + bytes(28)


def iq2_bn(w: np.ndarray, scales: np.ndarray) -> bytes:
    out = bytearray()
    for row, scale in zip(w + 1, scales):
        c = row.reshape(-1, 4, 16)
        out += np.float32(scale).tobytes() + (c[:, 0] | c[:, 1] << 2 | c[:, 2] << 4 | c[:, 3] << 6).astype(np.uint8).tobytes()
    return bytes(out)


def iq2_bn_r4(w: np.ndarray, scales: np.ndarray) -> bytes:
    out = bytearray()
    for top in range(0, len(w), 4):
        out += scales[top:top + 4].astype("<f4").tobytes()
        c = (w[top:top + 4] + 1).reshape(4, -1, 4, 4, 4)  # row, block, sixteen, quarter, i
        byte = c[:, :, :, 0] | c[:, :, :, 1] << 2 | c[:, :, :, 2] << 4 | c[:, :, :, 3] << 6
        out += byte.transpose(1, 2, 0, 3).astype(np.uint8).tobytes()  # block, sixteen, row, i
    return bytes(out)


def iq1_bn(w: np.ndarray, scales: np.ndarray) -> bytes:
    out = bytearray()
    for row, scale in zip(w + 1, scales):
        out += np.float16(scale).tobytes()
        for block in row.reshape(-1, 4, 16):
            v = np.append((block[:, :15].reshape(12, 5) @ 3 ** np.arange(5)), block[:, 15] @ 3 ** np.arange(4))
            out += ((256 * v + 242) // 243).astype(np.uint8).tobytes()
    return bytes(out)


def fnv1a(data: bytes) -> str:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def main() -> int:
    found = []
    for name, rows, columns, tiles in CASES:
        w = matrix(rows, columns)
        scales = 0.25 * (1 + np.arange(rows) % 5)
        data = globals()[name](w, tiles, 1.25) if name.startswith("tl") else globals()[name](w, scales)
        found.append({"type": name, "rows": rows, "columns": columns, "tiles": list(tiles), "fnv1a": fnv1a(data)})
    if "--write" in sys.argv[1:]:
        EXPECTED.write_text("[\n" + ",\n".join(json.dumps(row) for row in found) + "\n]\n")
    same = json.loads(EXPECTED.read_text()) == found
    print(f"{len(found)} dialects {'same' if same else 'DIFFER'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
