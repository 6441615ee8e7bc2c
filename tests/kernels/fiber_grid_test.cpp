// The CPU that plays a grid: barriers, shuffles and products do what a GPU does, and kernels that a GPU would hang on or answer
// with garbage are named.
#include "tests/support/fiber_grid.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "kernels/cuda/grid_lang.h"

using test::GridOrder;
using test::run_grid;

namespace {

constexpr GridOrder kOrders[] = {GridOrder::forward, GridOrder::backward};

struct Numbers {
    const int32_t* in;
    int32_t* out;
    int32_t n;
};

// What run_grid says of a kernel that it refuses.
template <class Args>
std::string refusal(void (*kernel)(const Args&), const Args& args, const tg::GpuGrid& grid) {
    std::string text;
    for (const GridOrder order : kOrders) {
        try {
            run_grid(kernel, args, grid, order);
            return "ran";
        } catch (const test::GridError& error) {
            text = error.what();
        }
    }
    return text;
}

bool names(const std::string& text, const char* part) {
    INFO(text);
    return text.find(part) != std::string::npos;
}

struct Seen {
    host_grid::Index thread, block, block_dim, grid_dim;
};

struct SeenArgs {
    Seen* out;
};

GPU_KERNEL(note_place, SeenArgs, 64) {
    const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    args.out[block * blockDim.x + threadIdx.x] = {threadIdx, blockIdx, blockDim, gridDim};
}

// Sums a block's numbers in shared memory, half of the threads at each step.
GPU_KERNEL(block_sum, Numbers, 1024) {
    int32_t* sums = gpu_dynamic_shared<int32_t>();
    sums[threadIdx.x] = args.in[blockIdx.x * blockDim.x + threadIdx.x];
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    if (threadIdx.x == 0) args.out[blockIdx.x] = sums[0];
}

GPU_KERNEL(warp_sum, Numbers, 256) {
    int32_t sum = args.in[threadIdx.x];
    for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, lanes);
    args.out[threadIdx.x] = sum;
}

// Each lane asks another one, twice with no pause, of a value that changes between.
GPU_KERNEL(shuffles, Numbers, 64) {
    float value = static_cast<float>(threadIdx.x);
    const int lane = static_cast<int>(threadIdx.x % 32);
    const float first = __shfl_sync(0xffffffffu, value, lane + 1);
    value = -value;
    const float second = __shfl_sync(0xffffffffu, value, lane * 7);
    args.out[2 * threadIdx.x] = static_cast<int32_t>(first);
    args.out[2 * threadIdx.x + 1] = static_cast<int32_t>(second);
}

// Some warps meet often, some never, and all of them at the end.
GPU_KERNEL(uneven, Numbers, 256) {
    __shared__ int32_t counts[8];
    const unsigned warp = threadIdx.x / 32;
    int32_t sum = 0;
    for (unsigned i = 0; i < warp * warp; ++i) sum += __shfl_sync(0xffffffffu, static_cast<int32_t>(i), 5);
    if (threadIdx.x % 32 == 31) counts[warp] = sum;
    __syncthreads();
    args.out[threadIdx.x] = counts[threadIdx.x % 8];
}

// Each thread reads its neighbour's number with no barrier between.
GPU_KERNEL(races, Numbers, 64) {
    int32_t* shared = gpu_dynamic_shared<int32_t>();
    shared[threadIdx.x] = static_cast<int32_t>(threadIdx.x);
    args.out[64 * blockIdx.x + threadIdx.x] = shared[(threadIdx.x + 64 - static_cast<unsigned>(args.n)) % 64];
}

GPU_KERNEL(one_returns, Numbers, 64) {
    if (threadIdx.x == 37) return;
    __syncthreads();
}

GPU_KERNEL(half_shuffle, Numbers, 64) {
    if (threadIdx.x % 32 < 16) args.out[threadIdx.x] = __shfl_sync(0xffffffffu, 1, 0);
    __syncthreads();
}

GPU_KERNEL(two_meetings, Numbers, 32) {
    if (threadIdx.x == 3) {
        __syncwarp();
    } else {
        args.out[threadIdx.x] = __shfl_sync(0xffffffffu, 1, 0);
    }
}

GPU_KERNEL(part_of_warp, Numbers, 32) { args.out[threadIdx.x] = __shfl_sync(0xffffu, 1, 0); }

GPU_KERNEL(writes_behind, Numbers, 32) { gpu_dynamic_shared<uint8_t>()[args.n] = 0; }

GPU_KERNEL(reads_shared, Numbers, 32) {
    int32_t* shared = gpu_dynamic_shared<int32_t>();
    args.out[32 * blockIdx.x + threadIdx.x] = shared[threadIdx.x];
    shared[threadIdx.x] = 0;
}

GPU_KERNEL(throws, Numbers, 64) {
    __syncthreads();
    if (threadIdx.x == static_cast<unsigned>(args.n)) throw 5;
    __syncthreads();
}

struct MmaArgs {
    const int8_t* a;  // [warp][16][32]
    const int8_t* b;  // [warp][8 columns][32]
    int32_t* d;       // [warp][16][8]
};

GPU_KERNEL(product, MmaArgs, 128) {
    const unsigned warp = threadIdx.x / 32;
    const unsigned g = threadIdx.x % 32 / 4;
    const unsigned t = threadIdx.x % 4;
    uint32_t a[4];
    uint32_t b[2];
    for (unsigned i = 0; i < 4; ++i) {
        std::memcpy(&a[i], args.a + warp * 512 + (g + i % 2 * 8) * 32 + i / 2 * 16 + 4 * t, 4);
    }
    for (unsigned i = 0; i < 2; ++i) std::memcpy(&b[i], args.b + warp * 256 + g * 32 + i * 16 + 4 * t, 4);
    int32_t d[4];
    for (unsigned i = 0; i < 4; ++i) d[i] = args.d[warp * 128 + (g + i / 2 * 8) * 8 + 2 * t + i % 2];
    gpu_mma_s8(d, a, b);
    gpu_mma_s8(d, a, b);
    for (unsigned i = 0; i < 4; ++i) args.d[warp * 128 + (g + i / 2 * 8) * 8 + 2 * t + i % 2] = d[i];
}

}  // namespace

TEST_CASE("every thread of a grid knows where it is") {
    const tg::GpuGrid grid = {.x = 3, .y = 2, .z = 2, .threads = 64, .shared_bytes = 0};
    for (const GridOrder order : kOrders) {
        std::vector<Seen> seen(3 * 2 * 2 * 64);
        run_grid(bitnet_note_place, SeenArgs{seen.data()}, grid, order);
        size_t i = 0;
        bool right = true;
        for (unsigned z = 0; z < 2; ++z) {
            for (unsigned y = 0; y < 2; ++y) {
                for (unsigned x = 0; x < 3; ++x) {
                    for (unsigned thread = 0; thread < 64; ++thread, ++i) {
                        const Seen expected = {{thread, 0, 0}, {x, y, z}, {64, 1, 1}, {3, 2, 2}};
                        right = right && std::memcmp(&seen[i], &expected, sizeof expected) == 0;
                    }
                }
            }
        }
        CHECK(right);
    }
}

TEST_CASE("threads wait for the whole block at a barrier") {
    constexpr uint32_t kBlocks = 5;
    for (const uint32_t n_threads : {32u, 64u, 256u, 1024u}) {
        std::vector<int32_t> in(kBlocks * n_threads);
        for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<int32_t>(i * i % 1009);
        for (const GridOrder order : kOrders) {
            std::vector<int32_t> out(kBlocks);
            run_grid(bitnet_block_sum, Numbers{in.data(), out.data(), 0},
                     {.x = kBlocks, .threads = n_threads, .shared_bytes = 4 * n_threads}, order);
            for (size_t block = 0; block < kBlocks; ++block) {
                int32_t sum = 0;
                for (size_t i = 0; i < n_threads; ++i) sum += in[block * n_threads + i];
                CHECK(out[block] == sum);
            }
        }
    }
}

TEST_CASE("lanes of a warp give each other values") {
    std::vector<int32_t> in(256);
    for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<int32_t>(i * 31 % 257);
    for (const GridOrder order : kOrders) {
        std::vector<int32_t> out(256);
        run_grid(bitnet_warp_sum, Numbers{in.data(), out.data(), 0}, {.threads = 256}, order);
        for (size_t i = 0; i < 256; ++i) {
            int32_t sum = 0;
            for (size_t lane = 0; lane < 32; ++lane) sum += in[i / 32 * 32 + lane];
            REQUIRE(out[i] == sum);
        }
        run_grid(bitnet_shuffles, Numbers{nullptr, out.data(), 0}, {.threads = 64}, order);
        for (int i = 0; i < 64; ++i) {
            REQUIRE(out[static_cast<size_t>(2 * i)] == i / 32 * 32 + (i % 32 + 1) % 32);
            REQUIRE(out[static_cast<size_t>(2 * i + 1)] == -(i / 32 * 32 + i % 32 * 7 % 32));
        }
    }
}

TEST_CASE("warps of a block go their own ways between barriers") {
    for (const GridOrder order : kOrders) {
        std::vector<int32_t> out(256);
        run_grid(bitnet_uneven, Numbers{nullptr, out.data(), 0}, {.x = 3, .threads = 256}, order);
        for (size_t i = 0; i < 256; ++i) {
            const auto n = static_cast<int32_t>(i % 8 * (i % 8));
            REQUIRE(out[i] == n * (n - 1) / 2);
        }
    }
}

TEST_CASE("matrix fragments are multiplied as mma.m16n8k32 lays them out") {
    std::mt19937 random(7);
    std::vector<int8_t> a(4 * 512);
    std::vector<int8_t> b(4 * 256);
    std::vector<int32_t> d(4 * 128);
    for (int8_t& value : a) value = static_cast<int8_t>(random());
    for (int8_t& value : b) value = static_cast<int8_t>(random());
    std::fill_n(a.begin(), 512, int8_t{-128});  // the largest sums
    std::fill_n(b.begin(), 256, int8_t{-128});
    for (int32_t& value : d) value = static_cast<int32_t>(random());  // some of which wrap around
    for (const GridOrder order : kOrders) {
        std::vector<int32_t> out = d;
        run_grid(bitnet_product, MmaArgs{a.data(), b.data(), out.data()}, {.threads = 128}, order);
        for (size_t warp = 0; warp < 4; ++warp) {
            for (size_t row = 0; row < 16; ++row) {
                for (size_t column = 0; column < 8; ++column) {
                    int32_t sum = 0;
                    for (size_t k = 0; k < 32; ++k)
                        sum += a[warp * 512 + row * 32 + k] * b[warp * 256 + column * 32 + k];
                    const size_t at = warp * 128 + row * 8 + column;
                    REQUIRE(static_cast<uint32_t>(out[at]) ==
                            static_cast<uint32_t>(d[at]) + 2 * static_cast<uint32_t>(sum));
                }
            }
        }
    }
}

TEST_CASE("dp4a multiplies signed bytes and wraps around") {
    CHECK(__dp4a(0x01ff7f80, 0x02ff7f80, 10) == 2 + 1 + 127 * 127 + 128 * 128 + 10);
    CHECK(__dp4a(0x7f7f7f7f, -0x7f7f7f7f - 1, 0) == 127 * (-128 + 3 * -128));
    CHECK(__dp4a(1, 1, 0x7fffffff) == -0x7fffffff - 1);
}

TEST_CASE("a barrier that is missing shows in one of two blocks") {
    for (const GridOrder order : kOrders) {
        for (const int32_t to_neighbour : {1, 63}) {
            std::vector<int32_t> out(128);
            run_grid(bitnet_races, Numbers{nullptr, out.data(), to_neighbour},
                     {.x = 2, .threads = 64, .shared_bytes = 256}, order);
            size_t n_wrong[2] = {};
            for (size_t i = 0; i < 128; ++i) {
                const auto expected = static_cast<int32_t>((i + 64 - static_cast<size_t>(to_neighbour)) % 64);
                if (out[i] != expected) ++n_wrong[i / 64];
            }
            CHECK(std::min(n_wrong[0], n_wrong[1]) == 1);
            CHECK(std::max(n_wrong[0], n_wrong[1]) == 63);
        }
    }
}

TEST_CASE("threads that part are named") {
    std::vector<int32_t> out(64);
    const Numbers args = {nullptr, out.data(), 0};
    std::string text = refusal(bitnet_one_returns, args, {.x = 2, .threads = 64});
    CHECK(names(text, "63 wait at __syncthreads (first: thread 0)"));
    CHECK(names(text, "1 have returned (first: thread 37)"));
    text = refusal(bitnet_half_shuffle, args, {.threads = 64});
    CHECK(names(text, "16 wait at __syncthreads"));
    CHECK(names(text, "wait at a __shfl_sync"));
    text = refusal(bitnet_two_meetings, args, {.threads = 32});
    CHECK(names(text, "wait at __syncwarp (first: thread 3)"));
    CHECK(names(refusal(bitnet_part_of_warp, args, {.threads = 32}), "mask"));
    // The next grid runs as if nothing had been.
    run_grid(bitnet_shuffles, Numbers{nullptr, std::vector<int32_t>(128).data(), 0}, {.threads = 64});
}

TEST_CASE("what a kernel throws comes out of the grid") {
    for (const int thread : {0, 31, 32, 63}) {
        CHECK_THROWS_AS(run_grid(bitnet_throws, Numbers{nullptr, nullptr, thread}, {.threads = 64}), int);
    }
}

TEST_CASE("grids that no GPU would take are refused") {
    std::vector<int32_t> out(2048);
    const Numbers args = {nullptr, out.data(), 0};
    for (const uint32_t n_threads : {0u, 31u, 33u, 1056u}) {
        CHECK(names(refusal(bitnet_shuffles, args, {.threads = n_threads}), "multiple of 32"));
    }
    CHECK(names(refusal(bitnet_shuffles, args, {.x = 0, .threads = 32}), "without blocks"));
    CHECK(names(refusal(bitnet_reads_shared, args, {.threads = 32, .shared_bytes = test::kMaxDynamicShared + 1}),
                "at most 232448"));
}

TEST_CASE("dynamic shared memory begins as garbage in every block and has an end") {
    std::vector<int32_t> out(64, 1);
    const tg::GpuGrid grid = {.x = 2, .threads = 32, .shared_bytes = 128};
    run_grid(bitnet_reads_shared, Numbers{nullptr, out.data(), 0}, grid);
    for (const int32_t word : out) REQUIRE(static_cast<uint32_t>(word) == test::kSharedPoison);
    CHECK(refusal(bitnet_writes_behind, Numbers{nullptr, nullptr, 127}, grid) == "ran");
    CHECK(names(refusal(bitnet_writes_behind, Numbers{nullptr, nullptr, 128}, grid), "behind the 128 bytes"));
    CHECK(names(refusal(bitnet_writes_behind, Numbers{nullptr, nullptr, 383}, grid), "behind the 128 bytes"));
}

TEST_CASE("grids run on several threads of the host at once") {
    std::vector<std::thread> threads;
    std::vector<std::vector<int32_t>> outs(3, std::vector<int32_t>(256));
    for (std::vector<int32_t>& out : outs) {
        threads.emplace_back([&out] {
            for (int i = 0; i < 20; ++i) {
                run_grid(bitnet_uneven, Numbers{nullptr, out.data(), 0}, {.x = 3, .threads = 256});
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(outs[0] == outs[1]);
    CHECK(outs[0] == outs[2]);
    CHECK(outs[0][7] == 49 * 48 / 2);
}
