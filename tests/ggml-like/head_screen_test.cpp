// The rows that a screen selects hold the k largest exact products, ties included, whatever the matrix and the vector are;
// and on ordinary ones they are few, or all of it would be for nothing.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "ggml-like/head_screen.h"
#include "kernels/f16_bits.h"

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Head {
    kern::KernelSet kernels{};
    tg::Weight weight;
    std::vector<float> values;
    tg::ThreadPool pool{2};
    tg::HeadScreen screen;

    Head(const char* level, int64_t n_rows, int64_t k, std::vector<float> w) : values(std::move(w)) {
        REQUIRE(kern::select_kernels(level, &kernels) == kern::KernelChoice::ok);
        weight.name = "output";
        weight.type = kern::QuantType::f32;
        weight.k = k;
        weight.n_rows = n_rows;
        weight.data = weight.file_data = reinterpret_cast<const uint8_t*>(values.data());
        weight.kernel = &kernels.for_type(weight.type);
        REQUIRE(tg::can_screen(weight, kernels));
        tg::plan_head_screen(weight, kernels, &screen);
        tg::fill_head_screen(*kernels.vec, pool, &screen);
    }
    static std::vector<float> times(const tg::Weight& w, const void* acts) {
        std::vector<float> out(static_cast<size_t>(w.n_rows));
        kern::MulMatArgs args{};
        args.weights = w.data;
        args.weight_scale = 1.0f;
        args.acts = acts;
        args.act_stride = w.k;
        args.out = out.data();
        args.out_stride = args.n_rows = args.row_end = w.n_rows;
        args.k = w.k;
        args.n_cols = 1;
        w.kernel->run(args);
        return out;
    }
    std::vector<float> exact(const std::vector<float>& x) const { return times(weight, x.data()); }
    std::vector<float> near(const std::vector<float>& x) const {
        const kern::ActFormat& format = *screen.rows.kernel->act;
        std::vector<uint8_t> acts(format.bytes(weight.k, 1));
        format.pack(x.data(), weight.k, weight.k, 1, 0, 1, acts.data());
        return times(screen.rows, acts.data());
    }
    // How many rows are selected; 0 where the screen gives up. Checks that none is missing.
    size_t selected(const std::vector<float>& x, size_t k, size_t n_most) const {
        tg::RowSelection selection;
        std::vector<float> products = near(x);
        if (!selection.select(screen, *kernels.vec, x.data(), products.data(), k, n_most)) return 0;
        const std::vector<int32_t>& rows = selection.rows();
        CHECK(std::is_sorted(rows.begin(), rows.end()));
        CHECK(rows.size() <= n_most);
        std::vector<float> all = exact(x);
        for (float& value : all) value = value == value ? value : -kInfinity;
        std::vector<float> sorted = all;
        std::sort(sorted.begin(), sorted.end(), std::greater<float>());
        const float least = sorted[k - 1];
        for (size_t r = 0; r < all.size(); ++r) {
            if (all[r] < least || all[r] == -kInfinity) continue;
            CAPTURE(r);
            CHECK(std::binary_search(rows.begin(), rows.end(), static_cast<int32_t>(r)));
        }
        return rows.size();
    }
};

std::vector<float> normal(std::mt19937& random, size_t n, float scale) {
    std::vector<float> values(n);
    for (float& value : values) {
        value = 0;
        for (int i = 0; i < 12; ++i) value += static_cast<float>(random()) * 0x1p-32f;
        value = (value - 6.0f) * scale;
    }
    return values;
}

}  // namespace

TEST_CASE("head screen: no row that could be among the best is missing, and most are not looked at") {
    std::mt19937 random(1);
    constexpr int64_t kRows = 3000, kWidth = 200;
    for (const char* level : {"scalar", "avx2", "avx512vnni"}) {
        kern::KernelSet kernels{};
        if (kern::select_kernels(level, &kernels) != kern::KernelChoice::ok) {
            MESSAGE("skipped: this CPU has no ", std::string(level));
            continue;
        }
        CAPTURE(level);
        const Head head(level, kRows, kWidth, normal(random, kRows * kWidth, 0.02f));
        size_t n_selected = 0;
        for (int i = 0; i < 20; ++i) {
            const std::vector<float> x = normal(random, kWidth, i % 2 == 0 ? 1.0f : 1e-4f);
            for (const size_t k : {1, 5, 40}) {
                const size_t n = head.selected(x, k, kRows);
                CHECK(n >= k);
                CHECK(n < kRows / 4);
                n_selected += n;
            }
        }
        CHECK(n_selected < 1300);  // 920 are wanted; 1,500 come where near products alone are compared
        CHECK(head.selected(normal(random, kWidth, 1.0f), 40, 39) == 0);  // more than may be
        CHECK(head.selected(normal(random, kWidth, 1.0f), kRows, kRows) == 0);
    }
}

TEST_CASE("head screen: hostile matrices and vectors") {
    std::mt19937 random(2);
    constexpr int64_t kRows = 400, kWidth = 96;
    std::vector<float> w = normal(random, kRows * kWidth, 0.1f);
    const auto row = [&](int64_t r) { return w.begin() + r * kWidth; };
    const auto scale = [&](int64_t r, float by) {
        std::for_each(row(r), row(r) + kWidth, [by](float& v) { v *= by; });
    };
    for (int64_t r = 0; r < 50; ++r) std::copy(row(300), row(300) + kWidth, row(r));  // ties by the dozen
    for (int64_t r = 50; r < 60; ++r) scale(r, 1e-20f);
    for (int64_t r = 60; r < 70; ++r) scale(r, 1e-41f);  // denormal
    for (int64_t r = 70; r < 80; ++r) scale(r, 0.0f);
    for (int64_t r = 80; r < 84; ++r) *(row(r) + 7) = 1000.0f;  // one weight takes all the codes
    *row(90) = std::numeric_limits<float>::quiet_NaN();
    *row(91) = kInfinity;
    *row(92) = -kInfinity;
    for (const char* level : {"scalar", ""}) {
        const Head head(level, kRows, kWidth, w);
        for (const float size : {1e-44f, 1e-30f, 1e-10f, 1.0f, 1e10f, 1e30f, 3e38f}) {
            for (int i = 0; i < 5; ++i) {
                for (const size_t k : {1, 3, 60}) head.selected(normal(random, kWidth, size), k, kRows);
            }
        }
        // Like one of the equal rows: all fifty-one of them are best together.
        const std::vector<float> like(row(300), row(300) + kWidth);
        CHECK(head.selected(like, 1, kRows) >= 51);
        std::vector<float> broken = like;
        broken[3] = std::numeric_limits<float>::quiet_NaN();
        CHECK(head.selected(broken, 1, kRows) == 0);
        broken[3] = -kInfinity;
        CHECK(head.selected(broken, 1, kRows) == 0);
        CHECK(head.selected(std::vector<float>(kWidth, 0.0f), 1, kRows) == 0);
    }
    // Products that overflow are left to the whole matrix.
    std::vector<float> huge = normal(random, kRows * kWidth, 1e30f);
    const Head head("", kRows, kWidth, huge);
    CHECK(head.selected(normal(random, kWidth, 1e10f), 1, kRows) == 0);
    CHECK(head.selected(normal(random, kWidth, 1.0f), 1, kRows) > 0);
}
