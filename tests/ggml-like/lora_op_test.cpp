// lora_down and lora_up together: against plain sums in double over the decoded matrices, and the same bits for every
// level, number of threads and way of cutting the rows into segments. Rows without adapters keep the bits they had.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "ggml-like/tensor_error.h"
#include "tests/support/graph_fixture.h"

namespace {

constexpr int64_t kRoom = 24;

struct Shape {
    int64_t k, n_out, rank;
    kern::QuantType type;
};

const Shape kShapes[] = {{128, 96, 4, kern::QuantType::f16},
                         {70, 130, 1, kern::QuantType::f32},
                         {33, 17, 11, kern::QuantType::bf16},
                         {64, 200, 9, kern::QuantType::f16}};

std::vector<float> decoded(const tg::Weight& w) {
    std::vector<float> values(static_cast<size_t>(w.k * w.n_rows));
    kern::quant_type_info(w.type).decode(w.data, 1.0f, w.k * w.n_rows, values.data());
    return values;
}

// Two adapters; the second one leaves slot 0 alone.
struct Adapters {
    Adapters(const Shape& shape, const kern::KernelSet& kernels) : store(kernels) {
        first[0] = pair(shape, shape.rank, 11);
        first[1] = pair(shape, shape.rank, 12);
        second[1] = pair(shape, kRoom - shape.rank, 13);
    }
    tg::LoraPair pair(const Shape& shape, int64_t rank, uint64_t seed) {
        tg::LoraPair made;
        made.a = store.random(shape.type, rank, shape.k, seed);
        made.b = store.random(shape.type, shape.n_out, rank, seed + 100);
        made.factor = 16.0 / static_cast<double>(rank);
        return made;
    }
    test::WeightStore store;
    tg::LoraPair first[2], second[2];
};

// y = base row + the adapters of its row, for base and x that are the rows of two tables.
std::vector<float> run(const Shape& shape, const kern::KernelSet& kernels, int n_threads, int32_t slot,
                       const std::vector<float>& x, const std::vector<float>& base,
                       const std::vector<tg::LoraSegment>& segments) {
    test::WeightStore tables(kernels);
    tg::Graph g;
    const tg::ValueId in = g.get_rows(tables.table(x, shape.k), "x");
    const tg::ValueId y = g.get_rows(tables.table(base, shape.n_out), "base");
    g.lora_up(y, g.lora_down(in, kRoom, slot, "down"), slot, "up");
    test::Feed feed(static_cast<int64_t>(x.size()) / shape.k);
    feed.lora = segments;
    return test::run_graph(g, y, kernels, n_threads, feed);
}

// Adds the uses of one row in double; *size gets the sum of all magnitudes, what rounding errors are measured with.
double expected(const Shape& shape, const std::vector<tg::LoraUse>& uses, int32_t slot, const float* x, float base,
                int64_t out, double* size) {
    double sum = static_cast<double>(base);
    *size = std::fabs(sum);
    for (const tg::LoraUse& use : uses) {
        const tg::LoraPair& pair = use.pairs[slot];
        if (!pair.a.present()) continue;
        const std::vector<float> a = decoded(pair.a), b = decoded(pair.b);
        const int64_t rank = pair.a.n_rows;
        for (int64_t r = 0; r < rank; ++r) {
            double inner = 0.0, inner_size = 0.0;
            for (int64_t i = 0; i < shape.k; ++i) {
                const double term =
                    static_cast<double>(a[static_cast<size_t>(r * shape.k + i)]) * static_cast<double>(x[i]);
                inner += term;
                inner_size += std::fabs(term);
            }
            const double weight = static_cast<double>(b[static_cast<size_t>(out * rank + r)]) *
                                  static_cast<double>(use.scale) * pair.factor;
            sum += weight * inner;
            *size += std::fabs(weight) * inner_size;
        }
    }
    return sum;
}

bool equal_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace

TEST_CASE("adapters add scale * alpha / rank * B (A x) to the rows that use them, as sums in double say") {
    for (const Shape& shape : kShapes) {
        CAPTURE(shape.k);
        constexpr int64_t kRows = 45;  // more than one block of columns
        const std::vector<float> x = test::Random(1).reals(static_cast<size_t>(kRows * shape.k));
        const std::vector<float> base = test::Random(2).reals(static_cast<size_t>(kRows * shape.n_out));
        for (const kern::KernelSet& kernels : test::runnable_kernel_sets()) {
            const Adapters adapters(shape, kernels);
            const std::vector<tg::LoraUse> one = {{adapters.first, 0.75f}};
            const std::vector<tg::LoraUse> both = {{adapters.first, 0.75f}, {adapters.second, -2.0f}};
            const std::vector<tg::LoraSegment> segments = {
                {0, 3, one.data(), 1}, {3, 5, nullptr, 0}, {5, 43, both.data(), 2}, {43, kRows, nullptr, 0}};
            for (const int32_t slot : {0, 1}) {
                const std::vector<float> y = run(shape, kernels, 2, slot, x, base, segments);
                REQUIRE(y.size() == base.size());
                double worst = 0.0;
                int unchanged = 0;
                for (int64_t i = 0; i < kRows; ++i) {
                    const std::vector<tg::LoraUse>& uses = i < 3 ? one : both;
                    const bool plain = (i >= 3 && i < 5) || i >= 43;
                    for (int64_t o = 0; o < shape.n_out; ++o) {
                        const size_t at = static_cast<size_t>(i * shape.n_out + o);
                        if (plain) {
                            unchanged += std::memcmp(&y[at], &base[at], sizeof(float)) == 0;
                            continue;
                        }
                        double size = 0.0;
                        const double wanted = expected(shape, uses, slot, x.data() + i * shape.k, base[at], o, &size);
                        const double error = std::fabs(static_cast<double>(y[at]) - wanted) / size;
                        worst = error <= worst ? worst : error;  // a NaN becomes the worst
                    }
                }
                CHECK(unchanged == 4 * shape.n_out);
                CHECK(worst < 1e-6);  // of the magnitudes summed: some float roundings of 6e-8
            }
        }
    }
}

TEST_CASE("what adapters give does not depend on the level, the threads or how rows are cut into segments") {
    for (const Shape& shape : kShapes) {
        CAPTURE(shape.k);
        constexpr int64_t kRows = 70;
        const std::vector<float> x = test::Random(3).reals(static_cast<size_t>(kRows * shape.k));
        const std::vector<float> base = test::Random(4).reals(static_cast<size_t>(kRows * shape.n_out));
        std::vector<float> first;
        for (const kern::KernelSet& kernels : test::runnable_kernel_sets()) {
            const Adapters adapters(shape, kernels);
            const std::vector<tg::LoraUse> both = {{adapters.first, 0.3f}, {adapters.second, 1.5f}};
            for (const int64_t length : {int64_t{1}, int64_t{7}, int64_t{40}, kRows}) {
                std::vector<tg::LoraSegment> segments;
                for (int64_t i = 0; i < kRows; i += length) {
                    segments.push_back({i, std::min(i + length, kRows), both.data(), 2});
                }
                for (const int n_threads : {1, 2, 5}) {
                    const std::vector<float> y = run(shape, kernels, n_threads, 1, x, base, segments);
                    if (first.empty()) first = y;
                    CHECK(equal_bits(y, first));
                }
            }
        }
        CHECK(!equal_bits(first, base));
    }
}

TEST_CASE("a graph refuses adapters whose rows do not fit, and room for no rank") {
    const kern::KernelSet kernels = test::runnable_kernel_sets().front();
    test::WeightStore tables(kernels);
    tg::Graph g;
    const tg::ValueId x = g.get_rows(tables.table(std::vector<float>(64), 32), "x");
    CHECK_THROWS_AS(g.lora_down(x, 0, 0, "down"), tg::Error);
    const tg::ValueId down = g.lora_down(x, 8, 0, "down");
    const tg::ValueId picked = g.pick_rows(x, "picked");
    CHECK_THROWS_AS(g.lora_up(picked, down, 0, "up"), tg::Error);
}
