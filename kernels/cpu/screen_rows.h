// What the screen kernels share: the walk over rows and columns. The including file has Sums<n>, the integer sums of one row
// with n columns: step(codes, columns, at) adds kStep products, total(column, c) is the exact sum.
#pragma once

#include "kernels/cpu/row_pieces.h"
#include "kernels/cpu/screen_kernels.h"

namespace kern {
namespace {

struct ScreenView {
    const ScreenColumn* head;
    const int8_t* high;
    const int8_t* low;
    const int16_t* both;
    const int32_t* fours;
};

inline ScreenView screen_view(const MulMatArgs& args, int64_t column) {
    const int64_t stride = screen_stride(args.k);
    const uint8_t* p = static_cast<const uint8_t*>(args.acts) + column * screen_column_bytes(args.k);
    const int8_t* high = reinterpret_cast<const int8_t*>(p + sizeof(ScreenColumn));
    return {reinterpret_cast<const ScreenColumn*>(p), high, high + stride,
            reinterpret_cast<const int16_t*>(high + 2 * stride), reinterpret_cast<const int32_t*>(high + 4 * stride)};
}

// How many columns go together, and how many rows with them.
template <int n>
struct Columns {
    static constexpr int kCols = n;
    static constexpr int kStreams = 4 / n;
};

// Rows first, first + apart, ...: far-apart streams, as in dense_generic.h.
template <class Sums, int kStreams, int kCols>
inline void screen_streams(const MulMatArgs& args, int64_t first, int64_t apart, int64_t column) {
    const int64_t stride = screen_stride(args.k);
    const int8_t* codes[kStreams];
    Sums sums[kStreams];
    ScreenView x[kCols];
    for (int c = 0; c < kCols; ++c) x[c] = screen_view(args, column + c);
    for (int s = 0; s < kStreams; ++s)
        codes[s] = static_cast<const int8_t*>(args.weights) + (first + s * apart) * stride;
    for (int64_t at = 0; at < stride; at += Sums::kStep) {
        for (int s = 0; s < kStreams; ++s) {
            __builtin_prefetch(codes[s] + at + 2048);
            sums[s].step(codes[s] + at, x, at);
        }
    }
    const float* scales =
        reinterpret_cast<const float*>(static_cast<const int8_t*>(args.weights) + args.n_rows * stride);
    for (int s = 0; s < kStreams; ++s) {
        const int64_t row = first + s * apart;
        for (int c = 0; c < kCols; ++c) {
            const double scale = static_cast<double>(scales[row]) * static_cast<double>(x[c].head->scale);
            args.out[(column + c) * args.out_stride + row] =
                static_cast<float>(scale * static_cast<double>(sums[s].total(*x[c].head, c)));
        }
    }
}

template <template <int> class Sums, int kStreams, int kCols>
inline void screen_columns(const MulMatArgs& args, int64_t column) {
    const int64_t apart = (args.row_end - args.row_begin) / kStreams;
    for (int64_t r = 0; r < apart; ++r) {
        screen_streams<Sums<kCols>, kStreams, kCols>(args, args.row_begin + r, apart, column);
    }
    for (int64_t r = args.row_begin + apart * kStreams; r < args.row_end; ++r) {
        screen_streams<Sums<kCols>, 1, kCols>(args, r, 0, column);
    }
}

// Calls pass(part, columns, first column) for four columns at a time, two and one.
template <class Pass>
inline void screen_passes(const MulMatArgs& args, int64_t row_bytes, const Pass& pass) {
    for_row_pieces(args, row_bytes, args.n_cols > 4, [&](const MulMatArgs& part) {
        int64_t column = 0;
        for (; column + 4 <= args.n_cols; column += 4) pass(part, Columns<4>{}, column);
        if (column + 2 <= args.n_cols) {
            pass(part, Columns<2>{}, column);
            column += 2;
        }
        if (column < args.n_cols) pass(part, Columns<1>{}, column);
    });
}

template <template <int> class Sums>
void run_screen(const MulMatArgs& args) {
    screen_passes(args, screen_stride(args.k), [](const MulMatArgs& part, auto columns, int64_t column) {
        screen_columns<Sums, columns.kStreams, columns.kCols>(part, column);
    });
}

}  // namespace
}  // namespace kern

// clang-format off
#define SCREEN_KERNEL(level_name, features)                                                                            \
    constinit const MulMatKernel screen_##level_name = {                                                               \
        .name = "screen_" #level_name, .level = #level_name, .type = QuantType::f32, .needs = features, .exact = true, \
        .act = &act_screen, .row_tile = 16, .packed_bytes = nullptr, .pack = nullptr, .run = run_screen<Sums>}
// clang-format on
