#!/usr/bin/env python3
"""The Go package with one build of the library: formatting, go vet, the tests, the examples beside those in C. Prints what fails.

Takes BITNET_LIBRARY (the shared library) from the environment, and BITNET_INCLUDE, BITNET_MODEL, BITNET_EXAMPLES (the
folder of bitnet_basic_generation and its like; without it the examples are not compared), BITNET_BUILD (for what is
built). Returns 77, "skipped", without Go.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLES = ("basic_generation", "streaming_generation", "device_selection")


def run(environment: dict[str, str], *command: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(command, cwd=HERE, env=environment, check=False, **options)


def go_environment(library: Path, include: Path, build: Path) -> dict[str, str]:
    environment = dict(os.environ)
    environment.update(
        CGO_ENABLED="1", CGO_CFLAGS=f"-O1 -I{include}",
        CGO_LDFLAGS=f"-L{library.parent} -lbitnet -Wl,-rpath,{library.parent}",
        GOFLAGS="-tags=bitnet_flags -mod=readonly", GOPROXY="off", GOTOOLCHAIN="local")
    environment["PATH"] = environment.get("PATH", "") + ":/usr/local/go/bin:/usr/lib/go/bin"
    if not environment.get("HOME") and not environment.get("GOCACHE"):
        environment["GOCACHE"] = str(build / "cache")
    return environment


def compare_examples(environment: dict[str, str], build: Path, model: Path, c_examples: Path) -> int:
    """Each example writes the same bytes as its C program, but for how much memory is free at the moment."""
    failures = 0
    built = run(environment, "go", "build", "-o", f"{build}{os.sep}", *[f"./examples/{name}" for name in EXAMPLES])
    if built.returncode != 0:
        return 1
    for name in EXAMPLES:
        settings = {**environment, "BITNET_SEED": "42", "BITNET_NUM_THREADS": "1"}
        texts = []
        for program in (build / name, c_examples / f"bitnet_{name}"):
            done = run(settings, str(program), str(model), capture_output=True)
            lines = [line for line in done.stdout.splitlines() if b"MiB free" not in line]
            texts.append((done.returncode, b"\n".join(lines)))
        if texts[0] != texts[1] or texts[0][0] != 0 or len(texts[0][1]) < 20:
            failures += 1
            print(f"{name}: Go gives {texts[0]}, C {texts[1]}")
        wrong = run(settings, str(build / name), str(model) + ".missing", capture_output=True)
        if wrong.returncode != 1 or b"No such file" not in wrong.stderr:
            failures += 1
            print(f"{name}: a missing model gives {wrong.returncode}, {wrong.stderr!r}")
    return failures


def main() -> int:
    library = Path(os.environ.get("BITNET_LIBRARY", ""))
    if not library.is_file():
        print("BITNET_LIBRARY must be the path of the shared library")
        return 2
    build = Path(os.environ.get("BITNET_BUILD") or tempfile.mkdtemp(prefix="bitnet-go-"))
    include = Path(os.environ.get("BITNET_INCLUDE") or HERE.parents[1])
    environment = go_environment(library.resolve(), include, build)
    if shutil.which("go", path=environment["PATH"]) is None:
        print("SKIPPED: there is no Go here (Debian: golang-go)")
        return 77
    environment.update(BITNET_INCLUDE=str(include), BITNET_LIBRARY=str(library.resolve()))
    failures = 0
    unformatted = run(environment, "gofmt", "-l", ".", capture_output=True, text=True).stdout
    if unformatted:
        failures += 1
        print(f"gofmt would change: {unformatted}")
    # go test runs the checks of go vet that matter; -count=1 because the library is no input that Go knows of.
    failures += run(environment, "go", "test", "-count=1", "./...").returncode != 0
    examples = os.environ.get("BITNET_EXAMPLES")
    if examples:
        model = Path(os.environ.get("BITNET_MODEL") or HERE.parents[1] / "examples/stories/stories.gguf")
        failures += compare_examples(environment, build, model, Path(examples))
    else:
        print("the examples are not compared: BITNET_EXAMPLES is not set")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
