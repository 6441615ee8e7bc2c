"""Trains the stories model, a BitNet b1.58 model of a few million ternary weights, on a CPU or one GPU.

    python3 train.py --data DATA --tokenizer tokenizer.json --out RUN
    python3 train.py --data DATA --tokenizer tokenizer.json --out RUN          # again: goes on from RUN/checkpoint.pt

DATA holds tinystories/train.txt and books/*.txt. RUN gets checkpoint.pt, log.jsonl and loss.png. Interrupting (Ctrl-C,
SIGTERM) writes a checkpoint and stops. The last stories of the training file are never trained on; the figure "held out"
is on them.

Matrices are trained with Muon (momentum made orthogonal by Newton-Schulz steps; K. Jordan 2024): for the same number of
tokens it gets further than AdamW, which trains the embedding and the norms. Weight decay stops half-way and the learning
rate falls to zero, as in the training notes of BitNet b1.58: late in training a ternary weight must come to rest.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tqdm import tqdm

from stories_data import StoryRows, evaluation_rows, read_stories
from stories_model import BitLinear, Shape, StoriesModel

ROW_LENGTHS = (256, 512)
N_HELD_OUT = 100


class Muon(torch.optim.Optimizer):
    """Steps along the nearest orthogonal matrix to the momentum. Matrices of one shape are handled as one stack."""

    def __init__(self, matrices: list[torch.nn.Parameter], lr: float, momentum: float = 0.95):
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": 0.0})

    @staticmethod
    def orthogonal(g: torch.Tensor) -> torch.Tensor:
        """The orthogonal factor of each (m, n) matrix of a stack, roughly: singular values end near 1."""
        x = g.to(torch.bfloat16)
        wide = x.shape[-2] <= x.shape[-1]
        if not wide:
            x = x.mT
        x = x / (x.float().norm(dim=(-2, -1), keepdim=True) + 1e-7).to(torch.bfloat16)
        for _ in range(5):
            a = x @ x.mT
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
        return (x if wide else x.mT).float()

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            stacks: dict[torch.Size, list[torch.nn.Parameter]] = {}
            for p in group["params"]:
                stacks.setdefault(p.shape, []).append(p)
            for shape, parameters in stacks.items():
                updates = []
                for p in parameters:
                    momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                    momentum.lerp_(p.grad, 1 - group["momentum"])
                    updates.append(p.grad.lerp(momentum, group["momentum"]))
                scale = max(1.0, shape[0] / shape[1]) ** 0.5
                for p, update in zip(parameters, self.orthogonal(torch.stack(updates))):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(update, alpha=-group["lr"] * scale)


def learning_rate_factor(step: int, steps: int, warmup: int, decay_from: float) -> float:
    """Rises over `warmup` steps, stays at 1, and falls in a straight line to 0 from `decay_from` * steps on."""
    rise = min(1.0, (step + 1) / warmup)
    fall = min(1.0, (steps - step) / (steps * (1 - decay_from)))
    return rise * fall


@torch.no_grad()
def bits_per_byte(model: StoriesModel, rows: tuple[torch.Tensor, torch.Tensor, int], device: str) -> float:
    tokens, targets, n_bytes = rows
    nats = 0.0
    for at in range(0, len(tokens), 16):
        x, y = tokens[at:at + 16].to(device), targets[at:at + 16].to(device)
        nats += model.loss(x, y).item() * int((y >= 0).sum())
    return nats / math.log(2) / n_bytes


def plot(log: list[dict], path: Path) -> None:
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    train = [(r["tokens"] / 1e6, r["loss"]) for r in log if "loss" in r]
    axes.plot(*zip(*train), label="training loss, nats per token", color="#8aa", linewidth=1)
    held_out = [(r["tokens"] / 1e6, r["held_out"]) for r in log if "held_out" in r]
    if held_out:
        axes.plot(*zip(*held_out), label="held out, bits per byte", color="#b30", marker=".")
    axes.set(xlabel="million tokens", ylim=(0.6, 3.0), title="Training of the stories model")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def save_atomically(state: dict, path: Path) -> None:
    partial = path.with_suffix(".part")
    torch.save(state, partial)
    os.replace(partial, path)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=5200)
    parser.add_argument("--stop-at", type=int, help="end after this step, with a checkpoint; for trials")
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--muon-lr", type=float, default=0.02)
    parser.add_argument("--adam-lr", type=float, default=0.004)
    parser.add_argument("--weight-decay", type=float, default=0.1, help="in the first half of the training")
    parser.add_argument("--warmup", type=int, default=60)
    parser.add_argument("--decay-from", type=float, default=0.35, help="share of the steps at the full learning rate")
    parser.add_argument("--book-share", type=float, default=0.08, help="share of book batches in the first half")
    parser.add_argument("--swap-share", type=float, default=0.6, help="share of stories whose people get other names")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--embd", type=int, default=256)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--ff", type=int, default=768)
    parser.add_argument("--no-compile", action="store_true", help="start at once, but train at half the speed")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    checkpoint_path, log_path = options.out / "checkpoint.pt", options.out / "log.jsonl"

    tokenizer = Tokenizer.from_file(str(options.tokenizer))
    stories = read_stories(options.data / "tinystories" / "train.txt")
    stories, held_out = stories[:-N_HELD_OUT], stories[-N_HELD_OUT:]
    books = [path.read_text(encoding="utf-8") for path in sorted((options.data / "books").glob("*.txt"))]
    rows = StoryRows(tokenizer, stories, books, ROW_LENGTHS, options.batch_tokens, options.swap_share, options.seed)
    held_out_rows = evaluation_rows(tokenizer, held_out, ROW_LENGTHS[-1])

    shape = Shape(n_vocab=tokenizer.get_vocab_size(), n_embd=options.embd, n_layer=options.layers,
                  n_head=options.heads, n_head_kv=options.heads // 2, n_ff=options.ff)
    model = StoriesModel(shape).to(options.device)
    matrices = [m.weight for m in model.modules() if isinstance(m, BitLinear)]
    others = [p for p in model.parameters() if not any(p is m for m in matrices)]
    muon = Muon(matrices, options.muon_lr)
    adam = torch.optim.AdamW(others, options.adam_lr, betas=(0.9, 0.98), weight_decay=0.0)
    rates = [(muon, options.muon_lr), (adam, options.adam_lr)]
    first_step, n_tokens, log = 0, 0, []
    if checkpoint_path.exists():
        state = torch.load(checkpoint_path, map_location=options.device, weights_only=False)
        if state["shape"] != shape.as_dict():
            raise SystemExit(f"{checkpoint_path} is of another shape: {state['shape']}. Choose another --out.")
        model.load_state_dict(state["model"])
        muon.load_state_dict(state["muon"])
        adam.load_state_dict(state["adam"])
        first_step, n_tokens, log, rows.epoch = state["step"], state["tokens"], state["log"], state["epoch"]
        rows.rng.seed(options.seed + first_step)  # not the batches it would have seen, but fresh ones
    print(f"{model.n_ternary():,} ternary weights, {shape.n_vocab * shape.n_embd:,} of the embedding, "
          f"{len(stories)} stories, from step {first_step} of {options.steps} on {options.device}", flush=True)

    stop = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.append(True))
    loss_function = model.loss if options.no_compile else torch.compile(model.loss)

    def save(step: int) -> None:
        save_atomically({"model": model.state_dict(), "muon": muon.state_dict(), "adam": adam.state_dict(),
                         "shape": shape.as_dict(), "step": step, "tokens": n_tokens, "epoch": rows.epoch,
                         "log": log}, checkpoint_path)
        log_path.write_text("".join(json.dumps(record) + "\n" for record in log))
        plot(log, options.out / "loss.png")

    last_step = min(options.steps, options.stop_at or options.steps)
    mean_loss, last_save = None, time.time()
    progress = tqdm(range(first_step, last_step), initial=first_step, total=options.steps, mininterval=10)
    step = first_step
    for step in progress:
        factor = learning_rate_factor(step, options.steps, options.warmup, options.decay_from)
        for optimizer, rate in rates:
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
        early = step < options.steps / 2
        muon.param_groups[0]["weight_decay"] = options.weight_decay if early else 0.0
        tokens, targets = rows.next(options.book_share if early else 0.0)
        loss = loss_function(tokens.to(options.device), targets.to(options.device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        for optimizer, _ in rates:
            optimizer.step()
            optimizer.zero_grad()
        n_tokens += tokens.numel()
        value = loss.item()
        if not math.isfinite(value):
            raise SystemExit(f"the loss is {value} at step {step}; lower --muon-lr and resume from the checkpoint")
        mean_loss = value if mean_loss is None else 0.98 * mean_loss + 0.02 * value
        progress.set_postfix(loss=f"{mean_loss:.3f}", epoch=rows.epoch, refresh=False)
        if (step + 1) % 20 == 0:
            log.append({"step": step + 1, "tokens": n_tokens, "loss": mean_loss})
        if (step + 1) % 250 == 0 or step + 1 == last_step:
            log.append({"step": step + 1, "tokens": n_tokens, "epoch": rows.epoch,
                        "held_out": bits_per_byte(model, held_out_rows, options.device)})
            tqdm.write(json.dumps(log[-1]))
        if stop or time.time() - last_save > 300 or step + 1 == last_step:
            save(step + 1)
            last_save = time.time()
        if stop:
            print(f"stopped after step {step + 1}; the same command goes on from there")
            return
    print(f"trained {last_step} steps, {n_tokens / 1e6:.1f} million tokens: {checkpoint_path}")


if __name__ == "__main__":
    main()
