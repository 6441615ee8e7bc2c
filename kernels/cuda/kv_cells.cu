// Cells of a KV cache: a step's keys and values written in the cache's types (the steps of cpu/kv_rows.h, a warp a block of
// 32 numbers), and the bytes of listed cells moved out and in for saved states.
#include "kernels/cuda/gpu_lanes.h"
#include "kernels/cuda/kernel_args.h"

namespace kern::gpu {
namespace {

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

template <class Unit>
GPU_FUNCTION void move_cells(const KvMoveArgs& args) {
    const int64_t n_units = args.head_bytes / static_cast<int64_t>(sizeof(Unit));
    for_each_row(args.n * args.n_heads, [&](int64_t row) {
        const int64_t i = row / args.n_heads, head = row - i * args.n_heads;
        uint8_t* cell = args.rows + (head * args.n_cells_all + args.cells[i]) * args.head_bytes;
        uint8_t* staged = args.staging + row * args.head_bytes;
        const auto* from = reinterpret_cast<const Unit*>(args.into_cache ? staged : cell);
        auto* to = reinterpret_cast<Unit*>(args.into_cache ? cell : staged);
        for_each_number(n_units, [&](int64_t u) { to[u] = from[u]; });
    });
}

}  // namespace

GPU_KERNEL(kv_store, KvStoreArgs, 256) {
    const int lane = static_cast<int>(threadIdx.x % kWarp);
    const int64_t n_blocks = (args.head_dim + kWarp - 1) / kWarp;
    const int64_t n_warps = static_cast<int64_t>(gridDim.x) * (blockDim.x / kWarp);
    const int64_t n_items = 2 * args.n_tokens * args.n_head_kv * n_blocks;
    for (int64_t item = static_cast<int64_t>(blockIdx.x) * (blockDim.x / kWarp) + threadIdx.x / kWarp; item < n_items;
         item += n_warps) {
        const int64_t block = item % n_blocks, head = item / n_blocks % args.n_head_kv;
        const int64_t token = item / (n_blocks * args.n_head_kv) % args.n_tokens;
        const bool is_k = item < n_items / 2;
        const KvRows& rows = is_k ? args.k : args.v;
        const int64_t done = kWarp * block, left = args.head_dim - done;
        const float* from = (is_k ? args.new_k : args.new_v) + (token * args.n_head_kv + head) * args.head_dim + done;
        const float x = lane < left ? from[lane] : 0.0f;
        uint8_t* row = rows.base + (head * args.n_cells_all + args.cells[token]) * rows.head_bytes;
        uint8_t* scale = row + rows.scales_at + 2 * block;
        switch (rows.type) {
            case KvType::f16: store_f16(x, lane, left, row + 2 * done); break;
            case KvType::q8_0: store_q8(x, lane, row + done, scale); break;
            case KvType::q4_0: store_q4(x, lane, row + done / 2, scale); break;
        }
    }
}

GPU_KERNEL(kv_move, KvMoveArgs, 128) {
    switch (args.unit) {
        case 16: move_cells<Bytes16>(args); break;
        case 8: move_cells<uint64_t>(args); break;
        case 4: move_cells<uint32_t>(args); break;
        case 2: move_cells<uint16_t>(args); break;
        default: move_cells<uint8_t>(args); break;
    }
}

}  // namespace kern::gpu
