"""Encoders and decoders of the stored weight types, in NumPy, from the byte pictures of the format description.

Decoding gives float64 exactly (every stored weight is a product of small integers and a half or single). Encoding is
only as clever as the tiny golden models need; what the oracle computes with is always the decoded result.
Matrices are [M rows, K columns]; each row is a whole number of blocks.
"""

from __future__ import annotations

import numpy as np

from gguf_numpy import I2S_TAIL, Tensor

TERNARY_TYPES = ("I2_S", "TQ1_0", "TQ2_0")


def _half_column(values: np.ndarray) -> np.ndarray:
    """[n] float64 -> [n, 2] bytes of little-endian halves."""
    return values.astype("<f2").view(np.uint8).reshape(-1, 2)


def _halves(raw: np.ndarray) -> np.ndarray:
    """[n, 2] bytes -> [n, 1] float64."""
    return np.ascontiguousarray(raw).view("<f2").astype(np.float64).reshape(-1, 1)


# --- plain types ---------------------------------------------------------------------------------------------------

def encode_f32(w: np.ndarray) -> bytes:
    return w.astype("<f4").tobytes()


def decode_f32(raw: np.ndarray) -> np.ndarray:
    return raw.view("<f4").astype(np.float64)


def encode_f16(w: np.ndarray) -> bytes:
    return w.astype("<f2").tobytes()


def decode_f16(raw: np.ndarray) -> np.ndarray:
    return raw.view("<f2").astype(np.float64)


def encode_bf16(w: np.ndarray) -> bytes:
    bits = w.astype("<f4").view("<u4").astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2").tobytes()  # nearest, ties to even


def decode_bf16(raw: np.ndarray) -> np.ndarray:
    return (raw.view("<u2").astype("<u4") << 16).view("<f4").astype(np.float64)


# --- classic blocks ------------------------------------------------------------------------------------------------

def encode_q8_0(w: np.ndarray) -> bytes:
    """Blocks of 32: half d, then 32 signed bytes; w = d*q."""
    blocks = w.reshape(-1, 32)
    d = (np.abs(blocks).max(axis=1) / 127).astype(np.float16).astype(np.float64)
    q = np.clip(np.rint(blocks / np.where(d == 0, 1, d)[:, None]), -127, 127).astype(np.int8)
    return np.hstack([_half_column(d), q.view(np.uint8)]).tobytes()


def decode_q8_0(raw: np.ndarray) -> np.ndarray:
    blocks = raw.reshape(-1, 34)
    return _halves(blocks[:, :2]) * np.ascontiguousarray(blocks[:, 2:]).view(np.int8)


def encode_q4_0(w: np.ndarray) -> bytes:
    """Blocks of 32: half d, then 16 bytes; low nibble of byte j = element j, high = j+16; w = d*(q-8)."""
    blocks = w.reshape(-1, 32)
    extreme = blocks[np.arange(len(blocks)), np.abs(blocks).argmax(axis=1)]
    d = (extreme / -8).astype(np.float16).astype(np.float64)
    q = np.clip(np.rint(blocks / np.where(d == 0, 1, d)[:, None]) + 8, 0, 15).astype(np.uint8)
    return np.hstack([_half_column(d), q[:, :16] | q[:, 16:] << 4]).tobytes()


def decode_q4_0(raw: np.ndarray) -> np.ndarray:
    blocks = raw.reshape(-1, 18)
    nibbles = np.hstack([blocks[:, 2:] & 15, blocks[:, 2:] >> 4]).astype(np.float64)
    return _halves(blocks[:, :2]) * (nibbles - 8)


def encode_q6_k(w: np.ndarray) -> bytes:
    """Blocks of 256: ql[128], qh[64], 16 signed sub-scales, half d; w = d*sc*(q-32) in sub-blocks of 16."""
    subs = w.reshape(-1, 16, 16)
    wanted = np.abs(subs).max(axis=2) / 31
    d = (wanted.max(axis=1) / 127).astype(np.float16).astype(np.float64)
    sc = np.rint(wanted / np.where(d == 0, 1, d)[:, None]).clip(0, 127).astype(np.int8)
    step = d[:, None] * sc
    q = np.rint(subs / np.where(step == 0, 1, step)[:, :, None]).clip(-32, 31).astype(np.int64) + 32
    # Half h of the block, quarter n, lane l: element 128h + 32n + l.
    e = q.reshape(-1, 2, 4, 32).astype(np.uint8)
    low, high = e & 15, e >> 4
    ql = np.concatenate([low[:, :, 0] | low[:, :, 2] << 4, low[:, :, 1] | low[:, :, 3] << 4], axis=2)
    qh = high[:, :, 0] | high[:, :, 1] << 2 | high[:, :, 2] << 4 | high[:, :, 3] << 6
    n = len(subs)
    return np.hstack([ql.reshape(n, 128), qh.reshape(n, 64), sc.view(np.uint8), _half_column(d)]).tobytes()


def decode_q6_k(raw: np.ndarray) -> np.ndarray:
    blocks = raw.reshape(-1, 210)
    n = len(blocks)
    ql = blocks[:, :128].reshape(n, 2, 2, 32)
    qh = blocks[:, 128:192].reshape(n, 2, 1, 32)
    sc = np.ascontiguousarray(blocks[:, 192:208]).view(np.int8).reshape(n, 2, 4, 2, 1)
    low = np.concatenate([ql & 15, ql >> 4], axis=2)
    high = np.concatenate([qh >> shift & 3 for shift in (0, 2, 4, 6)], axis=2)
    q = (low | high << 4).astype(np.float64).reshape(n, 2, 4, 2, 16) - 32
    return _halves(blocks[:, 208:]) * (q * sc).reshape(n, 256)


# --- ternary types -------------------------------------------------------------------------------------------------

def ternary_blocks(w: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Cuts {-s, 0, +s} weights into blocks of `size`: trits 0/1/2 and each block's s."""
    blocks = w.reshape(-1, size)
    scale = np.abs(blocks).max(axis=1)
    assert np.all((blocks == 0) | (np.abs(blocks) == scale[:, None])), "weights are not ternary"
    return (np.sign(blocks) + 1).astype(np.uint8), scale


def encode_i2_s(w: np.ndarray) -> bytes:
    """128/32 packing: byte p of a block holds elements p, p+32, p+64, p+96 from the top bits down; one scale last."""
    codes, scale = ternary_blocks(w, w.size)
    c = codes.reshape(-1, 4, 32)
    packed = c[:, 0] << 6 | c[:, 1] << 4 | c[:, 2] << 2 | c[:, 3]
    return packed.tobytes() + scale.astype("<f4").tobytes() + bytes(I2S_TAIL - 4)


def decode_i2_s(raw: np.ndarray) -> np.ndarray:
    packed = raw[:-I2S_TAIL].reshape(-1, 1, 32)
    codes = np.concatenate([packed >> shift & 3 for shift in (6, 4, 2, 0)], axis=1)
    assert codes.max(initial=0) <= 2, "code 3 is never valid in I2_S"
    scale = raw[-I2S_TAIL:][:4].view("<f4").astype(np.float64)[0]
    return scale * (codes.astype(np.float64) - 1)


def encode_tq2_0(w: np.ndarray) -> bytes:
    """Blocks of 256: qs[64] then half d; byte 32h+m holds elements 128h + 32n + m at bits 2n+1:2n."""
    codes, scale = ternary_blocks(w, 256)
    c = codes.reshape(-1, 2, 4, 32)
    qs = c[:, :, 0] | c[:, :, 1] << 2 | c[:, :, 2] << 4 | c[:, :, 3] << 6
    return np.hstack([qs.reshape(-1, 64), _half_column(scale)]).tobytes()


def decode_tq2_0(raw: np.ndarray) -> np.ndarray:
    blocks = raw.reshape(-1, 66)
    qs = blocks[:, :64].reshape(-1, 2, 1, 32)
    codes = np.concatenate([qs >> shift & 3 for shift in (0, 2, 4, 6)], axis=2)
    assert codes.max(initial=0) <= 2, "code 3 is never valid in TQ2_0"
    return _halves(blocks[:, 64:]) * (codes.reshape(-1, 256).astype(np.float64) - 1)


def _pack_trits(trits: np.ndarray) -> np.ndarray:
    """[n, 5, width] trits, most significant first -> [n, width] bytes, ceil(v * 256 / 243)."""
    v = sum(trits[:, i].astype(np.int64) * 3 ** (4 - i) for i in range(5))
    return ((v * 256 + 242) // 243).astype(np.uint8)


def _unpack_trits(packed: np.ndarray, count: int) -> np.ndarray:
    """[n, width] bytes -> [n, count * width] trits, element order trit-major."""
    shifted = [(packed.astype(np.int64) * 3 ** i % 256) * 3 >> 8 for i in range(count)]
    return np.stack(shifted, axis=1).reshape(len(packed), -1)


def encode_tq1_0(w: np.ndarray) -> bytes:
    """Blocks of 256: qs[48] (five trits a byte: 32 bytes, then 16), qh[4] (four trits and a zero), half d."""
    codes, scale = ternary_blocks(w, 256)
    n = len(codes)
    tail = np.concatenate([codes[:, 240:].reshape(n, 4, 4), np.zeros((n, 1, 4), np.uint8)], axis=1)
    parts = [_pack_trits(codes[:, :160].reshape(n, 5, 32)), _pack_trits(codes[:, 160:240].reshape(n, 5, 16)),
             _pack_trits(tail), _half_column(scale)]
    return np.hstack(parts).tobytes()


def decode_tq1_0(raw: np.ndarray) -> np.ndarray:
    blocks = raw.reshape(-1, 54)
    trits = np.hstack([_unpack_trits(blocks[:, :32], 5), _unpack_trits(blocks[:, 32:48], 5),
                       _unpack_trits(blocks[:, 48:52], 4)])
    return _halves(blocks[:, 52:]) * (trits.astype(np.float64) - 1)


ENCODERS = {
    "F32": encode_f32, "F16": encode_f16, "BF16": encode_bf16, "Q8_0": encode_q8_0, "Q4_0": encode_q4_0,
    "Q6_K": encode_q6_k, "I2_S": encode_i2_s, "TQ1_0": encode_tq1_0, "TQ2_0": encode_tq2_0,
}
DECODERS = {
    "F32": decode_f32, "F16": decode_f16, "BF16": decode_bf16, "Q8_0": decode_q8_0, "Q4_0": decode_q4_0,
    "Q6_K": decode_q6_k, "I2_S": decode_i2_s, "TQ1_0": decode_tq1_0, "TQ2_0": decode_tq2_0,
}


def encode(name: str, type_name: str, w: np.ndarray) -> Tensor:
    """Encodes a NumPy array (last axis fastest) as a named tensor."""
    return Tensor(name, type_name, tuple(reversed(w.shape)), ENCODERS[type_name](np.ascontiguousarray(w)))


def decode(tensor: Tensor) -> np.ndarray:
    """Decodes a stored tensor to float64, shape reversed to NumPy's order: a matrix comes back as [M, K]."""
    flat = DECODERS[tensor.type](np.frombuffer(tensor.data, np.uint8))
    return flat.reshape(tuple(reversed(tensor.ne)))
