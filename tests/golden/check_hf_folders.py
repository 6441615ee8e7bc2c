"""Cross-checks the folders of hf_folders.py, and what they mean, against Hugging Face transformers.

    check_hf_folders.py [--write]

transformers loads each folder from disk with its own readers and quantisers (AutoBitLinear online and offline, BitLinear
for weights that are divided by their scale) and computes logits in float32 on the CPU. The oracle computes them from the
GGUF file that hf_folders.py makes of the folder, with a full-precision cache, on a prompt clear of rounding ties. --write
keeps transformers' numbers in expected_hf_folders.json, which tests/scripts/hf_convert_test.py holds converted files to
where neither torch nor transformers is. Exits with 77, saying so, where a package is missing.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")  # torch.compile would need a compiler and change nothing here
try:
    import accelerate  # noqa: F401  transformers asks for it before it loads ternary weights
    import torch
    import transformers
except ImportError as error:
    print(f"SKIPPED: {error}; pip install torch transformers accelerate", file=sys.stderr)
    sys.exit(77)

import hf_folders
from make_golden import Pair, compact_json

HERE = Path(__file__).resolve().parent
SEED = 5
PROMPT_LENGTH = 8
TOLERANCE = 1e-4  # relative to the spread of the logits
KEPT = 16         # logits of the last position that are written down, beside the best token of each


def clear_prompt(path: Path) -> tuple[list[int], np.ndarray]:
    pair = Pair(path, half_margin=0.0, half_cache=False)
    prompt: list[int] = []
    for token in np.random.default_rng(1).permutation(hf_folders.N_VOCAB).tolist() * 4:
        if len(prompt) < PROMPT_LENGTH and token not in prompt and pair.accept(token):
            prompt.append(token)
    assert len(prompt) == PROMPT_LENGTH, f"{path}: no clear prompt"
    return prompt, np.vstack(pair.logits[0])


def logits_of(folder: Path, prompt: list[int]) -> tuple[str, np.ndarray]:
    network = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    network.eval()
    for weight in [*network.parameters(), *network.buffers()]:  # some stay bfloat16 whatever was asked for; all are exact in it
        if weight.dtype == torch.bfloat16:
            weight.data = weight.data.float()
    with torch.no_grad():
        logits = network(torch.tensor([prompt]), use_cache=False).logits[0].double().numpy()
    return f"{type(network).__name__}, {type(network.model.layers[0].self_attn.q_proj).__name__}", logits


def main() -> int:
    print(f"transformers {transformers.__version__}, torch {torch.__version__}")
    records, failures = [], 0
    with tempfile.TemporaryDirectory() as work:
        for kind in hf_folders.KINDS:
            hf_folders.write_folder(hf_folders.as_transformers_knows_it(kind), Path(work) / kind.name, SEED)
            path = Path(work) / f"{kind.name}.gguf"
            hf_folders.write_expected(kind, SEED, path)
            prompt, wanted = clear_prompt(path)
            classes, found = logits_of(Path(work) / kind.name, prompt)
            gap, spread = float(np.abs(found - wanted).max()), float(wanted.std())
            good = gap <= TOLERANCE * spread
            failures += not good
            print(f"{kind.name:13} {classes:31} largest gap {gap:.1e} of spread {spread:.2f}: {'ok' if good else 'TOO FAR'}")
            records.append({"kind": kind.name, "seed": SEED, "classes": classes, "prompt": prompt,
                            "argmax": found.argmax(axis=1).tolist(), "spread": round(spread, 4),
                            "last": [round(x, 6) for x in found[-1, :KEPT].tolist()]})
    if "--write" in sys.argv[1:] and not failures:
        made_with = f"transformers {transformers.__version__}, torch {torch.__version__}"
        (HERE / "expected_hf_folders.json").write_text(compact_json({"made_with": made_with, "models": records}) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
