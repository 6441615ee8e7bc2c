// I2_S in tile registers: the loops that AMX runs, over tile registers in plain C++, against the scalar kernel bit for bit.
// AMX itself is compared by ternary_mul_mat_test.cpp with all other kernels, where the machine has it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/cpu/act_i8.h"
#include "kernels/cpu/i2s_tile_products.h"
#include "tests/support/kernel_cases.h"
#include "tests/support/tile_emulation.h"

using kern::QuantType;
using test::Matrix;
using test::Product;

namespace {

// The order "i8x64" (act_i8.h) out of the order "i8".
void pack_x64(const float* x, int64_t x_stride, int64_t k, int64_t n_cols, int64_t begin, int64_t end, void* dst) {
    kern::act_i8_scalar.pack(x, x_stride, k, n_cols, begin, end, dst);
    for (int64_t c = begin; c < end; ++c) {
        unsigned char* q = static_cast<unsigned char*>(dst) + c * kern::act_column_bytes(k) + kern::act_values_offset();
        for (int64_t b = 0; b < kern::act_block_count(k); ++b, q += kern::kActBlock) {
            unsigned char block[kern::kActBlock];
            std::memcpy(block, q, sizeof block);
            for (int piece = 0; piece < 8; ++piece) {
                std::memcpy(q + (piece % 4 * 2 + piece / 4) * kern::kActPiece, block + piece * kern::kActPiece,
                            kern::kActPiece);
            }
        }
    }
}

const kern::ActFormat kPlainX64 = {.name = "i8x64", .bytes = kern::act_bytes, .pack = pack_x64, .col_tile = 1};

const kern::MulMatKernel kEmulated = {.name = "i2s_emulated_tiles",
                                      .level = "scalar",
                                      .type = QuantType::i2_s,
                                      .needs = 0,
                                      .exact = true,
                                      .act = &kPlainX64,
                                      .row_tile = 32,
                                      .packed_bytes = nullptr,
                                      .pack = nullptr,
                                      .run = kern::I2sTileProducts<test::PlainRegisters, test::PlainTiles>::run};

void check(const Matrix& m, const std::vector<float>& x, const std::vector<Product>& products) {
    Product largest = {0, 0};
    for (const Product& p : products) {
        largest = {std::max(largest.n_rows, p.n_rows), std::max(largest.n_cols, p.n_cols)};
    }
    bool guards_ok = true;
    const std::vector<float> expected = run_mul_mat(test::scalar_kernel(m.type), m, x, largest, &guards_ok);
    for (const Product& p : products) {
        INFO(p.n_rows, " rows, k = ", m.k, ", ", p.n_cols, " columns, pieces of ", p.rows_per_piece);
        const std::vector<float> out = run_mul_mat(kEmulated, m, x, p, &guards_ok);
        CHECK(guards_ok);
        CHECK(test::PlainTiles::state().configured == 0);
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

}  // namespace

TEST_CASE("tile registers give the scalar kernel's bits for every shape, number of columns and cut of the rows") {
    for (const int64_t k : {128, 256, 384, 512, 640, 1152}) {
        const Matrix m = test::random_matrix(QuantType::i2_s, 97, k, 500 + static_cast<uint64_t>(k), 3);
        const std::vector<float> x = test::Random(static_cast<uint64_t>(k)).reals(static_cast<size_t>(70 * k));
        std::vector<Product> products;
        for (const int64_t rows : {1, 16, 31, 32, 33, 97}) {
            for (const int64_t cols : {1, 2, 9, 15, 16, 17, 31, 32, 33, 48, 49, 64, 70})
                products.push_back({rows, cols});
        }
        products.push_back({97, 33, 32});
        products.push_back({97, 17, 64});
        check(m, x, products);
    }
}

TEST_CASE("tile registers give the scalar kernel's bits where the columns take several passes") {
    // 256 columns a pass, fewer where they are long: 2560 values, 6912 values.
    const Matrix small = test::random_matrix(QuantType::i2_s, 33, 256, 510);
    check(small, test::Random(511).reals(530 * 256), {{33, 256}, {33, 257}, {33, 289}, {33, 513}, {33, 530}});
    const Matrix wide = test::random_matrix(QuantType::i2_s, 33, 6912, 512);
    check(wide, test::Random(513).reals(180 * 6912), {{33, 160}, {33, 161}, {33, 177}, {33, 180}});
    const Matrix widest = test::random_matrix(QuantType::i2_s, 2, 65536, 514);
    check(widest, test::Random(515).reals(50 * 65536), {{2, 33}, {2, 50}});
}

TEST_CASE("tile registers agree on unchecked codes, infinite activations and odd scales") {
    Matrix m = test::random_matrix(QuantType::i2_s, 40, 640, 520, 1, 3);
    std::vector<float> x = test::Random(521).reals(20 * 640);
    x[3 * 640 + 7] = std::numeric_limits<float>::infinity();
    x[17 * 640] = std::numeric_limits<float>::quiet_NaN();
    std::fill(x.begin() + 5 * 640, x.begin() + 6 * 640, 0.0f);
    check(m, x, {{40, 20}, {40, 9}});
    m.scale = std::numeric_limits<float>::infinity();
    check(m, x, {{40, 20}});
    std::memset(m.bytes.data(), 0xff, m.bytes.size());
    std::fill(x.begin(), x.end(), -1.0f);
    m.scale = 1.0f;
    check(m, x, {{40, 20}});
}

TEST_CASE("the AMX kernel is compared with the scalar one where there is AMX") {
#if defined(__x86_64__)
    bool compared = false;
    for (const kern::MulMatKernel* kernel : test::fast_kernels(QuantType::i2_s)) {
        compared = compared || std::string(kernel->name) == "i2s_amx";
    }
    CHECK(compared == kern::runs_here(kern::CPU_AMX_INT8));
    if (!compared) MESSAGE("skipped: this machine has no AMX, or the system does not allow it");
#else
    MESSAGE("skipped: this machine has no AMX");
#endif
}
