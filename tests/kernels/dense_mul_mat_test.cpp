// Dense matrix kernels (F32, F16, BF16, Q8_0, Q4_0, Q6_K, Q4_1, Q1_0, Q2_0) of every level: their bits are those of the scalar decoder
// and the definition of a sum, for any shape, any split into rows and columns, and weights that hold infinities and
// NaNs.
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/dense_kernels.h"
#include "kernels/cpu/kernel_select.h"
#include "tests/support/float_bits.h"

namespace {

using kern::MulMatArgs;
using kern::MulMatKernel;
using kern::QuantType;
using test::difference;

constexpr QuantType kDenseTypes[] = {QuantType::f32,  QuantType::f16,  QuantType::bf16,     QuantType::q8_0,
                                     QuantType::q4_0, QuantType::q6_k, QuantType::iq2_s,    QuantType::q4_1,
                                     QuantType::q1_0, QuantType::q2_0, QuantType::q2_0_g128};

std::vector<const MulMatKernel*> runnable_kernels(QuantType type) {
    std::vector<const MulMatKernel*> runnable;
    for (size_t i = 0; i < kern::mul_mat_kernel_count(); ++i) {
        const MulMatKernel& kernel = kern::mul_mat_kernel_at(i);
        if (kernel.type == type && (kernel.needs & ~kern::cpu_features()) == 0) runnable.push_back(&kernel);
    }
    return runnable;
}

struct Shape {
    int64_t rows, k, cols;
};

constexpr Shape kShapes[] = {{1, 256, 1},  {3, 512, 1},  {4, 256, 2},    {5, 768, 3},  {17, 2560, 4}, {64, 256, 5},
                             {9, 1280, 8}, {8, 512, 32}, {21, 1024, 35}, {2, 6912, 1}, {33, 768, 64}, {1, 256, 7}};
// Widths only the plain types can have.
constexpr Shape kOddShapes[] = {{5, 1, 1},    {3, 15, 1},   {7, 16, 2},  {6, 17, 3},  {9, 31, 4},
                                {4, 33, 1},   {10, 47, 6},  {2, 96, 9},  {3, 100, 1}, {18, 527, 5},
                                {9, 513, 33}, {12, 640, 2}, {6, 1000, 4}};

// A matrix in its storage type, activations, and the answer by definition: decoded row times column, 16 lanes, one
// tree.
struct Case {
    QuantType type;
    Shape shape;
    int64_t x_stride, out_stride;
    std::vector<uint8_t> weights;
    std::vector<float> x;
    std::vector<float> expected;  // [col][row]

    // hostile: any bytes at all as weights, special values among the activations; otherwise everything is finite.
    Case(QuantType t, const Shape& s, uint32_t seed, bool hostile) : type(t), shape(s) {
        const size_t row_bytes = static_cast<size_t>(kern::quant_row_bytes(t, s.k));
        const size_t width = static_cast<size_t>(s.k);
        x_stride = s.k + 3;
        out_stride = s.rows + 2;
        weights.resize(row_bytes * static_cast<size_t>(s.rows));
        std::mt19937 random(seed);
        if (hostile) {
            for (uint8_t& byte : weights) byte = static_cast<uint8_t>(random() >> 11);
        } else {
            encode_finite(row_bytes, random);
        }
        x = test::mixed_floats(static_cast<size_t>((s.cols - 1) * x_stride + s.k), seed + 1, hostile ? 50 : 1000000);
        std::vector<float> row(width);
        expected.resize(static_cast<size_t>(s.cols * s.rows));
        for (int64_t r = 0; r < s.rows; ++r) {
            kern::quant_type_info(t).decode(weights.data() + static_cast<size_t>(r) * row_bytes, 1.0f, s.k, row.data());
            for (int64_t c = 0; c < s.cols; ++c) {
                expected[static_cast<size_t>(c * s.rows + r)] =
                    test::dot_by_definition(row.data(), x.data() + c * x_stride, s.k);
            }
        }
    }

    void encode_finite(size_t row_bytes, std::mt19937& random) {
        const std::vector<float> values =
            test::random_floats(static_cast<size_t>(shape.k * shape.rows), static_cast<uint32_t>(random()));
        const kern::QuantTypeInfo& info = kern::quant_type_info(type);
        if (info.encode != nullptr) {
            for (int64_t r = 0; r < shape.rows; ++r) {
                info.encode(values.data() + r * shape.k, 1.0f, shape.k,
                            weights.data() + static_cast<size_t>(r) * row_bytes);
            }
            return;
        }
        // A type this build only reads (IQ2_S, Q1_0, Q2_0): any bytes, with ordinary halves as scales (the first two of a block).
        for (uint8_t& byte : weights) byte = static_cast<uint8_t>(random() >> 11);
        for (size_t at = 0; at < weights.size(); at += info.block_bytes) {
            const uint16_t half = static_cast<uint16_t>(0x2000 + random() % 0x1000);
            std::memcpy(&weights[at], &half, sizeof half);
        }
    }

    // out holds [col][row] for all columns; rows outside [row_begin, row_end) keep what they had.
    void run(const MulMatKernel& kernel, int64_t row_begin, int64_t row_end, int64_t col, int64_t n_cols,
             float* out) const {
        const MulMatArgs args = {weights.data(),
                                 1.0f,
                                 x.data() + col * x_stride,
                                 x_stride,
                                 out + col * out_stride,
                                 out_stride,
                                 shape.k,
                                 shape.rows,
                                 n_cols,
                                 row_begin,
                                 row_end};
        kernel.run(args);
    }

    // The rows of a guarded output, checking that nothing between them was touched.
    std::vector<float> collect(test::Guarded<float>& out) const {
        CHECK(out.guards_intact());
        const float pattern = test::Guarded<float>(1).values()[0];
        std::vector<float> rows;
        for (int64_t c = 0; c < shape.cols; ++c) {
            const float* column = out.data() + c * out_stride;
            rows.insert(rows.end(), column, column + shape.rows);
            CHECK(std::memcmp(column + shape.rows, &pattern, sizeof pattern) == 0);
            CHECK(std::memcmp(column + shape.rows + 1, &pattern, sizeof pattern) == 0);
        }
        return rows;
    }
};

std::string name_of(const Shape& s) {
    return std::to_string(s.rows) + " x " + std::to_string(s.k) + ", columns " + std::to_string(s.cols);
}

void check_shape(QuantType type, const Shape& shape, bool hostile) {
    const Case c(type, shape, static_cast<uint32_t>(shape.k + shape.rows), hostile);
    for (const MulMatKernel* kernel : runnable_kernels(type)) {
        INFO(kernel->name, " ", name_of(shape), hostile ? ", hostile" : "");
        test::Guarded<float> out(static_cast<size_t>(shape.cols * c.out_stride));
        c.run(*kernel, 0, shape.rows, 0, shape.cols, out.data());
        CHECK(difference(c.expected, c.collect(out)) == "");
    }
}

TEST_CASE("dense mul_mat: every kernel has the bits of decoding and the definition of a sum") {
    for (QuantType type : kDenseTypes) {
        for (const Shape& shape : kShapes) {
            check_shape(type, shape, false);
            check_shape(type, shape, true);
        }
    }
}

TEST_CASE("dense mul_mat: the plain types take rows of any width") {
    for (QuantType type : {QuantType::f32, QuantType::f16, QuantType::bf16}) {
        for (const Shape& shape : kOddShapes) {
            check_shape(type, shape, false);
            check_shape(type, shape, true);
        }
    }
}

TEST_CASE("dense mul_mat: the classic block types take rows of whole blocks of 32") {
    for (QuantType type : {QuantType::q8_0, QuantType::q4_0}) {
        for (const Shape& shape : {Shape{7, 32, 1}, Shape{3, 96, 2}, Shape{9, 544, 5}, Shape{6, 1056, 33}}) {
            check_shape(type, shape, false);
            check_shape(type, shape, true);
        }
    }
}

TEST_CASE("dense mul_mat: splitting rows and columns in any way changes nothing") {
    const Shape shape = {53, 768, 11};
    for (QuantType type : kDenseTypes) {
        const Case c(type, shape, 77, false);
        for (const MulMatKernel* kernel : runnable_kernels(type)) {
            for (int64_t row_step : {kernel->row_tile, 2 * kernel->row_tile, 3 * kernel->row_tile}) {
                for (int64_t col_step : {1, 2, 3, 4, 5, 11}) {
                    INFO(kernel->name, ", rows by ", row_step, ", columns by ", col_step);
                    test::Guarded<float> out(static_cast<size_t>(shape.cols * c.out_stride));
                    for (int64_t col = 0; col < shape.cols; col += col_step) {
                        for (int64_t row = 0; row < shape.rows; row += row_step) {
                            c.run(*kernel, row, std::min(row + row_step, shape.rows), col,
                                  std::min(col_step, shape.cols - col), out.data());
                        }
                    }
                    CHECK(difference(c.expected, c.collect(out)) == "");
                }
            }
        }
    }
}

TEST_CASE("dense mul_mat: an empty range of rows writes nothing, and rows outside the range keep their values") {
    const Shape shape = {48, 256, 6};
    for (QuantType type : kDenseTypes) {
        const Case c(type, shape, 5, false);
        const float pattern = test::Guarded<float>(1).values()[0];
        for (const MulMatKernel* kernel : runnable_kernels(type)) {
            for (int64_t n_cols : {int64_t{1}, shape.cols}) {
                INFO(kernel->name, ", columns ", n_cols);
                test::Guarded<float> out(static_cast<size_t>(shape.cols * c.out_stride));
                c.run(*kernel, 16, 16, 0, n_cols, out.data());
                c.run(*kernel, 16, 32, 0, n_cols, out.data());
                const std::vector<float> rows = c.collect(out);
                for (int64_t col = 0; col < n_cols; ++col) {
                    for (int64_t row = 0; row < shape.rows; ++row) {
                        const size_t at = static_cast<size_t>(col * shape.rows + row);
                        const float expected = row >= 16 && row < 32 ? c.expected[at] : pattern;
                        REQUIRE(test::bits_of(rows[at]) == test::bits_of(expected));
                    }
                }
            }
        }
    }
}

TEST_CASE("dense mul_mat: weights may lie at any address") {
    const Shape shape = {6, 512, 2};
    for (QuantType type : kDenseTypes) {
        Case c(type, shape, 9, false);
        std::vector<uint8_t> shifted(c.weights.size() + 1);
        std::memcpy(shifted.data() + 1, c.weights.data(), c.weights.size());
        for (const MulMatKernel* kernel : runnable_kernels(type)) {
            INFO(kernel->name);
            test::Guarded<float> out(static_cast<size_t>(shape.cols * c.out_stride));
            const MulMatArgs args = {shifted.data() + 1, 1.0f,    c.x.data(), c.x_stride, out.data(),
                                     c.out_stride,       shape.k, shape.rows, shape.cols, 0,
                                     shape.rows};
            kernel->run(args);
            CHECK(difference(c.expected, c.collect(out)) == "");
        }
    }
}

TEST_CASE("dense mul_mat: every type has a scalar kernel, and all read floats where they are") {
    for (QuantType type : kDenseTypes) {
        bool scalar = false;
        for (const MulMatKernel* kernel : runnable_kernels(type)) {
            INFO(kernel->name);
            scalar = scalar || kernel->needs == kern::CPU_BASE;
            CHECK(kernel->exact);
            CHECK(kernel->act == &kern::act_f32);
            CHECK((kernel->pack == nullptr && kernel->packed_bytes == nullptr));
        }
        CHECK(scalar);
    }
    CHECK(kern::act_f32.bytes(2560, 7) == 0);
    CHECK((kern::act_f32.pack == nullptr));
}

}  // namespace
