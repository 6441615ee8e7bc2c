"""Checks the pinned figures of the default model (expected_stories.json) with programs that share nothing with the engine:
prompt ids with Hugging Face's tokenizers from tokenizer.json, greedy text and nats per token with the NumPy oracle.

The oracle's arithmetic is float64, so at a step where two tokens are nearly equal it may prefer the other; such steps are
counted and must be rare. Perplexity needs tinystories/valid.txt under BITNET_TEST_DATA (default: ../shared/data beside the
checkout) and is left out, loudly, without it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

import oracle

HERE = Path(__file__).resolve().parent
STORIES = HERE.parent.parent / "examples" / "stories"
# As in check_stories3m.py: one int8 rounding that falls the other way moves logits by up to 0.1.
LOGIT_NOISE = 0.15
NATS_NOISE = 1e-3
CONTEXT = 512


def data_dir() -> Path:
    return Path(os.environ.get("BITNET_TEST_DATA") or HERE / "../../../shared/data").resolve()


def check_prompt(model: oracle.Model, tokenizer: Tokenizer, case: dict) -> bool:
    ids = tokenizer.encode(case["prompt"]).ids
    same_ids = ids == case["ids"]
    same_text = tokenizer.decode(case["greedy"]) == case["text"]
    # The pinned continuation is fed, so that one near tie does not hide what comes after it.
    rows = oracle.logits_of(model, case["ids"] + case["greedy"])[len(ids) - 1:-1]
    leads = [float(row[token] - np.delete(row, token).max()) for row, token in zip(rows, case["greedy"])]
    ties = sum(lead < LOGIT_NOISE for lead in leads)
    print(f"  {case['prompt'][:32]!r:36} ids {'same' if same_ids else 'DIFFER'}, text {'same' if same_text else 'DIFFERS'}, "
          f"{len(leads)} greedy steps, least lead {min(leads):+.4f}, near ties {ties}")
    return same_ids and same_text and min(leads) > -LOGIT_NOISE and ties < len(leads) / 4


def nats_per_token(model: oracle.Model, tokenizer: Tokenizer, stories: list[str]) -> tuple[float, int, int]:
    """(nats per token, tokens, bytes) of the stories, each alone behind its first token."""
    nats, n_tokens, n_bytes = 0.0, 0, 0
    for story in stories:
        ids = tokenizer.encode(story).ids[:CONTEXT]
        logits = oracle.logits_of(model, ids)[:-1]
        peak = logits.max(axis=-1)
        log_sum = peak + np.log(np.exp(logits - peak[:, None]).sum(axis=-1))
        nats += float((log_sum - logits[np.arange(len(ids) - 1), ids[1:]]).sum())
        n_tokens += len(ids) - 1
        n_bytes += len(tokenizer.decode(ids[1:]).encode())
    return nats / n_tokens, n_tokens, n_bytes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stories", type=int, default=5, choices=(5, 200), help="stories to score, as they are pinned")
    options = parser.parse_args()
    expected = json.loads((HERE / "expected_stories.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(STORIES / "tokenizer.json"))
    model = oracle.load_model(STORIES / "stories.gguf")
    good = all([check_prompt(model, tokenizer, case) for case in expected["prompts"]])
    valid = data_dir() / "tinystories/valid.txt"
    if valid.exists():
        text = valid.read_text(encoding="utf-8")
        stories = [story.strip() for story in text.split("<|endoftext|>") if story.strip()][:options.stories]
        found, n_tokens, n_bytes = nats_per_token(model, tokenizer, stories)
        pinned = expected["perplexity"][str(options.stories)]
        print(f"  {found:.6f} nats per token over {n_tokens} tokens, {n_bytes} bytes (pinned: {pinned})")
        good &= (str(n_tokens), str(n_bytes)) == (pinned["tokens"], pinned["bytes"])
        good &= abs(found - float(pinned["nats_per_token"])) <= NATS_NOISE
    else:
        print(f"SKIPPED: perplexity, no {valid} (set BITNET_TEST_DATA)", file=sys.stderr)
    print("ok" if good else "FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
