// gpu_top: blocks choose from shares of a row, others from what those have chosen, until one block has all that is left.
#include <algorithm>
#include <utility>

#include "ggml-like/gpu/gpu_ops.h"
#include "kernels/cuda/kernel_args.h"

namespace tg {
namespace {

using kern::gpu::kTopEach;
using kern::gpu::kTopThreads;

constexpr int64_t kBlockKeys = kTopThreads * kTopEach;
constexpr int64_t kMostRows = 65535;  // of blocks in y: one block serves more of them in turn

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Keys that the first launch leaves of a row, and the second: each later one leaves fewer.
std::pair<int64_t, int64_t> keys_left(int64_t width, int32_t k) {
    const int64_t first = divide_up(width, kBlockKeys);
    if (first <= 1) return {0, 0};
    const int64_t second = divide_up(first * k, kBlockKeys / k * k);
    return {first * k, second == 1 ? 0 : second * k};
}

}  // namespace

size_t gpu_top_scratch(int64_t width, int32_t k) {
    const auto [first, second] = keys_left(width, k);
    return static_cast<size_t>(first + second) * sizeof(uint64_t);
}

void gpu_top(GpuStream& stream, const GpuTop& work) {
    kern::gpu::TopArgs args{};
    args.x = work.x;
    args.n = args.n_from = work.width;
    args.n_rows = work.n_rows;
    args.k = work.k;
    args.per_block = kBlockKeys;
    auto* to = reinterpret_cast<uint64_t*>(work.scratch);
    auto* next = to + work.n_rows * keys_left(work.width, work.k).first;
    for (bool last = false; !last;) {
        const int64_t blocks = divide_up(args.n_from, args.per_block);
        last = blocks == 1;
        args.keys = last ? nullptr : to;
        args.places = last ? work.places : nullptr;
        args.numbers = last ? work.numbers : nullptr;
        const int64_t threads = divide_up(std::min<int64_t>(args.n_from, args.per_block), kTopEach);
        stream.run(kern::gpu::KernelId::top_numbers,
                   {.x = static_cast<uint32_t>(blocks),
                    .y = static_cast<uint32_t>(std::min(args.n_rows, kMostRows)),
                    .threads = static_cast<uint32_t>(divide_up(threads, 32) * 32)},
                   args);
        args.from_keys = to;
        args.n_from = blocks * args.k;
        args.per_block = static_cast<int32_t>(kBlockKeys / args.k * args.k);
        std::swap(to, next);
    }
}

}  // namespace tg
