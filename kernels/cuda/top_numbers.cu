// The k largest numbers of each row, exactly, whatever they are: of equal ones the first in the row, +infinity among the largest
// finite ones, NaN and -infinity never (the order of src/sampler/sampler_steps.h).
//
// A number and its place are one key of 64 bits, and no two keys are equal. A block holds up to 4096 keys in registers, finds the
// k-th largest bit by bit, counting how many reach a bound that has one bit more, and keeps those that reach it. What the blocks of a
// row keep goes through again, until one block has all; that one writes places and numbers, in the order of places. There are no
// atomic operations, so nothing depends on who comes first.
#include "kernels/cuda/gpu_lanes.h"
#include "kernels/cuda/kernel_args.h"

namespace kern::gpu {
namespace {

constexpr int kMostWarps = kTopThreads / kWarp;

// 0, which no key is, for what is never among the largest.
GPU_FUNCTION uint64_t top_key(float x, int at) {
    if (!(x > minus_infinity())) return 0;
    const float largest = float_from_bits(0x7f7fffffu);
    const float limited = x < largest ? x : largest;
    const uint32_t bits = float_bits(limited + 0.0f);  // both zeros are equal
    const uint32_t rising = bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
    return static_cast<uint64_t>(rising) << 32 | (0xffffffffu - static_cast<uint32_t>(at));
}

GPU_FUNCTION int place_of(uint64_t key) { return static_cast<int>(0xffffffffu - static_cast<uint32_t>(key)); }

// What the threads of a block share. Calls of sum and largest take turns with the two rows, so that one barrier a call is enough.
struct TopShared {
    uint32_t* words;  // [2][2 * kMostWarps]
    int turn = 0;

    GPU_MEMBER explicit TopShared(uint32_t* memory) : words(memory) {}
    GPU_MEMBER uint32_t* next() {
        turn ^= 1;
        return words + turn * 2 * kMostWarps;
    }
    GPU_MEMBER int sum(int n) {
        uint32_t* of_warps = next();
        for (int half = kWarp / 2; half >= 1; half /= 2) n += __shfl_xor_sync(kWholeWarp, n, half);
        if (threadIdx.x % kWarp == 0) of_warps[threadIdx.x / kWarp] = static_cast<uint32_t>(n);
        __syncthreads();
        int total = 0;
        for (unsigned w = 0; w < blockDim.x / kWarp; ++w) total += static_cast<int>(of_warps[w]);
        return total;
    }
    GPU_MEMBER uint64_t largest(uint64_t key) {
        uint32_t* of_warps = next();
        for (int half = kWarp / 2; half >= 1; half /= 2) {
            const uint32_t high = __shfl_xor_sync(kWholeWarp, static_cast<uint32_t>(key >> 32), half);
            const uint32_t low = __shfl_xor_sync(kWholeWarp, static_cast<uint32_t>(key), half);
            const uint64_t other = static_cast<uint64_t>(high) << 32 | low;
            key = other > key ? other : key;
        }
        const unsigned warp = threadIdx.x / kWarp;
        if (threadIdx.x % kWarp == 0) {
            of_warps[2 * warp] = static_cast<uint32_t>(key >> 32);
            of_warps[2 * warp + 1] = static_cast<uint32_t>(key);
        }
        __syncthreads();
        uint64_t most = 0;
        for (unsigned w = 0; w < blockDim.x / kWarp; ++w) {
            const uint64_t one = static_cast<uint64_t>(of_warps[2 * w]) << 32 | of_warps[2 * w + 1];
            most = one > most ? one : most;
        }
        return most;
    }
    // The sum of n over the threads before this one.
    GPU_MEMBER int before(int n) {
        uint32_t* of_warps = next();
        const int lane = static_cast<int>(threadIdx.x % kWarp);
        int through = n;
        for (int d = 1; d < kWarp; d *= 2) {
            const int other = __shfl_sync(kWholeWarp, through, lane - d);
            through += lane >= d ? other : 0;
        }
        if (lane == kWarp - 1) of_warps[threadIdx.x / kWarp] = static_cast<uint32_t>(through);
        __syncthreads();
        int total = through - n;
        for (unsigned w = 0; w < threadIdx.x / kWarp; ++w) total += static_cast<int>(of_warps[w]);
        return total;
    }
};

using TopKeys = uint64_t[kTopEach];

GPU_FUNCTION int count_from(const TopKeys& keys, uint64_t bound) {
    int n = 0;
#pragma unroll
    for (int i = 0; i < kTopEach; ++i) n += keys[i] >= bound ? 1 : 0;
    return n;
}

// The k-th largest of the block's keys, or a bound that k of them reach; 1, which all reach, where there are not more than k.
GPU_FUNCTION uint64_t top_bound(const TopKeys& keys, int k, TopShared& shared) {
    if (k == 1) {
        uint64_t most = 1;
#pragma unroll
        for (int i = 0; i < kTopEach; ++i) most = keys[i] > most ? keys[i] : most;
        return shared.largest(most);
    }
    if (shared.sum(count_from(keys, 1)) <= k) return 1;
    uint64_t bound = 0;
#pragma unroll 1
    for (int bit = 63; bit >= 0; --bit) {
        const uint64_t higher = bound | uint64_t{1} << bit;
        const int n = shared.sum(count_from(keys, higher));
        if (n >= k) bound = higher;
        if (n == k) break;
    }
    return bound;
}

GPU_FUNCTION void load_keys(const TopArgs& args, int64_t row, TopKeys& keys) {
    const int64_t begin = static_cast<int64_t>(blockIdx.x) * args.per_block, left = args.n_from - begin;
    const int n = static_cast<int>(left < args.per_block ? left : args.per_block);
    const int n_threads = static_cast<int>(blockDim.x), first = static_cast<int>(threadIdx.x);
    if (args.from_keys != nullptr) {
        const uint64_t* from = args.from_keys + row * args.n_from + begin;
#pragma unroll
        for (int i = 0; i < kTopEach; ++i) keys[i] = first + i * n_threads < n ? from[first + i * n_threads] : 0;
        return;
    }
    const float* from = args.x + row * args.n + begin;
    const int from_place = static_cast<int>(begin) + first;
#pragma unroll
    for (int i = 0; i < kTopEach; ++i) {
        const float x = first + i * n_threads < n ? from[first + i * n_threads] : minus_infinity();
        keys[i] = top_key(x, from_place + i * n_threads);
    }
}

}  // namespace

// A block for each share of a row (x), which are its keys per_block.
GPU_KERNEL(top_numbers, TopArgs, 256) {
    __shared__ uint32_t words[4 * kMostWarps];
    __shared__ uint64_t chosen[kMostTop];
    const int tid = static_cast<int>(threadIdx.x), n_threads = static_cast<int>(blockDim.x);
    TopShared shared(words);
    for_each_row(args.n_rows, [&](int64_t row) {
        TopKeys keys;
        load_keys(args, row, keys);
        const uint64_t bound = top_bound(keys, args.k, shared);
        const int n_mine = count_from(keys, bound);
        int to = shared.before(n_mine);
        const int n_chosen = shared.sum(n_mine);
        uint64_t* list = args.keys != nullptr ? args.keys + (row * gridDim.x + blockIdx.x) * args.k : chosen;
#pragma unroll
        for (int i = 0; i < kTopEach; ++i) {
            if (keys[i] >= bound) list[to++] = keys[i];
        }
        if (args.keys != nullptr) {
            for (int i = n_chosen + tid; i < args.k; i += n_threads) list[i] = 0;
        } else {
            __syncthreads();
            for (int i = tid; i < args.k; i += n_threads) {
                if (i >= n_chosen) {
                    args.places[row * args.k + i] = -1;
                    continue;
                }
                const int place = place_of(chosen[i]);
                int rank = 0;
                for (int j = 0; j < n_chosen; ++j) rank += place_of(chosen[j]) < place ? 1 : 0;
                args.places[row * args.k + rank] = place;
                args.numbers[row * args.k + rank] = args.x[row * args.n + place];
            }
            __syncthreads();  // the next row's keys wait for all who read this one's
        }
    });
}

}  // namespace kern::gpu
