"""Makes iq2_s.bin: 36 blocks of IQ2_S that hold every row of its table, and the float32 weights that the `gguf` package reads
from them (the blocks first, then the weights).

    python3 make_iq2s_golden.py        (needs numpy and gguf; tests/kernels/block_codec_test.cpp reads the result)
"""

from pathlib import Path

import gguf
import numpy as np

N_BLOCKS = 36
rng = np.random.default_rng(22)
blocks = rng.integers(0, 256, (N_BLOCKS, 82), dtype=np.uint8)
scales = rng.normal(size=N_BLOCKS).astype("<f2")
scales[33], scales[34] = 0.0, 6e-8  # zero and the smallest half
blocks[:, :2] = scales.view(np.uint8).reshape(-1, 2)
for row in range(1024):  # block row / 32, group row % 32
    block, group = divmod(row, 32)
    blocks[block, 2 + group] = row & 255
    shift = group % 4 * 2
    at = 66 + group // 4
    blocks[block, at] = int(blocks[block, at]) & ~(3 << shift) & 255 | (row >> 8) << shift
weights = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType.IQ2_S).astype("<f4")
assert weights.size == N_BLOCKS * 256 and len(np.unique(np.abs(weights))) > 1000
Path(__file__).with_name("iq2_s.bin").write_bytes(blocks.tobytes() + weights.tobytes())
