// The screen kernels of every level give the scalar kernel's bits, and those are the exact sums; what the vector becomes is
// near the vector; a number that is none spoils its column and nothing else.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/kernel_select.h"
#include "kernels/cpu/screen_kernels.h"

namespace {

struct Screened {
    int64_t n_rows, k, n_cols;
    std::vector<int8_t> weights;  // codes, then scales
    std::vector<float> x;
    std::vector<uint8_t> acts;

    Screened(int64_t rows, int64_t width, int64_t cols, bool largest) : n_rows(rows), k(width), n_cols(cols) {
        const int64_t stride = kern::screen_stride(k);
        weights.assign(static_cast<size_t>(kern::screen_weight_bytes(n_rows, k)), 0);
        uint32_t state = 7;
        const auto next = [&] { return state = state * 1664525u + 1013904223u; };
        for (int64_t r = 0; r < n_rows; ++r) {
            for (int64_t i = 0; i < k; ++i) {
                const int code = largest ? (r % 2 == 0 ? 127 : -127) : static_cast<int>(next() >> 24) - 128;
                weights[static_cast<size_t>(r * stride + i)] = static_cast<int8_t>(code < -127 ? -127 : code);
            }
            const float scale = 0.001f * static_cast<float>(r + 1);
            std::memcpy(&weights[static_cast<size_t>(n_rows * stride + 4 * r)], &scale, 4);
        }
        for (int64_t i = 0; i < k * n_cols; ++i) {
            x.push_back(largest ? (i / k % 2 == 0 ? 3.0f : -3.0f)
                                : static_cast<float>(static_cast<int32_t>(next())) * 1e-9f);
        }
        acts.resize(kern::act_screen.bytes(k, n_cols));
        kern::act_screen.pack(x.data(), k, k, n_cols, 0, n_cols, acts.data());
    }
    const uint8_t* column(int64_t c) const { return &acts[static_cast<size_t>(c * kern::screen_column_bytes(k))]; }
    int both(int64_t c, int64_t i) const {
        int16_t value;
        std::memcpy(&value, column(c) + 64 + 2 * kern::screen_stride(k) + 2 * i, 2);
        return value;
    }
    std::vector<float> product(const kern::MulMatKernel& kernel, int64_t begin, int64_t end) const {
        std::vector<float> out(static_cast<size_t>(n_rows * n_cols), -1.0f);
        kern::MulMatArgs args{};
        args.weights = weights.data();
        args.acts = acts.data();
        args.out = out.data();
        args.out_stride = n_rows;
        args.k = k;
        args.n_rows = n_rows;
        args.n_cols = n_cols;
        args.row_begin = begin;
        args.row_end = end;
        kernel.run(args);
        return out;
    }
};

}  // namespace

TEST_CASE("screen: a vector becomes 15-bit integers within half a step, in two parts that make up the whole") {
    const Screened s(1, 300, 3, false);
    for (int64_t c = 0; c < s.n_cols; ++c) {
        kern::ScreenColumn head;
        std::memcpy(&head, s.column(c), sizeof head);
        const int8_t* high = reinterpret_cast<const int8_t*>(s.column(c) + sizeof head);
        const int8_t* low = high + kern::screen_stride(s.k);
        int32_t sum_high = 0, sum_low = 0;
        for (int64_t i = 0; i < s.k; ++i) {
            const double off =
                static_cast<double>(s.x[static_cast<size_t>(c * s.k + i)]) / static_cast<double>(head.scale) -
                s.both(c, i);
            REQUIRE(std::fabs(off) <= 0.51);
            REQUIRE(s.both(c, i) == 128 * high[i] + low[i]);
            REQUIRE(high[i] != -128);
            sum_high += high[i];
            sum_low += low[i];
        }
        CHECK(head.sum_high == sum_high);
        CHECK(head.sum_low == sum_low);
    }
}

TEST_CASE("screen: every level gives the exact sums") {
    for (const bool largest : {false, true}) {
        for (const int64_t k : {1, 64, 65, 576, 2560, 9000, 65536}) {
            for (const int64_t n_cols : {1, 2, 3, 4, 7}) {
                const bool in_pieces = k == 65 && n_cols == 7;  // of 4,096 rows
                const Screened s(in_pieces ? 9000 : k > 4096 ? 5 : 21, k, n_cols, largest);
                CAPTURE(k);
                CAPTURE(n_cols);
                const std::vector<float> expected = s.product(kern::screen_scalar, 0, s.n_rows);
                for (int64_t c = 0; c < n_cols; ++c) {
                    kern::ScreenColumn head;
                    std::memcpy(&head, s.column(c), sizeof head);
                    for (int64_t r = 0; r < s.n_rows; ++r) {
                        int64_t sum = 0;
                        for (int64_t i = 0; i < k; ++i) {
                            sum +=
                                int64_t{s.weights[static_cast<size_t>(r * kern::screen_stride(k) + i)]} * s.both(c, i);
                        }
                        const float scale = 0.001f * static_cast<float>(r + 1);
                        REQUIRE(expected[static_cast<size_t>(c * s.n_rows + r)] ==
                                static_cast<float>(static_cast<double>(scale) * static_cast<double>(head.scale) *
                                                   static_cast<double>(sum)));
                    }
                }
                for (size_t i = 0; i < kern::screen_kernel_count(); ++i) {
                    const kern::MulMatKernel& kernel = kern::screen_kernel_at(i);
                    if (kernel.type != kern::QuantType::f32) continue;
                    if ((kernel.needs & ~kern::cpu_features()) != 0) {
                        if (k == 1 && n_cols == 1) MESSAGE("skipped: this CPU cannot run ", std::string(kernel.name));
                        continue;
                    }
                    CAPTURE(kernel.name);
                    CHECK(std::memcmp(s.product(kernel, 0, s.n_rows).data(), expected.data(), expected.size() * 4) ==
                          0);
                    const std::vector<float> part = s.product(kernel, 1, s.n_rows - 1);
                    CHECK(part[0] == -1.0f);
                    CHECK(part[static_cast<size_t>(s.n_rows - 2)] == expected[static_cast<size_t>(s.n_rows - 2)]);
                    CHECK(part[static_cast<size_t>(s.n_rows - 1)] == -1.0f);
                }
            }
        }
    }
}

TEST_CASE("screen: an infinity or NaN spoils its own column, and next to nothing counts as nothing") {
    Screened s(4, 128, 3, false);
    s.x[5] = std::numeric_limits<float>::infinity();
    for (int64_t i = 0; i < s.k; ++i) s.x[static_cast<size_t>(2 * s.k + i)] = 1e-33f;
    kern::act_screen.pack(s.x.data(), s.k, s.k, s.n_cols, 0, s.n_cols, s.acts.data());
    for (size_t i = 0; i < kern::screen_kernel_count(); ++i) {
        const kern::MulMatKernel& kernel = kern::screen_kernel_at(i);
        if (kernel.type != kern::QuantType::f32 || (kernel.needs & ~kern::cpu_features()) != 0) continue;
        const std::vector<float> out = s.product(kernel, 0, 4);
        for (size_t r = 0; r < 4; ++r) {
            CHECK(out[r] != out[r]);
            CHECK(out[4 + r] == out[4 + r]);
            CHECK(out[8 + r] == 0.0f);
        }
    }
}

TEST_CASE(
    "screen: codes of Q8_0 and Q6_K, any bytes: every level gives the same bits, near the product by definition") {
    for (const kern::QuantType type : {kern::QuantType::q8_0, kern::QuantType::q6_k}) {
        for (const int64_t k : {256, 512, 2560}) {
            for (const int64_t n_cols : {1, 2, 3, 5, 19}) {
                Screened s(9, k, n_cols, false);
                const uint64_t row_bytes = kern::quant_row_bytes(type, k);
                const size_t block = type == kern::QuantType::q8_0 ? 34 : 210;
                s.weights.resize(static_cast<size_t>(row_bytes) * 9);
                uint32_t state = 11;
                for (int8_t& byte : s.weights)
                    byte = static_cast<int8_t>((state = state * 1664525u + 1013904223u) >> 24);
                for (size_t at = 0; at < s.weights.size(); at += block) {  // a scale of about 0.01
                    const uint16_t half = static_cast<uint16_t>(0x2100 + at % 251);
                    std::memcpy(&s.weights[at + (type == kern::QuantType::q8_0 ? 0 : 208)], &half, 2);
                }
                std::vector<float> expected;
                for (size_t i = kern::screen_kernel_count(); i-- > 0;) {  // scalar comes first this way
                    const kern::MulMatKernel& kernel = kern::screen_kernel_at(i);
                    if (kernel.type != type || (kernel.needs & ~kern::cpu_features()) != 0) continue;
                    CAPTURE(kernel.name);
                    const std::vector<float> out = s.product(kernel, 0, 9);
                    if (expected.empty()) expected = out;
                    CHECK(std::memcmp(out.data(), expected.data(), out.size() * 4) == 0);
                }
                std::vector<float> row(static_cast<size_t>(k));
                for (int64_t r = 0; r < 9; ++r) {
                    const int8_t* p = s.weights.data() + static_cast<uint64_t>(r) * row_bytes;
                    kern::quant_type_info(type).decode(p, 1.0f, k, row.data());
                    double norm = 0;
                    for (const float w : row) norm += static_cast<double>(w) * static_cast<double>(w);
                    const double bound =
                        type == kern::QuantType::q8_0 ? kern::screen_norm_q8_0(p, k) : kern::screen_norm_q6_k(p, k);
                    CHECK(bound >= std::sqrt(norm) * 0.999999);
                    CHECK(bound < 20 * std::sqrt(norm));
                    for (int64_t c = 0; c < n_cols; ++c) {
                        double sum = 0, size = 0;
                        for (int64_t i = 0; i < k; ++i) {
                            const double x = static_cast<double>(s.x[static_cast<size_t>(c * k + i)]);
                            sum += static_cast<double>(row[static_cast<size_t>(i)]) * x;
                            size += x * x;
                        }
                        const double off =
                            std::fabs(sum - static_cast<double>(expected[static_cast<size_t>(c * 9 + r)]));
                        CHECK(off <= 1e-3 * std::sqrt(norm * size));
                    }
                }
            }
        }
    }
}

TEST_CASE("screen: the largest codes, scales and values of Q6_K stay within the integers of every level") {
    constexpr int64_t k = 512, n_rows = 9;
    for (const int64_t n_cols : {1, 2, 4, 6}) {
        Screened s(n_rows, k, n_cols, true);                                            // columns of 3 and of -3
        s.weights.assign(kern::quant_row_bytes(kern::QuantType::q6_k, k) * n_rows, 0);  // codes 0 are -32
        for (size_t at = 0; at < s.weights.size(); at += 210) {
            std::memset(&s.weights[at + 192], 0x80, 16);  // scales of -128
            const uint16_t one = 0x3c00;
            std::memcpy(&s.weights[at + 208], &one, 2);
        }
        for (size_t i = 0; i < kern::screen_kernel_count(); ++i) {
            const kern::MulMatKernel& kernel = kern::screen_kernel_at(i);
            if (kernel.type != kern::QuantType::q6_k || (kernel.needs & ~kern::cpu_features()) != 0) continue;
            CAPTURE(kernel.name);
            const std::vector<float> out = s.product(kernel, 0, n_rows);
            for (size_t o = 0; o < out.size(); ++o) {
                const float wanted = (o / n_rows) % 2 == 0 ? 3.0f * k * 4096.0f : -3.0f * k * 4096.0f;
                CHECK(out[o] == doctest::Approx(wanted).epsilon(1e-5));
            }
        }
    }
}
