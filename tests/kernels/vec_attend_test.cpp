// Attention: the scalar kernel against the definition written as plain loops (same bits) and against doubles (stated
// bound); every level against scalar; and nothing a query computes may depend on how many queries share its cells.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tests/support/float_bits.h"
#include "tests/support/vec_levels.h"

namespace {

using kern::AttendArgs;
using kern::VecKernels;
using test::difference;

struct Shape {
    int64_t head_dim, n_q, n_cells;
    kern::KvType k_type = kern::KvType::f16, v_type = kern::KvType::f16;
};

constexpr Shape kShapes[] = {{128, 4, 1},   {128, 4, 2},  {128, 4, 16},   {128, 4, 17},  {128, 4, 300}, {128, 1, 35},
                             {128, 2, 18},  {128, 3, 21}, {128, 5, 7},    {128, 8, 33},  {96, 4, 50},   {100, 4, 19},
                             {100, 1, 5},   {256, 2, 40}, {20, 3, 23},    {7, 6, 9},     {1, 1, 4},     {16, 4, 64},
                             {64, 11, 130}, {80, 4, 31},  {112, 7, 1000}, {128, 4, 4096}};

constexpr kern::KvType kTypes[] = {kern::KvType::f16, kern::KvType::q8_0, kern::KvType::q4_0};
constexpr int64_t kMoreTokens = 20;  // cells behind those of a case, for tokens that see more

// One head's keys and values in a cache of scattered cells, with what a kernel must not touch around the outputs.
struct Case {
    Shape shape;
    int64_t q_stride, k_stride, v_stride, scores_stride, out_stride;
    std::vector<float> q;
    std::vector<uint8_t> k, v;
    std::vector<int32_t> cells;
    float scale;

    Case(const Shape& s, uint32_t seed, uint32_t special_every) : shape(s) {
        q_stride = s.head_dim + 3;
        k_stride = 2 * kern::kv_head_bytes(s.k_type, s.head_dim) + 10;
        v_stride = 2 * kern::kv_head_bytes(s.v_type, s.head_dim) + 6;
        scores_stride = (s.n_cells + kMoreTokens + 15) / 16 * 16;
        out_stride = s.head_dim + 2;
        scale = 1.0f / std::sqrt(static_cast<float>(s.head_dim));
        q = test::random_floats(static_cast<size_t>((s.n_q - 1) * q_stride + s.head_dim), seed);
        for (float& x : q) x *= 4.0f;
        const int64_t slots = s.n_cells + kMoreTokens + 3;
        k = rows(s.k_type, k_stride, slots, seed + 1, special_every);
        v = rows(s.v_type, v_stride, slots, seed + 2, special_every);
        for (int64_t i = 0; i < slots; ++i) cells.push_back(static_cast<int32_t>(i));
        std::shuffle(cells.begin(), cells.end(), std::mt19937(seed + 3));
        cells.resize(static_cast<size_t>(s.n_cells + kMoreTokens));
    }

    // Heads of all cells, exactly as many bytes as may be read, for ASan.
    std::vector<uint8_t> rows(kern::KvType type, int64_t stride, int64_t slots, uint32_t seed,
                              uint32_t special_every) const {
        const int64_t head_bytes = kern::kv_head_bytes(type, shape.head_dim);
        std::vector<uint8_t> bytes(static_cast<size_t>((slots - 1) * stride + head_bytes));
        const auto values = test::mixed_floats(static_cast<size_t>(slots * shape.head_dim), seed, special_every);
        for (int64_t i = 0; i < slots; ++i) {
            kern::vec_scalar.f32_to_kv(type, values.data() + i * shape.head_dim, shape.head_dim,
                                       bytes.data() + i * stride);
        }
        return bytes;
    }
    std::vector<float> key(int64_t j) const {
        return numbers(shape.k_type, k.data() + cells[static_cast<size_t>(j)] * k_stride);
    }
    std::vector<float> value(int64_t j) const {
        return numbers(shape.v_type, v.data() + cells[static_cast<size_t>(j)] * v_stride);
    }
    static float half_at(const uint8_t* p) { return kern::f16_to_f32_value(static_cast<uint16_t>(p[0] | p[1] << 8)); }
    static int code(kern::KvType type, const uint8_t* row, int64_t d) {
        if (type == kern::KvType::q8_0) return static_cast<int8_t>(row[d]);
        return (row[d / 32 * 16 + d % 16] >> (d % 32 < 16 ? 0 : 4) & 15) - 8;
    }
    float scale_of(kern::KvType type, const uint8_t* row, int64_t block) const {
        return half_at(row + (type == kern::KvType::q8_0 ? shape.head_dim : shape.head_dim / 2) + 2 * block);
    }
    std::vector<float> numbers(kern::KvType type, const uint8_t* row) const {
        std::vector<float> out;
        for (int64_t d = 0; d < shape.head_dim; ++d) {
            out.push_back(type == kern::KvType::f16
                              ? half_at(row + 2 * d)
                              : static_cast<float>(code(type, row, d)) * scale_of(type, row, d / 32));
        }
        return out;
    }
    // As the header defines it for each type.
    float score(const float* query, int64_t j) const {
        if (shape.k_type == kern::KvType::f16) return test::dot_by_definition(key(j).data(), query, shape.head_dim);
        const uint8_t* row = k.data() + cells[static_cast<size_t>(j)] * k_stride;
        float sum = 0;
        for (int64_t b = 0; b < shape.head_dim / 32; ++b) {
            int8_t codes[32];
            int32_t unused;
            const float s = kern::vec_scalar.quantize_i8(query + 32 * b, 32, codes, &unused);
            int32_t dot = 0;
            for (int64_t d = 0; d < 32; ++d) dot += codes[d] * code(shape.k_type, row, 32 * b + d);
            sum += static_cast<float>(dot) * ((1.0f / s) * scale_of(shape.k_type, row, b));
        }
        return sum;
    }

    // Outputs of queries first .. first + n_q as rows of head_dim values.
    std::vector<float> run(const VecKernels& kernels, int64_t first, int64_t n_q) const {
        return run(kernels, first, n_q, 1, shape.n_cells);
    }
    // The same queries at n_tokens tokens, of which the first sees n_cells.
    std::vector<float> run(const VecKernels& kernels, int64_t first, int64_t n_heads, int64_t n_tokens,
                           int64_t n_cells) const {
        const int64_t n_q = n_heads * n_tokens;
        test::Guarded<float> scores(static_cast<size_t>(n_q * scores_stride));
        test::Guarded<float> out(static_cast<size_t>(n_q * out_stride));
        const std::vector<float> untouched = out.values();
        AttendArgs args{};
        args.q = q.data() + first * q_stride;
        args.q_stride = q_stride;
        args.n_q = n_heads;
        args.k = k.data();
        args.v = v.data();
        args.k_stride = k_stride;
        args.v_stride = v_stride;
        args.cells = cells.data();
        args.n_cells = n_cells;
        args.head_dim = shape.head_dim;
        args.scale = scale;
        args.scores = scores.data();
        args.scores_stride = scores_stride;
        args.out = out.data();
        args.out_stride = out_stride;
        args.k_type = shape.k_type;
        args.v_type = shape.v_type;
        args.n_tokens = n_tokens;
        args.q_token_stride = n_heads * q_stride;
        args.out_token_stride = n_heads * out_stride;
        kernels.attend(args);
        CHECK(scores.guards_intact());
        CHECK(out.guards_intact());
        std::vector<float> rows;
        for (int64_t i = 0; i < n_q; ++i) {
            const float* row = out.data() + i * out_stride;
            rows.insert(rows.end(), row, row + shape.head_dim);
            for (int64_t d = shape.head_dim; d < out_stride; ++d) {  // between the rows
                CHECK(test::bits_of(row[d]) == test::bits_of(untouched[static_cast<size_t>(i * out_stride + d)]));
            }
        }
        return rows;
    }
};

float quiet(float f) { return std::isnan(f) ? test::float_of(0x7fc00000) : f; }

// The definition: 16-lane scores, times scale, softmax with its sum in 16 lanes, values added cell by cell.
std::vector<float> by_definition(const Case& c) {
    const size_t dims = static_cast<size_t>(c.shape.head_dim);
    std::vector<float> rows;
    for (int64_t i = 0; i < c.shape.n_q; ++i) {
        std::vector<float> e;
        std::vector<std::vector<float>> values;
        for (int64_t j = 0; j < c.shape.n_cells; ++j) {
            e.push_back(c.score(c.q.data() + i * c.q_stride, j) * c.scale);
            values.push_back(c.value(j));
        }
        float largest = -std::numeric_limits<float>::infinity();
        for (float s : e) largest = s > largest ? s : largest;
        float lane[16] = {};
        for (size_t j = 0; j < e.size(); ++j) {
            e[j] = kern::exp_f32(e[j] - largest);
            lane[j % 16] += e[j];
        }
        const float factor = 1.0f / test::tree_of_lanes(lane);
        for (size_t d = 0; d < dims; ++d) {
            float sum = 0;
            for (size_t j = 0; j < e.size(); ++j) {
                sum += e[j] * values[j][d];
            }
            rows.push_back(quiet(sum * factor));
        }
    }
    return rows;
}

std::string name_of(const Shape& s) {
    return "head_dim " + std::to_string(s.head_dim) + ", n_q " + std::to_string(s.n_q) + ", cells " +
           std::to_string(s.n_cells);
}

TEST_CASE("attend: every level has the bits of the definition written as plain loops") {
    for (const Shape& shape : kShapes) {
        for (uint32_t special_every : {1000000u, 3000u, 100u}) {
            const Case c(shape, 21, special_every);
            const std::vector<float> expected = by_definition(c);
            for (const VecKernels* kernels : test::runnable_vec_kernels()) {
                INFO(kernels->name, ", ", name_of(shape), ", one special value in ", special_every);
                CHECK(difference(expected, c.run(*kernels, 0, shape.n_q)) == "");
            }
        }
    }
}

TEST_CASE("attend: quantised keys and values have the bits of their definition at every level") {
    for (const int64_t head_dim : {32, 64, 96, 128, 160, 256, 1024}) {
        for (const auto k_type : kTypes) {
            for (const auto v_type : kTypes) {
                for (const int64_t n_q : {1, 3, 5}) {
                    for (uint32_t special_every : {1000000u, 3000u}) {
                        const Case c({head_dim, n_q, 101, k_type, v_type}, 61, special_every);
                        const std::vector<float> expected = by_definition(c);
                        for (const VecKernels* kernels : test::runnable_vec_kernels()) {
                            INFO(kernels->name, ", ", name_of(c.shape), ", types ", static_cast<int>(k_type), " and ",
                                 static_cast<int>(v_type), ", one special value in ", special_every);
                            CHECK(difference(expected, c.run(*kernels, 0, n_q)) == "");
                        }
                    }
                }
            }
        }
    }
}

// Nothing that quantises gives the code -128, but a saved session may hold any byte.
TEST_CASE("attend: keys of any codes against the largest query codes have the bits of their definition") {
    Case c({128, 7, 37, kern::KvType::q8_0, kern::KvType::q8_0}, 91, 1000000);
    for (size_t i = 0; i < c.q.size(); ++i) c.q[i] = i % 3 == 0 ? 0.01f : -0.01f;  // small: all cells count
    for (int64_t slot = 0; slot < c.shape.n_cells + kMoreTokens + 3; ++slot) {
        for (int64_t d = 0; d < 128; ++d) c.k[static_cast<size_t>(slot * c.k_stride + d)] = slot % 3 == 0 ? 128 : 127;
    }
    for (const VecKernels* kernels : test::runnable_vec_kernels()) {
        INFO(kernels->name);
        CHECK(difference(by_definition(c), c.run(*kernels, 0, c.shape.n_q)) == "");
    }
}

TEST_CASE("attend: tokens in a row give the bits of each by itself") {
    for (const auto type : kTypes) {
        for (const int64_t head_dim : {64, 100, 128, 2048}) {
            if (type != kern::KvType::f16 && (head_dim % kern::kKvBlock != 0 || head_dim > kern::kMaxQuantizedHead))
                continue;
            for (const int64_t n_heads : {1, 3, 4}) {
                for (const int64_t n_tokens : {1, 2, 7, 20}) {
                    // Infinite values where only the later tokens look must not reach the earlier ones.
                    for (const uint32_t special_every : {1000000u, 300u}) {
                        const Case c({head_dim, n_heads * n_tokens, 90, type, type}, 71, special_every);
                        for (const VecKernels* kernels : test::runnable_vec_kernels()) {
                            std::vector<float> alone;
                            for (int64_t t = 0; t < n_tokens; ++t) {
                                const std::vector<float> rows = c.run(*kernels, t * n_heads, n_heads, 1, 90 + t);
                                alone.insert(alone.end(), rows.begin(), rows.end());
                            }
                            INFO(kernels->name, ", ", name_of(c.shape), ", tokens ", n_tokens, ", type ",
                                 static_cast<int>(type));
                            CHECK(difference(alone, c.run(*kernels, 0, n_heads, n_tokens, 90)) == "");
                        }
                    }
                }
            }
        }
    }
}

TEST_CASE("f32_to_kv: codes are the nearest ones, the same at every level, and hold what they can of the numbers") {
    for (const auto type : kTypes) {
        for (const uint32_t special_every : {1000000u, 40u}) {
            const std::vector<float> x = test::mixed_floats(32 * 50, 81, special_every);
            const int64_t bytes = kern::kv_head_bytes(type, 32);
            for (int64_t i = 0; i < 50; ++i) {
                std::vector<uint8_t> first(static_cast<size_t>(bytes));
                kern::vec_scalar.f32_to_kv(type, x.data() + 32 * i, 32, first.data());
                for (const VecKernels* kernels : test::runnable_vec_kernels()) {
                    test::Guarded<uint8_t> row(static_cast<size_t>(bytes));
                    kernels->f32_to_kv(type, x.data() + 32 * i, 32, row.data());
                    CHECK(row.guards_intact());
                    CHECK(std::equal(first.begin(), first.end(), row.data()));
                }
                if (special_every < 1000000u || type == kern::KvType::f16) continue;
                float largest = 0;
                for (int64_t d = 0; d < 32; ++d)
                    largest = std::max(largest, std::fabs(x[static_cast<size_t>(32 * i + d)]));
                // Half a step, and what rounding the scale to F16 moves the largest number; q4_0 has no code for +8.
                const float step = type == kern::KvType::q8_0 ? largest / 127 : largest / 8;
                const float bound = step * (type == kern::KvType::q8_0 ? 0.5f : 1.0f) + largest * 0x1p-11f;
                for (int64_t d = 0; d < 32; ++d) {
                    const uint8_t* row = first.data();
                    const float scale = Case::half_at(row + (type == kern::KvType::q8_0 ? 32 : 16));
                    const float number = static_cast<float>(Case::code(type, row, d)) * scale;
                    REQUIRE(std::fabs(number - x[static_cast<size_t>(32 * i + d)]) <= bound * 1.001f);
                }
            }
        }
    }
}

TEST_CASE("attend: a query gives the same bits alone and in any group") {
    const Case c({128, 9, 77}, 31, 1000000);
    for (const VecKernels* kernels : test::runnable_vec_kernels()) {
        std::vector<float> alone;
        for (int64_t i = 0; i < c.shape.n_q; ++i) {
            const std::vector<float> row = c.run(*kernels, i, 1);
            alone.insert(alone.end(), row.begin(), row.end());
        }
        for (int64_t group = 1; group <= c.shape.n_q; ++group) {
            INFO(kernels->name, ", groups of ", group);
            std::vector<float> together;
            for (int64_t i = 0; i < c.shape.n_q; i += group) {
                const std::vector<float> rows = c.run(*kernels, i, std::min(group, c.shape.n_q - i));
                together.insert(together.end(), rows.begin(), rows.end());
            }
            CHECK(difference(alone, together) == "");
        }
    }
}

TEST_CASE("attend: agrees with a computation in double") {
    for (const Shape& shape : kShapes) {
        const Case c(shape, 41, 1000000);
        const std::vector<float> actual = c.run(kern::vec_scalar, 0, shape.n_q);
        for (int64_t i = 0; i < shape.n_q; ++i) {
            std::vector<double> score;
            double magnitude = 0;  // of the largest sum of |k q| behind a score
            std::vector<std::vector<float>> values;
            for (int64_t j = 0; j < shape.n_cells; ++j) {
                const std::vector<float> key = c.key(j);
                values.push_back(c.value(j));
                double sum = 0;
                double absolute = 0;
                for (int64_t d = 0; d < shape.head_dim; ++d) {
                    const double product =
                        static_cast<double>(key[static_cast<size_t>(d)]) * c.q[static_cast<size_t>(i * c.q_stride + d)];
                    sum += product;
                    absolute += std::fabs(product);
                }
                score.push_back(sum * c.scale);
                magnitude = std::max(magnitude, absolute * c.scale);
            }
            const double largest = *std::max_element(score.begin(), score.end());
            double total = 0;
            for (double& s : score) total += s = std::exp(s - largest);
            // A score errs by its head_dim / 16 + 6 roundings, which moves e by twice that relatively (max included);
            // the weighted sum adds one rounding a cell, exp two ulps, sum and factor a few. Values are at most 1.
            const double bound = (2 * (static_cast<double>(shape.head_dim) / 16 + 6) * magnitude +
                                  1.1 * static_cast<double>(shape.n_cells) + 16) *
                                 0x1p-24;
            for (int64_t d = 0; d < shape.head_dim; ++d) {
                double exact = 0;
                for (size_t j = 0; j < score.size(); ++j) {
                    exact += score[j] / total * values[j][static_cast<size_t>(d)];
                }
                const float out = actual[static_cast<size_t>(i * shape.head_dim + d)];
                INFO(name_of(shape));
                REQUIRE(std::fabs(out - exact) <= bound);
            }
        }
    }
}

TEST_CASE("attend: one cell returns its value, equal cells their mean") {
    for (const VecKernels* kernels : test::runnable_vec_kernels()) {
        Case c({100, 3, 1}, 51, 1000000);
        const std::vector<float> one = c.run(*kernels, 0, 3);
        for (size_t i = 0; i < one.size(); ++i) {
            REQUIRE(one[i] == c.value(0)[i % 100]);
        }
        Case same({32, 1, 8}, 52, 1000000);
        for (size_t i = 0; i < same.q.size(); ++i) same.q[i] = 0.0f;  // all scores 0: weights 1/8
        const std::vector<float> mean = same.run(*kernels, 0, 1);
        for (size_t d = 0; d < 32; ++d) {
            float sum = 0;
            for (int64_t j = 0; j < 8; ++j) sum += same.value(j)[d];
            REQUIRE(mean[d] == sum * 0.125f);
        }
    }
}

}  // namespace
