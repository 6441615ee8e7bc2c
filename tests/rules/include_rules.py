"""Who may include whom: include_rules.py [root]. The arrows below are the architecture; see ARCHITECTURE.md.

A file may include its own folder and whatever its folder's arrows reach; never leftwards. Paths start at the root.
Files compiled for an instruction set (suffix _avx2 ...) see no template or inline function of the standard library, not
even through our headers: the linker could keep their copy for everybody, and older CPUs would die in it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import source_tree

# Direct arrows; what they reach may be included too.
ARROWS = {
    "kernels": [],
    "ggml-like": ["kernels"],
    "src/base": ["ggml-like", "bitnet.h"],
    "src/device": ["src/base"],
    "src/quantizer": ["src/device"],
    "src/gguf": ["src/base"],
    "src/model": ["src/base"],
    "src/arch": ["src/model"],
    "src/context": ["src/arch"],
    "src/load": ["src/arch", "src/model", "src/gguf", "src/device"],
    "src/validation": ["src/load"],
    "src/tokenizer": ["src/gguf"],
    "src/template": ["src/tokenizer"],
    "src/safetensors": ["src/gguf"],
    "src/convert": ["src/safetensors", "src/tokenizer", "src/quantizer", "src/model"],
    "src/discovery": ["src/tokenizer"],
    "src/convolution": ["src/base"],
    "src/sampler": ["src/base"],
    "src/grammar": ["src/tokenizer", "src/sampler"],
    "src/generation": ["src/context", "src/tokenizer", "src/sampler", "src/grammar"],
    "src/bench": ["src/gguf"],
    "src/receipt": ["src/generation", "src/load"],
    "src/api": ["src/receipt", "src/quantizer", "src/validation", "src/template", "src/convert", "src/discovery", "src/convolution", "src/bench"],
    "examples/stories": [],
    "examples/hub": ["bitnet.h"],
    "examples": ["bitnet.h", "examples/stories", "examples/hub"],
    "server": ["bitnet.h", "examples/stories", "examples/hub"],
    "bindings": ["bitnet.h"],
    "bitnet.h": [],
    "tests/support": ["src/api"],
    "tests/kernels": ["kernels", "tests/support"],
    "tests/ggml-like": ["ggml-like", "tests/support"],
    "tests/src": ["src/api", "tests/support"],
    "tests/fuzz": ["src/api", "server", "tests/support"],
    "tests/golden": ["src/api", "tests/support"],
    "tests/api": ["bitnet.h", "examples/stories", "tests/support"],
    "tests/gpu": ["ggml-like", "bitnet.h", "tests/support"],
    "tests/install": ["bitnet.h"],
    "tests/platforms": ["bitnet.h", "examples/stories"],
    "tests/server": ["server", "tests/support"],
    "tests/hub": ["examples/hub", "tests/support"],
    "cmake/toolchains": [],
}
# These see the library as a stranger does, also through the headers they include.
CONSUMERS = ("examples", "server", "bindings", "tests/api", "tests/install", "tests/platforms")

# bitnet.h, the default model as bytes, and the tests' helpers.
FOR_CONSUMERS = ("bitnet.h", "examples/stories", "examples/hub", "tests/support")

STANDARD = set("""
algorithm any array atomic barrier bit bitset cassert cctype cerrno cfenv cfloat charconv chrono cinttypes climits
clocale cmath compare complex concepts condition_variable coroutine csetjmp csignal cstdarg cstddef cstdint cstdio
cstdlib cstring ctime cwchar cwctype deque exception execution filesystem format forward_list fstream functional future
initializer_list iomanip ios iosfwd iostream istream iterator latch limits list locale map memory memory_resource mutex
new numbers numeric optional ostream queue random ranges ratio regex scoped_allocator semaphore set shared_mutex
source_location span sstream stack stdexcept stop_token streambuf string string_view syncstream system_error thread
tuple type_traits typeindex typeinfo unordered_map unordered_set utility valarray variant vector version
assert.h ctype.h errno.h fenv.h float.h inttypes.h limits.h locale.h math.h setjmp.h signal.h stdarg.h stdbool.h
stddef.h stdint.h stdio.h stdlib.h string.h time.h uchar.h wchar.h wctype.h""".split())
PLATFORM = set("""
arpa/inet.h dirent.h dlfcn.h fcntl.h io.h netdb.h netinet/in.h netinet/tcp.h poll.h process.h psapi.h pthread.h sched.h sys/file.h sys/ioctl.h sys/mman.h sys/random.h sys/resource.h sys/socket.h sys/stat.h sys/syscall.h
sys/time.h sys/types.h sys/un.h sys/wait.h termios.h ucontext.h unistd.h windows.h""".split())
INSTRUCTIONS = set("immintrin.h intrin.h cpuid.h arm_neon.h sys/auxv.h asm/hwcap.h sys/syscall.h unistd.h".split())
# Third-party headers and the folders that may use them.
THIRD_PARTY = {
    "pcre2.h": ("src/tokenizer",),
    "nlohmann/": ("src/tokenizer", "src/template", "src/grammar", "src/api", "src/receipt", "src/validation", "src/safetensors", "src/convert",
                  "src/discovery", "server", "tests", "examples/cli", "examples/hub"),
    "CLI/": ("examples/cli", "server/core"),
    "histedit.h": ("examples/cli",),
    "emscripten/": ("examples/web",),
    "FL/": ("examples/desktop",),
    "doctest/": ("tests",),
    "httplib.h": ("server/http", "examples/hub"),
    "openssl/": ("examples/hub", "server/http", "server/auth", "server/web", "tests/server"),
    "prometheus/": ("server/metrics",),
    "seccomp.h": ("server/core",),
    "linux/landlock.h": ("server/core",),
    "sys/prctl.h": ("server/core",),
    "cuda.h": ("tests/ggml-like",),
    "cuda": ("kernels/cuda",),
}
# Kernels are bytes in, numbers out: no allocation, threads, input or output, exceptions.
NOT_IN_KERNELS = set("""
deque exception filesystem forward_list fstream functional future iostream istream list map memory memory_resource mutex
new ostream queue regex set shared_mutex sstream stack stdexcept stdio.h string thread unordered_map unordered_set vector
cstdio condition_variable""".split())
# All that a file compiled for an instruction set may take from outside: types, macros and C functions.
FOR_ISA_FILES = set("cfloat climits cstddef cstdint cstring float.h limits.h stddef.h stdint.h string.h".split())
FOR_ISA_FILES |= {"immintrin.h", "arm_neon.h"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(<[^>]+>|"[^"]+"|\S+)', re.MULTILINE)


def reach() -> dict[str, set[str]]:
    closed: dict[str, set[str]] = {}

    def visit(layer: str) -> set[str]:
        if layer not in closed:
            # What the tests' helpers may include is not passed on to the tests that use them.
            closed[layer] = {layer}.union(*[visit(to) if to != "tests/support" else {to} for to in ARROWS[layer]])
        return closed[layer]

    for layer in ARROWS:
        visit(layer)
    return closed


def layer_of(name: str) -> str | None:
    if name == "bitnet.h":
        return name
    parts = name.split("/")
    for length in (2, 1):
        layer = "/".join(parts[:length])
        if len(parts) > length and layer in ARROWS:
            return layer
    return "tests/support" if name.startswith("tests/") and len(parts) == 2 else None


def isa_suffixes(root: Path) -> set[str]:
    flags = source_tree.read(root, "cmake/isa_flags.cmake")
    return set(re.findall(r"^set\(BITNET_ISA_FLAGS_(\w+)", flags, re.MULTILINE))


def resolved(name: str, include: str, known: set[str]) -> str:
    """Consumers do not have the root on their include path; their own files name each other from beside."""
    beside = f"{Path(name).parent}/{include[1:-1]}"
    return f'"{beside}"' if include[0] == '"' and beside in known and name.startswith(CONSUMERS) else include


def check_outside(name: str, layer: str, header: str) -> str | None:
    """A header that is not ours."""
    for prefix, folders in THIRD_PARTY.items():
        if header.startswith(prefix):
            return None if name.startswith(folders) else f"<{header}> may be used in {', '.join(folders)} only"
    if layer == "kernels":
        if header in NOT_IN_KERNELS:
            return f"<{header}> does not belong into kernels/: no allocation, threads, input, output or exceptions there"
        return None if header in STANDARD | INSTRUCTIONS else f"<{header}> is neither standard nor about instructions"
    if layer == "bitnet.h":
        return None if header in ("stddef.h", "stdint.h") else "bitnet.h includes stddef.h and stdint.h only"
    known = header in STANDARD or header in PLATFORM or (layer == "ggml-like" and header in INSTRUCTIONS)
    return None if known else f"<{header}> is neither a standard nor a known platform header (list it in the rule)"


def check(root: Path) -> tuple[list[str], int]:
    names = source_tree.code_files(root)
    known = set(names)
    reachable = reach()
    suffixes = isa_suffixes(root)
    includes = {name: [resolved(name, match.strip(), known) for match in INCLUDE.findall(source_tree.read(root, name))]
                for name in names}
    problems: list[str] = []

    def closure(name: str, seen: dict[str, str]) -> dict[str, str]:
        """Everything name includes, directly or not -> through which file."""
        for include in includes.get(name, []):
            target = include[1:-1]
            if target not in seen:
                seen[target] = name
                if target in known:
                    closure(target, seen)
        return seen

    for name in names:
        layer = layer_of(name)
        if layer is None:
            problems.append(f"{name}: no layer of the architecture; name its folder in tests/rules/include_rules.py")
            continue
        for include in includes[name]:
            target = include[1:-1]
            if include[0] not in '<"':
                problems.append(f"{name}: includes {include}, which no rule can follow")
            elif include[0] == "<":
                if target in known and not (target == "bitnet.h" and layer in CONSUMERS):
                    problems.append(f'{name}: write #include "{target}" for a file of ours')
                elif target not in known and (wrong := check_outside(name, layer, target)) is not None:
                    problems.append(f"{name}: {wrong}")
            elif target not in known:
                problems.append(f'{name}: "{target}" is not a path from the root of the repository')
            elif layer_of(target) not in reachable[layer]:
                problems.append(f"{name}: may not include {target} ({layer} -> {', '.join(ARROWS[layer]) or 'nothing'})")
        if layer in CONSUMERS:
            for target, through in closure(name, {}).items():
                if target in known and through != name and layer_of(target) not in (*FOR_CONSUMERS, layer):
                    problems.append(f"{name}: reaches {target} through {through}; only bitnet.h may be seen here")
        stem = Path(name).stem
        if layer == "kernels" and name.endswith(".cpp") and stem.rsplit("_", 1)[-1] in suffixes:
            for target, through in closure(name, {}).items():
                if target not in known and target not in FOR_ISA_FILES:
                    problems.append(f"{name}: sees <{target}> through {through}; a file built for an instruction set may "
                                    "not hold inline functions or templates that others share")
    return problems, len(names)


if __name__ == "__main__":
    top = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2])
    source_tree.report("include_rules", *check(top))
