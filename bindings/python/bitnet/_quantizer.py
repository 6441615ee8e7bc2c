"""Quantising matrices: floats to a type of model files and back, what that loses, and products with ternary weights.

Floats are anything with a buffer of contiguous 32-bit floats (array.array("f"), numpy float32), rows one after the other.
"""

from __future__ import annotations

import array
import ctypes
import dataclasses
from typing import TYPE_CHECKING, Any, Optional

from . import _abi
from ._errors import check
from ._handles import Buffer, Calls, Handle, float_pointer, floats, from_c, get_record, params, read_text
from ._library import lib
from ._records import QuantizeAccuracy, QuantizerStats

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import QuantizeOptions, QuantizerOptions


@dataclasses.dataclass(frozen=True)
class Quantized:
    """A quantised matrix: bytes, and the scales that its type keeps outside of them."""

    data: bytes
    scales: "array.array[float]"
    n_rows: int
    n_cols: int
    options: "QuantizeOptions"


def quantize_accuracy(values: Buffer, n_cols: int, **options: "Unpack[QuantizeOptions]") -> QuantizeAccuracy:
    """What quantising loses: type="i2_s", block_size=..., asymmetric=1."""
    config, _held = params(_abi.bitnet_quantize_config, options, Calls())
    pointer, n_rows, _kept = _matrix(values, n_cols)
    return get_record(QuantizeAccuracy, _abi.bitnet_quantize_accuracy, lib.bitnet_quantize_get_accuracy, ctypes.byref(config),
                      pointer, n_rows, n_cols)


def _matrix(values: Buffer, n_cols: int) -> tuple[Any, int, Any]:
    pointer, count, held = float_pointer(values)
    if n_cols <= 0 or count % n_cols:
        raise ValueError(f"{count} floats are no rows of {n_cols}")
    return pointer, count // n_cols, held


class Quantizer(Handle):
    """Quantises on a device, or the CPU. Any thread may use one; its operations wait for each other. Options are those of
    bitnet_quantizer_params: device, allow_fallback, min_accuracy (percent), n_threads, ..."""

    _free_name = "bitnet_quantizer_free"

    def __init__(self, **options: "Unpack[QuantizerOptions]") -> None:
        struct, _held = params(_abi.bitnet_quantizer_params, options, Calls())
        pointer = ctypes.POINTER(_abi.bitnet_quantizer)()
        check(lib.bitnet_quantizer_create(ctypes.byref(struct), ctypes.byref(pointer)))
        super().__init__(pointer)

    def quantize(self, values: Buffer, n_cols: int, **options: "Unpack[QuantizeOptions]") -> Quantized:
        """type="i2_s" (default), "tq1_0", "tq2_0", "q8_0", "q6_k", "q4_0", "f16", "bf16", "f32", "int8", "int4"; block_size,
        asymmetric."""
        config, _held = params(_abi.bitnet_quantize_config, options, Calls())
        floats_in, n_rows, _kept = _matrix(values, n_cols)
        n_bytes, n_scales = ctypes.c_size_t(), ctypes.c_size_t()
        check(lib.bitnet_quantize_get_size(ctypes.byref(config), n_rows, n_cols, ctypes.byref(n_bytes), ctypes.byref(n_scales)))
        out, scales = ctypes.create_string_buffer(n_bytes.value), (ctypes.c_float * n_scales.value)()
        with self._use() as pointer:
            check(lib.bitnet_quantizer_quantize(pointer, ctypes.byref(config), floats_in, n_rows, n_cols, out, n_bytes.value,
                                                scales, n_scales.value))
        return Quantized(out.raw, floats(scales, n_scales.value), n_rows, n_cols, options)

    def dequantize(self, matrix: Quantized) -> "array.array[float]":
        config, _held = params(_abi.bitnet_quantize_config, matrix.options, Calls())
        scales, n_scales, _kept = float_pointer(matrix.scales)
        out = (ctypes.c_float * (matrix.n_rows * matrix.n_cols))()
        with self._use() as pointer:
            check(lib.bitnet_quantizer_dequantize(pointer, ctypes.byref(config), matrix.data, len(matrix.data), scales, n_scales,
                                                  matrix.n_rows, matrix.n_cols, out, len(out)))
        return floats(out, len(out))

    def matmul_i2s(self, activations: Any, weights: Quantized, scales: Optional[Buffer] = None) -> "array.array[float]":
        """activations (rows of n_cols signed bytes, value = code / scale) times the transpose of "i2_s" weights: n_rows floats
        for each row. Sums are exact."""
        codes = memoryview(activations).cast("B")
        n_cols = weights.n_cols
        if len(codes) % n_cols:
            raise ValueError(f"{len(codes)} bytes are no rows of {n_cols}")
        rows = len(codes) // n_cols
        out = (ctypes.c_float * (rows * weights.n_rows))()
        held = (ctypes.c_int8 * len(codes)).from_buffer_copy(codes)
        bytes_in = ctypes.create_string_buffer(weights.data, len(weights.data))
        work = _abi.bitnet_i2s_matmul(activations=held, weights=ctypes.cast(bytes_in, ctypes.c_void_p),
                                      n_weight_bytes=len(weights.data), out=out, n_out=len(out), m=rows, n=weights.n_rows, k=n_cols)
        if scales is not None:
            work.activation_scales, work.n_activation_scales, _kept = float_pointer(scales)
        with self._use() as pointer:
            check(lib.bitnet_quantizer_matmul_i2s(pointer, ctypes.byref(work)))
        return floats(out, len(out))

    @property
    def active_provider(self) -> str:
        """What computes: "i2s_avx2"."""
        with self._use() as pointer:
            return from_c(lib.bitnet_quantizer_get_active_provider(pointer))

    @property
    def stats(self) -> QuantizerStats:
        with self._use() as pointer:
            return get_record(QuantizerStats, _abi.bitnet_quantizer_stats, lib.bitnet_quantizer_get_stats, pointer)

    def summary(self) -> str:
        with self._use() as pointer:
            return read_text(lambda out, room, size: lib.bitnet_quantizer_get_summary(pointer, out, room, size))
