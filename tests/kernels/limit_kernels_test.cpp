// The limits' loops really do what is counted: they read every word, and make as many products as they say.
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "kernels/cpu/cpu_features.h"
#include "kernels/limit_kernels.h"

namespace {

std::vector<const kern::LimitKernel*> runnable() {
    std::vector<const kern::LimitKernel*> kernels;
    for (size_t i = 0; i < kern::limit_kernel_count(); ++i) {
        const kern::LimitKernel& kernel = kern::limit_kernel_at(i);
        const bool here = (kernel.needs & ~kern::cpu_features()) == 0 && (kernel.allow == nullptr || kernel.allow());
        if (here)
            kernels.push_back(&kernel);
        else
            MESSAGE("skipped: this machine has no ", std::string(kernel.level));
    }
    return kernels;
}

// What each sum of a 32-bit (or, with pairs of products added to 16 bits, 16-bit) lane is after n rounds.
int64_t expected_lane(const kern::LimitKernel& kernel, int64_t n_rounds, int64_t n_lanes) {
    return -6 * n_rounds * (kernel.ops_per_round / 2) / n_lanes;
}

}  // namespace

TEST_CASE("every way of reading gives all words of the block xor-ed, wherever a bit is") {
    std::vector<uint64_t> block(4 * kern::kLimitReadUnit / 8 + 1024);
    const size_t n_bytes = 4 * kern::kLimitReadUnit;
    uint64_t state = 7, expected = 0;
    for (uint64_t& word : block) word = state = state * 6364136223846793005u + 1442695040888963407u;
    for (size_t i = 0; i < n_bytes / 8; ++i) expected ^= block[i];
    for (const kern::LimitKernel* kernel : runnable()) {
        if (kernel->read == nullptr) continue;
        CAPTURE(std::string(kernel->level));
        for (const int n_streams : {1, 2, 4}) {
            for (const size_t ahead : {size_t{0}, size_t{2048}})
                CHECK(kernel->read(block.data(), n_bytes, n_streams, ahead) == expected);
        }
    }
}

TEST_CASE("the products of a round are as many as the row says") {
    for (const kern::LimitKernel* kernel : runnable()) {
        const std::string level = kernel->level;
        CAPTURE(level);
        for (const int64_t n_rounds : {1, 2, 25}) {
            const uint64_t got = kernel->multiply(n_rounds);
            if (level == "avx2" || level == "avx512") {
                const int64_t lane = expected_lane(*kernel, n_rounds, level == "avx2" ? 16 : 32);
                CHECK(static_cast<int16_t>(got) == static_cast<int16_t>(lane));
            } else if (level == "avxvnni" || level == "avx512vnni") {
                CHECK(static_cast<int32_t>(got) == expected_lane(*kernel, n_rounds, level == "avxvnni" ? 8 : 16));
            } else if (level == "dotprod" || level == "i8mm") {
                CHECK(static_cast<int32_t>(got) == expected_lane(*kernel, n_rounds, 4));
            } else if (level == "scalar") {
                uint64_t sum = 0;
                for (int i = 0; i < kernel->ops_per_round / 2; ++i)
                    sum += static_cast<uint32_t>(n_rounds * (i - 20) * (i % 3 - 1));
                CHECK(got == sum);
            } else {
                REQUIRE(level == "amx");
                int64_t sum = 0;  // row 1 by column 1 of the product of two tiles that are the same
                for (int k = 0; k < 16; ++k) {
                    for (int j = 0; j < 4; ++j) sum += ((64 + 4 * k + j) % 3) * ((64 * k + 4 + j) % 3);
                }
                CHECK(got == static_cast<uint64_t>(4 * sum * n_rounds));
                CHECK(kernel->ops_per_round == 4 * 2 * 16 * 16 * 64);
            }
        }
    }
}

TEST_CASE("the best level that the features allow is chosen, or the one that is named") {
    using kern::select_limit_kernel;
    CHECK(std::string(select_limit_kernel(nullptr, kern::CPU_BASE)->level) == "scalar");
    CHECK(select_limit_kernel("avx2", kern::CPU_BASE) == nullptr);
    CHECK(select_limit_kernel("sse9", ~uint64_t{0}) == nullptr);
#if defined(__x86_64__)
    CHECK(std::string(select_limit_kernel(nullptr, kern::CPU_AVX2)->level) == "avx2");
    const uint64_t all = kern::CPU_AVX2 | kern::CPU_AVXVNNI | kern::CPU_AVX512 | kern::CPU_AVX512VNNI;
    CHECK(std::string(select_limit_kernel(nullptr, all)->level) == "avx512vnni");
    CHECK(std::string(select_limit_kernel("avxvnni", all)->level) == "avxvnni");
#endif
}
