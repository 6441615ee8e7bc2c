// Reading CPU features and choosing kernels, on made-up CPUs.
#include <doctest/doctest.h>

#include <cstring>
#include <set>
#include <string>
#include <tuple>

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/kernel_select.h"
#include "kernels/mul_mat_kernel.h"

using kern::KernelChoice;
using kern::KernelSet;
using kern::QuantType;

namespace {

constexpr uint64_t kAll = ~uint64_t{0};

[[maybe_unused]] std::string chosen(const char* name, uint64_t features, QuantType type) {
    KernelSet set;
    if (kern::select_kernels_for(name, features, &set) != KernelChoice::ok) return "none";
    return set.for_type(type).name;
}

// The answers of a CPU with everything, on an operating system that saves everything.
constexpr kern::X86FeatureWords kFullCpu = {
    .leaf1_ecx = 1u << 27 | 1u << 28 | 1u << 29,
    .leaf7_ebx = 1u << 5 | 1u << 8 | 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31,
    .leaf7_ecx = 1u << 11,
    .leaf7_edx = 1u << 24 | 1u << 25,
    .leaf7_1_eax = 1u << 4,
    .xcr0 = 0x600e7,
};

}  // namespace

TEST_CASE("a CPU with everything has every x86 feature and one without OS support has none") {
    CHECK(kern::x86_features_from(kFullCpu) ==
          (kern::CPU_AVX2 | kern::CPU_AVXVNNI | kern::CPU_AVX512 | kern::CPU_AVX512VNNI | kern::CPU_AMX_INT8));
    kern::X86FeatureWords words = kFullCpu;
    words.leaf1_ecx &= ~(1u << 27);  // no OSXSAVE
    CHECK(kern::x86_features_from(words) == 0);
    CHECK(kern::x86_features_from({}) == 0);
}

TEST_CASE("wide registers the operating system does not save are not used") {
    kern::X86FeatureWords words = kFullCpu;
    words.xcr0 = 0x3;  // x87 and SSE only
    CHECK(kern::x86_features_from(words) == 0);
    words.xcr0 = 0x7;  // and AVX
    CHECK(kern::x86_features_from(words) == (kern::CPU_AVX2 | kern::CPU_AVXVNNI));
    for (const uint64_t missing : {0x20, 0x40, 0x80}) {  // opmask, upper halves, registers 16..31
        words.xcr0 = 0xe7 & ~missing;
        CHECK(kern::x86_features_from(words) == (kern::CPU_AVX2 | kern::CPU_AVXVNNI));
    }
    words.xcr0 = 0xe7;
    CHECK((kern::x86_features_from(words) & kern::CPU_AMX_INT8) == 0);
    CHECK((kern::x86_features_from(words) & kern::CPU_AVX512VNNI) != 0);
}

TEST_CASE("a level counts only with every instruction set its files are compiled for") {
    for (const int bit : {5, 8}) {  // AVX2, BMI2
        kern::X86FeatureWords words = kFullCpu;
        words.leaf7_ebx &= ~(1u << bit);
        CHECK(kern::x86_features_from(words) == 0);
    }
    kern::X86FeatureWords no_f16c = kFullCpu;
    no_f16c.leaf1_ecx &= ~(1u << 29);
    CHECK(kern::x86_features_from(no_f16c) == 0);
    for (const int bit : {16, 17, 30, 31}) {  // F, DQ, BW, VL
        kern::X86FeatureWords words = kFullCpu;
        words.leaf7_ebx &= ~(1u << bit);
        CHECK((kern::x86_features_from(words) & (kern::CPU_AVX512 | kern::CPU_AVX512VNNI)) == 0);
    }
}

TEST_CASE("this CPU's features are read the same every time and scalar kernels always run") {
    CHECK(kern::cpu_features() == kern::cpu_features());
    KernelSet set;
    REQUIRE(kern::select_kernels_for("", 0, &set) == KernelChoice::ok);
    for (int i = 0; i < kern::kQuantTypeCount; ++i) {
        REQUIRE(set.mul_mat[i] != nullptr);
        CHECK(set.mul_mat[i]->needs == 0);
        CHECK(std::strcmp(set.mul_mat[i]->level, "scalar") == 0);
        const bool dialect = kern::quant_type_info(static_cast<QuantType>(i)).dialect;  // multiplied as i2_s
        CHECK(set.mul_mat[i]->type == (dialect ? QuantType::i2_s : static_cast<QuantType>(i)));
    }
    REQUIRE(set.vec != nullptr);
    CHECK(set.vec->needs == 0);
    CHECK(std::strcmp(set.level, "auto") == 0);
    REQUIRE(kern::select_kernels(nullptr, &set) == KernelChoice::ok);
    for (const kern::MulMatKernel* kernel : set.mul_mat) CHECK((kernel->needs & ~kern::cpu_features()) == 0);
}

TEST_CASE("every row of the list is complete, named once, and runs at its own level") {
    std::set<std::string> names;
    for (size_t i = 0; i < kern::mul_mat_kernel_count(); ++i) {
        const kern::MulMatKernel& kernel = kern::mul_mat_kernel_at(i);
        INFO(kernel.name);
        CHECK(names.insert(kernel.name).second);
        CHECK((kernel.run != nullptr));
        REQUIRE(kernel.act != nullptr);
        CHECK((kernel.act->bytes != nullptr));
        CHECK(kernel.row_tile >= 1);
        CHECK((kernel.pack == nullptr) == (kernel.packed_bytes == nullptr));
        CHECK(std::string(kern::kernel_level_names()).find(kernel.level) != std::string::npos);
        // Forced by its name on a CPU with everything, it or a better one of no higher level is taken.
        KernelSet set;
        REQUIRE(kern::select_kernels_for(kernel.name, kAll, &set) == KernelChoice::ok);
        CHECK(std::strcmp(set.level, kernel.level) == 0);
        CHECK(std::strcmp(set.for_weight(kernel.type, kernel.layout).name, kernel.name) == 0);
    }
    for (size_t i = 0; i < kern::vec_kernels_count(); ++i) {
        const kern::VecKernels& kernels = kern::vec_kernels_at(i);
        INFO(kernels.name);
        CHECK(names.insert(kernels.name).second);
        KernelSet set;
        REQUIRE(kern::select_kernels_for(kernels.name, kAll, &set) == KernelChoice::ok);
        CHECK(set.vec == &kernels);
    }
}

TEST_CASE("a name nobody has is told apart from a level this CPU lacks") {
    KernelSet set = {};
    set.level = "untouched";
    CHECK(kern::select_kernels_for("i2s_sse9", kAll, &set) == KernelChoice::unknown_name);
    CHECK(kern::select_kernels_for("AVX2", kAll, &set) == KernelChoice::unknown_name);
    CHECK(std::strcmp(set.level, "untouched") == 0);
    CHECK(kern::select_kernels_for("scalar", 0, &set) == KernelChoice::ok);
}

TEST_CASE("what runs here needs what the CPU has, and for tile registers the system's permission too") {
    CHECK(kern::runs_here(0));
    CHECK(kern::runs_here(kern::cpu_features() & ~uint64_t{kern::CPU_AMX_INT8}));
    CHECK(!kern::runs_here(uint64_t{1} << 63));
    KernelSet set;
    const bool tiles = kern::select_kernels("amx", &set) == KernelChoice::ok;
#if defined(__x86_64__)
    CHECK(tiles == kern::runs_here(kern::CPU_AVX2 | kern::CPU_AVX512 | kern::CPU_AVX512VNNI | kern::CPU_AMX_INT8));
#else
    CHECK(!tiles);
#endif
    REQUIRE(kern::select_kernels(nullptr, &set) == KernelChoice::ok);
    for (const kern::MulMatKernel* kernel : set.mul_mat) CHECK(kern::runs_here(kernel->needs));
}

#if defined(__x86_64__)
#if defined(__linux__)
constexpr const char* kBestI2s = "i2s_amx";
#else
constexpr const char* kBestI2s = "i2s_avx512vnni";  // AMX is built for Linux alone
#endif

TEST_CASE("without a name the best kernel the CPU can run is taken, per type") {
    using namespace kern;
    CHECK(chosen(nullptr, CPU_AVX2, QuantType::i2_s) == "i2s_avx2");
    CHECK(chosen("", CPU_AVX2 | CPU_AVXVNNI, QuantType::i2_s) == "i2s_avxvnni");
    CHECK(chosen(nullptr, CPU_AVX2 | CPU_AVX512, QuantType::i2_s) == "i2s_avx2");
    CHECK(chosen(nullptr, CPU_AVX2 | CPU_AVX512, QuantType::f16) == "f16_avx512");
    CHECK(chosen(nullptr, CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI, QuantType::i2_s) == "i2s_avx512vnni");
    CHECK(chosen(nullptr, kAll, QuantType::i2_s) == kBestI2s);
    CHECK(chosen(nullptr, CPU_AVX2 | CPU_AMX_INT8, QuantType::i2_s) ==
          "i2s_avx2");  // tiles, but no AVX-512 for the rest
    CHECK(chosen(nullptr, kAll, QuantType::tq2_0) == "tq2_avx512vnni");
    CHECK(chosen(nullptr, kAll, QuantType::tq1_0) == "tq1_avx512vnni");
    CHECK(chosen(nullptr, CPU_AVXVNNI, QuantType::i2_s) == "i2s_scalar");  // no kernel builds on AVX-VNNI alone
    CHECK(chosen(nullptr, CPU_NEON | CPU_DOTPROD, QuantType::i2_s) == "i2s_scalar");
}

TEST_CASE("a forced level limits every kernel to itself and what it builds on") {
    using namespace kern;
    for (const char* name : {"avx2", "i2s_avx2", "vec_avx2"}) {
        CHECK(chosen(name, kAll, QuantType::i2_s) == "i2s_avx2");
        CHECK(chosen(name, kAll, QuantType::f16) == "f16_avx2");
    }
    CHECK(chosen("scalar", kAll, QuantType::q6_k) == "q6_k_scalar");
    CHECK(chosen("avxvnni", kAll, QuantType::i2_s) == "i2s_avxvnni");
    CHECK(chosen("avxvnni", kAll, QuantType::f16) == "f16_avx2");
    CHECK(chosen("avx512", kAll, QuantType::i2_s) == "i2s_avx2");
    CHECK(chosen("avx512", kAll, QuantType::f16) == "f16_avx512");
    CHECK(chosen("avx512vnni", kAll, QuantType::f16) == "f16_avx512");
    CHECK(chosen("avx512vnni", kAll, QuantType::i2_s) == "i2s_avx512vnni");
    CHECK(chosen("amx", kAll, QuantType::i2_s) == kBestI2s);
    CHECK(chosen("amx", kAll, QuantType::tq2_0) == "tq2_avx512vnni");
    KernelSet set;
    REQUIRE(select_kernels_for("avx512vnni", kAll, &set) == KernelChoice::ok);
    CHECK(std::strcmp(set.vec->name, "vec_avx512vnni") == 0);
    REQUIRE(select_kernels_for("avx512", kAll, &set) == KernelChoice::ok);
    CHECK(std::strcmp(set.vec->name, "vec_avx512") == 0);
    REQUIRE(select_kernels_for("avxvnni", kAll, &set) == KernelChoice::ok);
    CHECK(std::strcmp(set.vec->name, "vec_avxvnni") == 0);
    CHECK(select_kernels_for("avx512vnni", CPU_AVX2 | CPU_AVX512, &set) == KernelChoice::not_runnable);
    CHECK(select_kernels_for("amx", CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI, &set) == KernelChoice::not_runnable);
    CHECK(select_kernels_for("tq2_avxvnni", CPU_AVX2, &set) == KernelChoice::not_runnable);
    CHECK(select_kernels_for("avx2", 0, &set) == KernelChoice::not_runnable);
}
#elif defined(__aarch64__)
TEST_CASE("without a name the best kernel the CPU can run is taken, per type") {
    using namespace kern;
    CHECK(chosen(nullptr, CPU_NEON, QuantType::i2_s) == "i2s_neon");
    CHECK(chosen("", CPU_NEON | CPU_DOTPROD, QuantType::i2_s) == "i2s_dotprod");
    CHECK(chosen(nullptr, CPU_NEON | CPU_DOTPROD | CPU_I8MM, QuantType::i2_s) == "i2s_i8mm");
    CHECK(chosen(nullptr, kAll, QuantType::tq2_0) == "tq2_dotprod");
    CHECK(chosen(nullptr, kAll, QuantType::f16) == "f16_neon");
    CHECK(chosen(nullptr, CPU_NEON | CPU_I8MM, QuantType::i2_s) == "i2s_neon");  // SMMLA's few columns take SDOT
    CHECK(chosen(nullptr, CPU_AVX2, QuantType::i2_s) == "i2s_scalar");
}

TEST_CASE("a forced level limits every kernel to itself and what it builds on") {
    using namespace kern;
    CHECK(chosen("scalar", kAll, QuantType::q6_k) == "q6_k_scalar");
    for (const char* name : {"neon", "i2s_neon", "vec_neon"}) {
        CHECK(chosen(name, kAll, QuantType::i2_s) == "i2s_neon");
        CHECK(chosen(name, kAll, QuantType::f16) == "f16_neon");
    }
    CHECK(chosen("dotprod", kAll, QuantType::i2_s) == "i2s_dotprod");
    CHECK(chosen("i8mm", kAll, QuantType::i2_s) == "i2s_i8mm");
    CHECK(chosen("i8mm", kAll, QuantType::tq1_0) == "tq1_dotprod");
    KernelSet set;
    for (const auto& [level, t5, screen] :
         {std::tuple("neon", "t5_neon", "screen_q6_k_neon"), std::tuple("i8mm", "t5_dotprod", "screen_q6_k_dotprod")}) {
        REQUIRE(select_kernels_for(level, kAll, &set) == KernelChoice::ok);
        CHECK(std::string(set.for_weight(QuantType::i2_s, WeightLayout::t5).name) == t5);
        CHECK(std::string(set.screen[static_cast<int>(QuantType::q6_k)]->name) == screen);
    }
    CHECK(select_kernels_for("i8mm", CPU_NEON | CPU_DOTPROD, &set) == KernelChoice::not_runnable);
    CHECK(select_kernels_for("tq2_dotprod", CPU_NEON, &set) == KernelChoice::not_runnable);
}
#endif
