"""bitnet.h is C: header_is_c.py <folder that holds bitnet.h>.

The header alone, with nothing else of ours on the include path, compiles as C99 and C++17 and later, pedantic and without a
warning, in every compiler found, and two files that include it link together.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import source_tree

WARNINGS = "-pedantic -Wall -Wextra -Wshadow -Wconversion -Wundef -Werror".split()
C_WARNINGS = "-Wstrict-prototypes -Wmissing-prototypes -Wc++-compat".split()
COMPILERS = {
    "gcc": ("c", ["c99", "c11", "c17"]),
    "clang": ("c", ["c99", "c11", "c17"]),
    "g++": ("cpp", ["c++17", "c++20"]),
    "clang++": ("cpp", ["c++17", "c++20"]),
}
# Uses every inline helper and a callback type, so their bodies are compiled and not only read.
PROGRAM = """#include "bitnet.h"
static int32_t stop(void *user_data) {{ return user_data != NULL; }}
{prefix}int32_t use_{name}(void);
{prefix}int32_t use_{name}(void) {{
    bitnet_model_params model = bitnet_model_default_params();
    bitnet_context_params context = bitnet_context_default_params();
    bitnet_sampler_params sampler = bitnet_sampler_default_params();
    context.should_abort = stop;
    return model.use_mmap + context.n_ubatch + sampler.top_k + (int32_t)BITNET_VERSION_NUMBER;
}}
"""


def check(include_folder: str) -> tuple[list[str], int]:
    problems = []
    runs = 0
    with tempfile.TemporaryDirectory() as folder:
        for compiler, (suffix, standards) in COMPILERS.items():
            if shutil.which(compiler) is None:
                print(f"header_is_c: no {compiler} here, not tried with it")
                continue
            for standard in standards:
                objects = []
                for name in ("one", "two"):
                    source = Path(folder, f"{name}.{suffix}")
                    source.write_text(PROGRAM.format(name=name, prefix='extern "C" ' if suffix == "cpp" else ""))
                    objects.append(str(source.with_suffix(".o")))
                    flags = WARNINGS + (C_WARNINGS if suffix == "c" else [])
                    command = [compiler, f"-std={standard}", *flags, "-I", include_folder, "-c", str(source),
                               "-o", objects[-1]]
                    done = subprocess.run(command, capture_output=True, text=True, check=False)
                    runs += 1
                    if done.returncode != 0:
                        problems.append(f"{compiler} -std={standard}: {done.stderr.strip()}")
                        break
                else:
                    # One relocatable file of both: a definition that is not static or inline would clash here.
                    done = subprocess.run([compiler, "-r", "-nostdlib", *objects, "-o", str(Path(folder, "both.o"))],
                                          capture_output=True, text=True, check=False)
                    if done.returncode != 0:
                        problems.append(f"{compiler}: included twice: {done.stderr.strip()}")
    return problems, runs


if __name__ == "__main__":
    source_tree.report("header_is_c", *check(sys.argv[1]))
