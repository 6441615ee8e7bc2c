"""The golden oracle: a ternary transformer's forward pass in plain float64 NumPy.

Written from the format description only, never from the engine, and kept in the order a reader would derive it. Ternary
weights see activations rounded to int8 per token; dense weights and the head see them as they are; the KV cache is
rounded to half precision (an option) because the engine stores it so.

Two steps are discontinuous, the int8 rounding and the half rounding of K and V: a float32 engine may legitimately fall
on the other side of a tie. The oracle therefore records how near to a tie it ever came, and the golden prompts are
chosen with room to spare.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import codecs_numpy
from gguf_numpy import read_gguf

# Per architecture: is the RoPE pairing half-split (i, i+d/2) or adjacent (2i, 2i+1); are there sub-norms; activation; and
# for some: norms of each query and key head before rotation, norms of what attention and feed-forward part add, an
# embedding times sqrt(n_embd), every how many layers one is without the sliding window that the file names.
ARCHITECTURES = {
    "bitnet-b1.58": {"half_split": True, "sub_norms": True, "activation": "relu2"},
    "bitnet-25": {"half_split": True, "sub_norms": True, "activation": "relu2"},
    "bitnet": {"half_split": True, "sub_norms": True, "activation": "silu"},
    "llama": {"half_split": False, "sub_norms": False, "activation": "silu"},
    "qwen3": {"half_split": True, "sub_norms": False, "activation": "silu", "head_norms": True},
    "gemma3": {"half_split": True, "sub_norms": False, "activation": "gelu", "head_norms": True, "post_norms": True,
               "scaled": True, "sliding_period": 6},
}
PROJECTIONS = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


@dataclass
class LowRank:
    """One adapter's share of one matrix: factor * B (A x), with A [rank, K] and B [M, rank]; x is never rounded."""

    a: np.ndarray
    b: np.ndarray
    factor: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x.dtype.type(self.factor) * (x @ self.a.T @ self.b.T)


@dataclass
class Linear:
    """One projection: its dequantised weights [M, K], whether its input is rounded to int8, and its output factor."""

    weight: np.ndarray
    ternary: bool
    factor: float
    adapters: list[LowRank] = field(default_factory=list)
    norm_in: np.ndarray | None = None  # of its input, besides what others see


@dataclass
class Rounding:
    """What the two rounding steps did: how near to a tie they came (in steps, at most 0.5) and, if kept, results."""

    int8_distance: float = 0.5
    half_distance: float = 0.5
    outcomes: list[np.ndarray] | None = None

    @staticmethod
    def _distance(steps: np.ndarray) -> float:
        return float(np.abs(steps - np.floor(steps) - 0.5).min())

    def to_int8(self, steps: np.ndarray) -> np.ndarray:
        """Half to even, then clamped. The integers stay in the float type."""
        self.int8_distance = min(self.int8_distance, self._distance(steps))
        rounded = np.clip(np.rint(steps), -128, 127)
        if self.outcomes is not None:
            self.outcomes.append(rounded.astype(np.int8))
        return rounded

    def to_half(self, x: np.ndarray) -> np.ndarray:
        magnitude = np.abs(x.astype(np.float64))
        exponent = np.floor(np.log2(np.maximum(magnitude, 2.0 ** -14)))
        self.half_distance = min(self.half_distance, self._distance(magnitude / 2.0 ** (exponent - 10)))
        rounded = x.astype(np.float16)
        if self.outcomes is not None:
            self.outcomes.append(rounded)
        return rounded.astype(x.dtype)

    def same_outcomes(self, other: "Rounding") -> bool:
        assert self.outcomes is not None and other.outcomes is not None
        return len(self.outcomes) == len(other.outcomes) and all(map(np.array_equal, self.outcomes, other.outcomes))


@dataclass
class Cache:
    """Keys and values of the tokens seen so far, per layer: [n_past, n_kv_head, head_dim]."""

    keys: list[np.ndarray]
    values: list[np.ndarray]
    length: int = 0

    def copy(self) -> "Cache":
        return Cache(list(self.keys), list(self.values), self.length)


@dataclass
class Model:
    """Hyper-parameters and decoded weights of one file."""

    architecture: str
    metadata: dict
    n_layer: int
    n_head: int
    n_kv_head: int
    head_dim: int
    eps: float
    rope_base: float
    rope_factor: float
    rope_divisors: np.ndarray
    window: int  # 0: none
    sliding_period: int
    sliding_rope_base: float
    embedding: np.ndarray
    head: np.ndarray
    output_norm: np.ndarray
    layers: list[dict]
    dtype: type = np.float64
    half_cache: bool = True
    rounding: Rounding = field(default_factory=Rounding)
    head_adapters: list[LowRank] = field(default_factory=list)
    last_hidden: np.ndarray | None = None  # of the last forward pass: what embeddings are made from

    def slides(self, layer: int) -> bool:
        return self.window > 0 and (layer + 1) % self.sliding_period != 0

    def new_cache(self) -> Cache:
        empty = np.zeros((0, self.n_kv_head, self.head_dim), self.dtype)
        return Cache([empty] * self.n_layer, [empty] * self.n_layer)


def low_rank_of(name: str, adapters: list[tuple[str | Path, float]], dtype: type) -> list[LowRank]:
    """What LoRA files, each with a scale, add to the matrix of this name."""
    found = []
    for path, scale in adapters:
        metadata, tensors = read_gguf(path)
        assert (metadata["general.type"], metadata["adapter.type"]) == ("adapter", "lora")
        if f"{name}.lora_a" in tensors:
            a, b = (codecs_numpy.decode(tensors[f"{name}.lora_{half}"]).astype(dtype) for half in "ab")
            alpha = metadata.get("adapter.lora.alpha", 0.0)
            found.append(LowRank(a, b, scale * alpha / len(a) if alpha else scale))
    return found


def load_model(path: str | Path, dtype: type = np.float64, half_cache: bool = True,
               adapters: list[tuple[str | Path, float]] | None = None) -> Model:
    """Reads a file and decodes every weight. dtype=float32 computes as a plain single-precision program would."""
    metadata, tensors = read_gguf(path)
    arch = metadata["general.architecture"]
    traits = ARCHITECTURES[arch]

    def key(name: str, default=None):
        value = metadata.get(f"{arch}.{name}", default)
        assert value is not None, f"{path}: no key {arch}.{name}"
        return value

    def decoded(name: str) -> np.ndarray:
        return codecs_numpy.decode(tensors[name]).astype(dtype)

    n_embd, n_head = key("embedding_length"), key("attention.head_count")
    head_dim = key("attention.key_length", n_embd // n_head)
    assert key("attention.value_length", head_dim) == head_dim
    assert key("rope.dimension_count", head_dim) == head_dim, "only whole-head rotation is described"
    assert key("rope.scaling.type", "linear") in ("linear", "none")
    factor = key("rope.scaling.factor", 1.0) if key("rope.scaling.type", "linear") == "linear" else 1.0

    def linear(prefix: str, name: str) -> Linear:
        tensor = tensors[f"{prefix}{name}.weight"]
        scale = f"{prefix}{name}.scale"
        output_factor = float(decoded(scale).reshape(-1)[0]) if scale in tensors else 1.0
        norm_in = f"{prefix}{name}_norm_in.weight"
        return Linear(decoded(tensor.name), tensor.type in codecs_numpy.TERNARY_TYPES, output_factor,
                      low_rank_of(tensor.name, adapters or [], dtype), decoded(norm_in) if norm_in in tensors else None)

    layers = []
    for n in range(key("block_count")):
        prefix = f"blk.{n}."
        norms = ["attn_norm", "ffn_norm"] + (["attn_sub_norm", "ffn_sub_norm"] if traits["sub_norms"] else [])
        norms += ["attn_q_norm", "attn_k_norm"] if traits.get("head_norms") else []
        norms += ["post_attention_norm", "post_ffw_norm"] if traits.get("post_norms") else []
        layer: dict = {name: decoded(f"{prefix}{name}.weight") for name in norms}
        layer |= {name: linear(prefix, name) for name in PROJECTIONS}
        layers.append(layer)

    divisors = decoded("rope_freqs.weight") if "rope_freqs.weight" in tensors else np.ones(head_dim // 2, dtype)
    embedding = decoded("token_embd.weight")
    window = key("attention.sliding_window", 0) if "sliding_period" in traits else 0
    return Model(
        architecture=arch, metadata=metadata, n_layer=len(layers), n_head=n_head,
        n_kv_head=key("attention.head_count_kv", n_head), head_dim=head_dim,
        eps=key("attention.layer_norm_rms_epsilon"), rope_base=key("rope.freq_base", 10000.0),
        rope_factor=factor, rope_divisors=divisors, window=window,
        sliding_period=key("attention.sliding_window_pattern", traits.get("sliding_period", 1)),
        sliding_rope_base=key("rope.freq_base_swa", 10000.0), embedding=embedding,
        head=decoded("output.weight") if "output.weight" in tensors else embedding,
        output_norm=decoded("output_norm.weight"), layers=layers, dtype=dtype, half_cache=half_cache,
        head_adapters=low_rank_of("output.weight", adapters or [], dtype))


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    mean = np.mean(x * x, axis=-1, keepdims=True)
    return x / np.sqrt(mean + x.dtype.type(eps)) * weight


def quantise_int8(x: np.ndarray, rounding: Rounding) -> tuple[np.ndarray, np.ndarray]:
    """Per row: scale = 127 / max(absmax, 1e-5); returns the integers and the scale."""
    scale = x.dtype.type(127) / np.maximum(np.abs(x).max(axis=-1, keepdims=True), x.dtype.type(1e-5))
    return rounding.to_int8(x * scale), scale


def project(model: Model, x: np.ndarray, *linears: Linear) -> list[np.ndarray]:
    """Applies projections that share one input; a ternary one sees it rounded to int8, a dense one as it is."""
    out = []
    for linear in linears:
        seen = x if linear.norm_in is None else rms_norm(x, linear.norm_in, model.eps)
        if linear.ternary:
            q, scale = quantise_int8(seen, model.rounding)
            y = q @ linear.weight.T / scale
        else:
            y = seen @ linear.weight.T
        out.append(y * x.dtype.type(linear.factor) + sum(adapter(seen) for adapter in linear.adapters))
    return out


def rope(model: Model, x: np.ndarray, positions: np.ndarray, layer: int) -> np.ndarray:
    """Rotates [tokens, heads, head_dim] by position; which two dimensions form a pair depends on the architecture.

    Layers with a sliding window have a base of their own and unscaled positions.
    """
    half = model.head_dim // 2
    base, factor = (model.sliding_rope_base, 1.0) if model.slides(layer) else (model.rope_base, model.rope_factor)
    frequency = base ** (-np.arange(half) / half) / (1.0 if model.slides(layer) else model.rope_divisors.astype(np.float64))
    angle = positions[:, None, None] / factor * frequency
    cos, sin = np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype)
    if ARCHITECTURES[model.architecture]["half_split"]:
        a, b = x[..., :half], x[..., half:]
        return np.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)
    a, b = x[..., 0::2], x[..., 1::2]
    return np.stack([a * cos - b * sin, a * sin + b * cos], axis=-1).reshape(x.shape)


def attention(model: Model, q: np.ndarray, keys: np.ndarray, values: np.ndarray, start: int,
              mask: np.ndarray | None = None, window: int = 0) -> np.ndarray:
    """Grouped-query attention; q is [tokens, n_head, head_dim], the result [tokens, n_head * head_dim].

    Causal, or where mask[i, j] is True token i sees token j. With a window only the last that many, itself included.
    """
    tokens, total = len(q), len(keys)
    group = model.n_head // model.n_kv_head
    k, v = np.repeat(keys, group, axis=1), np.repeat(values, group, axis=1)
    scores = q.transpose(1, 0, 2) @ k.transpose(1, 2, 0) / q.dtype.type(np.sqrt(model.head_dim))
    distance = start + np.arange(tokens)[:, None] - np.arange(total)[None, :]
    hidden = distance < 0 if mask is None else ~mask
    if window:
        hidden = hidden | (distance >= window)
    scores = np.where(hidden, -np.inf, scores)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return (weights @ v.transpose(1, 0, 2)).transpose(1, 0, 2).reshape(tokens, -1)


def activate(model: Model, gate: np.ndarray, up: np.ndarray) -> np.ndarray:
    if ARCHITECTURES[model.architecture]["activation"] == "relu2":
        return np.maximum(gate, 0) ** 2 * up
    if ARCHITECTURES[model.architecture]["activation"] == "gelu":
        return 0.5 * gate * (1 + np.tanh(np.sqrt(2 / np.pi).astype(gate.dtype) * (gate + 0.044715 * gate ** 3))) * up
    return gate / (1 + np.exp(-gate)) * up


def forward(model: Model, ids: list[int], cache: Cache, mask: np.ndarray | None = None) -> np.ndarray:
    """Appends tokens to the cache and returns the logits of each, [tokens, n_vocab]."""
    traits = ARCHITECTURES[model.architecture]
    sub_norms, head_norms, post_norms = (traits.get(f"{kind}_norms", False) for kind in ("sub", "head", "post"))
    start, tokens = cache.length, len(ids)
    store = model.rounding.to_half if model.half_cache else lambda x: x
    positions = np.arange(start, start + tokens, dtype=np.float64)
    x = model.embedding[np.asarray(ids)]
    if traits.get("scaled"):
        x = x * x.dtype.type(np.sqrt(x.shape[1]))
    for n, layer in enumerate(model.layers):
        h = rms_norm(x, layer["attn_norm"], model.eps)
        q, k, v = project(model, h, layer["attn_q"], layer["attn_k"], layer["attn_v"])
        q = q.reshape(tokens, model.n_head, model.head_dim)
        k = k.reshape(tokens, model.n_kv_head, model.head_dim)
        if head_norms:
            q = rms_norm(q, layer["attn_q_norm"], model.eps)
            k = rms_norm(k, layer["attn_k_norm"], model.eps)
        q, k = rope(model, q, positions, n), rope(model, k, positions, n)
        v = v.reshape(tokens, model.n_kv_head, model.head_dim)
        cache.keys[n] = np.concatenate([cache.keys[n], store(k)])
        cache.values[n] = np.concatenate([cache.values[n], store(v)])
        a = attention(model, q, cache.keys[n], cache.values[n], start, mask, model.window if model.slides(n) else 0)
        if sub_norms:
            a = rms_norm(a, layer["attn_sub_norm"], model.eps)
        o = project(model, a, layer["attn_output"])[0]
        x = x + (rms_norm(o, layer["post_attention_norm"], model.eps) if post_norms else o)

        h = rms_norm(x, layer["ffn_norm"], model.eps)
        z = activate(model, *project(model, h, layer["ffn_gate"], layer["ffn_up"]))
        if sub_norms:
            z = rms_norm(z, layer["ffn_sub_norm"], model.eps)
        y = project(model, z, layer["ffn_down"])[0]
        x = x + (rms_norm(y, layer["post_ffw_norm"], model.eps) if post_norms else y)
    cache.length += tokens
    hidden = rms_norm(x, model.output_norm, model.eps)
    model.last_hidden = hidden
    return hidden @ model.head.T + sum(adapter(hidden) for adapter in model.head_adapters)


def logits_of(model: Model, ids: list[int]) -> np.ndarray:
    """Logits of every position of a prompt, from an empty cache."""
    return forward(model, ids, model.new_cache())


def greedy(model: Model, prompt: list[int], count: int) -> list[int]:
    """The `count` most likely continuations, one token at a time; the lowest id wins a tie."""
    cache = model.new_cache()
    logits, out = forward(model, prompt, cache)[-1], []
    for _ in range(count):
        out.append(int(np.argmax(logits)))
        if len(out) < count:
            logits = forward(model, [out[-1]], cache)[-1]
    return out
