// What this CPU and operating system can run, as one word of bits, read once.
#pragma once

#include <cstdint>

namespace kern {

enum CpuFeature : uint64_t {
    CPU_BASE = 0,
    CPU_AVX2 = 1u << 0,  // with F16C and BMI2, and the OS saving 256-bit registers
    CPU_AVXVNNI = 1u << 1,
    CPU_AVX512 = 1u << 2,  // F, BW, VL, DQ, and the OS saving 512-bit registers
    CPU_AVX512VNNI = 1u << 3,
    CPU_AMX_INT8 = 1u << 4,  // and the OS saving tiles; Linux still wants a permission request per process
    CPU_NEON = 1u << 5,
    CPU_DOTPROD = 1u << 6,
    CPU_I8MM = 1u << 7,
};

uint64_t cpu_features();

// The registers an x86 CPU answers with. A feature counts only together with everything our files of that level are
// compiled for, and only when the operating system saves the registers it uses.
struct X86FeatureWords {
    uint32_t leaf1_ecx;
    uint32_t leaf7_ebx;
    uint32_t leaf7_ecx;
    uint32_t leaf7_edx;
    uint32_t leaf7_1_eax;
    uint64_t xcr0;  // 0 where the CPU has no OSXSAVE
};
uint64_t x86_features_from(const X86FeatureWords& words);

}  // namespace kern
