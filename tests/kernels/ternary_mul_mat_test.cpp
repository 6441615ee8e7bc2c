// The ternary matrix kernels: the scalar one against a plain triple loop over decoded codes, every other one against
// the scalar one, bit for bit.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "kernels/cpu/act_i8.h"
#include "kernels/packed_layouts.h"
#include "tests/support/kernel_cases.h"
#include "tests/support/ternary_reference.h"

using kern::QuantType;
using test::Matrix;
using test::Product;

namespace {

constexpr QuantType kTernary[] = {QuantType::i2_s, QuantType::tq2_0, QuantType::tq1_0};

// Compares every fast kernel of m's type with the scalar one on each product. All products are corners of the largest
// one (rows and columns are independent of each other), so the slow reference runs once. Of the layouts other than that of the
// file only `packed` where one is named.
void check_against_scalar(const Matrix& m, const std::vector<float>& x, const std::vector<Product>& products,
                          kern::WeightLayout packed = kern::WeightLayout::stored) {
    Product largest = {0, 0};
    for (const Product& p : products) {
        largest.n_rows = std::max(largest.n_rows, p.n_rows);
        largest.n_cols = std::max(largest.n_cols, p.n_cols);
    }
    bool guards_ok = true;
    const std::vector<float> expected = run_mul_mat(test::scalar_kernel(m.type), m, x, largest, &guards_ok);
    REQUIRE(guards_ok);
    const bool has_code_3 = m.type == QuantType::i2_s && !kern::ternary_codes_valid(m.bytes.data(), m.bytes.size());
    for (const kern::MulMatKernel* kernel : test::fast_kernels(m.type)) {
        if (kernel->layout != kern::WeightLayout::stored) {
            if (has_code_3) continue;  // they are never packed from such
            if (packed != kern::WeightLayout::stored && kernel->layout != packed) continue;
        }
        for (const Product& p : products) {
            INFO(kernel->name, ": ", p.n_rows, " rows, k = ", m.k, ", ", p.n_cols, " columns, pieces of ",
                 p.rows_per_piece);
            guards_ok = true;
            const std::vector<float> out = run_mul_mat(*kernel, m, x, p, &guards_ok);
            CHECK(guards_ok);
            int64_t wrong = 0;
            for (int64_t c = 0; c < p.n_cols; ++c) {
                for (int64_t r = 0; r < p.n_rows; ++r) {
                    wrong += !test::same_bits(out[static_cast<size_t>(c * p.n_rows + r)],
                                              expected[static_cast<size_t>(c * largest.n_rows + r)]);
                }
            }
            CHECK(wrong == 0);
        }
    }
}

constexpr int64_t kRows[] = {1, 2, 3, 5, 16, 17, 33, 640};
constexpr int64_t kCols[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 31, 33};

}  // namespace

TEST_CASE("the scalar ternary kernels equal a triple loop over decoded codes") {
    for (const QuantType type : kTernary) {
        for (const int64_t k : {256, 2560, 6912}) {
            const Matrix m = test::random_matrix(type, 5, k, 11 + static_cast<uint64_t>(k), 3);
            const std::vector<float> x = test::Random(5).reals(static_cast<size_t>(3 * k));
            bool guards_ok = true;
            const std::vector<float> out = run_mul_mat(test::scalar_kernel(type), m, x, {5, 3}, &guards_ok);
            CHECK(guards_ok);
            for (int64_t c = 0; c < 3; ++c) {
                const test::QuantisedColumn column = test::quantise_column(x.data() + c * k, k);
                for (int64_t r = 0; r < 5; ++r) {
                    INFO(kern::quant_type_info(type).name, " k = ", k, " row ", r, " column ", c);
                    const test::TernaryRow row = test::unpack_row(
                        type, m.bytes.data() + r * static_cast<int64_t>(kern::quant_row_bytes(type, k)), k);
                    CHECK(
                        test::same_bits(out[static_cast<size_t>(c * 5 + r)], test::ternary_dot(row, m.scale, column)));
                }
            }
        }
    }
}

TEST_CASE("the scalar I2_S kernel takes a row of 128 and of 384 weights") {
    for (const int64_t k : {128, 384}) {
        const Matrix m = test::random_matrix(QuantType::i2_s, 3, k, 77, 1);
        const std::vector<float> x = test::Random(6).reals(static_cast<size_t>(k));
        bool guards_ok = true;
        const std::vector<float> out = run_mul_mat(test::scalar_kernel(QuantType::i2_s), m, x, {3, 1}, &guards_ok);
        const test::QuantisedColumn column = test::quantise_column(x.data(), k);
        for (int64_t r = 0; r < 3; ++r) {
            const test::TernaryRow row = test::unpack_row(QuantType::i2_s, m.bytes.data() + r * k / 4, k);
            CHECK(test::same_bits(out[static_cast<size_t>(r)], test::ternary_dot(row, m.scale, column)));
        }
    }
}

TEST_CASE("every ternary kernel this CPU can run equals the scalar one on all small shapes") {
    for (const QuantType type : kTernary) {
        for (const int64_t k : {128, 256, 384, 512, 768}) {
            if (k % kern::quant_type_info(type).block_length != 0) continue;
            const Matrix m = test::random_matrix(type, 640, k, 100 + static_cast<uint64_t>(k), 1);
            const std::vector<float> x = test::Random(static_cast<uint64_t>(k)).reals(static_cast<size_t>(33 * k));
            std::vector<Product> products;
            for (const int64_t rows : kRows) {
                for (const int64_t cols : kCols) {
                    if (rows == 640 && k > 384 && cols != 1 && cols != 7 && cols != 33) continue;
                    products.push_back({rows, cols});
                }
            }
            check_against_scalar(m, x, products);
        }
    }
}

TEST_CASE("every ternary kernel equals the scalar one at the sizes of real models") {
    for (const QuantType type : kTernary) {
        for (const int64_t k : {2560, 4096, 6912}) {
            const Matrix m = test::random_matrix(type, 71, k, 200 + static_cast<uint64_t>(k), 5);
            const std::vector<float> x = test::Random(static_cast<uint64_t>(k)).reals(static_cast<size_t>(33 * k));
            std::vector<Product> products;
            for (const int64_t cols : kCols) products.push_back({cols % 2 == 0 ? 71 : 64, cols});
            check_against_scalar(m, x, products);
        }
        const Matrix wide = test::random_matrix(type, 3, 65536, 300, 7);
        const std::vector<float> x = test::Random(8).reals(9 * 65536);
        check_against_scalar(wide, x, {{3, 1}, {3, 2}, {2, 3}, {3, 4}, {1, 7}, {3, 8}, {3, 9}});
        // More than 16 blocks, and not a multiple of 16: the float lanes of TQ2_0 wrap around.
        const Matrix odd = test::random_matrix(type, 35, 37 * 256, 301, 2);
        check_against_scalar(odd, test::Random(9).reals(26 * 37 * 256), {{35, 1}, {35, 2}, {35, 5}, {35, 26}});
    }
}

TEST_CASE("every ternary kernel equals the scalar one where the columns take several parts") {
    for (const QuantType type : kTernary) {
        const Matrix m = test::random_matrix(type, 81, 512, 60, 3);
        const std::vector<float> x = test::Random(61).reals(1100 * 512);
        check_against_scalar(m, x, {{81, 61}, {81, 264}, {81, 265}, {33, 530}, {17, 1100}});
        const Matrix deep = test::random_matrix(type, 17, 2560, 62);
        check_against_scalar(deep, test::Random(63).reals(270 * 2560), {{17, 97}, {17, 270}});
    }
}

TEST_CASE("cutting the rows between threads changes no bit") {
    for (const QuantType type : kTernary) {
        const Matrix m = test::random_matrix(type, 333, 768, 17, 9);
        const std::vector<float> x = test::Random(18).reals(26 * 768);
        std::vector<Product> products;
        for (const int64_t piece : {1, 16, 48, 80, 112, 176, 320}) {
            for (const int64_t cols : {1, 3, 13, 26}) products.push_back({333, cols, piece});
        }
        check_against_scalar(m, x, products);
    }
}

TEST_CASE("weights may begin at any byte") {
    for (const QuantType type : kTernary) {
        const std::vector<float> x = test::Random(19).reals(9 * 512);
        for (size_t offset = 0; offset < 64; offset += offset < 8 ? 1 : 7) {
            const Matrix m = test::random_matrix(type, 37, 512, 20, offset);
            check_against_scalar(m, x, {{37, 1}, {37, 3}, {37, 9}});
        }
    }
}

TEST_CASE("no sum wraps or saturates in the worst case, code 3 in an unchecked file included") {
    for (const int64_t k : {256, 2560, 16384}) {
        for (const int byte : {0x00, 0xaa, 0xff}) {  // all -1, all +1, all code 3
            for (const float sign : {1.0f, -1.0f}) {
                const std::vector<float> x(static_cast<size_t>(9 * k), sign);  // every q is 127 or -127
                const float weight = static_cast<float>((byte & 3) - 1);
                Matrix i2s = test::random_matrix(QuantType::i2_s, 33, k, 1);
                std::memset(i2s.bytes.data(), byte, i2s.bytes.size());
                check_against_scalar(i2s, x, {{33, 1}, {33, 2}, {33, 4}, {33, 9}});
                bool guards_ok = true;
                const auto out = run_mul_mat(test::scalar_kernel(QuantType::i2_s), i2s, x, {1, 1}, &guards_ok);
                const float sum = 127.0f * sign * weight * static_cast<float>(k);  // < 2^24: exact
                CHECK(out[0] == sum * (i2s.scale / 127.0f));

                Matrix tq2 = test::random_matrix(QuantType::tq2_0, 33, k, 1);
                for (size_t b = 0; b < tq2.bytes.size() / 66; ++b) std::memset(tq2.bytes.data() + b * 66, byte, 64);
                check_against_scalar(tq2, x, {{33, 1}, {33, 2}, {33, 4}, {33, 9}});
            }
        }
    }
}

TEST_CASE("the widest rows that T5 takes do not overflow it, and wider ones are refused") {
    constexpr int64_t k = kern::kT5LargestK;
    for (const int byte : {0x00, 0xaa}) {
        Matrix m = test::random_matrix(QuantType::i2_s, 1, k, 1);
        std::memset(m.bytes.data(), byte, m.bytes.size());
        for (const float sign : {1.0f, -1.0f}) {
            check_against_scalar(m, std::vector<float>(static_cast<size_t>(4 * k), sign), {{1, 1}, {1, 4}},
                                 kern::WeightLayout::t5);
        }
    }
    CHECK(kern::weight_layout_takes(kern::WeightLayout::t5, k));
    CHECK_FALSE(kern::weight_layout_takes(kern::WeightLayout::t5, k + 128));
    CHECK(kern::weight_layout_takes(kern::WeightLayout::tl2, k + 128));
}

TEST_CASE("the packed layouts take what their pictures say") {
    // 2560 is whole registers of T5; 6912 is not, and TL2 has half a unit at the end of both.
    for (const auto& [name, k, bytes] :
         {std::tuple("t5_scalar", 2560, 512), std::tuple("t5_scalar", 6912, 1408), std::tuple("tl1_scalar", 2560, 640),
          std::tuple("tl2_scalar", 2560, 107 * 5 + 4), std::tuple("tl2_scalar", 6912, 288 * 5 + 4)}) {
        for (size_t i = 0; i < kern::mul_mat_kernel_count(); ++i) {
            const kern::MulMatKernel& kernel = kern::mul_mat_kernel_at(i);
            if (std::string(kernel.name) != name) continue;
            INFO(kernel.name);
            CHECK(kernel.packed_bytes(64, k) == static_cast<size_t>(64 * bytes));
            CHECK(kernel.packed_bytes(33, k) == static_cast<size_t>((kernel.row_tile == 1 ? 33 : 64) * bytes));
        }
    }
    kern::WeightLayout layout = kern::WeightLayout::tl2;
    CHECK(kern::find_weight_layout("i2s", &layout));
    CHECK(layout == kern::WeightLayout::stored);
    CHECK(kern::find_weight_layout("t5", &layout));
    CHECK(layout == kern::WeightLayout::t5);
    CHECK_FALSE(kern::find_weight_layout("T5", &layout));
    CHECK_FALSE(kern::find_weight_layout("", &layout));
    CHECK(std::string(kern::weight_layout_name(kern::WeightLayout::tl1)) == "tl1");
}

TEST_CASE("kernels agree on files whose codes nobody checked") {
    const std::vector<float> x = test::Random(30).reals(25 * 2560);
    for (const QuantType type : {QuantType::i2_s, QuantType::tq2_0}) {
        const Matrix m = test::random_matrix(type, 50, 2560, 31, 0, 3);
        check_against_scalar(m, x, {{50, 1}, {50, 2}, {50, 3}, {50, 7}, {50, 8}, {50, 25}});
    }
    Matrix tq1 = test::random_matrix(QuantType::tq1_0, 50, 2560, 32);
    test::Random random(33);
    for (size_t b = 0; b < tq1.bytes.size() / 54; ++b) {  // any byte at all in the codes
        for (int i = 0; i < 52; ++i)
            tq1.bytes.data()[b * 54 + static_cast<size_t>(i)] = static_cast<unsigned char>(random.bits());
    }
    check_against_scalar(tq1, x, {{50, 1}, {50, 2}, {50, 7}, {50, 25}});
}

TEST_CASE("activations of zero, infinities and NaNs give the scalar kernel's answer at every level") {
    constexpr int64_t k = 512;
    const float inf = std::numeric_limits<float>::infinity();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> x = test::Random(40).reals(10 * k);
    std::fill(x.begin(), x.begin() + k, 0.0f);             // column 0: all zero
    x[k + 5] = nan;                                        // 1: one NaN counts as 0
    std::fill(x.begin() + 2 * k, x.begin() + 3 * k, nan);  // 2: only NaNs
    x[3 * k + 7] = inf;                                    // 3: an infinity makes the scale 0 and the outputs NaN
    x[4 * k + 9] = -inf;
    std::fill(x.begin() + 5 * k, x.begin() + 6 * k, -0.0f);
    for (int64_t i = 0; i < k; ++i) x[static_cast<size_t>(6 * k + i)] *= 1e-30f;  // below the epsilon of the scale
    for (int64_t i = 0; i < k; ++i) x[static_cast<size_t>(7 * k + i)] *= 1e36f;
    for (const QuantType type : kTernary) {
        const Matrix m = test::random_matrix(type, 19, k, 41);
        check_against_scalar(m, x, {{19, 1}, {19, 2}, {19, 4}, {19, 10}});
        bool guards_ok = true;
        const std::vector<float> out = run_mul_mat(test::scalar_kernel(type), m, x, {19, 10}, &guards_ok);
        for (int64_t r = 0; r < 19; ++r) {
            CHECK(out[static_cast<size_t>(r)] == 0.0f);
            CHECK(std::isfinite(out[static_cast<size_t>(19 + r)]));
            CHECK(out[static_cast<size_t>(2 * 19 + r)] == 0.0f);
            CHECK(std::isnan(out[static_cast<size_t>(3 * 19 + r)]));
            CHECK(std::isnan(out[static_cast<size_t>(4 * 19 + r)]));
            CHECK(out[static_cast<size_t>(5 * 19 + r)] == 0.0f);
            CHECK(out[static_cast<size_t>(6 * 19 + r)] == 0.0f);
            CHECK(std::isfinite(out[static_cast<size_t>(7 * 19 + r)]));
        }
    }
}

TEST_CASE("scales of zero, infinity and NaN in the weights agree at every level") {
    const std::vector<float> x = test::Random(50).reals(9 * 2560);
    Matrix m = test::random_matrix(QuantType::tq2_0, 20, 2560, 51);
    constexpr uint16_t kHalves[] = {0x0000, 0x8000, 0x7c00, 0xfc00, 0x7e00, 0x0001, 0x7bff, 0x03ff};
    test::Random random(52);
    for (size_t b = 0; b < m.bytes.size() / 66; b += 3) {
        const uint16_t half = kHalves[random.below(8)];
        std::memcpy(m.bytes.data() + b * 66 + 64, &half, 2);
    }
    check_against_scalar(m, x, {{20, 1}, {20, 3}, {20, 9}});
    for (const float scale : {0.0f, -0.0f, std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::quiet_NaN(), 1e-45f, 3e38f}) {
        Matrix i2s = test::random_matrix(QuantType::i2_s, 20, 2560, 53);
        i2s.scale = scale;
        check_against_scalar(i2s, x, {{20, 1}, {20, 3}, {20, 9}});
    }
}
