// What the vector kernels compute, checked on the scalar set: sums against the definition bit for bit, everything else
// against a plain double computation with a stated bound, and the documented answers to special values.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "tests/support/float_bits.h"
#include "tests/support/vec_levels.h"

namespace {

using test::bits_of;

const kern::VecKernels& scalar = kern::vec_scalar;
const float kInfinity = std::numeric_limits<float>::infinity();
const float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr int64_t kLengths[] = {1, 2, 15, 16, 17, 31, 33, 96, 100, 640, 2560, 6912};
constexpr double kHalfUlp = 0x1p-24;  // relative error of one rounding

int64_t size_of(const std::vector<float>& x) { return static_cast<int64_t>(x.size()); }

TEST_CASE("dot: has the bits of 16 lanes summed in rising order and one tree") {
    for (int64_t n : kLengths) {
        for (uint32_t every : {1000000u, 30u}) {
            const std::vector<float> a = test::mixed_floats(static_cast<size_t>(n), 1, every);
            const std::vector<float> b = test::mixed_floats(static_cast<size_t>(n), 2, every);
            INFO("n ", n);
            CHECK(bits_of(scalar.dot(a.data(), b.data(), n)) ==
                  bits_of(test::dot_by_definition(a.data(), b.data(), n)));
        }
    }
    CHECK(bits_of(scalar.dot(nullptr, nullptr, 0)) == 0);
    const float minus[3] = {-0.0f, -0.0f, 5.0f};
    const float plus[3] = {1.0f, 2.0f, -0.0f};
    CHECK(bits_of(scalar.dot(minus, plus, 3)) == 0);  // products of -0 never show
}

TEST_CASE("abs_max: the largest magnitude, NaNs passed over") {
    for (int64_t n : kLengths) {
        std::vector<float> x = test::random_floats(static_cast<size_t>(n), 3);
        const size_t at = static_cast<size_t>(n * 2 / 3);
        x[at] = -7.0f;
        CHECK(scalar.abs_max(x.data(), n) == 7.0f);
        x[0] = at == 0 ? x[0] : kNan;
        CHECK(scalar.abs_max(x.data(), n) == 7.0f);
        x[at] = -kInfinity;
        CHECK(scalar.abs_max(x.data(), n) == kInfinity);
        std::fill(x.begin(), x.end(), kNan);
        CHECK(bits_of(scalar.abs_max(x.data(), n)) == 0);
    }
    CHECK(bits_of(scalar.abs_max(nullptr, 0)) == 0);
}

TEST_CASE("quantize_i8: 127 / max(absmax, 1e-5), half to even, one scale and one sum per row") {
    for (int64_t n : kLengths) {
        const std::vector<float> x = test::random_floats(static_cast<size_t>(n), 4);
        float largest = 1e-5f;
        for (float v : x) largest = std::max(largest, std::fabs(v));
        std::vector<int8_t> q(x.size());
        int32_t sum = 0;
        const float scale = scalar.quantize_i8(x.data(), n, q.data(), &sum);
        CHECK(scale == 127.0f / largest);
        int32_t expected_sum = 0;
        for (size_t i = 0; i < x.size(); ++i) {
            const float scaled = x[i] * scale;
            REQUIRE(q[i] == std::clamp(std::nearbyint(scaled), -127.0f, 127.0f));
            expected_sum += q[i];
        }
        CHECK(sum == expected_sum);
        CHECK(std::max(std::abs(*std::max_element(q.begin(), q.end())),
                       std::abs(*std::min_element(q.begin(), q.end()))) == 127);
    }
}

TEST_CASE("quantize_i8: ties go to even, and rows that are tiny, empty, infinite or NaN have defined bytes") {
    int32_t sum = 99;
    std::vector<int8_t> q(8);
    const float ties[8] = {127.0f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 3.5f};
    CHECK(scalar.quantize_i8(ties, 8, q.data(), &sum) == 1.0f);
    CHECK(q == std::vector<int8_t>{127, 0, 2, 2, 0, -2, -2, 4});
    CHECK(sum == 131);

    const float tiny[3] = {1e-6f, -1e-7f, 1e-40f};
    CHECK(scalar.quantize_i8(tiny, 3, q.data(), &sum) == 127.0f / 1e-5f);
    CHECK(std::vector<int8_t>(q.begin(), q.begin() + 3) == std::vector<int8_t>{13, -1, 0});

    const float zeros[2] = {0.0f, -0.0f};
    CHECK(scalar.quantize_i8(zeros, 2, q.data(), &sum) == 127.0f / 1e-5f);
    CHECK((q[0] == 0 && q[1] == 0 && sum == 0));

    const float with_nan[3] = {kNan, -2.0f, 1.0f};
    CHECK(scalar.quantize_i8(with_nan, 3, q.data(), &sum) == 63.5f);
    CHECK(std::vector<int8_t>(q.begin(), q.begin() + 3) == std::vector<int8_t>{0, -127, 64});
    CHECK(sum == -63);

    const float with_infinity[3] = {kInfinity, -2.0f, -kInfinity};
    CHECK(bits_of(scalar.quantize_i8(with_infinity, 3, q.data(), &sum)) == 0);
    CHECK((q[0] == 0 && q[1] == 0 && q[2] == 0 && sum == 0));

    sum = 5;
    CHECK(scalar.quantize_i8(nullptr, 0, nullptr, &sum) == 127.0f / 1e-5f);
    CHECK(sum == 0);
}

TEST_CASE("rms_norm: x / sqrt(mean + eps) * weight within the roundings of its sum") {
    for (int64_t n : kLengths) {
        const std::vector<float> x = test::random_floats(static_cast<size_t>(n), 5);
        const std::vector<float> weight = test::random_floats(static_cast<size_t>(n), 6);
        std::vector<float> out(x.size());
        scalar.rms_norm(x.data(), weight.data(), 1e-5f, n, out.data());
        double sum = 0;
        for (float v : x) sum += static_cast<double>(v) * v;
        const double factor = 1.0 / std::sqrt(sum / static_cast<double>(n) + static_cast<double>(1e-5f));
        // The sum has n/16 + 5 roundings, halved by the root; then mean, eps, root, quotient and two products.
        const double bound = (static_cast<double>(n) / 32 + 9) * kHalfUlp;
        for (size_t i = 0; i < x.size(); ++i) {
            const double exact = x[i] * factor * weight[i];
            REQUIRE(std::fabs(out[i] - exact) <= bound * std::fabs(exact) + 1e-45);
        }
    }
    const float big[2] = {3e30f, 1.0f};
    float out[2];
    scalar.rms_norm(big, nullptr, 1e-5f, 2, out);  // the sum overflows: documented to give zeros
    CHECK((out[0] == 0.0f && out[1] == 0.0f));
    const float bad[2] = {kNan, 1.0f};
    scalar.rms_norm(bad, nullptr, 1e-5f, 2, out);
    CHECK((bits_of(out[0]) == 0x7fc00000u && bits_of(out[1]) == 0x7fc00000u));
}

TEST_CASE("softmax: probabilities within the roundings of exp and sum, adding up to 1") {
    for (int64_t n : kLengths) {
        for (float spread : {0.0f, 1.0f, 80.0f}) {
            std::vector<float> x = test::random_floats(static_cast<size_t>(n), 7);
            for (float& v : x) v *= spread;
            std::vector<float> p = x;
            scalar.softmax(p.data(), n);
            const double largest = *std::max_element(x.begin(), x.end());
            double sum = 0;
            for (float v : x) sum += std::exp(v - largest);
            // The difference x - max is rounded (absolute error spread * 2^-23), exp errs by 2 ulp, then sum and
            // factor.
            const double bound = (2 * spread + static_cast<double>(n) / 16 + 12) * 2 * kHalfUlp;
            double total = 0;
            for (size_t i = 0; i < x.size(); ++i) {
                const double exact = std::exp(x[i] - largest) / sum;
                REQUIRE(std::fabs(p[i] - exact) <= bound * exact + 1e-44);
                total += p[i];
            }
            CHECK(std::fabs(total - 1.0) <= (static_cast<double>(n) / 16 + 8) * 2 * kHalfUlp);
        }
    }
}

TEST_CASE("softmax: -inf gives 0; rows with NaN, +inf or without a number become NaN") {
    for (int64_t n : {1, 5, 16, 20, 40}) {
        std::vector<float> x(static_cast<size_t>(n), -kInfinity);
        x.back() = -3.0f;
        scalar.softmax(x.data(), n);
        CHECK(x.back() == 1.0f);
        CHECK(std::accumulate(x.begin(), x.end(), 0.0f) == 1.0f);
        for (float bad : {kNan, kInfinity, -kInfinity}) {
            std::fill(x.begin(), x.end(), bad == -kInfinity ? bad : 1.0f);
            x[static_cast<size_t>(n / 2)] = bad;
            scalar.softmax(x.data(), n);
            for (float v : x) CHECK(bits_of(v) == 0x7fc00000u);
        }
    }
    scalar.softmax(nullptr, 0);
}

TEST_CASE("relu2_mul and silu_mul: the formulas, single roundings, NaN kept") {
    const std::vector<float> gate = test::random_floats(1000, 8);
    const std::vector<float> up = test::random_floats(1000, 9);
    std::vector<float> out(1000);
    scalar.relu2_mul(gate.data(), up.data(), out.data(), size_of(gate));
    for (size_t i = 0; i < 1000; ++i) {
        const float r = gate[i] > 0 ? gate[i] : 0.0f;
        REQUIRE(out[i] == r * r * up[i]);
    }
    std::vector<float> wide = gate;
    for (float& v : wide) v *= 30.0f;
    scalar.silu_mul(wide.data(), up.data(), out.data(), size_of(gate));
    for (size_t i = 0; i < 1000; ++i) {
        const double exact = wide[i] / (1.0 + std::exp(-static_cast<double>(wide[i]))) * up[i];
        REQUIRE(test::ulps_from(out[i], exact) < 4.0);
    }
    const float gates[5] = {kNan, -kInfinity, -1000.0f, kInfinity, -0.0f};
    const float ones[5] = {1, 1, 1, 1, 1};
    scalar.relu2_mul(gates, ones, out.data(), 5);
    CHECK((std::isnan(out[0]) && out[1] == 0.0f && out[2] == 0.0f && out[3] == kInfinity && out[4] == 0.0f));
    scalar.silu_mul(gates, ones, out.data(), 5);
    CHECK((std::isnan(out[0]) && std::isnan(out[1]) && out[2] == 0.0f && out[3] == kInfinity && out[4] == 0.0f));
    scalar.relu2_mul(ones, ones, out.data(), 5);
    CHECK(out[4] == 1.0f);
}

TEST_CASE("gelu_mul: the form with tanh to a few units in the last place, also where tanh is all but -1") {
    const double slope = std::sqrt(2.0 / std::acos(-1.0));
    std::vector<float> gate = test::random_floats(1000, 10);
    const std::vector<float> up = test::random_floats(1000, 11);
    for (float& v : gate) v *= 4.0f;
    std::vector<float> out(1000);
    scalar.gelu_mul(gate.data(), up.data(), out.data(), size_of(gate));
    double worst = 0.0;
    for (size_t i = 0; i < 1000; ++i) {
        const double g = gate[i], t = slope * (g + 0.044715 * g * g * g);
        // 1 + tanh t, in the way that cancels nothing. The argument's own roundings grow with it.
        const double exact = g / (1.0 + std::exp(-2.0 * t)) * up[i];
        worst = std::max(worst, test::ulps_from(out[i], exact) / (4.0 + 4.0 * std::fabs(t)));
        CHECK(std::fabs(static_cast<double>(out[i]) - 0.5 * g * (1.0 + std::tanh(t)) * up[i]) < 1e-6);
    }
    CHECK(worst < 1.0);
    const float gates[6] = {kNan, -kInfinity, -1000.0f, kInfinity, -0.0f, 1e30f};
    const float ones[6] = {1, 1, 1, 1, 1, 1};
    scalar.gelu_mul(gates, ones, out.data(), 6);
    CHECK((std::isnan(out[0]) && std::isnan(out[1]) && out[2] == 0.0f && out[3] == kInfinity && out[4] == 0.0f));
    CHECK(out[5] == 1e30f);
}

TEST_CASE("add and scale: one rounding per element") {
    const std::vector<float> a = test::random_floats(100, 10);
    const std::vector<float> b = test::random_floats(100, 11);
    std::vector<float> sum(100);
    std::vector<float> scaled(100);
    scalar.add(a.data(), b.data(), sum.data(), 100);
    scalar.scale(a.data(), 0.3f, scaled.data(), 100);
    for (size_t i = 0; i < 100; ++i) {
        REQUIRE(sum[i] == a[i] + b[i]);
        REQUIRE(scaled[i] == a[i] * 0.3f);
    }
}

TEST_CASE("rope: halves turn (i, i + n/2), pairs turn (2i, 2i + 1), and lengths are kept") {
    for (int64_t n_dims : {2, 20, 64, 100, 128}) {
        const size_t half = static_cast<size_t>(n_dims / 2);
        const std::vector<float> x = test::random_floats(static_cast<size_t>(n_dims), 12);
        std::vector<float> cos_sin(static_cast<size_t>(n_dims));
        for (size_t i = 0; i < half; ++i) {
            kern::rope_angle(77, kern::rope_frequency(static_cast<int64_t>(i), n_dims, 10000.0, 1.0), &cos_sin[2 * i], &cos_sin[2 * i + 1]);
        }
        std::vector<float> halves = x;
        std::vector<float> pairs = x;
        scalar.rope_halves(halves.data(), cos_sin.data(), n_dims);
        scalar.rope_pairs(pairs.data(), cos_sin.data(), n_dims);
        for (size_t i = 0; i < half; ++i) {
            const float c = cos_sin[2 * i];
            const float s = cos_sin[2 * i + 1];
            CHECK(halves[i] == x[i] * c - x[i + half] * s);
            CHECK(halves[i + half] == x[i] * s + x[i + half] * c);
            CHECK(pairs[2 * i] == x[2 * i] * c - x[2 * i + 1] * s);
            CHECK(pairs[2 * i + 1] == x[2 * i] * s + x[2 * i + 1] * c);
            CHECK(std::hypot(pairs[2 * i], pairs[2 * i + 1]) == doctest::Approx(std::hypot(x[2 * i], x[2 * i + 1])));
        }
    }
}

}  // namespace
