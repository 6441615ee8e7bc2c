// Cells of a KV cache: a step's keys and values written in the cache's types, by themselves or as they turn (rotary positions),
// and the bytes of listed cells moved out and in for saved states.
#include "kernels/cuda/kv_blocks.h"
#include "kernels/cuda/rope_pairs.h"

namespace kern::gpu {
namespace {

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
    const int64_t n_warps = static_cast<int64_t>(gridDim.x) * (blockDim.x / kWarp), n_items = kv_store_items(args);
    for (int64_t item = static_cast<int64_t>(blockIdx.x) * (blockDim.x / kWarp) + threadIdx.x / kWarp; item < n_items;
         item += n_warps) {
        store_kv_item(args, item, [](int64_t, const float* x, int64_t i) { return x[i]; });
    }
}

// Warps have blocks of the cache first, then 32 pairs of queries each.
GPU_KERNEL(rope_store, RopeStoreArgs, 256) {
    const KvStoreArgs& store = args.store;
    const int64_t n_pairs = args.n_dims / 2, n_stored = kv_store_items(store);
    const int64_t row_pairs = args.n_head * n_pairs, n_turned = store.n_tokens * row_pairs;
    const int64_t n_warps = static_cast<int64_t>(gridDim.x) * (blockDim.x / kWarp);
    const int64_t n_items = n_stored + (n_turned + kWarp - 1) / kWarp;
    for (int64_t item = static_cast<int64_t>(blockIdx.x) * (blockDim.x / kWarp) + threadIdx.x / kWarp; item < n_items;
         item += n_warps) {
        if (item < n_stored) {
            store_kv_item(store, item, [&](int64_t token, const float* x, int64_t i) {
                return turned_number(x, i, args.table + token * args.n_dims, n_pairs, args.halves != 0);
            });
            continue;
        }
        const int64_t at = kWarp * (item - n_stored) + threadIdx.x % kWarp;
        if (at >= n_turned) continue;
        const int64_t token = at / row_pairs, i = at - token * row_pairs, head = i / n_pairs;
        turn_pair(args.q + (token * args.n_head + head) * store.head_dim, i - head * n_pairs,
                  args.table + token * args.n_dims, n_pairs, args.halves != 0);
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
