// Packed int8 activations: scale, sums, padding and the two orders, the same at every level.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "kernels/cpu/act_i8.h"
#include "tests/support/kernel_cases.h"
#include "tests/support/ternary_reference.h"

namespace {

// Where the format keeps value i of a column.
int64_t place_of(const kern::ActFormat& format, int64_t i) {
    if (std::strcmp(format.name, "i8") == 0) return i;
    const int64_t piece = i % 256 / 32;  // the table in act_i8.h: pieces 0..3 go to 0, 2, 4, 6 and 4..7 to 1, 3, 5, 7
    return i / 256 * 256 + (piece < 4 ? 2 * piece : 2 * (piece - 4) + 1) * 32 + i % 32;
}

std::vector<const kern::ActFormat*> runnable_formats() {
    std::vector<const kern::ActFormat*> formats;
    for (const kern::QuantType type : {kern::QuantType::i2_s, kern::QuantType::tq2_0}) {
        formats.push_back(test::scalar_kernel(type).act);
        for (const kern::MulMatKernel* kernel : test::fast_kernels(type)) formats.push_back(kernel->act);
    }
    return formats;
}

}  // namespace

TEST_CASE("packed activations hold the quantised values, their sums and zero padding") {
    for (const kern::ActFormat* format : runnable_formats()) {
        for (const int64_t k : {128, 256, 384, 2560, 4224}) {
            INFO(format->name, " k = ", k);
            constexpr int64_t kCols = 5;
            const int64_t x_stride = k + 3;
            std::vector<float> x = test::Random(static_cast<uint64_t>(k)).reals(static_cast<size_t>(kCols * x_stride));
            for (int64_t i = 0; i < k; ++i) x[static_cast<size_t>(2 * x_stride + i)] = 0.0f;
            const size_t bytes = format->bytes(k, kCols);
            CHECK(bytes == static_cast<size_t>(kern::act_column_bytes(k) * kCols));
            test::OffsetBytes packed(bytes, 0);
            format->pack(x.data(), x_stride, k, kCols, 0, 2, packed.data());
            format->pack(x.data(), x_stride, k, kCols, 2, kCols, packed.data());
            for (int64_t c = 0; c < kCols; ++c) {
                const unsigned char* column = packed.data() + c * kern::act_column_bytes(k);
                kern::ActColumn header;
                std::memcpy(&header, column, sizeof header);
                const test::QuantisedColumn expected = test::quantise_column(x.data() + c * x_stride, k);
                CHECK(header.act_scale == expected.scale);
                const int64_t n_blocks = (k + 255) / 256;
                std::vector<int> values(static_cast<size_t>(n_blocks * 256), 0);
                for (int64_t i = 0; i < k; ++i) values[static_cast<size_t>(i)] = expected.q[static_cast<size_t>(i)];
                int wrong = 0;
                int total = 0;
                for (int64_t i = 0; i < n_blocks * 256; ++i) {
                    const int q = static_cast<signed char>(column[64 + place_of(*format, i)]);
                    wrong += q != values[static_cast<size_t>(i)];
                    total += q;
                }
                CHECK(wrong == 0);
                CHECK(header.sum == total);
                const int64_t sums_end = kern::act_column_bytes(k);
                for (int64_t at = kern::act_sums_offset(k), b = 0; at < sums_end; at += 4, ++b) {
                    int32_t sum = 0;
                    std::memcpy(&sum, column + at, sizeof sum);
                    int32_t block_total = 0;
                    for (int64_t i = b * 256; i < (b + 1) * 256 && i < k; ++i)
                        block_total += values[static_cast<size_t>(i)];
                    CHECK(sum == block_total);
                }
            }
        }
    }
}

TEST_CASE("columns that are codes already are packed like those that were quantised to them") {
    for (const kern::ActFormat* format : runnable_formats()) {
        for (const int64_t k : {128, 256, 384, 2560}) {
            INFO(format->name, " k = ", k);
            constexpr int64_t kCols = 3;
            const std::vector<float> x = test::Random(static_cast<uint64_t>(k)).reals(static_cast<size_t>(kCols * k));
            std::vector<int8_t> codes(static_cast<size_t>(kCols * (k + 1)), int8_t{99});
            std::vector<float> scales;
            for (int64_t c = 0; c < kCols; ++c) {
                const test::QuantisedColumn column = test::quantise_column(x.data() + c * k, k);
                scales.push_back(column.scale);
                for (int64_t i = 0; i < k; ++i)
                    codes[static_cast<size_t>(c * (k + 1) + i)] = static_cast<int8_t>(column.q[static_cast<size_t>(i)]);
            }
            test::OffsetBytes expected(format->bytes(k, kCols), 0);
            test::OffsetBytes packed(format->bytes(k, kCols), 0);
            format->pack(x.data(), k, k, kCols, 0, kCols, expected.data());
            format->pack_codes(codes.data(), k + 1, scales.data(), k, 0, 2, packed.data());
            format->pack_codes(codes.data(), k + 1, scales.data(), k, 2, kCols, packed.data());
            CHECK(std::memcmp(packed.data(), expected.data(), packed.size()) == 0);
            format->pack_codes(codes.data(), k + 1, nullptr, k, 0, 1, packed.data());
            kern::ActColumn header;
            std::memcpy(&header, packed.data(), sizeof header);
            CHECK(header.act_scale == 1.0f);
        }
    }
}

TEST_CASE("a column's parts are 64-byte aligned whatever k is") {
    for (int64_t k = 128; k < 9000; k += 128) {
        CHECK(kern::act_sums_offset(k) % 64 == 0);
        CHECK(kern::act_column_bytes(k) % 64 == 0);
        // Kernels read block sums sixteen at a time.
        CHECK(kern::act_column_bytes(k) - kern::act_sums_offset(k) >= (kern::act_block_count(k) + 15) / 16 * 64);
    }
}
