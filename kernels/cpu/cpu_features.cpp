// Reads the CPU's features: CPUID and XGETBV on x86-64, the auxiliary vector on AArch64 Linux, nothing elsewhere.
#include "kernels/cpu/cpu_features.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#elif defined(_M_X64)
#include <immintrin.h>
#include <intrin.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace kern {
namespace {

constexpr uint64_t kAllFeatures[] = {CPU_AVX2,     CPU_AVXVNNI, CPU_AVX512,  CPU_AVX512VNNI,
                                     CPU_AMX_INT8, CPU_NEON,    CPU_DOTPROD, CPU_I8MM};

constexpr bool every_feature_is_its_own_bit() {
    uint64_t seen = 0;
    for (const uint64_t bit : kAllFeatures) {
        if (bit == 0 || (bit & (bit - 1)) != 0 || (seen & bit) != 0) return false;
        seen |= bit;
    }
    return true;
}
static_assert(every_feature_is_its_own_bit());

constexpr uint32_t bit32(int n) { return uint32_t{1} << n; }

// CPUID leaf 1, ECX
constexpr uint32_t kOsxsave = bit32(27), kAvx = bit32(28), kF16c = bit32(29);
// CPUID leaf 7.0
constexpr uint32_t kEbxAvx2 = bit32(5), kEbxBmi2 = bit32(8);
constexpr uint32_t kEbxAvx512 = bit32(16) | bit32(17) | bit32(30) | bit32(31);  // F, DQ, BW, VL
constexpr uint32_t kEcxAvx512Vnni = bit32(11);
constexpr uint32_t kEdxAmx = bit32(24) | bit32(25);  // TILE, INT8
// CPUID leaf 7.1, EAX
constexpr uint32_t kEaxAvxVnni = bit32(4);
// XCR0: what the operating system saves on a switch of threads
constexpr uint64_t kSavesYmm = 0x6;   // SSE, AVX
constexpr uint64_t kSavesZmm = 0xe6;  // and opmask, upper halves, registers 16..31
constexpr uint64_t kSavesTiles = 0x60000;

constexpr bool has_all(uint64_t word, uint64_t bits) { return (word & bits) == bits; }

#if defined(__x86_64__) && defined(__GNUC__)
uint64_t read_xcr0() {
    uint32_t low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));  // the intrinsic would need -mxsave for this file
    return uint64_t{high} << 32 | low;
}

X86FeatureWords read_words() {
    X86FeatureWords words = {};
    uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) words.leaf1_ecx = ecx;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) {
        const uint32_t last_subleaf = eax;
        words.leaf7_ebx = ebx;
        words.leaf7_ecx = ecx;
        words.leaf7_edx = edx;
        if (last_subleaf >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0) words.leaf7_1_eax = eax;
    }
    if ((words.leaf1_ecx & kOsxsave) != 0) words.xcr0 = read_xcr0();
    return words;
}
#elif defined(_M_X64)
X86FeatureWords read_words() {
    X86FeatureWords words = {};
    int r[4] = {};
    __cpuid(r, 0);
    const int last_leaf = r[0];
    __cpuid(r, 1);
    words.leaf1_ecx = static_cast<uint32_t>(r[2]);
    if (last_leaf >= 7) {
        __cpuidex(r, 7, 0);
        const int last_subleaf = r[0];
        words.leaf7_ebx = static_cast<uint32_t>(r[1]);
        words.leaf7_ecx = static_cast<uint32_t>(r[2]);
        words.leaf7_edx = static_cast<uint32_t>(r[3]);
        if (last_subleaf >= 1) {
            __cpuidex(r, 7, 1);
            words.leaf7_1_eax = static_cast<uint32_t>(r[0]);
        }
    }
    if ((words.leaf1_ecx & kOsxsave) != 0) words.xcr0 = _xgetbv(0);
    return words;
}
#endif

uint64_t detect() {
#if defined(__x86_64__) || defined(_M_X64)
    return x86_features_from(read_words());
#elif defined(__aarch64__) && defined(__linux__)
    uint64_t features = CPU_NEON;  // part of the architecture
#ifdef HWCAP_ASIMDDP
    if ((getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0) features |= CPU_DOTPROD;
#endif
#ifdef HWCAP2_I8MM
    if ((getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0) features |= CPU_I8MM;
#endif
    return features;
#elif defined(__aarch64__)
    return CPU_NEON;
#else
    return CPU_BASE;
#endif
}

}  // namespace

uint64_t x86_features_from(const X86FeatureWords& words) {
    if (!has_all(words.leaf1_ecx, kOsxsave)) return CPU_BASE;
    uint64_t features = CPU_BASE;
    const bool avx2 = has_all(words.leaf1_ecx, kAvx | kF16c) && has_all(words.leaf7_ebx, kEbxAvx2 | kEbxBmi2) &&
                      has_all(words.xcr0, kSavesYmm);
    if (!avx2) return features;
    features |= CPU_AVX2;
    if (has_all(words.leaf7_1_eax, kEaxAvxVnni)) features |= CPU_AVXVNNI;
    if (has_all(words.leaf7_ebx, kEbxAvx512) && has_all(words.xcr0, kSavesZmm)) {
        features |= CPU_AVX512;
        if (has_all(words.leaf7_ecx, kEcxAvx512Vnni)) features |= CPU_AVX512VNNI;
    }
    if (has_all(words.leaf7_edx, kEdxAmx) && has_all(words.xcr0, kSavesTiles)) features |= CPU_AMX_INT8;
    return features;
}

uint64_t cpu_features() {
    static const uint64_t features = detect();
    return features;
}

}  // namespace kern
