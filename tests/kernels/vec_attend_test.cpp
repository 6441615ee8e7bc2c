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
};

constexpr Shape kShapes[] = {{128, 4, 1},   {128, 4, 2},  {128, 4, 16},   {128, 4, 17},  {128, 4, 300}, {128, 1, 35},
                             {128, 2, 18},  {128, 3, 21}, {128, 5, 7},    {128, 8, 33},  {96, 4, 50},   {100, 4, 19},
                             {100, 1, 5},   {256, 2, 40}, {20, 3, 23},    {7, 6, 9},     {1, 1, 4},     {16, 4, 64},
                             {64, 11, 130}, {80, 4, 31},  {112, 7, 1000}, {128, 4, 4096}};

// One head's keys and values in a cache of scattered cells, with what a kernel must not touch around the outputs.
struct Case {
    Shape shape;
    int64_t q_stride, cell_stride, scores_stride, out_stride;
    std::vector<float> q;
    std::vector<uint16_t> k, v;
    std::vector<int32_t> cells;
    float scale;

    Case(const Shape& s, uint32_t seed, uint32_t special_every) : shape(s) {
        q_stride = s.head_dim + 3;
        cell_stride = 2 * s.head_dim + 5;
        scores_stride = (s.n_cells + 15) / 16 * 16;
        out_stride = s.head_dim + 2;
        scale = 1.0f / std::sqrt(static_cast<float>(s.head_dim));
        q = test::random_floats(static_cast<size_t>((s.n_q - 1) * q_stride + s.head_dim), seed);
        for (float& x : q) x *= 4.0f;
        const int64_t slots = s.n_cells + 3;
        const size_t values = static_cast<size_t>((slots - 1) * cell_stride + s.head_dim);  // exactly, for ASan
        k.resize(values);
        v.resize(values);
        const std::vector<float> random_k = test::mixed_floats(values, seed + 1, special_every);
        const std::vector<float> random_v = test::mixed_floats(values, seed + 2, special_every);
        for (size_t i = 0; i < values; ++i) {
            k[i] = kern::f32_to_f16_value(random_k[i]);
            v[i] = kern::f32_to_f16_value(random_v[i]);
        }
        for (int64_t i = 0; i < slots; ++i) cells.push_back(static_cast<int32_t>(i));
        std::shuffle(cells.begin(), cells.end(), std::mt19937(seed + 3));
        cells.resize(static_cast<size_t>(s.n_cells));
    }

    // Outputs of queries first .. first + n_q as rows of head_dim values.
    std::vector<float> run(const VecKernels& kernels, int64_t first, int64_t n_q) const {
        test::Guarded<float> scores(static_cast<size_t>(n_q * scores_stride));
        test::Guarded<float> out(static_cast<size_t>(n_q * out_stride));
        const std::vector<float> untouched = out.values();
        const AttendArgs args = {q.data() + first * q_stride,
                                 q_stride,
                                 n_q,
                                 k.data(),
                                 v.data(),
                                 cell_stride,
                                 cells.data(),
                                 shape.n_cells,
                                 shape.head_dim,
                                 scale,
                                 scores.data(),
                                 scores_stride,
                                 out.data(),
                                 out_stride};
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
        std::vector<float> k(dims);
        for (int32_t cell : c.cells) {
            for (size_t d = 0; d < dims; ++d) {
                k[d] = kern::f16_to_f32_value(c.k[static_cast<size_t>(cell * c.cell_stride) + d]);
            }
            e.push_back(test::dot_by_definition(k.data(), c.q.data() + i * c.q_stride, c.shape.head_dim) * c.scale);
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
                sum += e[j] * kern::f16_to_f32_value(c.v[static_cast<size_t>(c.cells[j] * c.cell_stride) + d]);
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
            for (int32_t cell : c.cells) {
                double sum = 0;
                double absolute = 0;
                for (int64_t d = 0; d < shape.head_dim; ++d) {
                    const double product = static_cast<double>(kern::f16_to_f32_value(
                                               c.k[static_cast<size_t>(cell * c.cell_stride + d)])) *
                                           c.q[static_cast<size_t>(i * c.q_stride + d)];
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
                    exact += score[j] / total *
                             kern::f16_to_f32_value(c.v[static_cast<size_t>(c.cells[j] * c.cell_stride + d)]);
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
            REQUIRE(one[i] == kern::f16_to_f32_value(c.v[static_cast<size_t>(c.cells[0] * c.cell_stride) + i % 100]));
        }
        Case same({32, 1, 8}, 52, 1000000);
        for (size_t i = 0; i < same.q.size(); ++i) same.q[i] = 0.0f;  // all scores 0: weights 1/8
        const std::vector<float> mean = same.run(*kernels, 0, 1);
        for (size_t d = 0; d < 32; ++d) {
            float sum = 0;
            for (int32_t cell : same.cells) {
                sum += kern::f16_to_f32_value(same.v[static_cast<size_t>(cell * same.cell_stride) + d]);
            }
            REQUIRE(mean[d] == sum * 0.125f);
        }
    }
}

}  // namespace
