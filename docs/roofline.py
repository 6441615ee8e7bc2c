"""Draws docs/roofline.svg: how near runs of `bitnet bench --json` come to what memory and arithmetic allow.

    python3 docs/roofline.py docs/roofline.svg run.json [run.json ...] [--peers peers.json]

The horizontal axis is arithmetic intensity, operations of 8-bit integers per byte that a step reads; the vertical one is what
was reached. The roof is the lower of bandwidth times intensity and the peak of int8 products, both measured in the same run. A
peer is {"name", "test", "threads", "tokens_per_second", "bytes_per_token"}; it does the same operations for a token. Needs
matplotlib. S. Williams, A. Waterman, D. Patterson: Roofline, CACM 52 (2009).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  (the backend has to be chosen first)

matplotlib.rcParams["svg.hashsalt"] = "bitnet"  # the same input gives the same bytes


def draw(out: Path, runs: list[dict], peers: list[dict], threads: int) -> None:
    limits = next(limit for run in runs for limit in run["limits"] if limit["threads"] == threads)
    bandwidth, peak = limits["read_bytes_per_second"], limits["int8_ops_per_second"]
    figure, axes = pyplot.subplots(figsize=(9, 5.5))
    left, right = 0.5, 1e5
    ridge = peak / bandwidth
    axes.plot([left, ridge, right], [bandwidth * left / 1e12, peak / 1e12, peak / 1e12], color="black", linewidth=1.5)
    axes.text(left * 1.15, bandwidth * left * 1.9 / 1e12, f"memory {bandwidth / 1e9:.1f} GB/s", rotation=33)
    axes.text(right / 1.2, peak * 1.08 / 1e12, f"int8 {peak / 1e12:.2f} TOPS ({limits['int8_level']})", ha="right")
    ops_of, labels = {}, []
    for run in runs:
        for result in run["results"]:
            if result["threads"] != threads or result["depth"] != 0:
                continue
            ops = result["int8_ops_per_token"]
            ops_of[result["test"]] = ops
            batch = f", {result['batch']} texts" if result["batch"] != 1 else ""
            head = f", {run['model']['head_type']} head" if result["test"].startswith("tg") and not batch else ""
            labels.append(point(axes, ops / result["bytes_per_token"], ops * result["tokens_per_second"],
                                f"{result['test']}{batch}{head}: {result['tokens_per_second']:.1f}/s", "tab:blue", "o"))
    for peer in peers:
        if peer["threads"] == threads and peer["test"] in ops_of:
            ops = ops_of[peer["test"]]
            labels.append(point(axes, ops / peer["bytes_per_token"], ops * peer["tokens_per_second"],
                                f"{peer['name']} {peer['test']}: {peer['tokens_per_second']:.1f}/s", "tab:red", "x"))
    axes.set(xscale="log", yscale="log", xlim=(left, right), xlabel="int8 operations per byte read",
             ylabel="int8 operations per second, 10^12",
             title=f"{runs[0]['model']['label']}, {threads} threads, {runs[0]['machine']['processor']}")
    axes.grid(which="major", alpha=0.3)
    figure.tight_layout()
    part(axes, labels)
    figure.savefig(out, metadata={"Date": None})


def point(axes, intensity: float, ops_per_second: float, text: str, color: str, marker: str):
    """Draws it and returns its label."""
    x, y = intensity, ops_per_second / 1e12
    axes.plot([x], [y], marker, color=color)
    return axes.annotate(text, (x, y), xytext=(6, 0), textcoords="offset points", va="center", fontsize=7, color=color)


def part(axes, labels: list) -> None:
    """Moves the labels of neighbours apart, upwards and downwards around their middle, so that all can be read."""
    points_per_pixel = 72 / axes.figure.dpi
    at = {label: axes.transData.transform(label.xy) * points_per_pixel for label in labels}
    columns: dict[int, list] = {}
    for label in sorted(labels, key=lambda label: at[label][1]):
        columns.setdefault(round(at[label][0] / 60), []).append(label)
    for column in columns.values():
        heights = [at[label][1] for label in column]
        places: list[float] = []
        for height in heights:
            places.append(max(height, places[-1] + 8.5) if places else height)
        raised = (sum(places) - sum(heights)) / len(heights)
        for label, height, place in zip(column, heights, places):
            label.set_position((label.get_position()[0], place - height - raised))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in options.runs]
    peers = json.loads(options.peers.read_text(encoding="utf-8")) if options.peers else []
    draw(options.out, runs, peers, options.threads)


if __name__ == "__main__":
    main()
