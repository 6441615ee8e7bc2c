"""Writes the golden models and their expected logits: <name>.gguf, <name>.golden.json, <name>.logits.bin.

The two rounding steps of the forward pass (activations to int8, K and V to half) are discontinuous, so a prompt is
built token by token from those whose every pre-rounding value keeps clear of a tie; the model seed advances until the
start token itself qualifies. A float32 engine then rounds everything the same way and its logits can be held to a tight
tolerance: the generator proves it by running itself in float32 as well and asserting the same outcome.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

import numpy as np

import codecs_numpy
import oracle
from gguf_numpy import read_gguf, write_gguf
from tiny_models import SPECS, Spec, metadata_of, tensors_of

PROMPT_LENGTH = 12
INT8_MARGIN = 5e-4   # of one int8 step; the least distance from a tie that is accepted
SEEDS_TRIED = 1000
ROUNDS = 4           # times the vocabulary is gone through for one prompt
# Largest |float32 - float64| allowed for the oracle's own single-precision run, relative to the spread of the logits.
FLOAT32_TOLERANCE = 5e-6
MODEL_LIMIT = 400_000
TOTAL_LIMIT = 3_000_000


def compact_json(value: object, indent: int = 0) -> str:
    """JSON with one line per innermost list or object, so that arrays of numbers do not fill the screen."""
    flat = json.dumps(value)
    leaf = not isinstance(value, (dict, list))
    plain_list = isinstance(value, list) and not any(isinstance(item, (dict, list)) for item in value)
    if leaf or plain_list or len(flat) + indent <= 118:
        return flat
    pad = " " * (indent + 1)
    if isinstance(value, dict):
        rows = [f"{pad}{json.dumps(key)}: {compact_json(item, indent + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(pad + compact_json(item, indent + 1) for item in value) + "\n" + " " * indent + "]"


class Pair:
    """The oracle in double and in single precision, fed the same tokens, to see whether they round alike."""

    def __init__(self, path: Path, half_margin: float, half_cache: bool = True, adapters: list | None = None):
        self.half_margin = half_margin
        self.models = [oracle.load_model(path, dtype, half_cache, adapters) for dtype in (np.float64, np.float32)]
        self.caches = [model.new_cache() for model in self.models]
        self.logits: list[list[np.ndarray]] = [[], []]
        self.int8_distance = self.half_distance = 0.5

    def accept(self, token: int) -> bool:
        """Appends a token if every rounding step it causes is clear of ties and the same in both precisions."""
        caches = [cache.copy() for cache in self.caches]
        rows = []
        for model, cache in zip(self.models, caches):
            model.rounding = oracle.Rounding(outcomes=[])
            rows.append(oracle.forward(model, [token], cache)[0])
        double, single = (model.rounding for model in self.models)
        if double.int8_distance < INT8_MARGIN or double.half_distance < self.half_margin or not double.same_outcomes(single):
            return False
        self.caches = caches
        for kept, row in zip(self.logits, rows):
            kept.append(row)
        self.int8_distance = min(self.int8_distance, double.int8_distance)
        self.half_distance = min(self.half_distance, double.half_distance)
        return True


def find_prompt(pair: Pair, seed: int) -> list[int] | None:
    """A prompt of the start token and distinct ordinary tokens; None if the start token itself is not acceptable."""
    kinds = pair.models[0].metadata["tokenizer.ggml.token_type"]
    prompt = [pair.models[0].metadata["tokenizer.ggml.bos_token_id"]]
    if not pair.accept(prompt[0]):
        return None
    candidates = np.random.default_rng(seed).permutation([i for i, kind in enumerate(kinds) if kind in (1, 6)])
    # A token refused at one position may do at a later one, so the list is gone through more than once.
    for token in np.tile(candidates, ROUNDS).tolist():
        if token not in prompt and pair.accept(token):
            prompt.append(token)
            if len(prompt) == PROMPT_LENGTH:
                return prompt
    return None


def check_round_trip(path: Path, spec: Spec, seed: int) -> None:
    """The file read back holds exactly what was meant: bytes, and for exact types the decoded weights."""
    _, stored = read_gguf(path)
    wanted = tensors_of(spec, seed)
    assert list(stored) == [tensor.name for tensor in wanted]
    for tensor in wanted:
        assert stored[tensor.name] == tensor, f"{path}: {tensor.name} changed on its way through the file"
        if tensor.type in codecs_numpy.TERNARY_TYPES:
            again = codecs_numpy.encode(tensor.name, tensor.type, codecs_numpy.decode(tensor))
            assert again == tensor, f"{path}: {tensor.name} does not survive decoding and encoding"


def expect(spec: Spec, path: Path, seed: int, prompt: list[int]) -> tuple[dict, np.ndarray]:
    """The golden record of one model, after the checks that make it trustworthy."""
    pair = Pair(path, spec.half_margin)
    assert all(pair.accept(token) for token in prompt), f"{spec.name}: prompt comes too near to a rounding tie"
    stepped, single = (np.vstack(rows) for rows in pair.logits)
    logits = oracle.logits_of(pair.models[0], prompt)
    spread = float(logits.std())
    assert np.all(np.isfinite(logits))
    assert spec.zero == "all" or 1.0 < spread < 6.0, f"{spec.name}: logits spread {spread}"
    assert np.abs(stepped - logits).max() <= 1e-12 * max(spread, 1), "token by token differs from all at once"
    deviation = float(np.abs(single - logits).max())
    assert deviation <= FLOAT32_TOLERANCE * spread, f"{spec.name}: float32 deviates by {deviation}, spread {spread}"

    record = {
        "name": spec.name, "about": spec.about, "architecture": spec.architecture, "model": path.name,
        "model_sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "seed": seed, "prompt": prompt,
        "n_vocab": int(logits.shape[1]), "logits": f"{spec.name}.logits.bin", "spread": round(spread, 6),
        "argmax": [int(i) for i in logits.argmax(axis=1)], "least_int8_tie_distance": round(pair.int8_distance, 6),
        "least_half_tie_distance": round(pair.half_distance, 6), "float32_deviation": float(f"{deviation:.3g}"),
    }
    if spec.weights_of:
        record["same_logits_as"] = spec.weights_of
    return record, logits.astype("<f4")


def make(spec: Spec, folder: Path, known: dict[str, tuple[int, list[int]]]) -> dict:
    """Finds seed and prompt, writes the model, then its expectations."""
    path = folder / f"{spec.name}.gguf"

    def write(seed: int) -> None:
        write_gguf(path, metadata_of(spec), tensors_of(spec, seed))

    if spec.weights_of:
        seed, prompt = known[spec.weights_of]
        write(seed)
    else:
        prompt = None
        first = int.from_bytes(hashlib.sha256(spec.name.encode()).digest()[:3], "big")
        for seed in range(first, first + SEEDS_TRIED):
            write(seed)
            prompt = find_prompt(Pair(path, spec.half_margin), seed)
            if prompt:
                break
        assert prompt, f"{spec.name}: no seed of {SEEDS_TRIED} gave a prompt clear of rounding ties"
    known[spec.name] = (seed, prompt)
    check_round_trip(path, spec, seed)
    record, logits = expect(spec, path, seed, prompt)
    (folder / record["logits"]).write_bytes(logits.tobytes())
    if spec.weights_of:
        other = (folder / f"{spec.weights_of}.logits.bin").read_bytes()
        assert other == logits.tobytes(), f"{spec.name} and {spec.weights_of} must agree"
    (folder / f"{spec.name}.golden.json").write_text(compact_json(record) + "\n")
    assert path.stat().st_size < MODEL_LIMIT, f"{path} is {path.stat().st_size} bytes"
    print(f"{spec.name:16} seed {seed:8} {path.stat().st_size:7} bytes, spread {record['spread']:.2f}, "
          f"ties int8 {record['least_int8_tie_distance']:.1e} half {record['least_half_tie_distance']:.1e}, "
          f"float32 off by {record['float32_deviation']:.1e}")
    return record


def check(folder: Path) -> int:
    """Recomputes what the files in a folder claim, writing nothing; returns the number of files that disagree."""
    wrong = 0
    for spec in SPECS:
        record = json.loads((folder / f"{spec.name}.golden.json").read_text())
        path = folder / record["model"]
        intact = hashlib.sha256(path.read_bytes()).hexdigest() == record["model_sha256"]
        stored = np.frombuffer((folder / record["logits"]).read_bytes(), "<f4").reshape(-1, record["n_vocab"])
        logits = oracle.logits_of(oracle.load_model(path), record["prompt"])
        gap = float(np.abs(logits - stored).max())
        # Half a unit in the last place of the stored float32, and the last bits of another machine's float64 sums.
        good = intact and gap <= 1e-6 and logits.argmax(axis=1).tolist() == record["argmax"]
        wrong += not good
        print(f"{spec.name:16} {'ok' if good else 'WRONG'}, logits within {gap:.1e}"
              f"{'' if intact else ', the model file has CHANGED'}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="folder to write to")
    parser.add_argument("--check", action="store_true", help="only verify the files that are there")
    options = parser.parse_args()
    if options.check:
        return 1 if check(options.out) else 0
    options.out.mkdir(parents=True, exist_ok=True)
    known: dict[str, tuple[int, list[int]]] = {}
    for spec in SPECS:
        make(spec, options.out, known)
    total = sum(f.stat().st_size for f in options.out.iterdir() if f.is_file())
    print(f"{len(SPECS)} models, {total} bytes in {options.out}")
    assert total < TOTAL_LIMIT
    return 0


if __name__ == "__main__":
    sys.exit(main())
