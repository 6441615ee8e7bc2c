"""Writes a trained stories model as a GGUF file: ternary matrices as I2_S, the embedding as F16, norms as F32.

    python3 export.py --run RUN --tokenizer tokenizer.json --out stories.gguf

The ternary codes are those of the last forward pass of the training, so nothing is lost but bits of the embedding below
half precision. The file is written by the GGUF writer of the golden tests, which shares no code with the engine's reader.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch

from stories_model import BitLinear, Shape, StoriesModel, ternary

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "golden"))
import codecs_numpy  # noqa: E402
from gguf_numpy import Tensor, write_gguf  # noqa: E402

ARCHITECTURE = "bitnet-b1.58"
FILE_TYPE_I2_S = 40
NORMAL, CONTROL = 1, 3
LICENSE = "mit"


def vocabulary(tokenizer_path: Path) -> list[tuple[str, str, object]]:
    """Metadata rows of a byte-level BPE tokenizer.json."""
    data = json.loads(tokenizer_path.read_text(encoding="utf-8"))
    special = {entry["content"]: entry["id"] for entry in data["added_tokens"]}
    by_id = {number: text for text, number in {**data["model"]["vocab"], **special}.items()}
    tokens = [by_id[number] for number in range(len(by_id))]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in data["model"]["merges"]]
    end = special["<|end_of_text|>"]
    return [
        ("tokenizer.ggml.model", "string", "gpt2"), ("tokenizer.ggml.pre", "string", "llama-bpe"),
        ("tokenizer.ggml.tokens", "array:string", tokens),
        ("tokenizer.ggml.token_type", "array:i32", [CONTROL if t in special else NORMAL for t in tokens]),
        ("tokenizer.ggml.merges", "array:string", merges),
        ("tokenizer.ggml.bos_token_id", "u32", special["<|begin_of_text|>"]),
        ("tokenizer.ggml.eos_token_id", "u32", end), ("tokenizer.ggml.padding_token_id", "u32", end),
        ("tokenizer.ggml.add_bos_token", "bool", True),
    ]


def metadata(shape: Shape, name: str, tokenizer_path: Path) -> list[tuple[str, str, object]]:
    numbers = {"vocab_size": shape.n_vocab, "context_length": shape.n_ctx, "embedding_length": shape.n_embd,
               "block_count": shape.n_layer, "feed_forward_length": shape.n_ff,
               "rope.dimension_count": shape.head_dim, "attention.head_count": shape.n_head,
               "attention.head_count_kv": shape.n_head_kv}
    return [
        ("general.architecture", "string", ARCHITECTURE), ("general.name", "string", name),
        ("general.license", "string", LICENSE),
        ("general.description", "string", "Writes short children's stories in English; a true BitNet b1.58 model"),
        ("general.file_type", "u32", FILE_TYPE_I2_S), ("general.quantization_version", "u32", 2),
        *((f"{ARCHITECTURE}.{key}", "u32", value) for key, value in numbers.items()),
        (f"{ARCHITECTURE}.attention.layer_norm_rms_epsilon", "f32", shape.rms_eps),
        (f"{ARCHITECTURE}.rope.freq_base", "f32", shape.rope_base),
        *vocabulary(tokenizer_path),
    ]


def tensors(model: StoriesModel) -> list[Tensor]:
    out = [codecs_numpy.encode("token_embd.weight", "F16", model.token_embd.detach().numpy().astype(np.float64))]
    for number, layer in enumerate(model.layers):
        for name, module in layer.named_children():
            weight = module.weight.detach()
            if isinstance(module, BitLinear):
                codes, scale = ternary(weight)
                values = codes.numpy().astype(np.float64) * float(scale)
                out.append(codecs_numpy.encode(f"blk.{number}.{name}.weight", "I2_S", values))
            else:
                out.append(codecs_numpy.encode(f"blk.{number}.{name}.weight", "F32", weight.numpy()))
    out.append(codecs_numpy.encode("output_norm.weight", "F32", model.output_norm.weight.detach().numpy()))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder with checkpoint.pt, as train.py writes it")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--name", default="Stories", help="general.name of the file")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    state = torch.load(arguments.run / "checkpoint.pt", map_location="cpu", weights_only=False)
    shape = Shape(**state["shape"])
    model = StoriesModel(shape)
    model.load_state_dict(state["model"])
    partial = arguments.out.with_suffix(".part")
    write_gguf(partial, metadata(shape, arguments.name, arguments.tokenizer), tensors(model))
    os.replace(partial, arguments.out)
    print(f"{arguments.out}: {arguments.out.stat().st_size:,} bytes, {model.n_ternary():,} ternary weights, "
          f"step {state['step']}, {state['tokens'] / 1e6:.1f} million tokens")


if __name__ == "__main__":
    main()
