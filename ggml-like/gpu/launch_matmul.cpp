// Matrix products on a GPU: which kernel serves a weight type and a number of columns, and how its rows are cut into
// blocks for the device at hand. The kernels' own files say how a block works.
#include <algorithm>

#include "ggml-like/gpu/gpu_ops.h"
#include "ggml-like/gpu/launch_parameters.h"
#include "kernels/cpu/act_i8.h"
#include "kernels/cuda/weight_layouts.h"
#include "kernels/ternary_layouts.h"

namespace tg {
namespace {

using kern::QuantType;
using kern::gpu::KernelId;

uint32_t blocks_for(int64_t n, int64_t of_block) { return static_cast<uint32_t>((n + of_block - 1) / of_block); }

kern::gpu::PlaneAddresses planes_of(const GpuWeight& weight) {
    const kern::gpu::WeightPlanes planes = kern::gpu::weight_planes(weight.type, weight.k, weight.n_rows);
    kern::gpu::PlaneAddresses addresses;
    for (int i = 0; i < kern::gpu::kMaxPlanes; ++i) addresses.plane[i] = weight.data + planes.offset[i];
    return addresses;
}

// One launch: several matrices of one type and k times the same columns.
struct Products {
    GpuStream& stream;
    GpuShape device;
    std::span<const GpuProduct> items;
    const void* acts;
    int64_t act_stride;
    int64_t n_cols;
    const GpuProductPlace& place;

    const GpuWeight& first() const { return *items[0].weight; }
    int64_t rows() const {
        int64_t n = 0;
        for (const GpuProduct& item : items) n += item.weight->n_rows;
        return n;
    }
};

kern::gpu::MatOutput output_of(const Products& p, const GpuProduct& item) {
    const GpuWeight& weight = *item.weight;
    return {item.out,         p.place.out_stride != 0 ? p.place.out_stride : weight.n_rows,
            p.place.added,    weight.row_scales,
            weight.n_rows,    p.n_cols,
            weight.out_scale, p.place.factor};
}

// Blocks of row_of_block rows for each matrix, one matrix after the other; fill(part, weight) adds what its type needs.
template <class Args, class Fill>
void run_products(const Products& p, KernelId kernel, Args args, GpuGrid grid, int64_t rows_of_block,
                  const Fill& fill) {
    uint32_t n_blocks = 0;
    args.n_parts = 0;
    for (const GpuProduct& item : p.items) {
        auto& part = args.part[args.n_parts++];
        part.first_block = static_cast<int32_t>(n_blocks);
        part.output = output_of(p, item);
        fill(part, *item.weight);
        n_blocks += blocks_for(item.weight->n_rows, rows_of_block);
    }
    grid.x = n_blocks;
    p.stream.run(kernel, grid, args);
}

// Up to this many columns the vector kernels are used. For each column they read as many bytes of activations from shared
// memory as there are weights, and four columns take about as long as the weights take to come from memory.
constexpr int64_t kI2sVecCols = 4;
static_assert(kI2sVecCols == kMostGatedColumns);
constexpr int64_t kI2sLanes = 8, kWarpLanes = 32;  // that share a row

struct I2sVec {
    int64_t cols;
    int64_t rows;  // of the lanes that share a row
    KernelId kernel, gate;
};
constexpr I2sVec kI2sVec[] = {{1, 1, KernelId::i2s_vec_1, KernelId::i2s_gate_1},
                              {2, 1, KernelId::i2s_vec_2, KernelId::i2s_gate_2},
                              {kI2sVecCols, 2, KernelId::i2s_vec_4, KernelId::i2s_gate_4}};

const I2sVec& i2s_vec_for(int64_t n_cols) {
    const I2sVec* shape = kI2sVec;
    while (shape->cols < n_cols) ++shape;
    return *shape;
}

// The block shapes of i2s_mma.cu and tq_mma.cu; shared memory is what the kernels declare.
struct TiledKernels {
    std::span<const ProductTile> tiles;
    std::span<const KernelId> kernels;
};
constexpr ProductTile kI2sTiles[] = {{64, 128, 128, 64 * 320}, {32, 32, 256, 4 * 32 * 320}, {8, 16, 256, 8 * 8 * 320}};
constexpr KernelId kI2sTileKernels[] = {KernelId::i2s_mma_wide, KernelId::i2s_mma_deep, KernelId::i2s_mma_slim};
constexpr ProductTile kTqTiles[] = {{32, 64, 128, 32 * 324}, {8, 16, 128, 4 * (8 * 324 + 512)}};
constexpr KernelId kTqTileKernels[] = {KernelId::tq_mma_wide, KernelId::tq_mma_slim};

template <class Args, class Fill>
void run_tiled(const Products& p, const TiledKernels& table, const Args& args, const Fill& fill) {
    const size_t best = best_tile(p.device, table.tiles, p.n_cols, p.rows());
    const ProductTile& tile = table.tiles[best];
    run_products(p, table.kernels[best], args, {.y = blocks_for(p.n_cols, tile.m), .threads = tile.threads}, tile.n,
                 fill);
}

kern::gpu::I2sArgs i2s_args(const GpuWeight& weight, const void* acts) {
    kern::gpu::I2sArgs args = {};
    args.acts = static_cast<const uint8_t*>(acts);
    args.row_bytes = weight.k / kern::kI2sBlock * kern::kI2sBlockBytes;
    args.column_bytes = kern::act_column_bytes(weight.k);
    return args;
}

void fill_i2s(kern::gpu::I2sPart& part, const GpuWeight& weight) {
    part.codes = weight.data;
    part.tensor_scale = weight.tensor_scale;
}

void i2s_mul_mats(const Products& p) {
    const kern::gpu::I2sArgs args = i2s_args(p.first(), p.acts);
    if (p.n_cols > kI2sVecCols) {
        run_tiled(p, {kI2sTiles, kI2sTileKernels}, args, fill_i2s);
        return;
    }
    const I2sVec& shape = i2s_vec_for(p.n_cols);
    // A warp a row where eight lanes a row are too few to go round: the sums are integers, so how a row is cut is free.
    const bool whole_warps = shape.cols == 1 && rows_are_few(p.device, p.rows(), kI2sLanes);
    const int64_t lanes = whole_warps ? kWarpLanes : kI2sLanes;
    const uint32_t threads = threads_for_rows(p.device, p.rows(), lanes / shape.rows);
    run_products(p, whole_warps ? KernelId::i2s_row_1 : shape.kernel, args, {.threads = threads},
                 threads / lanes * shape.rows, fill_i2s);
}

void tq_mul_mats(const Products& p) {
    const GpuWeight& weight = p.first();
    kern::gpu::TqArgs args = {};
    args.acts = static_cast<const uint8_t*>(p.acts);
    args.n_blocks = weight.k / kern::kTqBlock;
    args.column_bytes = kern::act_column_bytes(weight.k);
    args.sums_offset = kern::act_sums_offset(weight.k);
    const auto fill = [](kern::gpu::TqPart& part, const GpuWeight& w) {
        const kern::gpu::PlaneAddresses planes = planes_of(w);
        part.codes = planes.plane[0];
        part.d = reinterpret_cast<const uint16_t*>(planes.plane[1]);
    };
    constexpr int64_t kMostColumns = 4, kLanes = 16;  // of tq_mat.cu
    if (p.n_cols > kMostColumns) {
        run_tiled(p, {kTqTiles, kTqTileKernels}, args, fill);
        return;
    }
    const uint32_t threads = threads_for_rows(p.device, p.rows(), kLanes);
    run_products(p, p.n_cols == 1 ? KernelId::tq_mat_1 : KernelId::tq_mat_4, args, {.threads = threads},
                 threads / kLanes, fill);
}

struct DenseRow {
    QuantType type;
    KernelId one, four, eight;  // columns
};
constexpr DenseRow kDense[] = {
    {QuantType::f32, KernelId::f32_mat_1, KernelId::f32_mat_4, KernelId::f32_mat_8},
    {QuantType::f16, KernelId::f16_mat_1, KernelId::f16_mat_4, KernelId::f16_mat_8},
    {QuantType::bf16, KernelId::bf16_mat_1, KernelId::bf16_mat_4, KernelId::bf16_mat_8},
    {QuantType::q8_0, KernelId::q8_0_mat_1, KernelId::q8_0_mat_4, KernelId::q8_0_mat_8},
    {QuantType::q4_0, KernelId::q4_0_mat_1, KernelId::q4_0_mat_4, KernelId::q4_0_mat_8},
    {QuantType::q4_1, KernelId::q4_1_mat_1, KernelId::q4_1_mat_4, KernelId::q4_1_mat_8},
    {QuantType::q6_k, KernelId::q6_k_mat_1, KernelId::q6_k_mat_4, KernelId::q6_k_mat_8},
    {QuantType::q1_0, KernelId::q1_0_mat_1, KernelId::q1_0_mat_4, KernelId::q1_0_mat_8},
    {QuantType::q2_0, KernelId::q2_0_mat_1, KernelId::q2_0_mat_4, KernelId::q2_0_mat_8},
    {QuantType::q2_0_g128, KernelId::q2_0_g128_mat_1, KernelId::q2_0_g128_mat_4, KernelId::q2_0_g128_mat_8},
    {QuantType::iq2_s, KernelId::iq2_s_mat_1, KernelId::iq2_s_mat_4, KernelId::iq2_s_mat_8},
};

void dense_mul_mats(const Products& p) {
    const DenseRow* row = kDense;
    while (row->type != p.first().type) ++row;
    kern::gpu::DenseArgs args = {};
    args.x = static_cast<const float*>(p.acts);
    args.act_stride = p.act_stride;
    args.k = p.first().k;
    const int64_t cols = p.n_cols == 1 ? 1 : p.n_cols <= 4 ? 4 : 8;
    constexpr int64_t kLanes = 2;
    const uint32_t blocks_y = blocks_for(p.n_cols, cols);
    const uint32_t threads = threads_for_rows(p.device, p.rows() * blocks_y, kLanes);
    run_products(p,
                 cols == 1   ? row->one
                 : cols == 4 ? row->four
                             : row->eight,
                 args, {.y = blocks_y, .threads = threads}, threads / kLanes,
                 [](kern::gpu::DensePart& part, const GpuWeight& weight) { part.weights = planes_of(weight); });
}

kern::gpu::PackActsArgs pack_args(const float* x, int64_t k, void* acts) {
    return {x, static_cast<uint8_t*>(acts), k, kern::act_column_bytes(k), kern::act_sums_offset(k)};
}

// A warp for each 256 values of a column, as far as a block of threads goes.
GpuGrid pack_grid(int64_t k, int64_t n_cols) {
    const int64_t warps = std::min<int64_t>(kern::act_block_count(k), 32);
    return {.x = static_cast<uint32_t>(n_cols), .threads = static_cast<uint32_t>(32 * warps)};
}

}  // namespace

void gpu_pack_acts(GpuStream& stream, const float* x, int64_t k, int64_t n_cols, void* acts) {
    stream.run(KernelId::pack_acts, pack_grid(k, n_cols), pack_args(x, k, acts));
}

void gpu_norm_pack(GpuStream& stream, const float* x, const float* weight, float eps, int64_t k, int64_t n_cols,
                   float* normed, void* acts) {
    stream.run(KernelId::norm_pack, pack_grid(k, n_cols),
               kern::gpu::NormPackArgs{pack_args(x, k, acts), weight, normed, eps});
}

void gpu_mul_mats(GpuStream& stream, std::span<const GpuProduct> products, const void* acts, int64_t act_stride,
                  int64_t n_cols, const GpuProductPlace& place) {
    const Products p{stream, gpu_shape_of(stream.info()), products, acts, act_stride, n_cols, place};
    switch (p.first().type) {
        case QuantType::i2_s: return i2s_mul_mats(p);
        case QuantType::tq1_0:
        case QuantType::tq2_0: return tq_mul_mats(p);
        default: return dense_mul_mats(p);
    }
}

void gpu_mul_mat(GpuStream& stream, const GpuWeight& weight, const void* acts, int64_t act_stride, int64_t n_cols,
                 float* out, const GpuProductPlace& place) {
    const GpuProduct product{&weight, out};
    gpu_mul_mats(stream, {&product, 1}, acts, act_stride, n_cols, place);
}

void gpu_gated_mul_mat(GpuStream& stream, const GpuWeight& gate, const GpuWeight& up, kern::gpu::GateOp op,
                       const void* acts, int64_t n_cols, float* out) {
    const GpuProduct both[] = {{&gate, out}, {&up, nullptr}};
    const GpuProductPlace place;
    const Products p{stream, gpu_shape_of(stream.info()), both, acts, 0, n_cols, place};
    kern::gpu::I2sArgs args = i2s_args(gate, acts);
    args.gate = static_cast<int32_t>(op);
    args.n_parts = 2;
    for (int i = 0; i < 2; ++i) {
        args.part[i].output = output_of(p, both[i]);
        fill_i2s(args.part[i], *both[i].weight);
    }
    const uint32_t threads = threads_for_rows(p.device, gate.n_rows, kI2sLanes);
    stream.run(i2s_vec_for(n_cols).gate, {.x = blocks_for(gate.n_rows, threads / kI2sLanes), .threads = threads}, args);
}

void gpu_get_rows(GpuStream& stream, const GpuWeight& table, int64_t width, const int32_t* tokens, int64_t n_tokens,
                  float factor, float* out) {
    kern::gpu::GetRowsArgs args = {};
    args.weights = planes_of(table);
    args.tokens = tokens;
    args.row_scales = table.row_scales;
    args.out = out;
    args.k = table.k;
    args.width = width;
    args.type = static_cast<int32_t>(table.type);
    args.tensor_scale = table.tensor_scale;
    args.factor = factor;
    stream.run(KernelId::get_rows, {static_cast<uint32_t>(n_tokens), 1, 1, 256, 0}, args);
}

}  // namespace tg
