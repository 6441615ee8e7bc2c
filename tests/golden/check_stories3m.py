"""Checks the oracle against a really trained model: its greedy text, top logits and nats per token.

The model is test data, never part of the repository; it is found through BITNET_TEST_DATA (default: ../shared/data
beside the checkout), and without it the check exits with 77. With --write it also writes expected_stories3m.json, the
reference's figures in a form a C++ test can read.
"""

from __future__ import annotations

import argparse
import heapq
import os
import re
import sys
import time
from pathlib import Path

import numpy as np

import oracle
from make_golden import compact_json

HERE = Path(__file__).resolve().parent
EXPECTED = HERE / "expected_stories3m.json"
SPACE = "\u2581"
# One int8 rounding that falls the other way moves this model's logits by up to 0.1 (see README.md): figures of another
# program agree to this, and a greedy step whose lead is smaller may legitimately differ.
LOGIT_NOISE = 0.15
NATS_NOISE = 2e-4
STORIES_KEPT = 10


def data_dir() -> Path:
    return Path(os.environ.get("BITNET_TEST_DATA") or HERE / "../../../shared/data").resolve()


def spm_encode(text: str, tokens: dict[str, int], scores: list[float]) -> list[int]:
    """SentencePiece: of adjacent pairs the one whose join is the best-scored token merges first, leftmost on ties."""
    pieces: list[str | None] = list((" " + text).replace(" ", SPACE))
    after = list(range(1, len(pieces) + 1))
    before = list(range(-1, len(pieces) - 1))
    queue: list[tuple[float, int, str]] = []

    def offer(left: int) -> None:
        right = after[left] if 0 <= left else len(pieces)
        if right < len(pieces):
            joined = pieces[left] + pieces[right]
            if joined in tokens:
                heapq.heappush(queue, (-scores[tokens[joined]], left, joined))

    for left in range(len(pieces)):
        offer(left)
    while queue:
        _, left, joined = heapq.heappop(queue)
        right = after[left]
        if pieces[left] is None or right >= len(pieces) or pieces[left] + pieces[right] != joined:
            continue  # one of the two was merged with another neighbour since
        pieces[left], pieces[right], after[left] = joined, None, after[right]
        if after[left] < len(pieces):
            before[after[left]] = left
        offer(before[left])
        offer(left)
    ids: list[int] = []
    for piece in filter(None, pieces):
        ids += [tokens[piece]] if piece in tokens else [tokens[f"<0x{byte:02X}>"] for byte in piece.encode()]
    return ids


def read_reference(path: Path) -> tuple[list[dict], float, int]:
    """Parses the reference text: per prompt its ids, top five logits and 64 greedy ids; nats per token, tokens."""
    text = path.read_text()
    pattern = re.compile(r"^PROMPT (.*?) ?ids: ([\d ]+)\n top5: (.*)\n greedy: ([\d ]+)$", re.M)
    prompts = []
    for prompt, ids, top, continuation in pattern.findall(text):
        pairs = [entry.split(":") for entry in top.split()]
        prompts.append({"text": prompt, "ids": [int(i) for i in ids.split()],
                        "top5": [{"id": int(i), "logit": float(value)} for i, value in pairs],
                        "greedy": [int(i) for i in continuation.split()]})
    ((count, nats),) = re.findall(r"tokens (\d+) nll/token ([\d.]+)", text)
    return prompts, float(nats), int(count)


def check_prompts(path: Path, prompts: list[dict], half_cache: bool) -> bool:
    """Compares the oracle with each reference prompt; notes in it the steps whose lead is within the noise."""
    model = oracle.load_model(path, half_cache=half_cache)
    tokens = {text: i for i, text in enumerate(model.metadata["tokenizer.ggml.tokens"])}
    good = True
    for prompt in prompts:
        if prompt["text"]:
            assert spm_encode(prompt["text"], tokens, model.metadata["tokenizer.ggml.scores"]) == prompt["ids"][1:]
        logits = oracle.logits_of(model, prompt["ids"])[-1]
        gaps = [float(logits[entry["id"]]) - entry["logit"] for entry in prompt["top5"]]
        best = int(logits.argmax()) == prompt["top5"][0]["id"]
        same = oracle.greedy(model, prompt["ids"], 64) == prompt["greedy"]
        print(f"  {prompt['text'][:24]!r:28} top token {'same' if best else 'DIFFERS'}, greedy "
              f"{'same' if same else 'differs'}, top-5 gaps " + " ".join(f"{gap:+.3f}" for gap in gaps))
        good &= best and max(map(abs, gaps)) <= LOGIT_NOISE
        # Feed the reference's own continuation, so that one near-tie does not hide what comes after it.
        rows = oracle.logits_of(model, prompt["ids"] + prompt["greedy"][:-1])[len(prompt["ids"]) - 1:]
        prompt["uncertain_steps"] = []
        for step, (row, wanted) in enumerate(zip(rows, prompt["greedy"])):
            lead = float(row[wanted] - np.delete(row, wanted).max())
            if lead < LOGIT_NOISE:
                prompt["uncertain_steps"].append(step)
                print(f"    step {step}: the reference's {wanted} leads by only {lead:+.4f}")
            good &= lead >= -LOGIT_NOISE
    return good


def story_nats(path: Path, stories: list[str]) -> list[tuple[int, float]]:
    """Per story: predicted tokens and their summed negative log-likelihood, over BOS + story, first 512 tokens."""
    model = oracle.load_model(path)
    tokens = {text: i for i, text in enumerate(model.metadata["tokenizer.ggml.tokens"])}
    scores = model.metadata["tokenizer.ggml.scores"]
    out = []
    for story in stories:
        ids = ([model.metadata["tokenizer.ggml.bos_token_id"]] + spm_encode(story, tokens, scores))[:512]
        logits = oracle.logits_of(model, ids)[:-1]
        peak = logits.max(axis=-1)
        log_sum = peak + np.log(np.exp(logits - peak[:, None]).sum(axis=-1))
        out.append((len(ids) - 1, float((log_sum - logits[np.arange(len(ids) - 1), ids[1:]]).sum())))
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stories", type=int, default=200, help="stories of the validation text to score (0: none)")
    parser.add_argument("--write", action="store_true", help=f"write {EXPECTED.name}")
    options = parser.parse_args()
    path = data_dir() / "models/stories3m-i2_s.gguf"
    if not path.exists():
        print(f"SKIPPED: no {path} (set BITNET_TEST_DATA)", file=sys.stderr)
        return 77
    prompts, nats, count = read_reference(path.with_name("stories3m-reference.txt"))
    assert len(prompts) == 3 and all(len(prompt["greedy"]) == 64 for prompt in prompts)
    started = time.monotonic()
    good = True
    for half_cache in (False, True):  # the engine's setting last: its uncertain steps are the ones written
        print(f"KV cache in {'half' if half_cache else 'full'} precision:")
        good &= check_prompts(path, prompts, half_cache)
    text = (data_dir() / "tinystories/valid.txt").read_text()
    stories = [story.strip() for story in text.split("<|endoftext|>") if story.strip()][:options.stories]
    scored = story_nats(path, stories)
    if scored:
        total = sum(tokens for tokens, _ in scored)
        found = sum(value for _, value in scored) / total
        print(f"nats per token {found:.5f} over {total} tokens of {len(stories)} stories "
              f"(reference {nats} over {count})")
        if total == count:
            good &= abs(found - nats) <= NATS_NOISE
    if options.write:
        kept = [{"tokens": tokens, "nats": round(value, 3)} for tokens, value in scored[:STORIES_KEPT]]
        assert len(kept) == STORIES_KEPT
        content = {"model": "models/stories3m-i2_s.gguf", "logit_noise": LOGIT_NOISE, "nats_per_token": nats,
                   "prompts": prompts, "first_stories_of": "tinystories/valid.txt", "first_stories": kept}
        EXPECTED.write_text(compact_json(content) + "\n")
    print(f"{'ok' if good else 'FAILED'}, {time.monotonic() - started:.0f} s")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
