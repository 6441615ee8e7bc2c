// I2_S with SMMLA (FEAT_I8MM), which multiplies two rows of eight codes by two columns of eight activations into a 2 x 2
// tile of int32 sums: twice the products of SDOT an instruction. Few columns are bound by reading the weights: SDOT.
//
// A strip is eight rows. Its codes are expanded once per piece of k to
//   [k / 8][row / 2][row % 2][8 codes]
// so that a register load is two rows; two columns meet in a register as they are loaded.
#include <arm_neon.h>

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/ternary_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_dotprod.h"

namespace kern {
namespace {

constexpr int kRows = 8;
constexpr int kCols = 8;
constexpr int64_t kPieceWeights = 2048;  // 16 KiB of codes, and as much of eight columns
static_assert(kPieceWeights % kI2sBlock == 0);

// Weights [begin, end) of rows row .. row + 7, multiples of 128; rows at or after row_end become code 0.
void expand(const MulMatArgs& args, int64_t row, int64_t begin, int64_t end, int8_t* codes) {
    const int64_t row_bytes = I2sFields::row_bytes(args.k);
    for (int r = 0; r < kRows; ++r) {
        int8_t* to = codes + r * 8;
        const bool exists = row + r < args.row_end;
        const uint8_t* p = static_cast<const uint8_t*>(args.weights) + (exists ? row + r : row) * row_bytes;
        for (int64_t at = begin; at < end; at += kI2sBlock) {
            const NeonPair::Int packed =
                exists ? NeonPair::load(p + at / kI2sBlock * kI2sBlockBytes) : NeonPair::zero();
            const NeonPair::Int fields[4] = {
                NeonPair::field<I2sFields::shift(0)>(packed), NeonPair::field<I2sFields::shift(1)>(packed),
                NeonPair::field<I2sFields::shift(2)>(packed), NeonPair::field<I2sFields::shift(3)>(packed)};
            for (const NeonPair::Int& field : fields) {
                const int8x16_t low = NeonPair::bytes(field.low), high = NeonPair::bytes(field.high);
                vst1_s8(to, vget_low_s8(low));
                vst1_s8(to + 8 * kRows, vget_high_s8(low));
                vst1_s8(to + 16 * kRows, vget_low_s8(high));
                vst1_s8(to + 24 * kRows, vget_high_s8(high));
                to += 32 * kRows;
            }
        }
    }
}

// sums[c][r]: += codes times the columns at acts; kPairs pairs of columns. An odd last column meets itself.
template <int kPairs>
[[gnu::noinline]] void multiply(const int8_t* codes, const int8_t* const (&acts)[kCols], int64_t n, bool first,
                                int32_t (&sums)[kCols][kRows]) {
    int32x4_t tile[kPairs][kRows / 2];
#pragma GCC unroll 4
    for (int c = 0; c < kPairs; ++c) {
#pragma GCC unroll 4
        for (int r = 0; r < kRows / 2; ++r) tile[c][r] = vdupq_n_s32(0);
    }
#pragma GCC unroll 1
    for (int64_t i = 0; i < n; i += 8, codes += 8 * kRows) {
        int8x16_t rows[kRows / 2];
#pragma GCC unroll 4
        for (int r = 0; r < kRows / 2; ++r) rows[r] = vld1q_s8(codes + 16 * r);
#pragma GCC unroll 4
        for (int c = 0; c < kPairs; ++c) {
            const int8x16_t columns = vcombine_s8(vld1_s8(acts[2 * c] + i), vld1_s8(acts[2 * c + 1] + i));
#pragma GCC unroll 4
            for (int r = 0; r < kRows / 2; ++r) tile[c][r] = vmmlaq_s32(tile[c][r], columns, rows[r]);
        }
    }
#pragma GCC unroll 4
    for (int c = 0; c < kPairs; ++c) {
#pragma GCC unroll 4
        for (int r = 0; r < kRows / 2; ++r) {  // (column, row), (column, row + 1), (column + 1, row), ...
            int32x2_t even = vget_low_s32(tile[c][r]), odd = vget_high_s32(tile[c][r]);
            if (!first) {
                even = vadd_s32(even, vld1_s32(sums[2 * c] + 2 * r));
                odd = vadd_s32(odd, vld1_s32(sums[2 * c + 1] + 2 * r));
            }
            vst1_s32(sums[2 * c] + 2 * r, even);
            vst1_s32(sums[2 * c + 1] + 2 * r, odd);
        }
    }
}

// Columns of one strip, kBatch of them for each expansion of the codes.
class Strip {
public:
    Strip(const MulMatArgs& args, const ActColumns& columns, int64_t row) : args_(args), columns_(columns), row_(row) {}

    void run() {
        for (int64_t col = 0; col < args_.n_cols; col += kBatch) {
            run_columns(col, args_.n_cols - col < kBatch ? args_.n_cols - col : kBatch);
        }
    }

private:
    static constexpr int64_t kBatch = 64;

    void run_columns(int64_t col, int64_t n) {
        for (int64_t begin = 0; begin < args_.k; begin += kPieceWeights) {
            const int64_t end = args_.k - begin < kPieceWeights ? args_.k : begin + kPieceWeights;
            expand(args_, row_, begin, end, codes_);
            for (int64_t c = 0; c < n; c += kCols) {
                const int64_t n_tile = n - c < kCols ? n - c : kCols;
                const int8_t* acts[kCols];
                for (int64_t i = 0; i < kCols; ++i) {
                    acts[i] = columns_.values(col + c + (i < n_tile ? i : n_tile - 1)) + begin;
                }
                with_count<kCols / 2>((n_tile + 1) / 2, [&](auto pairs) {
                    multiply<decltype(pairs)::value>(codes_, acts, end - begin, begin == 0, sums_[c / kCols]);
                });
            }
        }
        for (int64_t c = 0; c < n; ++c) write_column(col + c, sums_[c / kCols][c % kCols]);
    }

    void write_column(int64_t col, const int32_t* sums) {
        const ActColumn& header = columns_.header(col);
        const NeonPair::Int isum = NeonPair::sub32(NeonPair::load(sums), NeonPair::set32(header.sum));
        const NeonPair::Float scale = NeonPair::set_float(args_.weight_scale / header.act_scale);
        const int64_t left = args_.row_end - row_;
        NeonPair::store_lanes(args_.out + col * args_.out_stride + row_, NeonPair::mul(NeonPair::to_float(isum), scale),
                              left < kRows ? left : kRows);
    }

    const MulMatArgs& args_;
    const ActColumns& columns_;
    int64_t row_;
    alignas(64) int8_t codes_[kPieceWeights * kRows];
    alignas(64) int32_t sums_[kBatch / kCols][kCols][kRows];
};

void run(const MulMatArgs& args) {
    if (args.n_cols <= kI2sDirectCols) return i2s_direct_any<Dotprod>(args);
    const ActColumns columns(args);
    for (int64_t row = args.row_begin; row < args.row_end; row += kRows) Strip(args, columns, row).run();
}

}  // namespace

constinit const MulMatKernel i2s_i8mm = {.name = "i2s_i8mm",
                                         .level = "i8mm",
                                         .type = QuantType::i2_s,
                                         .needs = CPU_NEON | CPU_DOTPROD | CPU_I8MM,
                                         .exact = true,
                                         .act = &act_i8_neon,
                                         .row_tile = 8,
                                         .packed_bytes = nullptr,
                                         .pack = nullptr,
                                         .run = run};

}  // namespace kern
