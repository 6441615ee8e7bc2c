"""What nvcc makes of the GPU kernels, on a machine without a GPU: gpu_code_test.py [NVCC]

All kernels compile, for the oldest architecture that is served and for the one they are tuned for; none keeps registers in
memory; they are those of gpu_kernel_list.inc; no multiplication and addition became one operation, nothing is approximate; and the
kernels that read weights do so in the instructions that they were written for. Where cuobjdump and nvdisasm are installed too, the machine
code is looked at besides. Skipped (77) without nvcc: scripts/install-nvcc.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KERNELS = ROOT / "kernels" / "cuda"
FLAGS = ["-std=c++20", f"-I{ROOT}"]
ARCHITECTURES = ("75", "90")
# Words that would be another result than the CPU's: one rounding for two, denormals as zeros, approximations.
INEXACT = re.compile(r"\b(fma|mad)\.\w*\.?f32|\.ftz|\.approx|\.full\.f32")


def find_nvcc() -> str | None:
    places = [*sys.argv[1:2], os.environ.get("CUDACXX", ""), shutil.which("nvcc") or "", "/usr/local/cuda/bin/nvcc",
              str(ROOT / "build/nvcc/nvidia/cu13/bin/nvcc")]
    return next((place for place in places if place and os.access(place, os.X_OK)), None)


def exact_flags() -> list[str]:
    """Those of the build: what is looked at is what is shipped."""
    text = (ROOT / "cmake/nvcc.cmake").read_text(encoding="utf-8")
    (flags,) = re.findall(r"set\(cuda_flags ([^)]*)\)", text)
    return [flag for flag in flags.split() if not flag.startswith(("-std", "-I"))]


class Compiled:
    """The kernels for one architecture: PTX, ptxas's report by kernel, the object."""

    def __init__(self, nvcc: str, folder: Path, architecture: str) -> None:
        command = [nvcc, *FLAGS, *exact_flags(), "-ccbin", "c++", str(KERNELS / "all_kernels.cu")]
        target = f"-gencode=arch=compute_{architecture},code="
        ptx = folder / f"{architecture}.ptx"
        self.cubin = folder / f"{architecture}.cubin"
        subprocess.run([*command, "-ptx", f"{target}compute_{architecture}", "-o", ptx], check=True)
        report = subprocess.run([str(Path(nvcc).parent / "ptxas"), "-v", f"-arch=sm_{architecture}", ptx, "-o", self.cubin],
                                check=True, text=True, stderr=subprocess.PIPE).stderr
        self.ptx = self.by_entry(ptx.read_text(encoding="utf-8"))
        self.report = dict(re.findall(r"Compiling entry function '(\w+)'.*\n((?:(?!.*Compiling).*\n?)*)", report))

    @staticmethod
    def by_entry(text: str) -> dict[str, str]:
        parts = re.split(r"^\.visible \.entry (\w+)\(", text, flags=re.MULTILINE)
        return dict(zip(parts[1::2], parts[2::2]))


class GpuCode(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.compiled = {architecture: Compiled(NVCC, Path(cls.folder.name), architecture) for architecture in ARCHITECTURES}
        rows = (KERNELS / "gpu_kernel_list.inc").read_text(encoding="utf-8")
        cls.names = {f"bitnet_{name}" for name in re.findall(r"^GPU_KERNEL_ROW\((\w+),", rows, re.MULTILINE)}

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def kernels(self, architecture: str, pattern: str) -> dict[str, str]:
        found = {name: text for name, text in self.compiled[architecture].ptx.items() if re.fullmatch(f"bitnet_{pattern}", name)}
        self.assertTrue(found, pattern)
        return found

    def test_every_kernel_of_the_list_is_there_and_no_other(self) -> None:
        for architecture, compiled in self.compiled.items():
            with self.subTest(architecture):
                self.assertEqual(set(compiled.ptx), self.names)
                self.assertEqual(set(compiled.report), self.names)

    def test_every_kernel_file_is_compiled(self) -> None:
        text = (KERNELS / "all_kernels.cu").read_text(encoding="utf-8")
        included = set(re.findall(r'^#include "kernels/cuda/(\w+\.cu)"$', text, re.MULTILINE))
        self.assertEqual(included, {path.name for path in KERNELS.glob("*.cu")} - {"all_kernels.cu"})

    def test_no_kernel_keeps_registers_in_memory(self) -> None:
        for architecture, compiled in self.compiled.items():
            for name, report in compiled.report.items():
                with self.subTest(f"{name} sm_{architecture}"):
                    self.assertIn("0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads", report)

    def test_arithmetic_is_one_rounding_an_operation(self) -> None:
        for architecture in ARCHITECTURES:
            for name, text in self.kernels(architecture, r"\w+").items():
                with self.subTest(f"{name} sm_{architecture}"):
                    self.assertIsNone(INEXACT.search(text))

    def test_ternary_codes_are_read_sixteen_bytes_at_a_time_and_multiplied_by_fours(self) -> None:
        for pattern in (r"i2s_(vec|row|gate)_\d", r"tq_mat_\d"):
            for name, text in self.kernels("90", pattern).items():
                with self.subTest(name):
                    self.assertTrue(re.search(r"ld\.global\.v4\.\w32", text))
                    self.assertTrue(re.search(r"dp4a\.s32\.s32", text))
        # Eight such loads before the first barrier: all of a row of 4,096 weights is under way at once.
        (text,) = self.kernels("90", "i2s_vec_1").values()
        self.assertGreaterEqual(len(re.findall(r"ld\.global\.v4", text[: text.index("bar")])), 8)

    def test_many_columns_go_through_the_tensor_cores(self) -> None:
        for name, text in self.kernels("90", r"(i2s|tq)_mma_\w+").items():
            with self.subTest(name):
                self.assertTrue(re.search(r"mma\.sync\.aligned\.m16n8k32\.row\.col\.s32\.s8\.s8\.s32", text))
                self.assertTrue(re.search(r"ld\.global\.v4\.\w32", text))
                self.assertTrue(re.search(r"ld\.shared\.v4\.\w32", text))
        for name, text in self.kernels("75", r"(i2s|tq)_mma_\w+").items():
            with self.subTest(f"{name} sm_75"):
                self.assertTrue(re.search(r"mma\.sync\.aligned\.m8n8k16\.row\.col\.s32\.s8\.s8\.s32", text))

    def test_float_weights_and_activations_are_read_sixteen_bytes_at_a_time(self) -> None:
        for name, text in self.kernels("90", r"(f32|f16|bf16)_mat_\d").items():
            with self.subTest(name):
                self.assertTrue(re.search(r"ld\.global\.v4\.\w32", text))
        for name, text in self.kernels("90", r"pack_acts|norm_pack").items():
            with self.subTest(name):
                self.assertTrue(re.search(r"ld\.global\.v4\.\w32", text))
        for name, text in self.kernels("90", r"\w+_mat_8").items():  # columns in shared memory
            with self.subTest(name):
                self.assertTrue(re.search(r"ld\.shared\.v4\.\w32", text))

    def test_machine_code_has_these_instructions_too(self) -> None:
        path = os.pathsep.join([str(Path(NVCC).parent), os.environ.get("PATH", "")])
        tool = shutil.which("cuobjdump", path=path)
        if tool is None or shutil.which("nvdisasm", path=path) is None:
            self.skipTest("cuobjdump and nvdisasm are not here (PyPI: nvidia-cuda-cuobjdump, nvidia-cuda-nvdisasm)")
        code = subprocess.run([tool, "-sass", self.compiled["90"].cubin], check=True, text=True, stdout=subprocess.PIPE,
                              env={**os.environ, "PATH": path}).stdout
        parts = re.split(r"Function : (\w+)", code)
        by_name = dict(zip(parts[1::2], parts[2::2]))
        for name, text in by_name.items():
            with self.subTest(name):
                self.assertEqual(re.findall(r"\b(?:LDL|STL)\b", text), [])  # registers in memory
        for name, instruction in (("i2s_vec_1", "IDP.4A.S8.S8"), ("i2s_vec_1", "LDG.E.128"), ("i2s_mma_wide", "LDS.128"),
                                  ("i2s_mma_wide", "IMMA.16832.S8.S8"), ("f16_mat_1", "LDG.E.128")):
            with self.subTest(f"{instruction} in {name}"):
                self.assertTrue(instruction in by_name[f"bitnet_{name}"])


if __name__ == "__main__":
    NVCC = find_nvcc()
    if NVCC is None:
        print("skipped: no nvcc here (scripts/install-nvcc fetches it): what it makes of the GPU kernels was not looked at")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
