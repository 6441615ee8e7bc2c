// What GPU kernels take: plain structs of numbers and addresses of device memory, the same bytes for nvcc and for the host.
#pragma once

#include <cstdint>

#include "kernels/vec_kernels.h"

namespace kern::gpu {

// out[i] = op(a[i], b[i]); out may be a or b.
struct BinaryArgs {
    const float* a;
    const float* b;
    float* out;
    int64_t n;
};

// Rows of floats, the cache and attention: row_norm.cu, rope_turn.cu, rows.cu, kv_cells.cu, attend_scores.cu, attend_values.cu.

// Each part of `part` numbers by itself; weight: [part] or null; added: null, or what normed rows are added to. out may be x.
struct NormArgs {
    const float* x;
    const float* weight;
    const float* added;
    float* out;
    int64_t n_parts;
    int64_t part;
    float eps;
};

struct RopeTableArgs {
    const int32_t* positions;
    const RopeFrequency* frequencies;
    float* out;  // [n_tokens][n_pairs] of (cos, sin)
    int64_t n_tokens;
    int64_t n_pairs;
};

struct RopeArgs {
    float* x;
    const float* table;
    int64_t n_tokens;
    int64_t n_head;
    int64_t head_dim;
    int64_t n_dims;
    int32_t halves;  // pairs (i, i + n_dims / 2), else (2 i, 2 i + 1)
};

// out[i] = x[rows[i]]; floats, moved as bits.
struct PickRowsArgs {
    const uint32_t* x;
    const int32_t* rows;
    uint32_t* out;
    int64_t width;
    int64_t n;
};

struct PadArgs {
    const uint32_t* x;
    uint32_t* out;
    int64_t n_rows;
    int64_t from;
    int64_t to;
};

// Keys or values of a layer of the cache: cell c of head h lies at base + (h * n_cells_all + c) * head_bytes, its codes
// first, its scales at scales_at (KvType).
struct KvRows {
    uint8_t* base;
    int64_t head_bytes;
    int64_t scales_at;
    KvType type;
};

inline KvRows kv_rows(uint8_t* base, KvType type, int64_t head_dim) {
    const int64_t codes = type == KvType::q8_0 ? head_dim : head_dim / 2;
    return {base, kv_head_bytes(type, head_dim), type == KvType::f16 ? 0 : codes, type};
}

struct KvStoreArgs {
    KvRows k;
    KvRows v;
    const float* new_k;  // [n_tokens][n_head_kv * head_dim]
    const float* new_v;
    const int32_t* cells;  // [n_tokens]
    int64_t n_cells_all;
    int64_t n_tokens;
    int64_t n_head_kv;
    int64_t head_dim;
};

// rope_store.cu: queries turn in place; keys turn on their way into the cache and stay in new_k as they were.
struct RopeStoreArgs {
    KvStoreArgs store;
    float* q;            // [n_tokens][n_head * head_dim]
    const float* table;  // [n_tokens][n_dims / 2] of (cos, sin)
    int64_t n_head;
    int64_t n_dims;
    int32_t halves;  // as RopeArgs
};

// staging[i], n_heads * head_bytes bytes, are the heads of cells[i]; either way.
struct KvMoveArgs {
    uint8_t* rows;
    uint8_t* staging;
    const int32_t* cells;
    int64_t n_cells_all;
    int64_t n_heads;
    int64_t head_bytes;
    int64_t n;
    int64_t unit;  // bytes of a load: a divisor of addresses and head_bytes
    int32_t into_cache;
};

// Attention. A tile is tokens in a row that see nearly the same cells, as those of a prompt do, or one token; a block serves a tile
// and block_heads query heads of one KV head: at most kAttendQueries.
struct GpuAttendArgs {
    const float* q;  // [n_tokens][n_head * head_dim]
    float* out;
    KvRows k;
    KvRows v;
    // Token t sees cells[begin[t]] and the n_cells[t] - 1 behind it.
    const int32_t* cells;
    const int32_t* begin;
    const int32_t* n_cells;
    // Tile i has tiles[2 * i + 1] tokens, at most tile_tokens, from tiles[2 * i] on; null: token i.
    const int32_t* tiles;
    // What there is to score where blocks are shared out by cells: a count, how many places a share has, and for each share its tile
    // and its first place; null: all of a tile's cells are shared out among the blocks of x.
    const int32_t* shares;
    float* scores;  // [n_tiles][tile_tokens][n_head][scores_stride]
    int64_t scores_stride;
    int64_t n_cells_all;
    int32_t first_tile;  // of those that are served now
    int32_t n_tiles;
    int32_t n_head;
    int32_t group;  // query heads of a KV head
    int32_t head_dim;
    int32_t tile_tokens;
    int32_t block_heads;
    int32_t block_slices;  // values: of 32 dimensions
    int32_t wide;          // rows of the cache may be loaded 16 bytes of F16, 8 bytes of codes at a time
    float scale;
};
inline constexpr int kAttendQueries = 32;
inline constexpr int32_t kShareCells = 128;  // shares are multiples

// The blocks of attend_values.cu: Q queries a warp, tiles of C cells, G groups of producers that take turns.
template <int Q, int C, int G>
struct AttendShape {
    static constexpr int queries = Q, cells = C, groups = G;

    // Of dynamic memory, for n_slices of 32 dimensions and n_queries: see Shared there.
    static constexpr uint32_t shared_bytes(int n_slices, int n_queries) {
        return static_cast<uint32_t>(32 * n_queries + 4 * (2 * C * 32 * n_slices + 2 * C * n_queries + kAttendQueries));
    }
};
using AttendOne = AttendShape<1, 128, 2>;  // one warp adds, four produce in each group
using AttendFour = AttendShape<4, 32, 1>;
using AttendEight = AttendShape<8, 32, 1>;

// The k largest of each row of x: top_numbers.cu.
struct TopArgs {
    const float* x;             // [n_rows][n]
    const uint64_t* from_keys;  // [n_rows][n_from] that an earlier launch has chosen; null: x itself, of n_from = n
    uint64_t* keys;             // [n_rows][blocks][k] that this one chooses, 0 behind the last; null: it ends with
    int32_t* places;            // [n_rows][k] rising, -1 behind the last
    float* numbers;             // [n_rows][k]
    int64_t n;
    int64_t n_from;
    int64_t n_rows;
    int32_t per_block;  // at most kTopEach a thread
    int32_t k;          // at most kMostTop
};
inline constexpr int kTopThreads = 256;
inline constexpr int kTopEach = 16;
inline constexpr int kMostTop = 1024;

// Matrix products and what belongs to them: pack_acts.cu, norm_pack.cu, i2s_vec.cu, i2s_mma.cu, tq_mat.cu, tq_mma.cu, dense_mat.cu,
// get_rows.cu.

// Columns of the format "i8" (kernels/cpu/act_i8.h); the offsets are those of one column of k values.
struct PackActsArgs {
    const float* x;  // [n_cols][k], 16-byte aligned, k a multiple of 4
    uint8_t* acts;
    int64_t k;
    int64_t column_bytes;
    int64_t sums_offset;
};

// The same behind rms_norm of whole rows.
struct NormPackArgs {
    PackActsArgs pack;    // x: what is normed
    const float* weight;  // [k] or null
    float* normed;        // [n_cols][k], or null where nobody reads the floats
    float eps;
};

// What every product does with its sums.
struct MatOutput {
    float* out;  // column c, row r at out[c * out_stride + r]
    int64_t out_stride;
    const float* added;       // or null: what is added to a finished product, placed like out, which it may be
    const float* row_scales;  // or null
    int64_t n_rows;
    int64_t n_cols;
    float out_scale;
    float factor;  // what a finished product is multiplied with
};

// One launch multiplies up to so many matrices with the same columns: each has the blocks (in x) from its first_block on.
inline constexpr int kMatParts = 3;

struct I2sPart {
    const uint8_t* codes;  // rows of row_bytes = k / 4
    float tensor_scale;
    int32_t first_block;
    MatOutput output;
};
struct I2sArgs {
    I2sPart part[kMatParts];
    const uint8_t* acts;
    int64_t row_bytes;
    int64_t column_bytes;
    int32_t n_parts;
    int32_t gate;  // of i2s_gate_*: a GateOp, between the rows of part 0 and those of part 1
};

enum class GateOp : int32_t { relu2, silu, gelu };

struct TqPart {
    const uint8_t* codes;  // 64 bytes a block, in the order of TQ2_0
    const uint16_t* d;     // a half a block
    int32_t first_block;
    MatOutput output;
};
struct TqArgs {
    TqPart part[kMatParts];
    const uint8_t* acts;
    int64_t n_blocks;  // of a row
    int64_t column_bytes;
    int64_t sums_offset;
    int32_t n_parts;
};

// The planes of weight_layouts.h, by address.
struct PlaneAddresses {
    const uint8_t* plane[6];
};

struct DensePart {
    PlaneAddresses weights;
    int32_t first_block;
    MatOutput output;
};
struct DenseArgs {
    DensePart part[kMatParts];
    const float* x;  // [n_cols][act_stride]
    int64_t act_stride;
    int64_t k;
    int32_t n_parts;
};

struct GetRowsArgs {
    PlaneAddresses weights;
    const int32_t* tokens;
    const float* row_scales;  // or null
    float* out;               // [n_tokens][width]
    int64_t k;                // of a stored row
    int64_t width;
    int32_t type;  // kern::QuantType
    float tensor_scale;
    float factor;
};

}  // namespace kern::gpu
