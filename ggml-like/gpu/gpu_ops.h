// The operations of a graph on a GPU: each checks nothing, chooses a grid for the stream's device and launches. All
// addresses are the device's; all sizes are those of the graph's value. Every one gives the bits of the CPU's kernels.
#pragma once

#include <cstdint>
#include <span>

#include "ggml-like/gpu/gpu_device.h"
#include "ggml-like/graph.h"
#include "kernels/cuda/kernel_args.h"

namespace tg {

// A matrix on a device, in the layout of kernels/cuda/weight_layouts.h.
struct GpuWeight {
    kern::QuantType type = kern::QuantType::f32;
    int64_t k = 0;         // Weight::padded_k(), what the bytes and the activations have
    int64_t n_rows = 0;
    float tensor_scale = 1.0f;
    float out_scale = 1.0f;
    const float* row_scales = nullptr;  // [n_rows] or null
    const uint8_t* data = nullptr;
};

// rows of table [n_tokens][width] times factor; width: the model's, at most table.k.
void gpu_get_rows(GpuStream& stream, const GpuWeight& table, int64_t width, const int32_t* tokens, int64_t n_tokens,
                  float factor, float* out);
// (cos, sin) of n_pairs angles a token: out[n_tokens][2 * n_pairs].
void gpu_rope_table(GpuStream& stream, const int32_t* positions, int64_t n_tokens, const kern::RopeFrequency* frequencies,
                    int64_t n_pairs, float* out);
// Each part of a row by itself; width is a multiple of part. weight: [part] or null. added: null, or rows that the result is
// added to.
void gpu_rms_norm(GpuStream& stream, const float* x, const float* weight, float eps, int64_t n_rows, int64_t width,
                  int64_t part, float* out, const float* added = nullptr);
// The format "i8" of kernels/cpu/act_i8.h: kern::act_bytes(k, n_cols) bytes, 64-byte aligned.
void gpu_pack_acts(GpuStream& stream, const float* x, int64_t k, int64_t n_cols, void* acts);
// The same of x normed as gpu_rms_norm does with whole rows; the floats themselves only where normed is not null.
void gpu_norm_pack(GpuStream& stream, const float* x, const float* weight, float eps, int64_t k, int64_t n_cols, float* normed,
                   void* acts);
// Where products go that are no value of their own.
struct GpuProductPlace {
    int64_t out_stride = 0;  // between columns; 0: n_rows
    float factor = 1.0f;     // multiplies them
    const float* added = nullptr;  // placed like the products, which may lie there: what they are added to
};
// out[n_cols][n_rows] = W x. acts: what gpu_pack_acts made for ternary types, else floats [n_cols][act_stride].
void gpu_mul_mat(GpuStream& stream, const GpuWeight& weight, const void* acts, int64_t act_stride, int64_t n_cols,
                 float* out, const GpuProductPlace& place = {});
// Several matrices of one type and k with the same activations, at most kern::gpu::kMatParts, in one launch.
struct GpuProduct {
    const GpuWeight* weight = nullptr;
    float* out = nullptr;
};
void gpu_mul_mats(GpuStream& stream, std::span<const GpuProduct> products, const void* acts, int64_t act_stride,
                  int64_t n_cols, const GpuProductPlace& place = {});
// out[n_cols][n_rows] = op(gate x, up x), for I2_S matrices of the same shape and at most kMostGatedColumns columns.
inline constexpr int64_t kMostGatedColumns = 4;
void gpu_gated_mul_mat(GpuStream& stream, const GpuWeight& gate, const GpuWeight& up, kern::gpu::GateOp op, const void* acts,
                       int64_t n_cols, float* out);
// Turns n_head heads of head_dim numbers in each row in place; table as gpu_rope_table made it.
void gpu_rope(GpuStream& stream, float* x, const float* table, int64_t n_tokens, int64_t n_head, int64_t head_dim,
              int64_t n_dims, bool halves);
// KvLayer's addresses are the device's. k, v: [n_tokens][n_head_kv * head_dim]; cells: [n_tokens].
void gpu_kv_store(GpuStream& stream, const KvLayer& kv, const float* k, const float* v, const int32_t* cells,
                  int64_t n_tokens, int64_t n_head_kv, int64_t head_dim);

// gpu_rope of queries and gpu_kv_store of keys that turn on their way; k itself stays as it is.
struct GpuRopeStore {
    float* q = nullptr;  // [n_tokens][n_head * head_dim]
    const float* k = nullptr;
    const float* v = nullptr;
    const float* table = nullptr;
    int64_t n_head = 0, n_head_kv = 0, head_dim = 0, n_dims = 0;
    bool halves = false;
};
void gpu_rope_store(GpuStream& stream, const KvLayer& kv, const GpuRopeStore& work, const int32_t* cells, int64_t n_tokens);

struct GpuAttention {
    const float* q = nullptr;  // [n_tokens][n_head * head_dim]
    float* out = nullptr;      // likewise
    KvLayer kv;
    int64_t n_head = 0;
    int64_t n_head_kv = 0;
    int64_t head_dim = 0;
    // Token t sees n_cells[t] cells from cells + begin[t] on, in order of position. Windows are cut off already.
    const int32_t* cells = nullptr;
    const int32_t* begin = nullptr;    // [n_tokens]
    const int32_t* n_cells = nullptr;  // [n_tokens] at least 1
    int64_t most_cells = 0;            // no token sees more: may be larger, so that a recorded run serves later ones
    // An AttendPlan of tiles of gpu_attention_tile() tokens; where it has no shares, and where all are alone no tiles, null.
    const int32_t* tiles = nullptr;
    const int32_t* shares = nullptr;
    int64_t n_together = 0;
    int64_t n_alone = 0;
    float* scores =
        nullptr;  // room for gpu_attention_scores() floats, if there are tiles for as many tokens as one has
    int64_t n_scores = 0;
};
// Floats of scratch for one token; more let more tokens run at once.
int64_t gpu_attention_scores(int64_t n_head, int64_t most_cells);
// How many tokens of a prompt a block serves.
int32_t gpu_attention_tile(int64_t n_head, int64_t n_head_kv, int64_t head_dim, kern::KvType k_type);
void gpu_attention(GpuStream& stream, const GpuAttention& work);

void gpu_add(GpuStream& stream, const float* a, const float* b, int64_t n, float* out);
void gpu_relu2_mul(GpuStream& stream, const float* gate, const float* up, int64_t n, float* out);
void gpu_silu_mul(GpuStream& stream, const float* gate, const float* up, int64_t n, float* out);
void gpu_gelu_mul(GpuStream& stream, const float* gate, const float* up, int64_t n, float* out);
// out[i] = x[rows[i]], i < n.
void gpu_pick_rows(GpuStream& stream, const float* x, int64_t width, const int32_t* rows, int64_t n, float* out);
// The k largest numbers of each row of x, at most kern::gpu::kMostTop, in the order of their places: top_numbers.cu says which they
// are. Where a row has fewer, places are -1 behind them.
struct GpuTop {
    const float* x = nullptr;  // [n_rows][width]
    int64_t width = 0;
    int64_t n_rows = 0;
    int32_t k = 0;
    uint8_t* scratch = nullptr;  // gpu_top_scratch() bytes for each row, 8-byte aligned
    int32_t* places = nullptr;   // [n_rows][k]
    float* numbers = nullptr;    // likewise
};
size_t gpu_top_scratch(int64_t width, int32_t k);
void gpu_top(GpuStream& stream, const GpuTop& work);
// Rows of `from` numbers become rows of `to`, zeros behind.
void gpu_pad(GpuStream& stream, const float* x, int64_t n_rows, int64_t from, int64_t to, float* out);
// A KV head's bytes of the cells listed, for all heads: staging[i] = row of cells[i], head by head, and back.
void gpu_kv_gather(GpuStream& stream, const uint8_t* rows, int64_t n_cells_all, int64_t n_heads, int64_t head_bytes,
                   const int32_t* cells, int64_t n, uint8_t* staging);
void gpu_kv_scatter(GpuStream& stream, uint8_t* rows, int64_t n_cells_all, int64_t n_heads, int64_t head_bytes,
                    const int32_t* cells, int64_t n, const uint8_t* staging);

}  // namespace tg
