// Matrix products on a GPU: which kernel serves a weight type and a number of columns, and how its rows are cut into
// blocks for the device at hand. The kernels' own files say how a block works.
#include "ggml-like/gpu/gpu_ops.h"
#include "kernels/cpu/act_i8.h"
#include "kernels/cuda/weight_layouts.h"
#include "kernels/ternary_layouts.h"

namespace tg {
namespace {

using kern::QuantType;
using kern::gpu::KernelId;

uint32_t blocks_for(int64_t n, int64_t of_block) { return static_cast<uint32_t>((n + of_block - 1) / of_block); }

int64_t multiprocessors(const GpuStream& stream) {
    const int32_t n = stream.info().n_multiprocessors;
    return n > 0 ? n : 1;
}

kern::gpu::PlaneAddresses planes_of(const GpuWeight& weight) {
    const kern::gpu::WeightPlanes planes = kern::gpu::weight_planes(weight.type, weight.k, weight.n_rows);
    kern::gpu::PlaneAddresses addresses;
    for (int i = 0; i < kern::gpu::kMaxPlanes; ++i) addresses.plane[i] = weight.data + planes.offset[i];
    return addresses;
}

kern::gpu::MatOutput output_of(const GpuWeight& weight, int64_t n_cols, float* out, const GpuProductPlace& place) {
    return {out,    place.out_stride != 0 ? place.out_stride : weight.n_rows, weight.row_scales, weight.n_rows,
            n_cols, weight.out_scale, place.factor, place.adds ? 1 : 0};
}

// Threads of a block in which `lanes` of them share a row: the largest of 256, 128 and 64 that leaves at least two blocks
// for every multiprocessor.
uint32_t threads_for_rows(const GpuStream& stream, int64_t n_rows, int64_t lanes) {
    uint32_t threads = 256;
    while (threads > 64 && n_rows * lanes / threads < 2 * multiprocessors(stream)) threads /= 2;
    return threads;
}

// Up to this many columns the vector kernels are used. For each column they read as many bytes of activations from shared
// memory as there are weights, and four columns take about as long as the weights take to come from memory.
constexpr int64_t kI2sVecCols = 4;

struct I2sVec {
    int64_t cols;
    int64_t rows;  // of the eight lanes that share a row
    KernelId kernel;
};
constexpr I2sVec kI2sVec[] = {
    {1, 1, KernelId::i2s_vec_1}, {2, 1, KernelId::i2s_vec_2}, {kI2sVecCols, 2, KernelId::i2s_vec_4}};

// The block shapes of i2s_mma.cu.
constexpr int64_t kSlimRows = 16, kSlimCols = 8;
constexpr int64_t kDeepRows = 32, kDeepCols = 32, kWideRows = 128, kWideCols = 64;

void i2s_mul_mat(GpuStream& stream, const GpuWeight& weight, const void* acts, int64_t n_cols, float* out,
                 const GpuProductPlace& place) {
    kern::gpu::I2sArgs args = {};
    args.codes = weight.data;
    args.acts = static_cast<const uint8_t*>(acts);
    args.row_bytes = weight.k / kern::kI2sBlock * kern::kI2sBlockBytes;
    args.column_bytes = kern::act_column_bytes(weight.k);
    args.tensor_scale = weight.tensor_scale;
    args.output = output_of(weight, n_cols, out, place);
    if (n_cols <= kI2sVecCols) {
        const I2sVec* shape = kI2sVec;
        while (shape->cols < n_cols) ++shape;
        const int64_t lanes = 8;
        const uint32_t threads = threads_for_rows(stream, weight.n_rows, lanes / shape->rows);
        stream.run(shape->kernel, {blocks_for(weight.n_rows, threads / lanes * shape->rows), 1, 1, threads, 0}, args);
        return;
    }
    if (n_cols <= kSlimCols) {
        stream.run(KernelId::i2s_mma_slim, {blocks_for(weight.n_rows, kSlimRows), 1, 1, 256, 0}, args);
        return;
    }
    const GpuGrid wide = {blocks_for(weight.n_rows, kWideRows), blocks_for(n_cols, kWideCols), 1, 128, 0};
    if (static_cast<int64_t>(wide.x) * wide.y >= multiprocessors(stream)) {
        stream.run(KernelId::i2s_mma_wide, wide, args);
    } else {
        const GpuGrid deep = {blocks_for(weight.n_rows, kDeepRows), blocks_for(n_cols, kDeepCols), 1, 256, 0};
        stream.run(KernelId::i2s_mma_deep, deep, args);
    }
}

void tq_mul_mat(GpuStream& stream, const GpuWeight& weight, const void* acts, int64_t n_cols, float* out,
                const GpuProductPlace& place) {
    const kern::gpu::PlaneAddresses planes = planes_of(weight);
    kern::gpu::TqArgs args = {};
    args.codes = planes.plane[0];
    args.d = reinterpret_cast<const uint16_t*>(planes.plane[1]);
    args.acts = static_cast<const uint8_t*>(acts);
    args.n_blocks = weight.k / kern::kTqBlock;
    args.column_bytes = kern::act_column_bytes(weight.k);
    args.sums_offset = kern::act_sums_offset(weight.k);
    args.output = output_of(weight, n_cols, out, place);
    const uint32_t cols = n_cols == 1 ? 1 : 4;
    const int64_t lanes = 16;
    const uint32_t threads = threads_for_rows(stream, weight.n_rows * blocks_for(n_cols, cols), lanes);
    stream.run(cols == 1 ? KernelId::tq_mat_1 : KernelId::tq_mat_4,
               {blocks_for(weight.n_rows, threads / lanes), blocks_for(n_cols, cols), 1, threads, 0}, args);
}

struct DenseRow {
    QuantType type;
    KernelId one, four;  // columns
};
constexpr DenseRow kDense[] = {
    {QuantType::f32, KernelId::f32_mat_1, KernelId::f32_mat_4},
    {QuantType::f16, KernelId::f16_mat_1, KernelId::f16_mat_4},
    {QuantType::bf16, KernelId::bf16_mat_1, KernelId::bf16_mat_4},
    {QuantType::q8_0, KernelId::q8_0_mat_1, KernelId::q8_0_mat_4},
    {QuantType::q4_0, KernelId::q4_0_mat_1, KernelId::q4_0_mat_4},
    {QuantType::q4_1, KernelId::q4_1_mat_1, KernelId::q4_1_mat_4},
    {QuantType::q6_k, KernelId::q6_k_mat_1, KernelId::q6_k_mat_4},
    {QuantType::q1_0, KernelId::q1_0_mat_1, KernelId::q1_0_mat_4},
    {QuantType::q2_0, KernelId::q2_0_mat_1, KernelId::q2_0_mat_4},
    {QuantType::q2_0_g128, KernelId::q2_0_g128_mat_1, KernelId::q2_0_g128_mat_4},
    {QuantType::iq2_s, KernelId::iq2_s_mat_1, KernelId::iq2_s_mat_4},
};

void dense_mul_mat(GpuStream& stream, const GpuWeight& weight, const float* x, int64_t act_stride, int64_t n_cols,
                   float* out, const GpuProductPlace& place) {
    const DenseRow* row = kDense;
    while (row->type != weight.type) ++row;
    kern::gpu::DenseArgs args = {};
    args.weights = planes_of(weight);
    args.x = x;
    args.act_stride = act_stride;
    args.k = weight.k;
    args.output = output_of(weight, n_cols, out, place);
    const uint32_t cols = n_cols == 1 ? 1 : 4;
    const int64_t lanes = 2;
    const uint32_t threads = threads_for_rows(stream, weight.n_rows * blocks_for(n_cols, cols), lanes);
    stream.run(cols == 1 ? row->one : row->four,
               {blocks_for(weight.n_rows, threads / lanes), blocks_for(n_cols, cols), 1, threads, 0}, args);
}

}  // namespace

void gpu_pack_acts(GpuStream& stream, const float* x, int64_t k, int64_t n_cols, void* acts) {
    kern::gpu::PackActsArgs args = {};
    args.x = x;
    args.acts = static_cast<uint8_t*>(acts);
    args.k = k;
    args.column_bytes = kern::act_column_bytes(k);
    args.sums_offset = kern::act_sums_offset(k);
    const int64_t blocks = kern::act_block_count(k);  // a warp each, as far as a block of threads goes
    const uint32_t threads = static_cast<uint32_t>(blocks < 32 ? blocks : 32) * 32;
    stream.run(KernelId::pack_acts, {static_cast<uint32_t>(n_cols), 1, 1, threads, 0}, args);
}

void gpu_mul_mat(GpuStream& stream, const GpuWeight& weight, const void* acts, int64_t act_stride, int64_t n_cols,
                 float* out, const GpuProductPlace& place) {
    switch (weight.type) {
        case QuantType::i2_s: return i2s_mul_mat(stream, weight, acts, n_cols, out, place);
        case QuantType::tq1_0:
        case QuantType::tq2_0: return tq_mul_mat(stream, weight, acts, n_cols, out, place);
        default: return dense_mul_mat(stream, weight, static_cast<const float*>(acts), act_stride, n_cols, out, place);
    }
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
