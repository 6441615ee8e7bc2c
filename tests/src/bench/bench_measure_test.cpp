// Measurements give numbers that fit together and end when they should. Never how fast anything is.
#include <doctest/doctest.h>

#include <string>

#include "kernels/cpu/kernel_select.h"
#include "src/bench/kernel_timing.h"
#include "src/bench/machine_limits.h"

using namespace bitnet;

namespace {

const BenchBudget kShort = {1, nullptr, nullptr};

bitnet_status status_of(const KernelRun& run) {
    try {
        time_kernel(run, kShort);
    } catch (const Error& error) {
        CHECK(!error.message().empty());
        return error.status();
    }
    return BITNET_OK;
}

int32_t stop_third(void* user_data) { return ++*static_cast<int*>(user_data) >= 3 ? 1 : 0; }

}  // namespace

TEST_CASE("limits are above 0, of whole pages for each thread, and of the level that was asked for") {
    for (const int n_threads : {1, 3}) {
        const MachineLimits limits = measure_limits(n_threads, 100000, "scalar", kShort);
        CHECK(limits.n_bytes % (4096 * static_cast<uint64_t>(n_threads)) == 0);
        CHECK(limits.n_bytes >= 100000);
        CHECK(limits.plain_read_bytes_per_second > 0);
        CHECK(limits.read_bytes_per_second >= limits.plain_read_bytes_per_second);
        CHECK((limits.read_streams == 1 || limits.read_streams == 2 || limits.read_streams == 4));
        CHECK(limits.int8_ops_per_second > 0);
        CHECK(std::string(limits.int8_level) == "scalar");
    }
    CHECK_THROWS_WITH_AS(measure_limits(1, 1, "mmx", kShort), doctest::Contains("scalar"), Error);
}

TEST_CASE("a measurement that is cancelled throws at the next run") {
    int polls = 0;
    try {
        measure_limits(1, 4096, nullptr, {uint64_t{1} << 40, stop_third, &polls});
        CHECK(false);
    } catch (const Error& error) {
        CHECK(error.status() == BITNET_E_CANCELLED);
    }
    CHECK(polls == 3);
}

TEST_CASE("every operation of every kernel that runs here can be timed, with the bytes and products of its shape") {
    const auto time_all = [](const std::string& name, uint64_t needs) {
        if (!kern::runs_here(needs)) return;
        for (size_t i = 0; const char* operation = kernel_operation(name, i); ++i) {
            CAPTURE(name);
            CAPTURE(std::string(operation));
            KernelRun run{name, operation, 512, 48, 3, 2, 1 << 16};
            const KernelTiming timing = time_kernel(run, kShort);
            CHECK(timing.n_runs >= 1);
            CHECK(timing.best_seconds >= 0);
            CHECK(timing.median_seconds >= timing.best_seconds);
            CHECK(timing.n_bytes > 0);
            if (std::string(operation) == "mul_mat") CHECK(timing.n_ops == 2 * 512 * 48 * 3);
            if (std::string(operation) == "attend") {
                CHECK(timing.n_ops == 2 * 4 * 512 * 48 * 3);  // two threads, a key head each
                CHECK(timing.n_bytes == 2 * 2 * 2 * 512 * 48);
            }
        }
    };
    for (size_t i = 0; i < kern::mul_mat_kernel_count(); ++i) {
        const kern::MulMatKernel& kernel = kern::mul_mat_kernel_at(i);
        CHECK(std::string(kernel_operation(kernel.name, 0)) == "mul_mat");
        time_all(kernel.name, kernel.needs);
    }
    for (size_t i = 0; i < kern::vec_kernels_count(); ++i)
        time_all(kern::vec_kernels_at(i).name, kern::vec_kernels_at(i).needs);
}

TEST_CASE("a matrix's bytes are its own, its activations' and its outputs'") {
    const KernelTiming timing = time_kernel({"f32_scalar", "mul_mat", 64, 10, 3, 1, 0}, kShort);
    CHECK(timing.n_bytes == (64 * 10 + 64 * 3 + 10 * 3) * 4);
}

TEST_CASE("what cannot be timed is named") {
    CHECK(kernel_operation("i2s_abacus", 0) == nullptr);
    CHECK(kernel_operation("i2s_scalar", 2) == nullptr);
    CHECK(status_of({"i2s_abacus", "mul_mat", 128, 16, 1, 1, 0}) == BITNET_E_NOT_FOUND);
    CHECK(status_of({"i2s_scalar", "rms_norm", 128, 16, 1, 1, 0}) == BITNET_E_NOT_FOUND);
    CHECK(status_of({"vec_scalar", "mul_mat", 128, 16, 1, 1, 0}) == BITNET_E_NOT_FOUND);
    CHECK(status_of({"i2s_scalar", "mul_mat", 100, 16, 1, 1, 0}) == BITNET_E_QUANT_INPUT);
    for (const int64_t bad : {int64_t{-1}, int64_t{0}, int64_t{1} << 40}) {
        CHECK(status_of({"i2s_scalar", "mul_mat", bad, 16, 1, 1, 0}) == BITNET_E_LIMIT);
        CHECK(status_of({"i2s_scalar", "mul_mat", 128, bad, 1, 1, 0}) == BITNET_E_LIMIT);
        CHECK(status_of({"i2s_scalar", "mul_mat", 128, 16, bad, 1, 0}) == BITNET_E_LIMIT);
    }
}
