"""Writes the golden LoRA adapters of a ternary model and the logits expected with both: lora-*.gguf, lora.json, lora.bin.

As in make_golden.py, the prompt is picked so that no value comes near a rounding tie, now with the adapters in place: a
ternary matrix sees its input rounded to int8, the adapters beside it see it as it is.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

import codecs_numpy
import oracle
from gguf_numpy import Tensor, read_gguf, write_gguf
from make_golden import FLOAT32_TOLERANCE, Pair, compact_json, find_prompt

MODEL = "b25-i2s-untied"
HALF_MARGIN = 1e-3
SEEDS_TRIED = 400
# File, rank, alpha, the types that its matrices take in turn, the scale it is used with.
ADAPTERS = (("lora-first.gguf", 3, 6.0, ("F16", "F32", "BF16"), 0.75), ("lora-second.gguf", 8, 0.0, ("F16",), -0.5))
SECOND_ADAPTS = ("attn_k", "ffn_down")  # of layer 1 only; the first adapts everything


def adapted(name: str, second: bool) -> bool:
    parts = name.split(".")
    if second:
        return parts[:2] == ["blk", "1"] and parts[2] in SECOND_ADAPTS
    return name == "output.weight" or (len(parts) == 4 and parts[2] in oracle.PROJECTIONS)


def tensors_of(model: dict[str, Tensor], second: bool, rank: int, types: tuple[str, ...], seed: int) -> list[Tensor]:
    rng = np.random.default_rng(seed)
    out: list[Tensor] = []
    for i, tensor in enumerate(t for t in model.values() if adapted(t.name, second)):
        n_in, n_out = tensor.ne
        kind = types[i % len(types)]
        out.append(codecs_numpy.encode(f"{tensor.name}.lora_a", kind, rng.normal(0.0, 1 / np.sqrt(n_in), (rank, n_in))))
        out.append(codecs_numpy.encode(f"{tensor.name}.lora_b", kind, rng.normal(0.0, 0.5 / np.sqrt(rank), (n_out, rank))))
    return out


def uses(folder: Path) -> list[tuple[Path, float]]:
    return [(folder / name, scale) for name, _, _, _, scale in ADAPTERS]


def write_adapters(folder: Path, base: Path, seed: int) -> None:
    metadata, model = read_gguf(base)
    for number, (name, rank, alpha, types, _) in enumerate(ADAPTERS):
        rows = [("general.architecture", "string", metadata["general.architecture"]),
                ("general.type", "string", "adapter"), ("general.name", "string", Path(name).stem),
                ("adapter.type", "string", "lora"), ("adapter.lora.alpha", "f32", alpha)]
        write_gguf(folder / name, rows, tensors_of(model, number == 1, rank, types, seed + 1000 * number))


def make(folder: Path) -> None:
    base = folder / f"{MODEL}.gguf"
    for seed in range(1, SEEDS_TRIED):
        write_adapters(folder, base, seed)
        prompt = find_prompt(Pair(base, HALF_MARGIN, adapters=uses(folder)), seed)
        if prompt:
            break
    assert prompt, f"no seed of {SEEDS_TRIED} gave a prompt clear of rounding ties"
    pair = Pair(base, HALF_MARGIN, adapters=uses(folder))
    assert all(pair.accept(token) for token in prompt)
    double, single = (np.vstack(rows) for rows in pair.logits)
    plain = oracle.logits_of(oracle.load_model(base), prompt)
    assert np.abs(single - double).max() <= FLOAT32_TOLERANCE * double.std()
    record = {"model": base.name, "adapters": [[name, scale] for name, _, _, _, scale in ADAPTERS], "seed": seed,
              "prompt": prompt, "n_vocab": int(double.shape[1]), "logits": "lora.bin",
              "spread": round(float(double.std()), 6), "moved_by": round(float(np.abs(double - plain).mean()), 6)}
    (folder / "lora.bin").write_bytes(double.astype("<f4").tobytes())
    (folder / "lora.json").write_text(compact_json(record) + "\n")
    print(record)


def check(folder: Path) -> int:
    record = json.loads((folder / "lora.json").read_text())
    model = oracle.load_model(folder / record["model"], adapters=[(folder / name, scale) for name, scale in record["adapters"]])
    stored = np.frombuffer((folder / record["logits"]).read_bytes(), "<f4").reshape(-1, record["n_vocab"])
    gap = float(np.abs(oracle.logits_of(model, record["prompt"]) - stored).max())
    print(f"adapters: logits within {gap:.1e}")
    return 0 if gap <= 1e-6 else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="folder with the models")
    parser.add_argument("--check", action="store_true", help="only verify the files that are there")
    options = parser.parse_args()
    if options.check:
        return check(options.out)
    make(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
