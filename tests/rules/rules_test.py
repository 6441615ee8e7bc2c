"""Each rule must fail when it is broken: small trees and objects with one fault each, and one without."""

from __future__ import annotations

import json
import subprocess
import tempfile
import unittest
from pathlib import Path

import abi_baseline
import docs_rules
import exported_symbols
import feature_coverage
import header_is_c
import headers_alone
import include_rules
import isa_objects
import no_abort_no_print
import struct_layout
import tree_rules
import version_rules

try:
    from header_model import read_header  # abi_baseline has put its folder on the path
except ImportError:
    read_header = None

HEADER = """/* a header */
#ifndef H
#define H
#include <stdint.h>
#define BITNET_API
#define API_CALL BITNET_API int not_this(void)
/* BITNET_API void nor_this(void); */
BITNET_API int bitnet_one(int
                          a);
BITNET_API const char *bitnet_two(void (*callback)(int));
#endif
"""
GOOD = {
    "bitnet.h": HEADER,
    "CMakeLists.txt": "# build\noption(BITNET_X \"x\" ON)\n",
    "CMakePresets.json": json.dumps({"workflowPresets": [{"name": "dev"}]}),
    "cmake/isa_flags.cmake": "# flags\nset(BITNET_ISA_FLAGS_avx2 -mavx2)\n",
    "kernels/dot.h": "// dot\n#pragma once\n#include <cstdint>\nint dot(int);\n",
    "kernels/cpu/dot_avx2.cpp": '// fast\n#include <immintrin.h>\n#include "kernels/dot.h"\n',
    "ggml-like/tensor.h": '// tensor\n#pragma once\n#include <vector>\n#include "kernels/dot.h"\n',
    "src/base/text.h": '// text\n#pragma once\n#include <string>\n#include "bitnet.h"\n#include "ggml-like/tensor.h"\n',
    "src/sampler/pick.cpp": '// pick\n#include "src/base/text.h"\n',
    "src/tokenizer/split.cpp": "// split\n#include <pcre2.h>\n",
    "examples/simple.c": '/* simple */\n#include <stdio.h>\n#include "bitnet.h"\n',
    "tests/support/data.h": "// data\n#pragma once\n#include <cstdlib>\n",
    "tests/api/load.cpp": '// load\n#include "bitnet.h"\n#include "tests/support/data.h"\n',
    "scripts/go": "#!/bin/sh\n# go\n",
    "README.md": "# R\n```sh\n./scripts/go\ncmake --workflow --preset dev\n```\n"
                 "<!-- same as examples/simple.c -->\n```c\n/* simple */\n#include <stdio.h>\n#include \"bitnet.h\"\n```\n"
                 "[the map](CMakeLists.txt), `kernels/*.h`, `src/base/text.h`, `and/or`\n",
}


class Tree:
    """GOOD with some files replaced (None: taken away), in a folder of its own."""

    def __init__(self, changes: dict[str, str | None] | None = None):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        for name, text in {**GOOD, **(changes or {})}.items():
            if text is not None:
                path = self.root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
                path.chmod(0o755 if name.startswith("scripts/") else 0o644)

    def __enter__(self) -> Path:
        return self.root

    def __exit__(self, *_: object) -> None:
        self.folder.cleanup()


class RulesAboutText(unittest.TestCase):
    def broken(self, rule, changes: dict[str, str | None], expected: str) -> None:
        """The rule finds exactly one fault, and says expected."""
        with Tree(changes) as root:
            problems, _ = rule(root)
        self.assertEqual(len(problems), 1, problems)
        self.assertIn(expected, problems[0])

    def test_a_good_tree_passes(self):
        with Tree() as root:
            for rule in (include_rules.check, tree_rules.check, docs_rules.check):
                self.assertEqual(rule(root)[0], [])
                self.assertGreater(rule(root)[1], 0)

    def test_layers(self):
        for name, line, expected in (
            ("kernels/dot.h", '#include "ggml-like/tensor.h"', "may not include ggml-like/tensor.h"),
            ("kernels/dot.h", '#include "bitnet.h"', "may not include bitnet.h"),
            ("ggml-like/plan.cpp", '#include "src/base/text.h"', "may not include src/base/text.h"),
            ("ggml-like/plan.cpp", '  #  include "bitnet.h"', "may not include bitnet.h"),
            ("src/base/low.cpp", '#include "src/gguf/file.h"', "may not include src/gguf/file.h"),
            ("src/gguf/use.cpp", '#include "src/tokenizer/t.h"', "may not include src/tokenizer/t.h"),
            ("src/model/use.cpp", '#include "src/gguf/file.h"', "may not include src/gguf/file.h"),
            ("src/arch/use.cpp", '#include "src/context/c.h"', "may not include src/context/c.h"),
            ("src/sampler/use.cpp", '#include "src/model/m.h"', "may not include src/model/m.h"),
            ("examples/use.c", '#include "tests/support/data.h"', "may not include tests/support/data.h"),
            ("tests/kernels/use.cpp", '#include "ggml-like/tensor.h"', "may not include ggml-like/tensor.h"),
        ):
            headers = {f"{layer}.h": "// it\n#pragma once\n" for layer in
                       ("src/gguf/file", "src/tokenizer/t", "src/context/c", "src/model/m")}
            with self.subTest(name):
                with Tree({**headers, name: f"// x\n{line}\n"}) as root:
                    problems, _ = include_rules.check(root)
                self.assertIn(expected, "\n".join(problems))

    def test_what_an_arrow_skips_is_allowed(self):
        with Tree({"src/model/m.h": '// m\n#include "kernels/dot.h"\n', "src/load/l.cpp": '// l\n#include "src/base/text.h"\n'
                   '#include "src/model/m.h"\n#include "kernels/dot.h"\n'}) as root:
            self.assertEqual(include_rules.check(root)[0], [])

    def test_consumers_see_the_header_only(self):
        for folder in ("examples", "server", "tests/api"):
            with self.subTest(folder), Tree({f"{folder}/use.cpp": '// x\n#include "src/base/text.h"\n'}) as root:
                self.assertIn("may not include", include_rules.check(root)[0][0])
        with Tree({"tests/support/data.h": '// d\n#include "kernels/dot.h"\n'}) as root:
            self.assertIn("reaches kernels/dot.h through tests/support/data.h", include_rules.check(root)[0][0])

    def test_consumers_name_their_own_files_from_beside(self):
        use = '// x\n#include "part.h"\n#include "bitnet.h"\n'
        with Tree({"examples/cli/use.cpp": use, "examples/cli/part.h": "// x\n"}) as root:
            self.assertEqual(include_rules.check(root)[0], [])
        self.broken(include_rules.check, {"src/base/use.cpp": use, "src/base/part.h": "// x\n"}, "not a path from the root")

    def test_headers_from_outside(self):
        for name, header, expected in (
            ("kernels/io.cpp", "cstdio", "does not belong into kernels"),
            ("kernels/io.cpp", "thread", "does not belong into kernels"),
            ("kernels/io.cpp", "fcntl.h", "neither standard nor"),
            ("ggml-like/io.cpp", "boost/any.hpp", "neither a standard"),
            ("src/gguf/io.cpp", "nlohmann/json.hpp", "may be used in"),
            ("src/sampler/io.cpp", "pcre2.h", "may be used in"),
            ("src/base/io.cpp", "doctest/doctest.h", "may be used in"),
            ("src/base/io.cpp", "src/base/text.h", 'write #include "src/base/text.h"'),
        ):
            self.broken(include_rules.check, {name: f"// x\n#include <{header}>\n"}, expected)
        self.broken(include_rules.check, {"bitnet.h": HEADER.replace("stdint.h", "stdbool.h")}, "stddef.h and stdint.h only")
        self.broken(include_rules.check, {"src/base/io.cpp": '// x\n#include "text.h"\n'}, "not a path from the root")
        self.broken(include_rules.check, {"src/base/io.cpp": "// x\n#include CONFIG_FILE\n"}, "which no rule can follow")
        self.broken(include_rules.check, {"src/other/io.cpp": "// x\n"}, "no layer")

    def test_isa_files_see_no_shared_inline_functions(self):
        for header in ("algorithm", "cmath", "type_traits"):
            self.broken(include_rules.check, {"kernels/cpu/dot_avx2.cpp": f"// x\n#include <{header}>\n"}, f"sees <{header}>")
            self.broken(include_rules.check, {"kernels/dot.h": f"// x\n#include <{header}>\n"}, f"sees <{header}> through")

    def test_tree(self):
        self.broken(tree_rules.check, {"src/base/dot.h": "// x\n"}, "same file name")
        self.broken(tree_rules.check, {"src/base/Dot.h": "// x\n"}, "same file name")
        self.broken(tree_rules.check, {"src/base/long.cpp": "// x\n" * 701}, "701 lines")
        with Tree({"bitnet.h": HEADER + "/* x */\n" * 701}) as root:
            self.assertEqual(tree_rules.check(root)[0], [])
        self.broken(tree_rules.check, {"src/base/bare.cpp": "int x;\n"}, "does not open with a comment")
        self.broken(tree_rules.check, {"src/base/tab.cpp": "// x\n\tint x;\n"}, "tab")
        for word in ("TO" "DO", "FIX" "ME"):
            self.broken(tree_rules.check, {"src/base/later.cpp": f"// x\n// {word}: more\n"}, "later.cpp:2: promises")
            self.broken(tree_rules.check, {"NOTES.md": f"{word}\n"}, "promises")
        self.broken(tree_rules.check, {"src/base/end.cpp": "// x\nvoid f() { std::terminate(); }\n"}, "may end the program")
        self.broken(tree_rules.check, {f"top{i}/file{i}.txt": "x" for i in range(12)}, "top level has")

    def test_documents(self):
        for line, expected in (
            ("```sh\n./scripts/missing\n```", "runs scripts/missing, which does not exist"),
            ("```sh\ncmake --workflow --preset turbo\n```", "preset turbo"),
            ("```sh\nbuild/turbo/bin/bitnet\n```", "preset turbo"),
            ("```sh\ncmake -DBITNET_WINGS=ON\n```", "BITNET_WINGS"),
            ("<!-- same as examples/simple.c -->\n```c\n/* other */\n```", "now reads differently"),
            ("<!-- same as examples/none.c -->\n```c\n/* other */\n```", "does not exist"),
            ("[x](docs/none.md)", "links to docs/none.md"),
            ("see `kernels/none.h`", "names `kernels/none.h`"),
        ):
            self.broken(docs_rules.check, {"README.md": f"# R\n{line}\n"}, expected)
        with Tree() as root:
            (root / "scripts/go").chmod(0o644)
            self.assertIn("not executable", docs_rules.check(root)[0][0])

    def test_versions(self):
        header = HEADER + "#define BITNET_VERSION_MAJOR 0\n#define BITNET_VERSION_MINOR 2\n#define BITNET_VERSION_PATCH 1\n"
        good = {"bitnet.h": header, "rust/Cargo.toml": '[package]\nversion = "0.2.1"\nedition = "2021"\n'
                'bitnet-sys = { path = "sys", version = "0.2.1" }\nserde = { version = "1.0" }\n'}
        with Tree(good) as root:
            self.assertEqual(version_rules.check(root)[0], [])
        self.broken(version_rules.check, {}, "not three numbers")
        for name, text in (
            ("rust/Cargo.toml", 'version = "0.2.0"\n'), ("rust/Cargo.toml", 'bitnet-sys = { version = "0.1.0" }\n'),
            ("py/pyproject.toml", 'version = "0.2"\n'), ("cs/Bitnet.csproj", "<Version>1.0.0</Version>\n"),
            ("vcpkg.json", '{"version": "0.1.0"}'), ("conanfile.py", "# c\nclass C:\n    version = \"0.2.2\"\n"),
        ):
            self.broken(version_rules.check, {**good, name: text}, f"{name}: says version")
        for line in ("find_package(bitnet 0.1 REQUIRED)", "`libbitnet.so.0.1`", "apt-get install libbitnet0.1"):
            self.broken(version_rules.check, {**good, "NOTES.md": f"# N\n{line}\n"}, "belongs to another version")
        self.broken(version_rules.check, {**good, "CMakeLists.txt": "# b\nproject(bitnet VERSION 0.2.1)\n"}, "stands in bitnet.h")

    def test_feature_coverage(self):
        case = 'TEST_CASE("one is one") {}\nTEST_CASE("a \\"long\\" "\n          "name") {}\n'
        good = "# c\nF001 | tests/api/one.cpp | one is one\nF002 | tests/api/one.cpp | a \"long\" name\n" \
               "F002 | tests/scripts/go.py | test_it\n"
        files = {"tests/api/one.cpp": case, "tests/scripts/go.py": "class T:\n    def test_it(self):\n        pass\n",
                 "tests/CMakeLists.txt": "run tests/scripts/go.py\n"}
        for text, changes, pending, expected in (
            (good, {}, {"F003"}, None),
            (good, {}, set(), "F003 has no test"),
            (good, {}, {"F002", "F003"}, "F002 has a test now"),
            (good, {}, {"F003", "F004"}, "F004 is pending and no feature"),
            (good + "F009 | tests/api/one.cpp | one is one\n", {}, {"F003"}, "F009 is no feature"),
            (good.replace("one is one", "one is"), {}, {"F003"}, "does not have: one is"),
            (good.replace("test_it", "test"), {}, {"F003"}, "does not have: test"),
            (good, {"tests/scripts/go.py": None}, {"F003"}, "go.py, which does not exist"),
            (good, {"tests/CMakeLists.txt": "\n"}, {"F003"}, "which ctest does not run"),
            (good.replace("F001 |", "F001:"), {}, {"F001", "F003"}, "is not: ID"),
            (good + good.splitlines()[-1] + "\n", {}, {"F003"}, "is there twice"),
            (good.replace("F001", "F002", 1).replace("F002 | tests/api/one.cpp | a", "F001 | tests/api/one.cpp | a"), {}, {"F003"},
             "not sorted"),
        ):
            with self.subTest(expected), Tree({**files, **changes, "tests/rules/feature_coverage.txt": text}) as root:
                problems = feature_coverage.check(root, ["F001", "F002", "F003"], pending)
                self.assertEqual(len(problems), 0 if expected is None else 1, problems)
                self.assertIn(expected or "", "".join(problems))

    def test_headers_alone(self):
        with Tree({"kernels/lame.h": "// x\n#pragma once\nstd::string x();\n"}) as root:
            problems, count = headers_alone.check("c++", root)
        self.assertEqual(count, 4)
        self.assertEqual(len(problems), 1, problems)
        self.assertIn("kernels/lame.h", problems[0])
        # The build has compiled it alone where a source file includes it first, and only there.
        for source, expected in (("// x\n#include \"kernels/lame.h\"\n", 0), ("#include <string>\n#include \"kernels/lame.h\"\n", 1)):
            with Tree({"kernels/lame.h": "// x\n#pragma once\nstd::string x();\n", "kernels/lame.cpp": source}) as root:
                self.assertEqual(len(headers_alone.check("c++", root)[0]), expected)

    @unittest.skipIf(read_header is None, "no pycparser here (Debian: python3-pycparser)")
    def test_abi_baseline(self):
        old = ("#include <stdint.h>\n#define BITNET_VERSION_MAJOR 0\n#define BITNET_VERSION_MINOR 1\n#define BITNET_VERSION_PATCH 0\n"
               "typedef int32_t bitnet_token;\ntypedef struct bitnet_m bitnet_m;\n"
               "typedef enum bitnet_e { BITNET_A = 0, BITNET_B = -7 } bitnet_e;\n"
               "typedef struct bitnet_pair { bitnet_token token; float bias; } bitnet_pair;\n"
               "typedef struct bitnet_p { uint32_t struct_size; int32_t n; } bitnet_p;\n"
               "typedef int32_t (*bitnet_cb)(float progress, void *user);\n"
               "bitnet_e bitnet_f(const bitnet_m *m, int32_t n);\nvoid bitnet_g(void);\n")

        def read(text: str):
            with Tree({"bitnet.h": text}) as root:
                return read_header(root / "bitnet.h")

        baseline = abi_baseline.write(read(old), "")
        self.assertIn("version: 0.1.0\n", baseline)
        self.assertIn("function bitnet_f: (const bitnet_m *, int32_t) -> bitnet_e\n", baseline)
        for same in (old, old.replace("int32_t n);", "int32_t count);"), old.replace("int32_t n; }", "int32_t n; float more; }"),
                     old.replace("PATCH 0", "PATCH 1")):
            self.assertEqual(abi_baseline.check(read(same), baseline), [])
        for change, expected in (
            (("int32_t n)", "int64_t n)"), "function bitnet_f is (const bitnet_m *, int64_t) -> bitnet_e, programs made for 0.1.0 expect"),
            (("void bitnet_g", "int32_t bitnet_g"), "function bitnet_g is () -> int32_t"),
            (("void bitnet_g(void);", ""), "function bitnet_g is gone"),
            (("= -7", "= -8"), "number BITNET_B is -8"),
            (("BITNET_A = 0", "BITNET_Z = 0"), "number BITNET_A is gone"),
            (("float bias;", "float bias; float more;"), "struct bitnet_pair is"),
            (("float progress", "double progress"), "callback bitnet_cb is"),
            (("int32_t bitnet_token", "int64_t bitnet_token"), "type bitnet_token is int64_t"),
        ):
            changed = read(old.replace(*change))
            problems = abi_baseline.check(changed, baseline)
            self.assertIn(expected, problems[0])
            self.assertIn("0.2.0 (before 1.0 a new minor version)", problems[0])
            # --write does not paper over a break, and a file that someone else wrote does not hide it from the last release.
            self.assertEqual(problems[0], abi_baseline.check(changed, abi_baseline.write(changed, baseline))[0])
            self.assertIn(expected, abi_baseline.check_release(changed, read(old))[0])
            # The version that allows it begins a new baseline.
            newer = read(old.replace(*change).replace("MINOR 1", "MINOR 2"))
            self.assertIn("--write begins a new one", abi_baseline.check(newer, baseline)[0])
            self.assertEqual(abi_baseline.check(newer, abi_baseline.write(newer, baseline)), [])
            self.assertEqual(abi_baseline.check_release(newer, read(old)), [])
        added = read(old + "void bitnet_h(void);\n")
        self.assertEqual(abi_baseline.check(added, baseline), ["function bitnet_h is new: add it with --write"])
        self.assertEqual(abi_baseline.check(added, abi_baseline.write(added, baseline)), [])
        self.assertEqual(abi_baseline.check_release(added, read(old)), [])
        self.assertIn("2.0.0 (a new major version)", abi_baseline.check(
            read(old.replace("MAJOR 0", "MAJOR 1").replace("= -7", "= -8")),
            baseline.replace("version: 0.1.0", "version: 1.0.0"))[0])
        self.assertFalse(abi_baseline.may_break("1.5.0", "1.4.0"))

    def test_header_is_c(self):
        real = (Path(__file__).parents[2] / "bitnet.h").read_text(encoding="utf-8")
        for broken in (real.replace("#define BITNET_H\n", "#define BITNET_H\n#include <string>\n"),
                       real.replace("#define BITNET_H\n", "#define BITNET_H\nint bitnet_here = 1;\n"),
                       real.replace("static inline bitnet_model_params", "bitnet_model_params"),
                       real.replace("#define BITNET_H\n", "#define BITNET_H\nenum bitnet_e { BITNET_A, };\n//x\n")
                           .replace("/* ---- 1.", "int bitnet_old();\n/* ---- 1.")):
            self.assertNotEqual(broken, real)
            with Tree({"bitnet.h": broken}) as root:
                self.assertNotEqual(header_is_c.check(str(root))[0], [])


class RulesAboutBinaries(unittest.TestCase):
    def build(self, folder: str, source: str, name: str, shared: bool = False) -> str:
        """An archive with one object, or a shared library."""
        Path(folder, f"{name}.cpp").write_text(source, encoding="utf-8")
        output = str(Path(folder, f"{name}.cpp.o"))
        mode = ["-shared", "-o", str(Path(folder, f"lib{name}.so"))] if shared else ["-c", "-o", output]
        subprocess.run(["c++", "-std=c++20", "-O0", "-fPIC", *mode, str(Path(folder, f"{name}.cpp"))], check=True)
        if shared:
            return mode[-1]
        archive = str(Path(folder, f"lib{name}.a"))
        subprocess.run(["ar", "rcs", archive, output], check=True)
        return archive

    def test_exported_symbols(self):
        self.assertEqual(exported_symbols.declared(HEADER), ["bitnet_one", "bitnet_two"])
        self.assertEqual(exported_symbols.check(HEADER, ["bitnet_one", "bitnet_two"], None), [])
        self.assertIn("lacks bitnet_three", exported_symbols.check(HEADER, ["bitnet_one", "bitnet_three", "bitnet_two"], None)[0])
        self.assertIn("has bitnet_two", exported_symbols.check(HEADER, ["bitnet_one"], None)[0])
        self.assertIn("not sorted", exported_symbols.check(HEADER, ["bitnet_two", "bitnet_one"], None)[0])
        with tempfile.TemporaryDirectory() as folder:
            good = self.build(folder, 'extern "C" int bitnet_one() { return 1; } extern "C" int bitnet_two() { return 2; }',
                              "good", shared=True)
            self.assertEqual(exported_symbols.check(HEADER, ["bitnet_one", "bitnet_two"], good), [])
            leaky = self.build(folder, 'extern "C" int bitnet_one() { return 1; } int helper() { return 2; }', "leaky",
                               shared=True)
            problems = exported_symbols.check(HEADER, ["bitnet_one", "bitnet_two"], leaky)
            self.assertEqual(len(problems), 2, problems)
            self.assertIn("has _Z6helperv", problems[0])
            self.assertIn("lacks bitnet_two", problems[1])

    def test_struct_layout(self):
        header = "typedef struct a { uint32_t struct_size; int32_t x, y; /* z; */ int32_t (*f)(void *p, int q); } a;\n" \
                 "typedef struct b { int32_t q[4]; } b;\n"
        layout = "# c\na: uint32_t struct_size; int32_t x; int32_t y; int32_t (*f)(void *p, int q)\nb: int32_t q[4]\n"
        row = "STRUCT_ROW(a, 24)"
        self.assertEqual(struct_layout.check(header, layout, row), [])
        self.assertEqual(struct_layout.write(header, layout), layout)
        self.assertEqual(struct_layout.write(header, "# c\nb: int32_t q[4]\n"), layout)
        for changed, rows, expected in (
            (header.replace("x, y", "y, x"), row, "has 'int32_t y' where programs expect 'int32_t x'"),
            (header.replace("x, y", "x, w, y"), row, "has 'int32_t w' where"),
            (header.replace("x, y", "x"), row, "where programs expect 'int32_t y'"),
            (header.replace(" } a", " int32_t n; } a"), row, "has 'int32_t n', struct_layout.txt does not"),
            (header.replace("q[4]", "q[5]"), row, "has 'int32_t q[5]' where"),
            (header, "", "a has no row"),
            (header.split("\n")[0], row, "names b, which"),
            (header + "typedef struct c { int32_t n; } c;", row, "c has 'int32_t n', struct_layout.txt does not"),
        ):
            problems = struct_layout.check(changed, layout, rows)
            self.assertEqual(len(problems), 1, problems)
            self.assertIn(expected, problems[0])
            if "where" in expected:  # --write does not paper over a break
                self.assertNotEqual(struct_layout.check(changed, struct_layout.write(changed, layout), rows), [])

    def test_no_abort_no_print(self):
        with tempfile.TemporaryDirectory() as folder:
            good = self.build(folder, "#include <cstdio>\n#include <string>\n#include <thread>\n"
                              "std::string f(int x) { char b[9]; std::snprintf(b, 9, \"%d\", x); return b; }\n"
                              "void g() { std::thread t([] { throw 1; }); t.join(); }", "good")
            self.assertEqual(no_abort_no_print.check([good], debug=False)[0], [])
            for number, (code, expected) in enumerate((
                ("std::printf(\"%d\", x);", "printf"), ("std::fputs(\"x\", stderr);", "stderr"), ("std::abort();", "abort"),
                ("std::exit(x);", "exit"), ("std::quick_exit(x);", "quick_exit"), ("assert(x);", "__assert_fail"),
                ("std::cout << x;", "std::cout"), ("std::cerr << x;", "std::cerr"), ("std::perror(\"x\");", "perror"),
                ("_exit(x);", "_exit"),
            )):
                bad = self.build(folder, "#undef NDEBUG\n#include <cassert>\n#include <cstdio>\n#include <cstdlib>\n"
                                 f"#include <iostream>\n#include <unistd.h>\nvoid f(int x) {{ {code} }}", f"bad{number}")
                problems = no_abort_no_print.check([bad], debug=False)[0]
                self.assertIn(f"refers to {expected} ", "\n".join(problems))
                if "assert" in code:
                    self.assertNotIn("__assert_fail", "\n".join(no_abort_no_print.check([bad], debug=True)[0]))

    def test_isa_objects(self):
        flags = "set(BITNET_ISA_FLAGS_avx2 -mavx2)\n"
        inline = "inline int shared(int x) { return x + 1; }\nint f(int x) { return shared(x); }\n"
        start = "int g();\nint at_start = g();\n"
        with tempfile.TemporaryDirectory() as folder:
            good = self.build(folder, f"namespace {{ {inline} }} int h(int x) {{ return f(x); }}", "good_avx2")
            self.assertEqual(isa_objects.check(flags, good)[0], [])
            self.assertIn("shares shared(int)", isa_objects.check(flags, self.build(folder, inline, "weak_avx2"))[0][0])
            self.assertIn("before main", isa_objects.check(flags, self.build(folder, start, "start_avx2"))[0][0])
            other = isa_objects.check(flags, self.build(folder, inline + start, "plain"))
            self.assertEqual(other, ([], 0))


if __name__ == "__main__":
    unittest.main()
