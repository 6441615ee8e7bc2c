"""Cross-checks the NumPy codecs and the container against upstream's `gguf` package.

Every block type the package knows is decoded by both from random bytes and from our encoders' output, and the golden
files without I2_S (a type upstream does not have) are read by its reader. Exits with 77, saying so, where the package
is missing. I2_S itself is checked against the trained model by check_stories3m.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

try:
    import gguf
except ImportError as error:
    print(f"SKIPPED: {error}; pip install gguf", file=sys.stderr)
    sys.exit(77)

import codecs_numpy
from gguf_numpy import TENSOR_TYPES, Tensor, read_gguf

HERE = Path(__file__).resolve().parent
ROWS, COLUMNS = 24, 512
# Byte offsets of the half-precision scale inside a block, to keep random ones finite.
SCALE_AT = {"Q4_0": 0, "Q8_0": 0, "Q6_K": 208, "TQ1_0": 52, "TQ2_0": 64}


def random_blocks(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Random stored rows, valid as upstream writes them: finite scales, no fourth ternary code, real trit bytes."""
    _, block, size = TENSOR_TYPES[kind]
    count = ROWS * COLUMNS // block
    if kind in ("F16", "BF16"):
        return rng.normal(size=(ROWS, COLUMNS)).astype("<f2").view(np.uint8).reshape(ROWS, -1)
    raw = rng.integers(0, 256, (count, size), dtype=np.uint8)
    if kind == "TQ2_0":
        raw &= (raw >> 1 & 0x55) ^ 0xFF  # 3 becomes 2
    if kind == "TQ1_0":
        values = np.arange(243)
        raw = ((values * 256 + 242) // 243).astype(np.uint8)[rng.integers(0, 243, (count, size))]
        raw[:, 48:52] = ((values[::3] * 256 + 242) // 243).astype(np.uint8)[rng.integers(0, 81, (count, 4))]
    at = SCALE_AT[kind]
    raw[:, at:at + 2] = rng.normal(size=count).astype("<f2").view(np.uint8).reshape(-1, 2)
    return raw.reshape(ROWS, -1)


def decoded_alike(kind: str, raw: np.ndarray) -> bool:
    ours = codecs_numpy.decode(Tensor("x", kind, (COLUMNS, ROWS), raw.tobytes()))
    theirs = gguf.quants.dequantize(raw, gguf.GGMLQuantizationType[kind])
    return np.array_equal(ours.astype(np.float32), theirs)


def main() -> int:
    rng = np.random.default_rng(3)
    failures = 0
    for kind in ("F16", "BF16", *SCALE_AT):
        random_same = decoded_alike(kind, random_blocks(rng, kind))
        w = rng.normal(size=(ROWS, COLUMNS))
        if kind in codecs_numpy.TERNARY_TYPES:
            scales = np.float16(rng.uniform(0.1, 2.0, ROWS * COLUMNS // 256)).astype(np.float64)
            w = (rng.integers(-1, 2, (len(scales), 256)) * scales[:, None]).reshape(w.shape)
        mine = np.frombuffer(codecs_numpy.encode("x", kind, w).data, np.uint8).reshape(ROWS, -1)
        encoded_same = decoded_alike(kind, mine)
        try:
            theirs = gguf.quants.quantize(w.astype(np.float32), gguf.GGMLQuantizationType[kind]).tobytes()
            share = np.mean(mine.reshape(-1) == np.frombuffer(theirs, np.uint8))
            bytes_equal = f"{share:.2%} of encoded bytes equal"
        except NotImplementedError:
            bytes_equal = "upstream has no Python encoder"
        loss = codecs_numpy.DECODERS[kind](mine.reshape(-1)).reshape(w.shape) - w
        failures += not (random_same and encoded_same)
        print(f"{kind:6} random blocks {'same' if random_same else 'DIFFER'}, own encoding "
              f"{'same' if encoded_same else 'DIFFERS'}, relative rms error {loss.std() / w.std():.1e}, {bytes_equal}")
    for path in sorted(HERE.glob("*.gguf")):
        metadata, tensors = read_gguf(path)
        if any(tensor.type == "I2_S" for tensor in tensors.values()):
            continue
        theirs = gguf.GGUFReader(path)
        fields = {key: field.contents() for key, field in theirs.fields.items() if not key.startswith("GGUF.")}
        seen = {t.name: (t.tensor_type.name, tuple(map(int, t.shape)), t.data.tobytes()) for t in theirs.tensors}
        same = fields == metadata and seen == {t.name: (t.type, t.ne, t.data) for t in tensors.values()}
        failures += not same
        print(f"{path.name}: {len(metadata)} keys, {len(tensors)} tensors "
              f"{'same' if same else 'DIFFER'} in upstream's reader")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
