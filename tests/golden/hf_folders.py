"""Tiny random Hugging Face model folders, and what they are as GGUF by a conversion of their own in NumPy.

Written from the format descriptions, never from the converter: safetensors as a length, a JSON header and bytes; packed
weights as transformers packs them; masters ternarised by absmean in float32; rows of a llama's queries and keys put into
adjacent pairs. Each kind covers one way in which published ternary models are stored.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import codecs_numpy
from gguf_numpy import Tensor, write_gguf
from tiny_models import bpe_vocabulary

LAYER_NAMES = {  # GGUF -> transformers, behind "model.layers.N."
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "attn_sub_norm": "self_attn.attn_sub_norm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_sub_norm": "mlp.ffn_sub_norm", "ffn_down": "mlp.down_proj"}
NAMES_OF_1BITLLM = {"attn_sub_norm": "self_attn.inner_attn_ln", "ffn_sub_norm": "mlp.ffn_layernorm"}
ORDER_BITNET = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_sub_norm", "attn_output", "ffn_norm", "ffn_gate",
                "ffn_up", "ffn_sub_norm", "ffn_down")


@dataclass(frozen=True)
class Kind:
    """weights: "packed" (T * weight_scale), "divided" (T / weight_scale), "masters" or "dense"."""

    name: str
    architecture: str
    gguf: str
    activation: str
    weights: str
    tied: bool = True
    rope_theta: float = 500000.0
    n_embd: int = 128
    n_ff: int = 256
    n_layer: int = 2
    n_head: int = 4
    n_kv_head: int = 2
    head_dim: int = 32

    @property
    def sub_norms(self) -> bool:
        return self.gguf != "llama"

    @property
    def ternary(self) -> bool:
        return self.weights != "dense"


KINDS = [
    Kind("b158-packed", "BitNetForCausalLM", "bitnet-b1.58", "relu2", "packed"),
    Kind("b158-masters", "BitNetForCausalLM", "bitnet-b1.58", "relu2", "masters"),
    Kind("1bitllm", "BitnetForCausalLM", "bitnet", "silu", "masters", rope_theta=10000.0),
    Kind("falcon", "LlamaForCausalLM", "llama", "silu", "divided", tied=False, head_dim=64),
    Kind("llama-dense", "LlamaForCausalLM", "llama", "silu", "dense", tied=False),
]
N_VOCAB = 267  # of tiny_models.bpe_vocabulary


def kind_named(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.name == name)


def bf16(values: np.ndarray) -> np.ndarray:
    """The nearest bfloat16 numbers, as float32."""
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def masters_of(kind: Kind, seed: int) -> dict[str, np.ndarray]:
    """Every weight as float32 numbers that bfloat16 holds too, by its GGUF name without ".weight"."""
    rng = np.random.default_rng(seed)
    q, kv = kind.n_head * kind.head_dim, kind.n_kv_head * kind.head_dim
    matrices = {"attn_q": (q, kind.n_embd, 1.6), "attn_k": (kv, kind.n_embd, 1.6), "attn_v": (kv, kind.n_embd, 1.0),
                "attn_output": (kind.n_embd, q, 0.5), "ffn_gate": (kind.n_ff, kind.n_embd, 1.0),
                "ffn_up": (kind.n_ff, kind.n_embd, 1.0), "ffn_down": (kind.n_embd, kind.n_ff, 0.6)}
    norms = {"attn_norm": kind.n_embd, "ffn_norm": kind.n_embd, "attn_sub_norm": q, "ffn_sub_norm": kind.n_ff}
    spread = 2.5 / np.sqrt(kind.n_embd)
    out = {"token_embd": rng.normal(0, spread, (N_VOCAB, kind.n_embd))}
    for layer in range(kind.n_layer):
        for name in ORDER_BITNET:
            if name in matrices:
                rows, columns, gain = matrices[name]
                out[f"blk.{layer}.{name}"] = rng.normal(0, gain / np.sqrt(columns), (rows, columns))
            elif kind.sub_norms or not name.endswith("sub_norm"):
                out[f"blk.{layer}.{name}"] = rng.uniform(0.6, 1.4, norms[name])
    out["output_norm"] = rng.uniform(0.6, 1.4, kind.n_embd)
    if not kind.tied:
        out["output"] = rng.normal(0, spread, (N_VOCAB, kind.n_embd))
    return {name: bf16(values) for name, values in out.items()}


def is_projection(name: str) -> bool:
    return name.startswith("blk.") and not name.endswith("norm")


def absmean(weight: np.ndarray) -> tuple[np.ndarray, np.float32]:
    """Trits and their scale: s = 1 / max(mean |w|, 1e-5), T = clip(round(w s)), W = T / s, all in float32."""
    mean = np.float32(np.abs(weight.astype(np.float64)).mean())
    factor = np.float32(1) / max(mean, np.float32(1e-5))
    trits = np.clip(np.rint(weight * factor), -1, 1).astype(np.int8)
    return trits, np.float32(1) / factor


def pack(trits: np.ndarray) -> np.ndarray:
    """transformers' pack_weights: byte (r, c) holds rows r, r + n/4, r + 2n/4, r + 3n/4 from the low bits up."""
    rows = len(trits)
    quarter = -(-rows // 4)
    packed = np.zeros((quarter, trits.shape[1]), np.uint8)
    for i in range(4):
        part = trits[i * quarter:min((i + 1) * quarter, rows)]
        packed[:len(part)] |= (part + 1).astype(np.uint8) << np.uint8(2 * i)
    return packed


def hf_name(kind: Kind, name: str) -> str:
    fixed = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
    if name in fixed:
        return fixed[name] + ".weight"
    _, layer, part = name.split(".")
    names = LAYER_NAMES | (NAMES_OF_1BITLLM if kind.architecture == "BitnetForCausalLM" else {})
    return f"model.layers.{layer}.{names[part]}.weight"


def config_of(kind: Kind) -> dict:
    config = {
        "architectures": [kind.architecture], "model_type": "llama" if kind.gguf == "llama" else "bitnet",
        "hidden_size": kind.n_embd, "intermediate_size": kind.n_ff, "num_hidden_layers": kind.n_layer,
        "num_attention_heads": kind.n_head, "num_key_value_heads": kind.n_kv_head,
        "max_position_embeddings": 64, "vocab_size": N_VOCAB, "rms_norm_eps": 1e-5, "rope_theta": kind.rope_theta,
        "hidden_act": kind.activation, "tie_word_embeddings": kind.tied, "torch_dtype": "bfloat16",
        "bos_token_id": N_VOCAB - 3, "eos_token_id": N_VOCAB - 2}
    if kind.head_dim * kind.n_head != kind.n_embd:
        config["head_dim"] = kind.head_dim
    quantization = {"quant_method": "bitnet", "modules_to_not_convert": ["lm_head"]}
    if kind.architecture == "BitnetForCausalLM":
        config |= {"weight_bits": 1, "input_bits": 8}
    elif kind.weights == "divided":
        config["quantization_config"] = quantization
    elif kind.weights in ("packed", "masters"):
        mode = "online" if kind.weights == "masters" else "offline"
        config["quantization_config"] = quantization | {"linear_class": "autobitlinear", "quantization_mode": mode}
    return config


def stored_tensors(kind: Kind, masters: dict[str, np.ndarray]) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """What the safetensors file holds: name -> (dtype, shape, bytes)."""
    out = {}
    for name, values in masters.items():
        target = hf_name(kind, name)
        if is_projection(name) and kind.weights in ("packed", "divided"):
            trits, scale = absmean(values)
            packed = pack(trits)
            out[target] = ("U8", packed.shape, packed.tobytes())
            stored = scale if kind.weights == "packed" else np.float32(1) / scale
            out[target + "_scale"] = ("F32", (1,), stored.astype("<f4").tobytes())
        else:
            out[target] = ("BF16", values.shape, (values.view(np.uint32) >> 16).astype("<u2").tobytes())
    return out


def write_safetensors(path: Path, tensors: dict[str, tuple[str, tuple[int, ...], bytes]]) -> None:
    header: dict = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def tokenizer_files() -> dict[str, dict]:
    """tokenizer.json and tokenizer_config.json of the vocabulary that the golden models have as GGUF keys."""
    keys = {key: value for key, _, value in bpe_vocabulary()}
    tokens = keys["tokenizer.ggml.tokens"]
    added = [{"id": i, "content": tokens[i], "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for i in range(N_VOCAB - 3, N_VOCAB)]
    split = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
             r"|\s+(?!\S)|\s+")
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": True,
             "vocab": {token: i for i, token in enumerate(tokens[:N_VOCAB - 3])},
             "merges": keys["tokenizer.ggml.merges"]}
    return {
        "tokenizer.json": {
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": split}, "behavior": "Isolated", "invert": False}, byte_level]},
            "post_processor": None, "decoder": byte_level, "model": model},
        "tokenizer_config.json": {
            "bos_token": tokens[N_VOCAB - 3], "eos_token": tokens[N_VOCAB - 2], "add_bos_token": True,
            "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64}}


def write_folder(kind: Kind, folder: Path, seed: int, shards: int = 1) -> None:
    """config.json, weights and tokenizer of a random model; the same seed gives the same weights in every kind."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"config.json": config_of(kind)} | tokenizer_files()
    tensors = stored_tensors(kind, masters_of(kind, seed))
    if shards == 1:
        write_safetensors(folder / "model.safetensors", tensors)
    else:
        names = list(tensors)
        place = {name: f"model-{i % shards + 1:05}-of-{shards:05}.safetensors" for i, name in enumerate(names)}
        for file in sorted(set(place.values())):
            write_safetensors(folder / file, {name: tensors[name] for name in names if place[name] == file})
        total = sum(len(data) for _, _, data in tensors.values())
        files["model.safetensors.index.json"] = {"metadata": {"total_size": total}, "weight_map": place}
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2))


def adjacent_pairs(weight: np.ndarray, heads: int) -> np.ndarray:
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def expected_tensors(kind: Kind, seed: int, projections: str = "I2_S", embedding: str = "BF16") -> list[Tensor]:
    """The GGUF tensors of a folder, in the order of the file."""
    out = []
    for name, values in masters_of(kind, seed).items():
        type_name = "F32" if values.ndim == 1 else embedding
        if is_projection(name):
            type_name = projections if kind.ternary else "BF16"
            if kind.ternary:
                trits, scale = absmean(values)
                if kind.weights == "divided":
                    scale = np.float32(1) / (np.float32(1) / scale)
                values = trits.astype(np.float32) * scale
            if kind.gguf == "llama" and name.endswith(("attn_q", "attn_k")):
                values = adjacent_pairs(values, kind.n_head if name.endswith("q") else kind.n_kv_head)
        out.append(codecs_numpy.encode(name + ".weight", type_name, values))
    return out


def expected_metadata(kind: Kind) -> dict[str, object]:
    """All keys but those of the tokenizer and of the file type."""
    numbers = {"vocab_size": N_VOCAB, "context_length": 64, "embedding_length": kind.n_embd,
               "block_count": kind.n_layer, "feed_forward_length": kind.n_ff, "rope.dimension_count": kind.head_dim,
               "attention.head_count": kind.n_head, "attention.head_count_kv": kind.n_kv_head,
               "attention.layer_norm_rms_epsilon": float(np.float32(1e-5)), "rope.freq_base": kind.rope_theta}
    if kind.head_dim * kind.n_head != kind.n_embd:
        numbers |= {"attention.key_length": kind.head_dim, "attention.value_length": kind.head_dim}
    rows = {f"{kind.gguf}.{key}": value for key, value in numbers.items()}
    if kind.gguf == "bitnet":
        rows["bitnet.hidden_activation"] = kind.activation
    return {"general.architecture": kind.gguf} | rows


def as_transformers_knows_it(kind: Kind) -> Kind:
    """1bitLLM's own class is not in transformers: BitNet's with SiLU, ternarised online, computes the same."""
    return replace(kind, architecture="BitNetForCausalLM") if kind.architecture == "BitnetForCausalLM" else kind


def write_expected(kind: Kind, seed: int, path: Path, file_type: int = 40) -> None:
    """The whole GGUF file that a folder becomes, tokenizer included."""
    types = {str: "string", int: "u32", float: "f32"}
    rows = [(key, types[type(value)], value) for key, value in expected_metadata(kind).items()]
    rows += [("general.file_type", "u32", file_type), ("general.quantization_version", "u32", 2)]
    write_gguf(path, rows + bpe_vocabulary(), expected_tensors(kind, seed))
