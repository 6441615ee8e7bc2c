// Every operation of the graph against a plain reference, with every level of kernels and 1 to 5 threads: near the
// reference, and the same bits from all of them. With no rows at all, too.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "ggml-like/graph.h"
#include "ggml-like/tensor_error.h"
#include "kernels/vec_kernels.h"
#include "tests/support/graph_fixture.h"

using kern::QuantType;

namespace {

// Builds the graph of one operation in a fresh WeightStore and returns its result.
using Build = std::function<tg::ValueId(tg::Graph&, test::WeightStore&)>;

// The result on the scalar kernels with one thread; every level and thread count must give its bits.
std::vector<float> result_of(const Build& build, const test::Feed& feed) {
    std::vector<float> first;
    bool have_first = false;
    for (const kern::KernelSet& kernels : test::runnable_kernel_sets()) {
        for (int n_threads = 1; n_threads <= 5; ++n_threads) {
            CAPTURE(kernels.level);
            CAPTURE(n_threads);
            tg::Graph graph;
            test::WeightStore weights(kernels);
            test::Feed own = feed;
            const std::vector<float> out = test::run_graph(graph, build(graph, weights), kernels, n_threads, own);
            if (!have_first) first = out;
            have_first = true;
            REQUIRE(out.size() == first.size());
            CHECK((out.empty() || std::memcmp(out.data(), first.data(), out.size() * sizeof(float)) == 0));
        }
    }
    return first;
}

void check_near(const std::vector<float>& actual, const std::vector<double>& expected, double relative) {
    REQUIRE(actual.size() == expected.size());
    double largest = 1e-30, worst = 0.0;
    for (const double e : expected) largest = std::max(largest, std::fabs(e));
    for (size_t i = 0; i < actual.size(); ++i)
        worst = std::max(worst, std::fabs(static_cast<double>(actual[i]) - expected[i]));
    CHECK(worst <= relative * largest);
}

std::vector<float> random_rows(int64_t n_rows, int64_t width, uint64_t seed) {
    return test::Random(seed).reals(static_cast<size_t>(n_rows * width));
}

tg::ValueId feed(tg::Graph& g, test::WeightStore& w, const std::vector<float>& values, int64_t width,
                 const char* name = "x") {
    return g.get_rows(w.table(values, width), name);
}

constexpr int64_t kTokenCounts[] = {0, 1, 2, 3, 7, 16};

}  // namespace

TEST_CASE("get_rows decodes the row of each token, in every storage type") {
    constexpr int64_t kRows = 9, kWidth = 512;
    for (int t = 0; t < kern::kQuantTypeCount; ++t) {
        const QuantType type = static_cast<QuantType>(t);
        const kern::QuantTypeInfo& info = kern::quant_type_info(type);
        CAPTURE(info.name);
        if (info.dialect) continue;  // no weight has it, see TensorPlacer
        const test::Matrix m = test::random_matrix(type, kRows, kWidth, 7);
        test::Feed tokens(5);
        tokens.tokens = {8, 0, 3, 3, 7};
        const std::vector<float> out = result_of(
            [&](tg::Graph& g, test::WeightStore& w) { return g.get_rows(w.random(type, kRows, kWidth, 7), "rows"); },
            tokens);
        std::vector<float> expected(5 * kWidth);
        for (size_t i = 0; i < 5; ++i) {
            info.decode(m.bytes.data() + kern::quant_row_bytes(type, kWidth) * static_cast<size_t>(tokens.tokens[i]),
                        m.scale, kWidth, expected.data() + i * kWidth);
        }
        CHECK(std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)) == 0);
    }
}

TEST_CASE("rope_table holds cosine and sine of position times frequency") {
    for (const bool with_factors : {false, true}) {
        std::vector<float> factors(16);
        for (size_t i = 0; i < factors.size(); ++i) factors[i] = 1.0f + static_cast<float>(i) * 0.5f;
        tg::RopeParams rope;
        rope.n_dims = 32;
        rope.freq_base = 500000.0;
        rope.freq_scale = with_factors ? 0.25 : 1.0;
        rope.freq_factors = with_factors ? factors.data() : nullptr;
        test::Feed feed(4);
        feed.positions = {0, 1, 1000, 123456};
        const std::vector<float> out =
            result_of([&](tg::Graph& g, test::WeightStore&) { return g.rope_table(rope, "angles"); }, feed);
        std::vector<double> expected;
        for (const int32_t position : feed.positions) {
            for (int i = 0; i < 16; ++i) {
                const long double factor =
                    with_factors ? static_cast<long double>(factors[static_cast<size_t>(i)]) : 1.0L;
                const long double angle =
                    position * static_cast<long double>(rope.freq_scale) * std::pow(500000.0L, -2.0L * i / 32) / factor;
                expected.push_back(static_cast<double>(std::cos(angle)));
                expected.push_back(static_cast<double>(std::sin(angle)));
            }
        }
        check_near(out, expected, 1e-7);
    }
}

TEST_CASE("rms_norm divides by the root of the mean square and multiplies the weight") {
    constexpr int64_t kWidth = 320;
    const std::vector<float> weight = random_rows(1, kWidth, 2);
    for (const int64_t n : kTokenCounts) {
        CAPTURE(n);
        const std::vector<float> x = random_rows(16, kWidth, 3);
        for (const bool weighted : {true, false}) {
            const std::vector<float> out = result_of(
                [&](tg::Graph& g, test::WeightStore& w) {
                    return g.rms_norm(feed(g, w, x, kWidth), weighted ? weight.data() : nullptr, kWidth, 1e-5f, "norm");
                },
                test::Feed(n));
            std::vector<double> expected;
            for (int64_t i = 0; i < n; ++i) {
                double sum = 0.0;
                for (int64_t d = 0; d < kWidth; ++d) sum += std::pow(x[static_cast<size_t>(i * kWidth + d)], 2.0);
                for (int64_t d = 0; d < kWidth; ++d) {
                    expected.push_back(x[static_cast<size_t>(i * kWidth + d)] / std::sqrt(sum / kWidth + 1e-5) *
                                       (weighted ? static_cast<double>(weight[static_cast<size_t>(d)]) : 1.0));
                }
            }
            check_near(out, expected, 1e-6);
        }
    }
}

TEST_CASE("head_norm is rms_norm of each head by itself, with one weight for all") {
    constexpr int64_t kHeads = 3, kHead = 24;
    const std::vector<float> weight = random_rows(1, kHead, 4), x = random_rows(16, kHeads * kHead, 5);
    for (const int64_t n : kTokenCounts) {
        CAPTURE(n);
        const std::vector<float> out = result_of(
            [&](tg::Graph& g, test::WeightStore& w) {
                return g.head_norm(feed(g, w, x, kHeads * kHead), weight.data(), kHead, 1e-6f, "norm");
            },
            test::Feed(n));
        std::vector<double> expected;
        for (int64_t head = 0; head < n * kHeads; ++head) {
            double sum = 0.0;
            for (int64_t d = 0; d < kHead; ++d) sum += std::pow(x[static_cast<size_t>(head * kHead + d)], 2.0);
            for (int64_t d = 0; d < kHead; ++d) {
                expected.push_back(x[static_cast<size_t>(head * kHead + d)] / std::sqrt(sum / kHead + 1e-6) *
                                   static_cast<double>(weight[static_cast<size_t>(d)]));
            }
        }
        check_near(out, expected, 1e-6);
    }
    tg::Graph g;
    test::WeightStore w(test::runnable_kernel_sets().front());
    const tg::ValueId row = feed(g, w, x, kHeads * kHead);
    CHECK_THROWS_AS(g.head_norm(row, weight.data(), 7, 1e-6f, "norm"), tg::Error);
    CHECK_THROWS_AS(g.head_norm(row, nullptr, 0, 1e-6f, "norm"), tg::Error);
}

TEST_CASE("get_rows multiplies rows by its factor") {
    constexpr int64_t kWidth = 40;
    const std::vector<float> x = random_rows(16, kWidth, 6);
    for (const int64_t n : kTokenCounts) {
        const std::vector<float> out = result_of(
            [&](tg::Graph& g, test::WeightStore& w) { return g.get_rows(w.table(x, kWidth), "scaled", 25.25f); },
            test::Feed(n));
        REQUIRE(out.size() == static_cast<size_t>(n * kWidth));
        bool same = true;
        for (size_t i = 0; i < out.size(); ++i) same = same && out[i] == x[i] * 25.25f;
        CHECK(same);
    }
}

TEST_CASE("mul_mat of ternary types is the exact integer sum over quantised activations") {
    for (const QuantType type : {QuantType::i2_s, QuantType::tq2_0, QuantType::tq1_0}) {
        for (const int64_t rows : {1, 5, 33}) {
            const int64_t k = 512;
            CAPTURE(kern::quant_type_info(type).name);
            CAPTURE(rows);
            const test::Matrix m = test::random_matrix(type, rows, k, 11);
            const std::vector<float> x = random_rows(16, k, 12);
            for (const int64_t n : kTokenCounts) {
                const std::vector<float> out = result_of(
                    [&](tg::Graph& g, test::WeightStore& w) {
                        return g.mul_mat(w.random(type, rows, k, 11), feed(g, w, x, k), "mul");
                    },
                    test::Feed(n));
                std::vector<double> expected;
                for (int64_t i = 0; i < n; ++i) {
                    double largest = 1e-5;
                    for (int64_t d = 0; d < k; ++d)
                        largest = std::max(largest, std::fabs(static_cast<double>(x[static_cast<size_t>(i * k + d)])));
                    const float scale = 127.0f / static_cast<float>(largest);
                    for (int64_t r = 0; r < rows; ++r) {
                        std::vector<float> row(static_cast<size_t>(k));
                        kern::quant_type_info(type).decode(
                            m.bytes.data() + kern::quant_row_bytes(type, k) * static_cast<size_t>(r), m.scale, k,
                            row.data());
                        double sum = 0.0;
                        for (int64_t d = 0; d < k; ++d) {
                            const double q = std::nearbyint(x[static_cast<size_t>(i * k + d)] * scale);
                            sum += static_cast<double>(row[static_cast<size_t>(d)]) * q;
                        }
                        expected.push_back(sum / static_cast<double>(scale));
                    }
                }
                check_near(out, expected, 1e-6);
            }
        }
    }
}

TEST_CASE("mul_mat of other types is the product with the decoded weights, times the output scale") {
    for (const QuantType type :
         {QuantType::f32, QuantType::f16, QuantType::bf16, QuantType::q8_0, QuantType::q4_0, QuantType::q6_k,
          QuantType::iq2_s}) {
        constexpr int64_t kRows = 19, kWidth = 256, kTokens = 5;
        CAPTURE(kern::quant_type_info(type).name);
        const test::Matrix m = test::random_matrix(type, kRows, kWidth, 21);
        const std::vector<float> x = random_rows(kTokens, kWidth, 22);
        for (const float out_scale : {1.0f, 0.375f}) {
            const std::vector<float> out = result_of(
                [&](tg::Graph& g, test::WeightStore& w) {
                    const tg::ValueId in = feed(g, w, x, kWidth);
                    w.random(type, kRows, kWidth, 21);
                    w.last().out_scale = out_scale;
                    return g.mul_mat(w.last(), in, "mul");
                },
                test::Feed(kTokens));
            std::vector<double> expected;
            std::vector<float> rows(kRows * kWidth);
            kern::quant_type_info(type).decode(m.bytes.data(), 1.0f, kRows * kWidth, rows.data());
            for (size_t i = 0; i < kTokens; ++i) {
                for (size_t r = 0; r < kRows; ++r) {
                    double sum = 0.0;
                    for (size_t d = 0; d < kWidth; ++d)
                        sum += static_cast<double>(rows[r * kWidth + d]) * static_cast<double>(x[i * kWidth + d]);
                    expected.push_back(sum * static_cast<double>(out_scale));
                }
            }
            check_near(out, expected, 2e-6);
        }
    }
}

TEST_CASE("rope turns pairs of halves or neighbours by the table's angles and leaves the rest of a head alone") {
    constexpr int32_t kHeads = 3, kHeadDim = 48;
    constexpr int64_t kWidth = kHeads * kHeadDim;
    for (const bool halves : {true, false}) {
        for (const int32_t n_dims : {48, 32, 2}) {
            CAPTURE(halves);
            CAPTURE(n_dims);
            tg::RopeParams rope;
            rope.halves = halves;
            rope.n_dims = n_dims;
            const std::vector<float> x = random_rows(7, kWidth, 31);
            const std::vector<float> out = result_of(
                [&](tg::Graph& g, test::WeightStore& w) {
                    const tg::ValueId in = feed(g, w, x, kWidth), table = g.rope_table(rope, "angles");
                    g.rope(in, table, rope, kHeads, kHeadDim, "turn");
                    return in;
                },
                test::Feed(7));
            std::vector<double> expected(x.begin(), x.end());
            for (size_t i = 0; i < 7; ++i) {
                for (size_t head = 0; head < kHeads; ++head) {
                    double* h = expected.data() + i * kWidth + head * kHeadDim;
                    for (size_t p = 0; p < static_cast<size_t>(n_dims) / 2; ++p) {
                        double* a = halves ? h + p : h + 2 * p;
                        double* b = halves ? h + p + static_cast<size_t>(n_dims) / 2 : h + 2 * p + 1;
                        const double angle =
                            static_cast<double>(i) * std::pow(10000.0, -2.0 * static_cast<double>(p) / n_dims);
                        const double turned = *a * std::cos(angle) - *b * std::sin(angle);
                        *b = *a * std::sin(angle) + *b * std::cos(angle);
                        *a = turned;
                    }
                }
            }
            check_near(out, expected, 1e-6);
        }
    }
}

TEST_CASE("add, relu2_mul, silu_mul and gelu_mul work element by element") {
    constexpr int64_t kWidth = 200;
    const std::vector<float> x = random_rows(16, kWidth, 41), y = random_rows(16, kWidth, 42);
    for (const int64_t n : kTokenCounts) {
        for (int op = 0; op < 4; ++op) {
            CAPTURE(n);
            CAPTURE(op);
            const std::vector<float> out = result_of(
                [&](tg::Graph& g, test::WeightStore& w) {
                    const tg::ValueId a = feed(g, w, x, kWidth, "a"), b = feed(g, w, y, kWidth, "b");
                    return op == 0   ? g.add(a, b, "op")
                           : op == 1 ? g.relu2_mul(a, b, "op")
                           : op == 2 ? g.silu_mul(a, b, "op")
                                     : g.gelu_mul(a, b, "op");
                },
                test::Feed(n));
            std::vector<double> expected;
            for (size_t i = 0; i < static_cast<size_t>(n * kWidth); ++i) {
                const double a = static_cast<double>(x[i]), b = static_cast<double>(y[i]);
                expected.push_back(op == 0   ? a + b
                                   : op == 1 ? std::pow(std::max(a, 0.0), 2) * b
                                   : op == 2 ? a / (1.0 + std::exp(-a)) * b
                                             : 0.5 * a * (1.0 + std::tanh(0.7978845608028654 * (a + 0.044715 * a * a * a))) * b);
            }
            check_near(out, expected, 1e-6);
        }
    }
}

TEST_CASE("pick_rows keeps the rows of the outputs, in their order, and what follows has as many rows") {
    constexpr int64_t kWidth = 64;
    const std::vector<float> x = random_rows(8, kWidth, 51);
    for (const std::vector<int32_t>& outputs : {std::vector<int32_t>{}, {7}, {0, 3, 4}, {6, 2, 2}}) {
        test::Feed feed_in(8);
        feed_in.outputs = outputs;
        const std::vector<float> out = result_of(
            [&](tg::Graph& g, test::WeightStore& w) {
                const tg::ValueId picked = g.pick_rows(feed(g, w, x, kWidth), "picked");
                return g.add(picked, picked, "doubled");
            },
            feed_in);
        std::vector<double> expected;
        for (const int32_t row : outputs) {
            for (size_t d = 0; d < kWidth; ++d)
                expected.push_back(2.0 * static_cast<double>(x[static_cast<size_t>(row) * kWidth + d]));
        }
        check_near(out, expected, 0.0);
    }
}
