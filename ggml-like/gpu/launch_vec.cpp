// gpu_ops.h for everything but matrix products and attention: how many blocks each operation gets.
#include <algorithm>

#include "ggml-like/gpu/gpu_ops.h"
#include "kernels/cuda/kernel_args.h"

namespace tg {
namespace {

using kern::gpu::KernelId;

constexpr int64_t kMostRows = 65535;  // of blocks in y
constexpr int64_t kPartThreads = 16;  // rms_norm_part: threads a part
constexpr int64_t kLongPart = 512;    // from here on a part has a block

// Blocks of `threads` for n pieces of work, a thread each; kernels walk on where there are more.
GpuGrid grid_for(const GpuStream& stream, int64_t n, uint32_t threads) {
    const int64_t most = 32 * std::max(stream.info().n_multiprocessors, 1);
    return {.x = static_cast<uint32_t>(std::clamp<int64_t>((n + threads - 1) / threads, 1, most)), .threads = threads};
}

// The same for each of n_rows rows.
GpuGrid grid_for_rows(const GpuStream& stream, int64_t n_rows, int64_t n, uint32_t threads) {
    GpuGrid grid = grid_for(stream, n, threads);
    grid.y = static_cast<uint32_t>(std::min(n_rows, kMostRows));
    return grid;
}

void binary(GpuStream& stream, KernelId kernel, const float* a, const float* b, int64_t n, float* out) {
    if (n == 0) return;
    stream.run(kernel, grid_for(stream, (n + 3) / 4, 256), kern::gpu::BinaryArgs{a, b, out, n});
}

int64_t rows_unit(const void* a, const void* b, int64_t n_bytes) {
    const auto all = reinterpret_cast<uintptr_t>(a) | reinterpret_cast<uintptr_t>(b) | static_cast<uintptr_t>(n_bytes);
    return static_cast<int64_t>(std::min<uintptr_t>(all & (~all + 1), 16));
}

void move_cells(GpuStream& stream, const kern::gpu::KvMoveArgs& args) {
    if (args.n == 0) return;
    stream.run(KernelId::kv_move, grid_for_rows(stream, args.n * args.n_heads, args.head_bytes / args.unit, 32), args);
}

kern::gpu::KvStoreArgs store_args(const KvLayer& kv, const float* k, const float* v, const int32_t* cells,
                                  int64_t n_tokens, int64_t n_head_kv, int64_t head_dim) {
    return {kern::gpu::kv_rows(kv.k, kv.k_type, head_dim),
            kern::gpu::kv_rows(kv.v, kv.v_type, head_dim),
            k,
            v,
            cells,
            kv.n_cells,
            n_tokens,
            n_head_kv,
            head_dim};
}

int64_t store_warps(const kern::gpu::KvStoreArgs& args) {
    return 2 * args.n_tokens * args.n_head_kv * ((args.head_dim + kern::kKvBlock - 1) / kern::kKvBlock);
}

}  // namespace

void gpu_add(GpuStream& stream, const float* a, const float* b, int64_t n, float* out) {
    binary(stream, KernelId::add, a, b, n, out);
}

void gpu_relu2_mul(GpuStream& stream, const float* gate, const float* up, int64_t n, float* out) {
    binary(stream, KernelId::relu2_mul, gate, up, n, out);
}

void gpu_silu_mul(GpuStream& stream, const float* gate, const float* up, int64_t n, float* out) {
    binary(stream, KernelId::silu_mul, gate, up, n, out);
}

void gpu_gelu_mul(GpuStream& stream, const float* gate, const float* up, int64_t n, float* out) {
    binary(stream, KernelId::gelu_mul, gate, up, n, out);
}

void gpu_rms_norm(GpuStream& stream, const float* x, const float* weight, float eps, int64_t n_rows, int64_t width,
                  int64_t part, float* out, const float* added) {
    const int64_t n_parts = n_rows * (width / part);
    if (n_parts == 0) return;
    const kern::gpu::NormArgs args{x, weight, added, out, n_parts, part, eps};
    if (part >= kLongPart) {
        const uint32_t threads = part >= 4 * kLongPart ? 512 : 256;
        GpuGrid grid{.threads = threads};
        grid.x = static_cast<uint32_t>(std::min<int64_t>(n_parts, INT32_MAX));
        stream.run(KernelId::rms_norm_row, grid, args);
    } else {
        stream.run(KernelId::rms_norm_part, grid_for(stream, n_parts * kPartThreads, 128), args);
    }
}

void gpu_rope_table(GpuStream& stream, const int32_t* positions, int64_t n_tokens,
                    const kern::RopeFrequency* frequencies, int64_t n_pairs, float* out) {
    if (n_tokens * n_pairs == 0) return;
    stream.run(KernelId::rope_table, grid_for(stream, n_tokens * n_pairs, 128),
               kern::gpu::RopeTableArgs{positions, frequencies, out, n_tokens, n_pairs});
}

void gpu_rope(GpuStream& stream, float* x, const float* table, int64_t n_tokens, int64_t n_head, int64_t head_dim,
              int64_t n_dims, bool halves) {
    if (n_tokens == 0 || n_dims < 2) return;
    stream.run(KernelId::rope, grid_for_rows(stream, n_tokens, n_head * (n_dims / 2), 256),
               kern::gpu::RopeArgs{x, table, n_tokens, n_head, head_dim, n_dims, halves ? 1 : 0});
}

void gpu_kv_store(GpuStream& stream, const KvLayer& kv, const float* k, const float* v, const int32_t* cells,
                  int64_t n_tokens, int64_t n_head_kv, int64_t head_dim) {
    const kern::gpu::KvStoreArgs args = store_args(kv, k, v, cells, n_tokens, n_head_kv, head_dim);
    const int64_t n_warps = store_warps(args);
    if (n_warps == 0) return;
    stream.run(KernelId::kv_store, grid_for(stream, 32 * n_warps, 256), args);
}

void gpu_rope_store(GpuStream& stream, const KvLayer& kv, const GpuRopeStore& work, const int32_t* cells,
                    int64_t n_tokens) {
    const kern::gpu::RopeStoreArgs args{store_args(kv, work.k, work.v, cells, n_tokens, work.n_head_kv, work.head_dim),
                                        work.q,
                                        work.table,
                                        work.n_head,
                                        work.n_dims,
                                        work.halves ? 1 : 0};
    const int64_t n_warps = store_warps(args.store) + (n_tokens * work.n_head * (work.n_dims / 2) + 31) / 32;
    if (n_warps == 0) return;
    stream.run(KernelId::rope_store, grid_for(stream, 32 * n_warps, 256), args);
}

void gpu_pick_rows(GpuStream& stream, const float* x, int64_t width, const int32_t* rows, int64_t n, float* out) {
    if (n * width == 0) return;
    stream.run(KernelId::pick_rows, grid_for_rows(stream, n, width, 256),
               kern::gpu::PickRowsArgs{reinterpret_cast<const uint32_t*>(x), rows, reinterpret_cast<uint32_t*>(out),
                                       width, n});
}

void gpu_pad(GpuStream& stream, const float* x, int64_t n_rows, int64_t from, int64_t to, float* out) {
    if (n_rows * to == 0) return;
    stream.run(
        KernelId::pad, grid_for_rows(stream, n_rows, to, 256),
        kern::gpu::PadArgs{reinterpret_cast<const uint32_t*>(x), reinterpret_cast<uint32_t*>(out), n_rows, from, to});
}

void gpu_kv_gather(GpuStream& stream, const uint8_t* rows, int64_t n_cells_all, int64_t n_heads, int64_t head_bytes,
                   const int32_t* cells, int64_t n, uint8_t* staging) {
    // One kernel for both ways, so its rows are not const; this way it only reads them.
    move_cells(stream, {const_cast<uint8_t*>(rows), staging, cells, n_cells_all, n_heads, head_bytes, n,
                        rows_unit(rows, staging, head_bytes), 0});
}

void gpu_kv_scatter(GpuStream& stream, uint8_t* rows, int64_t n_cells_all, int64_t n_heads, int64_t head_bytes,
                    const int32_t* cells, int64_t n, const uint8_t* staging) {
    move_cells(stream, {rows, const_cast<uint8_t*>(staging), cells, n_cells_all, n_heads, head_bytes, n,
                        rows_unit(rows, staging, head_bytes), 1});
}

}  // namespace tg
