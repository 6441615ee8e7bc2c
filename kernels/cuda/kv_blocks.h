// A step's keys and values written into the cache in its types: the steps of cpu/kv_rows.h, a warp a block of 32 numbers.
#pragma once

#include "kernels/cuda/gpu_lanes.h"
#include "kernels/cuda/kernel_args.h"

namespace kern::gpu {

// Lanes beyond `left` hold no number of the head.
GPU_FUNCTION void store_f16(float x, int lane, int64_t left, uint8_t* block) {
    if (lane < left) reinterpret_cast<uint16_t*>(block)[lane] = f32_to_f16_bits(x);
}

GPU_FUNCTION void store_q8(float x, int lane, uint8_t* codes, uint8_t* scale) {
    const float factor = warp_i8_factor(x);
    codes[lane] = static_cast<uint8_t>(whole_code(x, factor, -127.0f, 127.0f));
    if (lane == 0) *reinterpret_cast<uint16_t*>(scale) = f32_to_f16_bits(1.0f / factor);
}

GPU_FUNCTION void store_q4(float x, int lane, uint8_t* codes, uint8_t* scale) {
    const float size = larger(x < 0.0f ? -x : x, 0.0f);
    const float largest = warp_max(size);
    int first = size == largest ? lane : kWarp;  // the first of the largest ones gives the sign
    for (int half = kWarp / 2; half >= 1; half /= 2) {
        const int other = __shfl_xor_sync(kWholeWarp, first, half);
        first = other < first ? other : first;
    }
    const float signed_largest = __shfl_sync(kWholeWarp, x, first);
    const float number = f16_bits_to_f32(f32_to_f16_bits((largest > 0.0f ? signed_largest : 0.0f) / -8.0f));
    const int code = whole_code(x, 1.0f / number, -8.0f, 7.0f) + 8;
    const int high = __shfl_xor_sync(kWholeWarp, code, kWarp / 2);
    if (lane < kWarp / 2) codes[lane] = static_cast<uint8_t>(code | high << 4);
    if (lane == 0) *reinterpret_cast<uint16_t*>(scale) = f32_to_f16_bits(number);
}

GPU_FUNCTION int64_t kv_store_items(const KvStoreArgs& args) {
    return 2 * args.n_tokens * args.n_head_kv * ((args.head_dim + kWarp - 1) / kWarp);
}

// Item `item` of them, by a warp: a block of 32 numbers of a head, keys first. What is stored of a key that lies at x, as number
// i of its head, is turned(token, x, i).
template <class Turned>
GPU_FUNCTION void store_kv_item(const KvStoreArgs& args, int64_t item, Turned turned) {
    const int lane = static_cast<int>(threadIdx.x % kWarp);
    const int64_t n_blocks = (args.head_dim + kWarp - 1) / kWarp;
    const int64_t block = item % n_blocks, head = item / n_blocks % args.n_head_kv;
    const int64_t token = item / (n_blocks * args.n_head_kv) % args.n_tokens;
    const bool is_k = item < kv_store_items(args) / 2;
    const KvRows& rows = is_k ? args.k : args.v;
    const int64_t done = kWarp * block, left = args.head_dim - done;
    const float* from = (is_k ? args.new_k : args.new_v) + (token * args.n_head_kv + head) * args.head_dim;
    float x = 0.0f;
    if (lane < left) x = is_k ? turned(token, from, done + lane) : from[done + lane];
    uint8_t* row = rows.base + (head * args.n_cells_all + args.cells[token]) * rows.head_bytes;
    uint8_t* scale = row + rows.scales_at + 2 * block;
    switch (rows.type) {
        case KvType::f16: store_f16(x, lane, left, row + 2 * done); break;
        case KvType::q8_0: store_q8(x, lane, row + done, scale); break;
        case KvType::q4_0: store_q4(x, lane, row + done / 2, scale); break;
    }
}

}  // namespace kern::gpu
