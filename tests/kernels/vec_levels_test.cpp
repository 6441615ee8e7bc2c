// Every level of vector kernels gives the bits of the scalar one: all lengths around the lanes, values that make
// arithmetic special, in place and not, and nothing written outside the output.
#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "tests/support/float_bits.h"
#include "tests/support/vec_levels.h"

namespace {

using kern::VecKernels;
using test::difference;
using test::Guarded;

std::vector<int64_t> lengths() {
    std::vector<int64_t> n;
    for (int64_t i = 1; i <= 40; ++i) n.push_back(i);
    for (int64_t i : {96, 100, 128, 640, 2560, 6912}) n.push_back(i);
    return n;
}

// Plain numbers, a few special ones, and mostly special ones.
constexpr uint32_t kEvery[] = {1000000, 40, 2};

// Runs body(n, a, b) for every length and mixture.
template <class Body>
void for_each_input(Body body) {
    for (int64_t n : lengths()) {
        for (uint32_t every : kEvery) {
            const uint32_t seed = static_cast<uint32_t>(n) * 7 + every;
            const std::vector<float> a = test::mixed_floats(static_cast<size_t>(n), seed, every);
            const std::vector<float> b = test::mixed_floats(static_cast<size_t>(n), seed + 100, every);
            INFO("n ", n, ", one special in ", every);
            body(n, a, b);
        }
    }
}

// The output of run(kernels, out) must be the same for every level, with its guards intact.
template <class T, class Run>
void check_levels(size_t n, Run run) {
    Guarded<T> expected(n);
    run(kern::vec_scalar, expected.data());
    CHECK(expected.guards_intact());
    const std::vector<T> reference = expected.values();
    for (const VecKernels* kernels : test::runnable_vec_kernels()) {
        INFO(kernels->name);
        Guarded<T> out(n);
        run(*kernels, out.data());
        CHECK(difference(reference, out.values()) == "");
        CHECK(out.guards_intact());
    }
}

TEST_CASE("vec levels: the list holds the scalar set and, on this build's CPU, no set twice") {
    const std::vector<const VecKernels*> runnable = test::runnable_vec_kernels();
    CHECK(std::find(runnable.begin(), runnable.end(), &kern::vec_scalar) != runnable.end());
    for (size_t i = 0; i < runnable.size(); ++i) {
        for (size_t j = 0; j < i; ++j) CHECK(std::string(runnable[i]->name) != runnable[j]->name);
    }
}

TEST_CASE("vec levels: elementwise kernels equal the scalar ones bit for bit") {
    for_each_input([](int64_t n, const std::vector<float>& a, const std::vector<float>& b) {
        const size_t size = static_cast<size_t>(n);
        check_levels<float>(size, [&](const VecKernels& k, float* out) { k.add(a.data(), b.data(), out, n); });
        check_levels<float>(size, [&](const VecKernels& k, float* out) { k.scale(a.data(), b[0], out, n); });
        check_levels<float>(size, [&](const VecKernels& k, float* out) { k.relu2_mul(a.data(), b.data(), out, n); });
        check_levels<float>(size, [&](const VecKernels& k, float* out) { k.silu_mul(a.data(), b.data(), out, n); });
        std::vector<float> wide = a;  // arguments all over the range of exp
        for (float& v : wide) v *= 120.0f;
        check_levels<float>(size, [&](const VecKernels& k, float* out) { k.silu_mul(wide.data(), b.data(), out, n); });
        check_levels<float>(size, [&](const VecKernels& k, float* out) { k.gelu_mul(wide.data(), b.data(), out, n); });
        check_levels<float>(size, [&](const VecKernels& k, float* out) { k.gelu_mul(a.data(), b.data(), out, n); });
    });
}

TEST_CASE("vec levels: norms and softmax equal the scalar ones bit for bit") {
    for_each_input([](int64_t n, const std::vector<float>& a, const std::vector<float>& b) {
        const size_t size = static_cast<size_t>(n);
        check_levels<float>(size,
                            [&](const VecKernels& k, float* out) { k.rms_norm(a.data(), b.data(), 1e-5f, n, out); });
        check_levels<float>(size,
                            [&](const VecKernels& k, float* out) { k.rms_norm(a.data(), nullptr, 1e-5f, n, out); });
        check_levels<float>(size, [&](const VecKernels& k, float* out) {  // in place
            std::copy(a.begin(), a.end(), out);
            k.rms_norm(out, b.data(), 1e-6f, n, out);
        });
        for (float spread : {1.0f, 60.0f}) {
            check_levels<float>(size, [&](const VecKernels& k, float* out) {
                for (int64_t i = 0; i < n; ++i) out[i] = a[static_cast<size_t>(i)] * spread;
                k.softmax(out, n);
            });
        }
    });
}

TEST_CASE("vec levels: reductions to one number equal the scalar ones bit for bit") {
    for_each_input([](int64_t n, const std::vector<float>& a, const std::vector<float>& b) {
        check_levels<float>(1, [&](const VecKernels& k, float* out) { *out = k.dot(a.data(), b.data(), n); });
        check_levels<float>(1, [&](const VecKernels& k, float* out) { *out = k.abs_max(a.data(), n); });
    });
}

TEST_CASE("vec levels: one NaN, infinity or largest value is treated the same at every place of a row") {
    const std::vector<float> plain = test::random_floats(35, 77);
    for (float special : test::special_floats()) {
        for (size_t at = 0; at < plain.size(); ++at) {
            std::vector<float> x = plain;
            x[at] = special;
            INFO("x[", at, "] = ", special);
            check_levels<float>(1, [&](const VecKernels& k, float* out) { *out = k.abs_max(x.data(), 35); });
            check_levels<float>(1, [&](const VecKernels& k, float* out) { *out = k.dot(x.data(), plain.data(), 35); });
            check_levels<float>(35, [&](const VecKernels& k, float* out) {
                std::copy(x.begin(), x.end(), out);
                k.softmax(out, 35);
            });
        }
    }
}

TEST_CASE("vec levels: quantised bytes, their sum and the scale equal the scalar ones") {
    for_each_input([](int64_t n, const std::vector<float>& a, const std::vector<float>&) {
        // With infinities out of the way as well, because one of them makes every byte 0.
        std::vector<float> finite = a;
        for (float& v : finite) v = std::isinf(v) || std::fabs(v) > 1e6f ? 0.25f : v;
        for (const std::vector<float>* x : {&a, static_cast<const std::vector<float>*>(&finite)}) {
            check_levels<int8_t>(static_cast<size_t>(n), [&](const VecKernels& k, int8_t* out) {
                int32_t sum = -1;
                k.quantize_i8(x->data(), n, out, &sum);
            });
            check_levels<float>(2, [&](const VecKernels& k, float* out) {
                std::vector<int8_t> q(static_cast<size_t>(n));
                int32_t sum = -1;
                out[0] = k.quantize_i8(x->data(), n, q.data(), &sum);
                out[1] = test::float_of(static_cast<uint32_t>(sum));
            });
        }
    });
}

TEST_CASE("vec levels: conversions between float and half equal the scalar ones, NaN payloads included") {
    for_each_input([](int64_t n, const std::vector<float>& a, const std::vector<float>&) {
        check_levels<uint16_t>(static_cast<size_t>(n),
                               [&](const VecKernels& k, uint16_t* out) { k.f32_to_f16(a.data(), out, n); });
    });
    std::vector<uint16_t> halves(65536);
    for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
    check_levels<float>(halves.size(),
                        [&](const VecKernels& k, float* out) { k.f16_to_f32(halves.data(), out, 65536); });
    for (int64_t n : lengths()) {
        check_levels<float>(static_cast<size_t>(n),
                            [&](const VecKernels& k, float* out) { k.f16_to_f32(halves.data() + 31740, out, n); });
    }
}

TEST_CASE("vec levels: rotations equal the scalar ones and leave the rest of the head alone") {
    for (int64_t n_dims : {2, 4, 20, 30, 32, 34, 64, 96, 100, 128, 130}) {
        for (uint32_t every : kEvery) {
            const size_t size = static_cast<size_t>(n_dims);
            const std::vector<float> x = test::mixed_floats(size, 5, every);
            const std::vector<float> cos_sin = test::mixed_floats(size, 6, every);
            check_levels<float>(size, [&](const VecKernels& k, float* out) {
                std::copy(x.begin(), x.end(), out);
                k.rope_halves(out, cos_sin.data(), n_dims);
            });
            check_levels<float>(size, [&](const VecKernels& k, float* out) {
                std::copy(x.begin(), x.end(), out);
                k.rope_pairs(out, cos_sin.data(), n_dims);
            });
        }
    }
}

TEST_CASE("vec levels: the vector exp inside softmax has the bits of exp_f32 for arguments of every size") {
    // A leading 0 is the row's largest value, so that element i becomes exp(x[i]) / sum, times sum again by hand.
    for (const VecKernels* kernels : test::runnable_vec_kernels()) {
        INFO(kernels->name);
        std::vector<float> x(512);
        uint32_t at = 0x80000000;  // every negative float in steps, denormals first
        while (at < 0xff800000) {
            x[0] = 0.0f;
            for (size_t i = 1; i < x.size(); ++i, at += 40009) x[i] = at < 0xff800000 ? test::float_of(at) : -1000.0f;
            float lane[16] = {};
            for (size_t i = 0; i < x.size(); ++i) lane[i % 16] += kern::exp_f32(x[i]);
            const float factor = 1.0f / test::tree_of_lanes(lane);
            std::vector<float> expected(x.size());
            for (size_t i = 0; i < x.size(); ++i) expected[i] = kern::exp_f32(x[i]) * factor;
            std::vector<float> actual = x;
            kernels->softmax(actual.data(), static_cast<int64_t>(actual.size()));
            REQUIRE(difference(expected, actual) == "");
        }
    }
}

TEST_CASE("vec levels: products of four rows equal the scalar ones, which add in rising order, bit for bit") {
    const struct {
        int64_t depth, n, x_stride;
    } shapes[] = {{1, 16, 16}, {9, 48, 50}, {27, 128, 128}, {256, 80, 96}, {0, 32, 32}};
    for (const auto& shape : shapes) {
        for (uint32_t every : kEvery) {
            CAPTURE(shape.depth);
            CAPTURE(shape.n);
            CAPTURE(every);
            const size_t depth = static_cast<size_t>(shape.depth);
            const std::vector<float> w = test::mixed_floats(4 * depth + 1, 3 + every, every);
            const std::vector<float> x =
                test::mixed_floats(depth * static_cast<size_t>(shape.x_stride) + 1, 5 + every, every);
            check_levels<float>(static_cast<size_t>(4 * shape.n), [&](const VecKernels& k, float* out) {
                k.product4(w.data(), x.data(), shape.x_stride, shape.depth, shape.n, out, shape.n);
            });
            std::vector<float> out(static_cast<size_t>(4 * shape.n));
            kern::vec_scalar.product4(w.data(), x.data(), shape.x_stride, shape.depth, shape.n, out.data(), shape.n);
            std::vector<float> expected;
            for (size_t i = 0; i < out.size(); ++i) {
                float sum = 0;
                for (size_t t = 0; t < depth; ++t) {
                    sum += w[4 * t + i / static_cast<size_t>(shape.n)] *
                           x[t * static_cast<size_t>(shape.x_stride) + i % static_cast<size_t>(shape.n)];
                }
                expected.push_back(sum == sum ? sum : test::float_of(0x7fc00000));
            }
            CHECK(difference(expected, out) == "");
        }
    }
}

}  // namespace
