// The reference kernels of the ternary types, written to be read: what ternary_kernels.h promises, one value at a time.
// Every fast kernel must give the same bits as these.
#include <cstring>

#include "kernels/cpu/act_i8.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/ternary_layouts.h"
#include "kernels/vec_kernels.h"

namespace kern {
namespace {

struct Column {
    float act_scale;
    int32_t sum;
    const int8_t* q;
};

Column column_at(const MulMatArgs& args, int64_t c) {
    const unsigned char* bytes = static_cast<const unsigned char*>(args.acts) + c * act_column_bytes(args.k);
    ActColumn header;
    std::memcpy(&header, bytes, sizeof header);
    return {header.act_scale, header.sum, reinterpret_cast<const int8_t*>(bytes + act_values_offset())};
}

void run_i2s(const MulMatArgs& args) {
    const int64_t row_bytes = args.k / kI2sBlock * kI2sBlockBytes;
    for (int64_t c = 0; c < args.n_cols; ++c) {
        const Column column = column_at(args, c);
        const float scale = args.weight_scale / column.act_scale;
        for (int64_t r = args.row_begin; r < args.row_end; ++r) {
            const unsigned char* row = static_cast<const unsigned char*>(args.weights) + r * row_bytes;
            int32_t sum = 0;
            for (int64_t i = 0; i < args.k; ++i) {
                const int64_t block = i / kI2sBlock;
                const int in_block = static_cast<int>(i % kI2sBlock);
                const int code = row[block * kI2sBlockBytes + in_block % 32] >> (6 - 2 * (in_block / 32)) & 3;
                sum += code * column.q[i];
            }
            args.out[c * args.out_stride + r] = static_cast<float>(sum - column.sum) * scale;
        }
    }
}

// Block sums s * d of one row, in 16 lanes and the fixed tree.
class LaneSum {
public:
    void add(int64_t block, float term) { lanes_[block % 16] += term; }
    float total() {
        for (int width = 8; width > 0; width /= 2) {
            for (int i = 0; i < width; ++i) lanes_[i] += lanes_[i + width];
        }
        return lanes_[0];
    }

private:
    float lanes_[16] = {};
};

int tq2_code(const BlockTq2_0& block, int i) { return block.qs[32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32)) & 3; }

int tq1_code(const BlockTq1_0& block, int i) {
    constexpr int kPow3[5] = {1, 3, 9, 27, 81};
    const auto trit = [&](int byte, int n) { return (byte * kPow3[n] & 255) * 3 >> 8; };
    if (i < 160) return trit(block.qs[i % 32], i / 32);
    if (i < 240) return trit(block.qs[32 + (i - 160) % 16], (i - 160) / 16);
    return trit(block.qh[(i - 240) % 4], (i - 240) / 4);
}

// Both TQ types: Block with its scale d, and code(block, i) of weight i.
template <class Block, int (*code)(const Block&, int)>
void run_tq(const MulMatArgs& args) {
    const int64_t n_blocks = args.k / kTqBlock;
    for (int64_t c = 0; c < args.n_cols; ++c) {
        const Column column = column_at(args, c);
        const float scale = 1.0f / column.act_scale;
        for (int64_t r = args.row_begin; r < args.row_end; ++r) {
            const unsigned char* row =
                static_cast<const unsigned char*>(args.weights) + r * n_blocks * static_cast<int64_t>(sizeof(Block));
            LaneSum sum;
            for (int64_t b = 0; b < n_blocks; ++b) {
                Block block;
                std::memcpy(&block, row + b * static_cast<int64_t>(sizeof(Block)), sizeof block);
                int32_t s = 0;
                for (int i = 0; i < kTqBlock; ++i) s += (code(block, i) - 1) * column.q[b * kTqBlock + i];
                sum.add(b, static_cast<float>(s) * f16_to_f32_value(block.d));
            }
            args.out[c * args.out_stride + r] = sum.total() * scale;
        }
    }
}

}  // namespace

constinit const MulMatKernel i2s_scalar = {.name = "i2s_scalar",
                                           .level = "scalar",
                                           .type = QuantType::i2_s,
                                           .needs = CPU_BASE,
                                           .exact = true,
                                           .act = &act_i8_scalar,
                                           .row_tile = 1,
                                           .packed_bytes = nullptr,
                                           .pack = nullptr,
                                           .run = run_i2s};

constinit const MulMatKernel tq2_scalar = {.name = "tq2_scalar",
                                           .level = "scalar",
                                           .type = QuantType::tq2_0,
                                           .needs = CPU_BASE,
                                           .exact = true,
                                           .act = &act_i8_scalar,
                                           .row_tile = 1,
                                           .packed_bytes = nullptr,
                                           .pack = nullptr,
                                           .run = run_tq<BlockTq2_0, tq2_code>};

constinit const MulMatKernel tq1_scalar = {.name = "tq1_scalar",
                                           .level = "scalar",
                                           .type = QuantType::tq1_0,
                                           .needs = CPU_BASE,
                                           .exact = true,
                                           .act = &act_i8_scalar,
                                           .row_tile = 1,
                                           .packed_bytes = nullptr,
                                           .pack = nullptr,
                                           .run = run_tq<BlockTq1_0, tq1_code>};

}  // namespace kern
