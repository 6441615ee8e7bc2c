#!/usr/bin/env python3
"""The test binding_rust: rust_binding_test.py, with the environment that bindings/CMakeLists.txt gives.

The raw layer is what emit_rust.py writes from bitnet.h; both crates pass their tests (layouts, the conformance list, doc tests);
and the program of README.md, as a crate of its own that depends on ours, builds and runs. Skipped (77) without cargo.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIBRARY = Path(os.environ.get("BITNET_LIBRARY", ROOT / "build/release/lib/libbitnet.so"))
MODEL = os.environ.get("BITNET_MODEL", ROOT / "examples/stories/stories.gguf")

MANIFEST = """[package]
name = "readme"
version = "0.0.0"
edition = "2021"

[dependencies]
bitnet = {{ path = "{crate}" }}

[profile.dev]
debug = 0

[workspace]
"""
USES = """use bitnet::*;
use std::ops::ControlFlow;
use std::time::Duration;

"""


def find_cargo() -> str:
    """$CARGO, or the one on the path; with a compiler beside it."""
    program = os.environ.get("CARGO") or shutil.which("cargo")
    compiler = os.environ.get("RUSTC") or shutil.which("rustc")
    if program and compiler:
        return program
    print("skipped: no Rust. Debian and Ubuntu: apt-get install cargo")
    sys.exit(77)


def check_emitted() -> None:
    sys.path.insert(0, str(HERE.parent / "abi"))
    try:
        import emit_rust
    except ImportError as missing:
        print(f"skipped: comparing the raw layer with bitnet.h needs {missing.name} (Debian: python3-pycparser)")
        return
    import header_model

    header = header_model.read_header()
    for name, text in emit_rust.emitted(header).items():
        if (HERE / name).read_text(encoding="utf-8") != text:
            sys.exit(f"bindings/rust/{name} is not what bitnet.h asks for: run bindings/abi/emit_rust.py")
    # A function more in the header has to be seen.
    header.functions.append(header_model.Function("bitnet_new", header_model.CType("void"), ()))
    if "pub fn bitnet_new();" not in emit_rust.emitted(header)["bitnet-sys/src/functions.rs"]:
        sys.exit("emit_rust.py did not see a new function")
    print("the raw layer is what bitnet.h asks for")


def cargo(arguments: list[str], folder: Path, target: Path) -> None:
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target), "CARGO_NET_OFFLINE": "true", "CARGO_INCREMENTAL": "0",
                   "BITNET_LIBRARY": str(LIBRARY), "BITNET_MODEL": str(MODEL), "BITNET_NUM_THREADS": "1"}
    path = "PATH" if os.name == "nt" else "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    environment[path] = os.pathsep.join(filter(None, [str(LIBRARY.parent), environment.get(path)]))
    done = subprocess.run([find_cargo(), *arguments], cwd=folder, env=environment, check=False)
    if done.returncode != 0:
        sys.exit(f"cargo {' '.join(arguments)} failed in {folder}")


def run_readme(target: Path) -> None:
    blocks = re.findall(r"^( *)```rust\n(.*?)^ *```$", (HERE / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    if len(blocks) != 11:
        sys.exit(f"README.md has {len(blocks)} programs, not the first one and ten more")
    first, *ten = ["".join(line.removeprefix(indent) for line in block.splitlines(True)) for indent, block in blocks]
    ten_things = "fn main() -> bitnet::Result<()> {\n" + "".join(ten) + "    Ok(())\n}\n"
    crate = target / "readme"
    (crate / "src/bin").mkdir(parents=True, exist_ok=True)
    (crate / "Cargo.toml").write_text(MANIFEST.format(crate=(HERE / "bitnet").as_posix()), encoding="utf-8")
    (crate / "src/bin/first.rs").write_text(first, encoding="utf-8")
    (crate / "src/bin/ten.rs").write_text(USES + ten_things, encoding="utf-8")
    shutil.copyfile(MODEL, crate / "model.gguf")
    for program in ("first", "ten"):
        cargo(["run", "--quiet", "--bin", program], crate, target)
        print()


def main() -> None:
    find_cargo()
    check_emitted()
    with tempfile.TemporaryDirectory() as temporary:
        target = Path(os.environ.get("BITNET_BUILD", temporary))
        cargo(["test", "--quiet"], HERE, target)
        run_readme(target)


if __name__ == "__main__":
    main()
