// Matrix products, activations and embedding rows of the GPU against the CPU's scalar kernels, bit for bit: the kernels'
// own text, played thread by thread, started by the launches that a device gets.
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "ggml-like/gpu/gpu_ops.h"
#include "kernels/cpu/act_i8.h"
#include "kernels/cuda/weight_layouts.h"
#include "kernels/f16_bits.h"
#include "kernels/ternary_dialects.h"
#include "tests/support/float_bits.h"
#include "tests/support/gpu_arrays.h"
#include "tests/support/kernel_cases.h"

namespace {

using kern::QuantType;

constexpr QuantType kTernary[] = {QuantType::i2_s, QuantType::tq2_0, QuantType::tq1_0};
constexpr QuantType kDense[] = {QuantType::f32,  QuantType::f16,       QuantType::bf16, QuantType::q8_0,
                                QuantType::q4_0, QuantType::q4_1,      QuantType::q6_k, QuantType::q1_0,
                                QuantType::q2_0, QuantType::q2_0_g128, QuantType::iq2_s};

// Also loads matrices, and wants to hear of no problem in the end.
class Gpu : public test::GpuFixture {
public:
    ~Gpu() { CHECK(release() == ""); }

    // As a backend loads it: in pieces of rows, each plane's part a copy.
    tg::GpuWeight load(const test::Matrix& matrix) {
        tg::GpuWeight weight;
        weight.type = matrix.type;
        weight.k = matrix.k;
        weight.n_rows = matrix.n_rows;
        weight.tensor_scale = matrix.scale;
        const kern::gpu::WeightPlanes planes = kern::gpu::weight_planes(matrix.type, matrix.k, matrix.n_rows);
        uint8_t* data = room<uint8_t>(static_cast<size_t>(planes.bytes));
        const int64_t cut = matrix.n_rows / 3;
        for (const auto& [begin, end] : {std::pair{int64_t{0}, cut}, std::pair{cut, matrix.n_rows}}) {
            std::vector<uint8_t> scratch(
                static_cast<size_t>(kern::gpu::packed_scratch_bytes(matrix.type, matrix.k, end - begin)));
            kern::gpu::PackedPiece pieces[kern::gpu::kMaxPlanes];
            const int n = kern::gpu::pack_weight_rows(matrix.type, matrix.k, matrix.n_rows, begin, end,
                                                      matrix.bytes.data() + begin * planes.file_row_bytes,
                                                      scratch.data(), pieces);
            for (int i = 0; i < n; ++i) {
                REQUIRE(pieces[i].offset + pieces[i].n_bytes <= planes.bytes);
                stream->copy_in(data + pieces[i].offset, pieces[i].from, static_cast<size_t>(pieces[i].n_bytes));
            }
        }
        weight.data = data;
        return weight;
    }
};

struct Shape {
    int64_t rows, k, cols;
};

std::string text_of(QuantType type, const Shape& s) {
    return std::string(kern::quant_type_info(type).name) + " " + std::to_string(s.rows) + " x " + std::to_string(s.k) +
           ", " + std::to_string(s.cols) + " columns";
}

// Scales of every kind of effect, a NaN among them.
std::vector<float> row_scales(int64_t n, uint32_t seed) {
    std::vector<float> scales = test::random_floats(static_cast<size_t>(n), seed);
    for (size_t i = 0; i < scales.size(); i += 7) scales[i] = test::special_floats()[i / 7 % 18];
    return scales;
}

// What the CPU makes of it (ggml-like/ops/mul_mat.cpp), with the scalar kernels.
std::vector<float> expected_product(const test::Matrix& m, const std::vector<float>& x, int64_t cols,
                                    const std::vector<float>& scales, float out_scale) {
    bool guards_ok = true;
    std::vector<float> out = test::run_mul_mat(test::scalar_kernel(m.type), m, x, {m.n_rows, cols}, &guards_ok);
    CHECK(guards_ok);
    for (size_t i = 0; i < out.size(); ++i) {
        if (!scales.empty()) out[i] *= scales[i % static_cast<size_t>(m.n_rows)];
        if (out_scale != 1.0f) out[i] = kern::canonical_nan(out[i] * out_scale);
    }
    return out;
}

void check_same(const std::vector<float>& expected, const std::vector<float>& actual) {
    REQUIRE(expected.size() == actual.size());
    for (size_t i = 0; i < expected.size(); ++i) {
        if (!test::same_bits(expected[i], actual[i])) {
            FAIL_CHECK("[" << i << "]: " << expected[i] << " and " << actual[i]);
            return;
        }
    }
}

void check_product(const test::Matrix& m, const std::vector<float>& x, int64_t cols, bool scaled) {
    const std::vector<float> scales = scaled ? row_scales(m.n_rows, 5) : std::vector<float>();
    Gpu gpu;
    tg::GpuWeight weight = gpu.load(m);
    weight.out_scale = scaled ? 0.37f : 1.0f;
    if (scaled) weight.row_scales = gpu.put(scales);
    const void* acts = gpu.put(x);
    if (kern::quant_type_info(m.type).ternary) {
        uint8_t* packed = gpu.room<uint8_t>(kern::act_bytes(m.k, cols));
        tg::gpu_pack_acts(*gpu.stream, static_cast<const float*>(acts), m.k, cols, packed);
        acts = packed;
    }
    const size_t n = static_cast<size_t>(m.n_rows * cols);
    float* out = gpu.room<float>(n);
    tg::gpu_mul_mat(*gpu.stream, weight, acts, m.k, cols, out);
    check_same(expected_product(m, x, cols, scales, weight.out_scale), gpu.get(out, n));
}

}  // namespace

TEST_CASE("activations packed on a GPU are the CPU's bytes, padding and hostile numbers included") {
    for (const int64_t k : {128, 256, 384, 2560, 6912, 8192, 8448, 16384 + 128}) {
        for (const uint32_t every : {1000000u, 40u}) {
            CAPTURE(k);
            CAPTURE(every);
            const int64_t cols = 3;
            std::vector<float> x = test::mixed_floats(static_cast<size_t>(k * cols), static_cast<uint32_t>(k), every);
            for (int64_t i = 0; i < k; ++i) {
                if (std::isinf(x[static_cast<size_t>(k + i)]))
                    x[static_cast<size_t>(k + i)] = 1e30f;  // column 1: finite
            }
            const size_t n = kern::act_bytes(k, cols);
            test::OffsetBytes expected(n, 0);
            kern::act_i8_scalar.pack(x.data(), k, k, cols, 0, cols, expected.data());
            Gpu gpu;
            uint8_t* acts = gpu.room<uint8_t>(n);
            tg::gpu_pack_acts(*gpu.stream, gpu.put(x), k, cols, acts);
            const std::vector<uint8_t> actual = gpu.get(acts, n);
            CHECK(test::difference(std::vector<uint8_t>(expected.data(), expected.data() + n), actual) == "");
        }
    }
}

TEST_CASE("a zero column and numbers on the border between two codes are packed as on the CPU") {
    const int64_t k = 256;
    std::vector<float> x(static_cast<size_t>(3 * k), 0.0f);
    for (int64_t i = 0; i < k; ++i) {
        x[static_cast<size_t>(k + i)] = (static_cast<float>(i) - 127.5f) / 127.0f;  // halves, largest 127.5
        x[static_cast<size_t>(2 * k + i)] = static_cast<float>(i % 5) * 1e-6f;      // below the least scale
    }
    test::OffsetBytes expected(kern::act_bytes(k, 3), 0);
    kern::act_i8_scalar.pack(x.data(), k, k, 3, 0, 3, expected.data());
    Gpu gpu;
    uint8_t* acts = gpu.room<uint8_t>(expected.size());
    tg::gpu_pack_acts(*gpu.stream, gpu.put(x), k, 3, acts);
    CHECK(test::difference(std::vector<uint8_t>(expected.data(), expected.data() + expected.size()),
                           gpu.get(acts, expected.size())) == "");
}

TEST_CASE("I2_S products of one to eight columns are the CPU's bits") {
    for (const int64_t k : {128, 256, 384, 512, 640, 2048, 2176, 2560, 4096, 4224, 6912}) {
        for (int64_t cols = 1; cols <= 8; ++cols) {
            const Shape s = {k <= 640 ? 67 : 21, k, cols};
            CAPTURE(text_of(QuantType::i2_s, s));
            const test::Matrix m =
                test::random_matrix(QuantType::i2_s, s.rows, s.k, static_cast<uint64_t>(k + cols), 0, 3);
            const std::vector<float> x = test::random_floats(static_cast<size_t>(k * cols), static_cast<uint32_t>(k));
            check_product(m, x, cols, cols % 3 == 0);
        }
    }
}

TEST_CASE("I2_S products of many columns are the CPU's bits, in both block shapes") {
    constexpr Shape kShapes[] = {{1, 128, 9},     {16, 256, 16},   {33, 384, 31},  {32, 512, 32},
                                 {129, 1408, 33}, {300, 1152, 70}, {128, 256, 64}, {64, 2560, 12},
                                 {35, 6912, 10},  {600, 128, 65},  {513, 384, 9},  {20, 1024, 300}};
    for (const Shape& s : kShapes) {
        CAPTURE(text_of(QuantType::i2_s, s));
        const test::Matrix m = test::random_matrix(QuantType::i2_s, s.rows, s.k, static_cast<uint64_t>(s.rows), 0, 3);
        const std::vector<float> x = test::random_floats(static_cast<size_t>(s.k * s.cols), static_cast<uint32_t>(s.k));
        check_product(m, x, s.cols, s.rows % 2 == 0);
    }
}

TEST_CASE("TQ products are the CPU's bits for every number of blocks and columns") {
    // From five columns on, tensor cores: blocks of 16 rows and 8 columns, or of 64 and 32 where there are enough of them.
    constexpr Shape kShapes[] = {{1, 256, 1},   {5, 512, 2},    {33, 2560, 1}, {9, 4096, 3},   {70, 4352, 4},
                                 {21, 6912, 5}, {17, 8448, 1},  {300, 256, 9}, {4, 1024, 70},  {70, 4352, 33},
                                 {1, 3840, 8},  {39, 8448, 17}, {16, 512, 31}, {520, 256, 70}, {65, 2560, 65}};
    for (const QuantType type : {QuantType::tq2_0, QuantType::tq1_0}) {
        for (const Shape& s : kShapes) {
            CAPTURE(text_of(type, s));
            const int most = type == QuantType::tq2_0 ? 3 : 2;
            const test::Matrix m = test::random_matrix(type, s.rows, s.k, static_cast<uint64_t>(s.rows), 0, most);
            const std::vector<float> x =
                test::random_floats(static_cast<size_t>(s.k * s.cols), static_cast<uint32_t>(s.k));
            check_product(m, x, s.cols, s.cols % 2 == 0);
        }
    }
}

TEST_CASE("infinities and NaNs among the activations of ternary products show as on the CPU") {
    for (const QuantType type : kTernary) {
        for (const int64_t cols : {1, 5, 12}) {
            const Shape s = {19, 768, cols};
            CAPTURE(text_of(type, s));
            const test::Matrix m = test::random_matrix(type, s.rows, s.k, 3);
            std::vector<float> x = test::mixed_floats(static_cast<size_t>(s.k * cols), 11, 60);
            for (size_t i = 0; i < static_cast<size_t>(s.k); ++i) x[i] = std::isinf(x[i]) ? 0.25f : x[i];
            check_product(m, x, cols, true);
        }
    }
}

TEST_CASE("products of weights that are read as floats are the CPU's bits for every type") {
    constexpr Shape kShapes[] = {{1, 256, 1},  {3, 512, 1},  {140, 256, 2}, {33, 768, 3}, {17, 2560, 4}, {64, 256, 5},
                                 {9, 1280, 8}, {2, 6912, 1}, {300, 256, 1}, {5, 512, 70}, {131, 768, 11}};
    for (const QuantType type : kDense) {
        for (const Shape& s : kShapes) {
            CAPTURE(text_of(type, s));
            const test::Matrix m = test::random_matrix(type, s.rows, s.k, static_cast<uint64_t>(s.rows * s.k));
            const std::vector<float> x = test::mixed_floats(static_cast<size_t>(s.k * s.cols),
                                                            static_cast<uint32_t>(s.k), s.cols == 3 ? 90 : 1000000);
            check_product(m, x, s.cols, s.cols % 2 == 0);
        }
    }
}

TEST_CASE("rows of any length and any bits: F32, F16 and BF16") {
    for (const QuantType type : {QuantType::f32, QuantType::f16, QuantType::bf16}) {
        for (const int64_t k : {1, 7, 8, 15, 16, 17, 24, 31, 33, 40, 100, 527, 1000}) {
            for (const int64_t cols : {1, 3, 6}) {
                const Shape s = {5, k, cols};
                CAPTURE(text_of(type, s));
                test::Matrix m = test::random_matrix(type, s.rows, k, static_cast<uint64_t>(k));
                if (k % 2 == 0) {
                    test::Random random(static_cast<uint64_t>(k));
                    for (size_t i = 0; i < m.bytes.size(); i += 11)
                        m.bytes.data()[i] = static_cast<uint8_t>(random.bits());
                }
                const std::vector<float> x =
                    test::mixed_floats(static_cast<size_t>(k * cols), static_cast<uint32_t>(k), 200);
                check_product(m, x, cols, cols == 3);
            }
        }
    }
}

TEST_CASE("embedding rows are the CPU's decoded rows, scaled as there") {
    for (const QuantType type :
         {QuantType::f32, QuantType::f16, QuantType::bf16, QuantType::q8_0, QuantType::q4_0, QuantType::q4_1,
          QuantType::q6_k, QuantType::q1_0, QuantType::q2_0, QuantType::q2_0_g128, QuantType::iq2_s, QuantType::i2_s,
          QuantType::tq2_0, QuantType::tq1_0}) {
        for (const float factor : {1.0f, 1.7f}) {
            const int64_t k = 768, rows = 23;
            const int64_t width = type == QuantType::i2_s ? k - 37 : k;
            CAPTURE(text_of(type, {rows, k, 0}));
            CAPTURE(factor);
            const test::Matrix m = test::random_matrix(type, rows, k, 9, 0, type == QuantType::tq1_0 ? 2 : 3);
            const bool scaled = type == QuantType::i2_s && factor != 1.0f;
            const std::vector<float> scales =
                scaled ? test::random_floats(static_cast<size_t>(rows), 4) : std::vector<float>();
            const std::vector<int32_t> tokens = {0, 22, 7, 7, 8, 1};
            std::vector<float> expected;
            for (const int32_t token : tokens) {
                const float scale = m.scale * (scaled ? scales[static_cast<size_t>(token)] : 1.0f);
                std::vector<float> row(static_cast<size_t>(k));
                const uint8_t* bytes = m.bytes.data() + kern::quant_row_bytes(type, k) * static_cast<size_t>(token);
                if (width == k) {
                    kern::quant_type_info(type).decode(bytes, scale, k, row.data());
                } else {
                    kern::i2s_row_to_floats(bytes, scale, width, row.data());
                }
                for (int64_t i = 0; i < width; ++i) {
                    const float value = row[static_cast<size_t>(i)];
                    expected.push_back(factor == 1.0f ? value : kern::canonical_nan(value * factor));
                }
            }
            Gpu gpu;
            tg::GpuWeight table = gpu.load(m);
            if (scaled) table.row_scales = gpu.put(scales);
            float* out = gpu.room<float>(expected.size());
            tg::gpu_get_rows(*gpu.stream, table, width, gpu.put(tokens), static_cast<int64_t>(tokens.size()), factor,
                             out);
            check_same(expected, gpu.get(out, expected.size()));
        }
    }
}

TEST_CASE("plain embedding rows keep every bit, NaNs included, at any width") {
    for (const QuantType type : {QuantType::f32, QuantType::f16, QuantType::bf16}) {
        const int64_t k = 333, rows = 4;
        test::Matrix m = test::random_matrix(type, rows, k, 2);
        test::Random random(1);
        for (size_t i = 0; i < m.bytes.size(); ++i)
            m.bytes.data()[i] = static_cast<uint8_t>(random.bits() | (i % 2 ? 0x7c : 0));
        std::vector<float> expected(static_cast<size_t>(k));
        kern::quant_type_info(type).decode(m.bytes.data() + 2 * kern::quant_row_bytes(type, k), 1.0f, k,
                                           expected.data());
        Gpu gpu;
        float* out = gpu.room<float>(expected.size());
        tg::gpu_get_rows(*gpu.stream, gpu.load(m), k, gpu.put(std::vector<int32_t>{2}), 1, 1.0f, out);
        CHECK(test::difference(expected, gpu.get(out, expected.size())) == "");
    }
}

TEST_CASE("a packed matrix takes the file's bytes and the gaps between planes, no more") {
    for (int i = 0; i < kern::kQuantTypeCount; ++i) {
        const QuantType type = static_cast<QuantType>(i);
        const kern::QuantTypeInfo& info = kern::quant_type_info(type);
        CAPTURE(info.name);
        CHECK(kern::gpu::gpu_has_type(type) == !info.dialect);
        if (info.dialect) continue;
        const int64_t k = 1024, rows = 37;
        const kern::gpu::WeightPlanes planes = kern::gpu::weight_planes(type, k, rows);
        CHECK(planes.bytes % 256 == 0);
        CHECK(planes.file_row_bytes == static_cast<int64_t>(kern::quant_row_bytes(type, k)));
        const int64_t stored =
            rows * static_cast<int64_t>(kern::quant_row_bytes(type == QuantType::tq1_0 ? QuantType::tq2_0 : type, k));
        const int64_t table = type == QuantType::iq2_s ? 2048 : 0;
        CHECK(planes.bytes >= stored + table);
        CHECK(planes.bytes < stored + table + 256 * kern::gpu::kMaxPlanes);
        if (kern::gpu::lies_as_in_file(type)) {
            const test::Matrix m = test::random_matrix(type, rows, k, 6);
            std::vector<uint8_t> scratch(static_cast<size_t>(kern::gpu::packed_scratch_bytes(type, k, rows)));
            kern::gpu::PackedPiece piece;
            REQUIRE(kern::gpu::pack_weight_rows(type, k, rows, 0, rows, m.bytes.data(), scratch.data(), &piece) == 1);
            CHECK(piece.n_bytes == static_cast<int64_t>(m.bytes.size()));
            CHECK(std::memcmp(piece.from, m.bytes.data(), m.bytes.size()) == 0);
        }
    }
}
