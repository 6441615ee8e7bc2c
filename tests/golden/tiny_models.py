"""The tiny random models of the golden tests: their shapes, vocabularies and weights, from fixed seeds.

Each one covers what the others do not (a type, an architecture, a tied or untied head, an option), and is as small as
its block sizes allow. Weights are scaled so that activations stay of order one, attention is not uniform and logits
spread over a few units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import codecs_numpy
import oracle
from gguf_numpy import Tensor

SPACE = "\u2581"
# general.file_type of the written files, by the type of the projections.
FILE_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 7, "BF16": 32, "TQ1_0": 36, "TQ2_0": 37, "I2_S": 40}


@dataclass(frozen=True)
class Spec:
    """One model. `projections` is the type of all seven projections or a per-projection map."""

    name: str
    architecture: str
    about: str
    projections: str | dict[str, str]
    embedding: str = "F16"
    head: str | None = None
    n_embd: int = 128
    n_ff: int = 256
    n_layer: int = 2
    n_head: int = 4
    n_kv_head: int = 2
    head_dim: int = 32
    rope_base: float = 10000.0
    rope_divisors: bool = False
    projection_scales: bool = False
    zero: str | None = None
    alignment: int | None = None
    vocabulary: str = "bpe"
    weights_of: str | None = None
    eps: float = 1e-5
    input_norms: bool = False   # one for each projection
    more: tuple = ()            # metadata of this architecture only: (key, type, value)
    half_margin: float = 1e-3  # of one half-precision step; the least distance of keys and values from a tie

    def type_of(self, projection: str) -> str:
        return self.projections if isinstance(self.projections, str) else self.projections[projection]

    def main_type(self) -> str:
        return self.type_of("ffn_gate")


SPECS = [
    Spec("b158-i2s", "bitnet-b1.58", "the official graph: relu2, sub-norms, half-split RoPE, tied F16 embedding, GQA",
         "I2_S", n_ff=384, n_layer=3, rope_base=500000.0),
    Spec("b25-i2s-untied", "bitnet-25", "the older name of the same graph, with an explicit output.weight",
         "I2_S", head="F16", rope_base=500000.0),
    Spec("bitnet-i2s-silu", "bitnet", "SiLU, a .scale tensor on every projection, no grouped queries, SPM vocabulary",
         "I2_S", projection_scales=True, vocabulary="spm", n_kv_head=4),
    Spec("b158-tq2", "bitnet-b1.58", "TQ2_0 with a scale of its own in every block, Q6_K embedding, head_dim 64",
         "TQ2_0", embedding="Q6_K", n_embd=256, head_dim=64, rope_base=500000.0),
    Spec("b158-tq1", "bitnet-b1.58", "TQ1_0 of exactly the weights of b158-tq2: logits must be equal bit for bit",
         "TQ1_0", embedding="Q6_K", n_embd=256, head_dim=64, rope_base=500000.0, weights_of="b158-tq2"),
    Spec("llama-i2s", "llama", "ternary llama: adjacent-pair RoPE with rope_freqs, no sub-norms, untied Q8_0 head",
         "I2_S", head="Q8_0", rope_base=500000.0, rope_divisors=True),
    Spec("llama-f16", "llama", "dense F16, activations stay float, tied head, head_dim 16",
         "F16", n_embd=64, n_ff=96, head_dim=16, half_margin=4e-3),
    Spec("llama-q8", "llama", "dense Q8_0 throughout, one kv head, SPM vocabulary",
         "Q8_0", embedding="Q8_0", n_kv_head=1, n_ff=160, vocabulary="spm", half_margin=4e-3),
    Spec("llama-q4", "llama", "dense Q4_0, untied Q6_K head, key_length below n_embd / n_head",
         "Q4_0", embedding="Q4_0", head="Q6_K", n_embd=256, n_ff=128, head_dim=32, half_margin=4e-3),
    Spec("llama-mix", "llama", "BF16 and F32 projections mixed in one layer, BF16 embedding, F32 head, alignment 64",
         {"attn_q": "BF16", "attn_k": "F32", "attn_v": "BF16", "attn_output": "F32", "ffn_gate": "BF16",
          "ffn_up": "F32", "ffn_down": "BF16"}, embedding="BF16", head="F32", n_embd=64, n_ff=64, head_dim=24,
         n_layer=1, alignment=64, half_margin=4e-3),
    Spec("qwen3-i2s", "qwen3", "BitNet embedding model: a norm of every projection's input, norms of query and key heads, "
         "heads wider than n_embd / n_head, pooling by the last token",
         "I2_S", n_ff=256, head_dim=64, rope_base=1000000.0, eps=1e-6, input_norms=True,
         more=(("pooling_type", "u32", 3),)),
    Spec("gemma3-i2s", "gemma3", "BitNet embedding model: GELU, scaled embedding, norms of what is added, one kv head, sliding "
         "window of 5 in two layers of three with a RoPE base of its own, SPM vocabulary, pooling by the mean",
         "I2_S", n_ff=256, n_layer=3, n_kv_head=1, head_dim=64, rope_base=1000000.0, eps=1e-6, input_norms=True,
         vocabulary="spm", more=(("attention.sliding_window", "u32", 5), ("attention.sliding_window_pattern", "u32", 3),
                                 ("rope.scaling.type", "string", "linear"), ("rope.scaling.factor", "f32", 8.0),
                                 ("pooling_type", "u32", 1))),
    Spec("qwen3-q8", "qwen3", "a plain qwen3 in Q8_0, untied head", "Q8_0", embedding="Q8_0", head="Q8_0", n_ff=160, n_layer=1,
         rope_base=1000000.0, eps=1e-6, half_margin=4e-3),
    Spec("gemma3-f16", "gemma3", "a plain gemma3 in F16 without a sliding window", "F16", n_embd=64, n_ff=96, n_layer=1,
         head_dim=16, rope_base=1000000.0, eps=1e-6, half_margin=4e-3),
    Spec("b158-zero-layer", "bitnet-b1.58", "every weight of layer 0 is zero, stored with scale 0",
         "I2_S", n_ff=128, zero="layer"),
    Spec("b158-zero-all", "bitnet-b1.58", "every tensor is zero, norms and embedding included: logits are all 0",
         "I2_S", n_ff=128, n_layer=1, zero="all"),
]


def printable_bytes() -> list[str]:
    """GPT-2 stand-ins, byte -> one character: visible Latin-1 stands for itself, the rest moves to U+0100 and up."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = iter(range(256))
    return [chr(b) if b in visible else chr(0x100 + next(moved)) for b in range(256)]


def bpe_vocabulary() -> list[tuple[str, str, object]]:
    """Byte-level BPE: 256 bytes, eight merges, three control tokens, in the key order of the official file."""
    alphabet = printable_bytes()
    space = alphabet[0x20]
    merges = [("h", "e"), (space, "t"), (space + "t", "he"), ("i", "n"), ("o", "n"), (space, "a"), ("e", "r"),
              (space + "a", "n")]
    words = sorted(alphabet) + [left + right for left, right in merges]
    tokens = words + ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"]
    bos = len(words)
    return [
        ("tokenizer.ggml.model", "string", "gpt2"), ("tokenizer.ggml.pre", "string", "llama-bpe"),
        ("tokenizer.ggml.tokens", "array:string", tokens),
        ("tokenizer.ggml.scores", "array:f32", [0.0] * len(tokens)),
        ("tokenizer.ggml.token_type", "array:i32", [1] * len(words) + [3] * 3),
        ("tokenizer.ggml.merges", "array:string", [f"{left} {right}" for left, right in merges]),
        ("tokenizer.ggml.bos_token_id", "u32", bos), ("tokenizer.ggml.eos_token_id", "u32", bos + 1),
        ("tokenizer.ggml.eot_token_id", "u32", bos + 2), ("tokenizer.ggml.add_bos_token", "bool", True),
    ]


def spm_vocabulary() -> list[tuple[str, str, object]]:
    """SentencePiece: three specials, 256 byte tokens, then pieces with falling scores, joins before characters."""
    joins = ["he", SPACE + "t", SPACE + "the", "in", "er", SPACE + "a", "on", SPACE + "an", "re"]
    pieces = joins + [SPACE, *"etaoinshr"]
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + pieces
    return [
        ("tokenizer.ggml.model", "string", "llama"),
        ("tokenizer.ggml.tokens", "array:string", tokens),
        ("tokenizer.ggml.scores", "array:f32", [0.0] * 259 + [-float(i) for i in range(len(pieces))]),
        ("tokenizer.ggml.token_type", "array:i32", [2, 3, 3] + [6] * 256 + [1] * len(pieces)),
        ("tokenizer.ggml.bos_token_id", "u32", 1), ("tokenizer.ggml.eos_token_id", "u32", 2),
        ("tokenizer.ggml.unknown_token_id", "u32", 0), ("tokenizer.ggml.add_bos_token", "bool", True),
        ("tokenizer.ggml.add_space_prefix", "bool", True),
    ]


def metadata_of(spec: Spec) -> list[tuple[str, str, object]]:
    vocabulary = spm_vocabulary() if spec.vocabulary == "spm" else bpe_vocabulary()
    tokens = next(value for key, _, value in vocabulary if key == "tokenizer.ggml.tokens")
    arch = spec.architecture
    rows: list[tuple[str, str, object]] = [
        ("general.architecture", "string", arch), ("general.name", "string", f"golden {spec.name}"),
        ("general.file_type", "u32", FILE_TYPES[spec.main_type()]), ("general.quantization_version", "u32", 2)]
    if spec.alignment:
        rows.append(("general.alignment", "u32", spec.alignment))
    numbers = {"vocab_size": len(tokens), "context_length": 64, "embedding_length": spec.n_embd,
               "block_count": spec.n_layer, "feed_forward_length": spec.n_ff,
               "rope.dimension_count": spec.head_dim, "attention.head_count": spec.n_head,
               "attention.head_count_kv": spec.n_kv_head}
    if spec.head_dim * spec.n_head != spec.n_embd:
        numbers |= {"attention.key_length": spec.head_dim, "attention.value_length": spec.head_dim}
    rows += [(f"{arch}.{key}", "u32", value) for key, value in numbers.items()]
    rows += [(f"{arch}.attention.layer_norm_rms_epsilon", "f32", spec.eps),
             (f"{arch}.rope.freq_base", "f32", spec.rope_base)]
    rows += [(f"{arch}.{key}", kind, value) for key, kind, value in spec.more]
    return rows + vocabulary


def random_weights(rng: np.random.Generator, type_name: str, rows: int, columns: int, gain: float) -> np.ndarray:
    """A matrix whose output has standard deviation `gain` for inputs of unit size; ternary types get exact scales."""
    if type_name not in codecs_numpy.TERNARY_TYPES:
        return rng.normal(0.0, gain / np.sqrt(columns), (rows, columns))
    trits = rng.choice([-1, 0, 1], size=(rows, columns), p=[0.33, 0.34, 0.33])
    base = gain / np.sqrt(0.66 * columns)
    if type_name == "I2_S":
        return trits * float(np.float32(base))
    # One scale per 256-block, rounded to a half first so that the stored weights are exactly these.
    scales = (base * rng.uniform(0.7, 1.3, rows * columns // 256)).astype(np.float16).astype(np.float64)
    return (trits.reshape(-1, 256) * scales[:, None]).reshape(rows, columns)


def tensors_of(spec: Spec, seed: int) -> list[Tensor]:
    """All tensors of a model, in the order they are written."""
    rng = np.random.default_rng(seed)
    n_vocab = len(next(value for key, _, value in metadata_of(spec) if key == "tokenizer.ggml.tokens"))
    q_width, kv_width = spec.n_head * spec.head_dim, spec.n_kv_head * spec.head_dim
    shapes = {"attn_q": (q_width, spec.n_embd, 1.6), "attn_k": (kv_width, spec.n_embd, 1.6),
              "attn_v": (kv_width, spec.n_embd, 1.0), "attn_output": (spec.n_embd, q_width, 0.5),
              "ffn_gate": (spec.n_ff, spec.n_embd, 1.0), "ffn_up": (spec.n_ff, spec.n_embd, 1.0),
              "ffn_down": (spec.n_embd, spec.n_ff, 0.6)}
    traits = oracle.ARCHITECTURES[spec.architecture]
    input_widths = {"attn_output": q_width, "ffn_down": spec.n_ff}
    out: list[Tensor] = []

    def add(name: str, type_name: str, values: np.ndarray, layer: int = -1) -> None:
        zero = spec.zero == "all" or (spec.zero == "layer" and layer == 0)
        out.append(codecs_numpy.encode(name, type_name, values * 0.0 if zero else values))

    def norm(name: str, width: int) -> None:
        add(f"{name}.weight", "F32", rng.uniform(0.6, 1.4, width))

    spread = 2.5 / np.sqrt(spec.n_embd)
    add("token_embd.weight", spec.embedding, rng.normal(0.0, spread, (n_vocab, spec.n_embd)))
    for layer in range(spec.n_layer):
        prefix = f"blk.{layer}."
        norm(prefix + "attn_norm", spec.n_embd)
        norm(prefix + "ffn_norm", spec.n_embd)
        if traits["sub_norms"]:
            norm(prefix + "attn_sub_norm", q_width)
            norm(prefix + "ffn_sub_norm", spec.n_ff)
        if traits.get("head_norms"):
            norm(prefix + "attn_q_norm", spec.head_dim)
            norm(prefix + "attn_k_norm", spec.head_dim)
        if traits.get("post_norms"):
            norm(prefix + "post_attention_norm", spec.n_embd)
            norm(prefix + "post_ffw_norm", spec.n_embd)
        if spec.input_norms:
            for projection in shapes:
                norm(prefix + projection + "_norm_in", input_widths.get(projection, spec.n_embd))
        for projection, (rows, columns, gain) in shapes.items():
            kind = spec.type_of(projection)
            # TQ1_0 and TQ2_0 draw alike, so that two specs with one seed hold the same weights.
            add(f"{prefix}{projection}.weight", kind, random_weights(rng, kind, rows, columns, gain), layer)
            if spec.projection_scales:
                add(f"{prefix}{projection}.scale", "F32", rng.uniform(0.5, 1.5, 1))
    norm("output_norm", spec.n_embd)
    if spec.rope_divisors:
        add("rope_freqs.weight", "F32", np.linspace(1.0, 8.0, spec.head_dim // 2) ** 1.3)
    if spec.head:
        add("output.weight", spec.head, rng.normal(0.0, spread, (n_vocab, spec.n_embd)))
    return out
