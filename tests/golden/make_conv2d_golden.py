"""Makes conv2d.json: convolutions by NumPy over sliding windows of the padded input, written from the documentation of
bitnet.h. Whole numbers, which no order of adding changes, for float weights and "i2s4"; float64 for the byte codecs.

    python3 make_conv2d_golden.py        (needs numpy; tests/api/convolution_test.cpp reads the result)
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent


def random_floats(seed: int, n: int) -> np.ndarray:
    """The numbers of test::random_values: -1 to 1, exact in float32."""
    out = []
    for _ in range(n):
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append(((seed >> 40) - 2**23) / 2**23)
    return np.array(out)


def small_integers(seed: int, n: int) -> np.ndarray:
    return np.trunc(random_floats(seed, n) * 4)


def decoded(codec: str, codes: np.ndarray, n: int) -> np.ndarray:
    if codec == "i2s4":
        pairs = np.stack([codes >> 2 * i & 3 for i in range(4)], axis=1).reshape(-1)[:n]
        return np.array([-2, -1, 1, 2])[pairs].astype(np.float64)
    v = np.maximum((codes.astype(np.float64) - 128) / 127, -1)
    return v if codec == "tl1-conv" else v * np.abs(v)


def convolution(x, w, bias, stride, padding, dilation):
    x = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    reach = [dilation[i] * (w.shape[2 + i] - 1) + 1 for i in range(2)]
    windows = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    windows = windows[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    return np.einsum("niyxab,oiab->noyx", windows, w) + bias[None, :, None, None]


CASES = [
    # input, weights, stride, padding, dilation, codec
    ((1, 1, 5, 5), (1, 1, 3, 3), (1, 1), (0, 0), (1, 1), None),
    ((2, 3, 6, 7), (5, 3, 3, 2), (2, 1), (1, 2), (1, 1), None),
    ((1, 2, 9, 8), (3, 2, 3, 3), (1, 3), (2, 2), (2, 1), None),
    ((1, 4, 1, 33), (2, 4, 1, 5), (1, 2), (0, 7), (1, 3), None),
    ((3, 30, 3, 3), (1, 30, 3, 3), (1, 1), (0, 0), (1, 1), None),
    ((1, 3, 4, 4), (3, 3, 3, 3), (1, 1), (1, 1), (1, 1), "i2s4"),
    ((1, 3, 5, 4), (2, 3, 3, 3), (2, 2), (1, 1), (1, 1), "tl1-conv"),
    ((1, 3, 5, 4), (2, 3, 3, 3), (1, 1), (1, 0), (1, 1), "tl2-conv"),
]


def main() -> None:
    cases = []
    for seed, (x_dims, w_dims, stride, padding, dilation, codec) in enumerate(CASES, 1):
        x = small_integers(seed, int(np.prod(x_dims))).reshape(x_dims)
        bias = small_integers(seed + 100, w_dims[0])
        n = int(np.prod(w_dims))
        case = {"input_dims": x_dims, "weight_dims": w_dims, "stride": stride, "padding": padding,
                "dilation": dilation, "seed": seed, "codec": codec}
        if codec is None:
            w = small_integers(seed + 200, n).reshape(w_dims)
        else:
            rng = np.random.default_rng(seed)
            codes = rng.integers(0, 256, (n + 3) // 4 if codec == "i2s4" else n)
            if codec != "i2s4":
                codes[:2] = 0, 255
            scales = np.array([0.5, 2.0, 0.25])[: w_dims[0]]
            w = decoded(codec, codes, n).reshape(w_dims) * scales[:, None, None, None]
            case |= {"codes": codes.tolist(), "scales": scales.tolist()}
        out = convolution(x, w, bias, stride, padding, dilation)
        case["out_dims"] = out.shape
        case["out"] = [int(v) if v == int(v) else round(float(v), 9) for v in out.reshape(-1)]
        cases.append(case)
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (HERE / "conv2d.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
