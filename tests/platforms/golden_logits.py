"""One file of logits bits for every platform: golden_logits.py <logits_bits> [--kernels] [--emulator <command>...]

Runs logits_bits over the default model and every small model of tests/golden, with one thread and with three, and compares
what it prints with logits_bits.txt beside this file, byte for byte. --kernels: with every kernel level of this CPU, too.
--write makes the file anew (from the scalar kernels). An emulator that is not installed is a visible skip (77).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXPECTED = HERE / "logits_bits.txt"
LEVELS = ("scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "amx", "neon", "dotprod", "i8mm")
CANNOT_RUN = "BITNET_E_DEVICE_CAPABILITY"


def models() -> list[str]:
    return [str(path) for path in sorted((HERE.parent / "golden").glob("*.gguf")) if not path.name.startswith("lora")]


def digests(command: list[str], threads: int, kernel: str) -> str | None:
    """What the program prints; None where this CPU or build has not got the kernel."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "bits")
        options = ["--threads", str(threads), "--to", str(output)] + (["--kernel", kernel] if kernel else [])
        run = subprocess.run(command + options + models(), capture_output=True, text=True, errors="replace", timeout=600)
        if run.returncode != 0:
            if kernel and (CANNOT_RUN in run.stderr or "unknown kernel" in run.stderr):
                return None
            sys.exit(f"{' '.join(command)} ended with {run.returncode}: {run.stderr.strip()}")
        return output.read_bytes().decode()


def first_difference(got: str, wanted: str) -> str:
    for a, b in zip(got.splitlines() + ["(end)"], wanted.splitlines() + ["(end)"]):
        if a != b:
            return f"wanted: {b}\n   got: {a}"
    return "the ends of lines differ"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--kernels", action="store_true")
    parser.add_argument("--threads", default="1,3")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--emulator", nargs=argparse.REMAINDER, default=[], help="the rest of the line")
    args = parser.parse_args()
    if args.emulator and shutil.which(args.emulator[0]) is None:
        print(f"SKIPPED: no {args.emulator[0]} here (scripts/install-packages ci)")
        sys.exit(77)
    command = args.emulator + [str(Path(args.program).resolve())]
    if args.write:
        EXPECTED.write_bytes((digests(command, 1, "scalar") or "").encode())
        return
    wanted = EXPECTED.read_bytes().decode()
    runs = [(int(threads), "") for threads in args.threads.split(",")]
    runs += [(1, level) for level in LEVELS] if args.kernels else []
    ran = 0
    for threads, kernel in runs:
        label = f"{kernel or 'the best kernels'}, threads: {threads}"
        got = digests(command, threads, kernel)
        if got is None:
            print(f"{label}: not on this CPU")
            continue
        if got != wanted:
            sys.exit(f"{label}: the bits differ\n{first_difference(got, wanted)}")
        print(f"{label}: {len(got.splitlines())} lines equal")
        ran += 1
    if ran == 0:
        sys.exit("nothing ran")


if __name__ == "__main__":
    main()
