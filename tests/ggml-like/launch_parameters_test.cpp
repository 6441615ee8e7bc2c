// Launch parameters on a table of devices, from a card of long ago to one of today: what a launch may be, and that a device is
// kept at work where there is work.
#include <doctest/doctest.h>

#include <algorithm>

#include "ggml-like/gpu/launch_parameters.h"

namespace {

struct Row {
    const char* name;
    tg::GpuShape shape;
};
const Row kDevices[] = {
    {"T4", {40, 1024, 1024, 65536}},         {"A100", {108, 1024, 2048, 166912}},
    {"RTX 4090", {128, 1024, 1536, 101376}}, {"H100 SXM", {132, 1024, 2048, 232448}},
    {"H200", {132, 1024, 2048, 232448}},     {"B200", {148, 1024, 2048, 232448}},
    {"tiny", {1, 1024, 1024, 49152}},        {"unknown", {0, 0, 0, 0}},
};
// The projections of a 2B model and one of 100B, and corners.
constexpr int64_t kShapes[][2] = {{2560, 2560}, {640, 2560}, {6912, 2560},  {2560, 6912},  {128256, 2560},
                                  {1, 128},     {7, 4096},   {16384, 8192}, {3000000, 128}};
constexpr int64_t kTokens[] = {1, 2, 8, 9, 16, 64, 500, 2048, 100000, 5000000};

template <typename Check>
void for_all(Check&& check) {
    for (const Row& device : kDevices) {
        CAPTURE(device.name);
        for (const auto& shape : kShapes) {  // Clang 14 gives lambdas no names of a binding
            const int64_t n = shape[0], k = shape[1];
            CAPTURE(n);
            for (const int64_t m : kTokens) {
                CAPTURE(m);
                check(device.shape, m, n, k, tg::launch_parameters(device.shape, m, n, k));
            }
        }
    }
}

}  // namespace

TEST_CASE("launch parameters are ones that the device takes, and their tiles cover the product") {
    for_all([](const tg::GpuShape& device, int64_t m, int64_t n, int64_t, const tg::LaunchParameters& p) {
        CHECK(p.block[0] % 32 == 0);
        CHECK(p.block[0] >= 32);
        CHECK(p.block[0] <= 1024);
        CHECK(p.block[1] == 1);
        CHECK(p.block[2] == 1);
        CHECK(p.grid[1] <= 65535);
        CHECK(p.grid[2] <= 65535);
        CHECK(p.shared_bytes <= static_cast<uint32_t>(std::max(device.max_shared_bytes, 48 * 1024)));
        CHECK(int64_t{p.grid[0]} * p.tile_n >= n);
        CHECK(int64_t{p.grid[1]} * p.grid[2] * p.tile_m >= m);
        CHECK((int64_t{p.grid[0]} - 1) * p.tile_n < n);  // and no block has nothing to do
        CHECK((int64_t{p.grid[1]} - 1) * p.grid[2] * p.tile_m < m);
        CHECK(p.tile_k == 128);
        CHECK(p.occupancy > 0);
        CHECK(p.occupancy <= 1);
        CHECK(p.waves > 0);
        CHECK(p.blocks_per_multiprocessor >= 1);
        CHECK(p.blocks_per_multiprocessor <= 32);
    });
}

TEST_CASE("where there is work enough, half of the multiprocessors and more get a block") {
    for_all([](const tg::GpuShape& device, int64_t m, int64_t n, int64_t, const tg::LaunchParameters& p) {
        const int64_t blocks = int64_t{p.grid[0]} * p.grid[1] * p.grid[2];
        const int64_t smallest = m <= 8 ? (n + 1) / 2 : ((m + 15) / 16) * ((n + 31) / 32);
        if (smallest >= 4 * device.n_multiprocessors) CHECK(blocks * 2 >= device.n_multiprocessors);
    });
}

TEST_CASE("one token is a vector without shared memory, many are large tiles") {
    const tg::GpuShape h200 = {132, 1024, 2048, 232448};
    const tg::LaunchParameters one = tg::launch_parameters(h200, 1, 6912, 2560);
    CHECK(one.shared_bytes == 0);
    CHECK(one.block[0] == 256);
    CHECK(one.grid[0] == 864);
    CHECK(one.occupancy == 1.0);
    // Few rows are spread over more, smaller blocks.
    const tg::LaunchParameters narrow = tg::launch_parameters(h200, 1, 640, 2560);
    CHECK(narrow.block[0] == 64);
    CHECK(narrow.grid[0] == 320);
    CHECK(tg::launch_parameters(h200, 8, 640, 2560).grid[0] == 320);

    const tg::LaunchParameters prefill = tg::launch_parameters(h200, 2048, 6912, 2560);
    CHECK(prefill.tile_m == 128);
    CHECK(prefill.tile_n == 128);
    CHECK(prefill.grid[0] == 54);
    CHECK(prefill.grid[1] == 16);
    CHECK(prefill.shared_bytes == 3 * 128 * (128 + 32));
    CHECK(prefill.blocks_per_multiprocessor == 3);
    const tg::LaunchParameters few = tg::launch_parameters(h200, 16, 2560, 2560);
    CHECK(few.tile_m <= 32);
    CHECK(few.grid[0] * few.grid[1] >= 40);
}

TEST_CASE("a device with less shared memory gets tiles that fit") {
    const tg::LaunchParameters p = tg::launch_parameters({40, 1024, 1024, 49152}, 4096, 4096, 4096);
    CHECK(p.shared_bytes <= 49152);
    CHECK(p.tile_m < 128);
    CHECK(tg::launch_parameters({40, 1024, 1024, 1024}, 4096, 4096, 4096).block[0] == 64);  // the smallest there is
}

TEST_CASE("the largest of a kernel's tiles is taken where there is work for it, and rows that are few are said to be") {
    const tg::GpuShape h100 = {132, 1024, 2048, 232448};
    constexpr tg::ProductTile kTiles[] = {{64, 128, 128, 20480}, {32, 32, 256, 40960}, {8, 16, 256, 20480}};
    CHECK(tg::best_tile(h100, kTiles, 2048, 6912) == 0);
    CHECK(tg::best_tile(h100, kTiles, 32, 2560) == 1);
    CHECK(tg::best_tile(h100, kTiles, 8, 2560) == 2);
    CHECK(tg::best_tile({132, 1024, 2048, 30000}, kTiles, 32, 2560) != 1);  // it does not fit
    CHECK(tg::rows_are_few(h100, 640, 8));
    CHECK(!tg::rows_are_few(h100, 2560, 8));
    CHECK(tg::threads_for_rows(h100, 2560, 8) == 64);
    CHECK(tg::threads_for_rows(h100, 128256, 8) == 256);
}
