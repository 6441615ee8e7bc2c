// The GPU's operations over rows, played on the CPU, against the scalar kernels: the same bits for every width, at any
// address, for numbers at which arithmetic goes wrong.
#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "ggml-like/gpu/gpu_ops.h"
#include "kernels/cpu/vec_kernel_sets.h"
#include "tests/support/float_bits.h"
#include "tests/support/gpu_arrays.h"

namespace {

using kern::KvType;
using kern::vec_scalar;
using test::difference;
using test::GpuFixture;

constexpr KvType kTypes[] = {KvType::f16, KvType::q8_0, KvType::q4_0};

std::vector<int64_t> widths() {
    std::vector<int64_t> all(40);
    std::iota(all.begin(), all.end(), 1);
    for (int64_t n : {63, 64, 127, 511, 512, 513, 2049, 2560, 4096, 4099, 9001}) all.push_back(n);
    return all;
}

std::vector<float> numbers(int64_t n, uint32_t seed, uint32_t special_every) {
    return special_every == 0 ? test::random_floats(static_cast<size_t>(n), seed)
                              : test::mixed_floats(static_cast<size_t>(n), seed, special_every);
}

// Numbers of `slots` cells in an order that no rule follows.
std::vector<int32_t> scattered(int32_t slots, int64_t n, uint32_t seed) {
    std::vector<int32_t> cells(static_cast<size_t>(slots));
    std::iota(cells.begin(), cells.end(), 0);
    std::shuffle(cells.begin(), cells.end(), std::mt19937(seed));
    cells.resize(static_cast<size_t>(n));
    return cells;
}

}  // namespace

TEST_CASE("rows are added and gated on a GPU as on the CPU, bit for bit") {
    using Cpu = void (*)(const float*, const float*, float*, int64_t);
    using Gpu = void (*)(tg::GpuStream&, const float*, const float*, int64_t, float*);
    const std::pair<Cpu, Gpu> ops[] = {{vec_scalar.add, tg::gpu_add},
                                       {vec_scalar.relu2_mul, tg::gpu_relu2_mul},
                                       {vec_scalar.silu_mul, tg::gpu_silu_mul},
                                       {vec_scalar.gelu_mul, tg::gpu_gelu_mul}};
    GpuFixture gpu;
    for (const auto& [cpu, on_gpu] : ops) {
        for (const int64_t n : widths()) {
            const size_t size = static_cast<size_t>(n), offset = size % 3;
            std::vector<float> a = numbers(n, 1, 3), b = numbers(n, 2, 3), expected(size);
            for (size_t i = 0; i < size; i += 2) a[i] *= 30.0f;
            cpu(a.data(), b.data(), expected.data(), n);
            float* on_a = gpu.put(a, offset);
            float* on_b = gpu.put(b, offset);
            float* out = gpu.room<float>(size, offset);
            on_gpu(*gpu.stream, on_a, on_b, n, out);
            REQUIRE(difference(gpu.get(out, size), expected) == "");
            on_gpu(*gpu.stream, on_a, on_b, n, on_b);  // in place
            REQUIRE(difference(gpu.get(on_b, size), expected) == "");
            REQUIRE(gpu.release() == "");
        }
    }
}

TEST_CASE("rows and heads are normalised on a GPU as on the CPU, bit for bit") {
    GpuFixture gpu;
    for (const int64_t part : widths()) {
        for (const int64_t parts : {1, 5}) {
            constexpr int64_t kRows = 3;
            const size_t size = static_cast<size_t>(kRows * parts * part);
            const std::vector<float> weight = numbers(part, 4, 0);
            std::vector<float> x = numbers(kRows * parts * part, 3, 0);
            // The last row holds what arithmetic has no answer for.
            const std::vector<float> special = numbers(part, 5, 40);
            std::copy(special.begin(), special.end(), x.end() - part);
            for (const bool weighted : {true, false}) {
                std::vector<float> expected(size);
                for (size_t at = 0; at < size; at += static_cast<size_t>(part)) {
                    vec_scalar.rms_norm(x.data() + at, weighted ? weight.data() : nullptr, 1e-5f, part,
                                        expected.data() + at);
                }
                float* on_x = gpu.put(x, 1);
                const float* on_weight = weighted ? gpu.put(weight, 3) : nullptr;
                float* out = gpu.room<float>(size);
                tg::gpu_rms_norm(*gpu.stream, on_x, on_weight, 1e-5f, kRows, parts * part, part, out);
                INFO(part, " of ", parts);
                REQUIRE(difference(gpu.get(out, size), expected) == "");
                const std::vector<float> residual = numbers(static_cast<int64_t>(size), 6, 40);
                std::vector<float> sums(size);
                vec_scalar.add(residual.data(), expected.data(), sums.data(), static_cast<int64_t>(size));
                tg::gpu_rms_norm(*gpu.stream, on_x, on_weight, 1e-5f, kRows, parts * part, part, out, gpu.put(residual));
                REQUIRE(difference(gpu.get(out, size), sums) == "");
                tg::gpu_rms_norm(*gpu.stream, on_x, on_weight, 1e-5f, kRows, parts * part, part, on_x);
                REQUIRE(difference(gpu.get(on_x, size), expected) == "");
                REQUIRE(gpu.release() == "");
            }
        }
    }
}

TEST_CASE("a GPU's table of angles has the bits of rope_angle") {
    GpuFixture gpu;
    const std::vector<int32_t> positions = {0, 1, 2, 17, 4095, 131071, 2147483647};
    for (const int64_t n_pairs : {1, 20, 64}) {
        std::vector<kern::RopeFrequency> frequencies;
        for (int64_t i = 0; i < n_pairs; ++i)
            frequencies.push_back(kern::rope_frequency(i, 2 * n_pairs, 500000.0, 1.0));
        frequencies.back() = {1e30, 0.0};  // has no angle
        std::vector<float> expected;
        for (const int32_t position : positions) {
            for (const kern::RopeFrequency& frequency : frequencies) {
                float cosine, sine;
                kern::rope_angle(position, frequency, &cosine, &sine);
                expected.insert(expected.end(), {cosine, sine});
            }
        }
        float* out = gpu.room<float>(expected.size());
        tg::gpu_rope_table(*gpu.stream, gpu.put(positions), static_cast<int64_t>(positions.size()),
                           gpu.put(frequencies), n_pairs, out);
        CHECK(difference(gpu.get(out, expected.size()), expected) == "");
        CHECK(gpu.release() == "");
    }
}

TEST_CASE("heads are turned on a GPU as on the CPU, bit for bit, and numbers beyond n_dims stay") {
    GpuFixture gpu;
    struct Shape {
        int64_t head_dim, n_dims, n_head, n_tokens;
    };
    for (const Shape s : {Shape{128, 128, 20, 3}, {80, 80, 3, 2}, {64, 32, 5, 1}, {10, 6, 1, 4}, {3, 2, 2, 2}}) {
        for (const bool halves : {true, false}) {
            const int64_t n = s.n_tokens * s.n_head * s.head_dim;
            std::vector<float> expected = numbers(n, 6, 20);
            const std::vector<float> table = numbers(s.n_tokens * s.n_dims, 7, 40);
            float* x = gpu.put(expected);
            tg::gpu_rope(*gpu.stream, x, gpu.put(table), s.n_tokens, s.n_head, s.head_dim, s.n_dims, halves);
            for (int64_t i = 0; i < s.n_tokens * s.n_head; ++i) {
                float* head = expected.data() + i * s.head_dim;
                const float* angles = table.data() + i / s.n_head * s.n_dims;
                (halves ? vec_scalar.rope_halves : vec_scalar.rope_pairs)(head, angles, s.n_dims);
            }
            INFO(s.head_dim, " ", halves);
            CHECK(difference(gpu.get(x, expected.size()), expected) == "");
            CHECK(gpu.release() == "");
        }
    }
}

TEST_CASE("a GPU writes the cells of a cache as the CPU does, and no others") {
    GpuFixture gpu;
    constexpr int64_t kHeads = 3, kTokens = 5;
    constexpr int32_t kSlots = 12;
    for (const int64_t head_dim : {1, 16, 31, 32, 33, 64, 96, 128}) {
        for (const KvType k_type : kTypes) {
            for (const KvType v_type : kTypes) {
                if ((k_type != KvType::f16 || v_type != KvType::f16) && !kern::can_quantize_head(head_dim)) continue;
                std::vector<float> k = numbers(kTokens * kHeads * head_dim, 8, 60);
                const std::vector<float> v = numbers(kTokens * kHeads * head_dim, 9, 5);
                std::fill(k.begin(), k.begin() + std::min<int64_t>(head_dim, 32), -0.0f);  // a block without a largest
                if (head_dim >= 64) {
                    for (int i = 0; i < 32; ++i) k[static_cast<size_t>(32 + i)] = i % 2 == 0 ? -0.25f : 0.25f;  // many
                }
                const std::vector<int32_t> cells = scattered(kSlots, kTokens, 10);
                const auto bytes = [&](KvType type) {
                    return static_cast<size_t>(kHeads * kSlots * kern::kv_head_bytes(type, head_dim));
                };
                std::vector<uint8_t> on_cpu[2] = {std::vector<uint8_t>(bytes(k_type), 0xa5),
                                                  std::vector<uint8_t>(bytes(v_type), 0xa5)};
                tg::KvLayer kv;
                kv.k = gpu.put(on_cpu[0]);
                kv.v = gpu.put(on_cpu[1]);
                kv.k_type = k_type;
                kv.v_type = v_type;
                kv.n_cells = kSlots;
                tg::gpu_kv_store(*gpu.stream, kv, gpu.put(k), gpu.put(v), gpu.put(cells), kTokens, kHeads, head_dim);
                for (int64_t i = 0; i < kTokens * kHeads; ++i) {
                    const int64_t place = i % kHeads * kSlots + cells[static_cast<size_t>(i / kHeads)];
                    const auto store = [&](KvType type, const std::vector<float>& x, std::vector<uint8_t>& to) {
                        vec_scalar.f32_to_kv(type, x.data() + i * head_dim, head_dim,
                                             to.data() + place * kern::kv_head_bytes(type, head_dim));
                    };
                    store(k_type, k, on_cpu[0]);
                    store(v_type, v, on_cpu[1]);
                }
                INFO(head_dim, " ", static_cast<int>(k_type), " ", static_cast<int>(v_type));
                CHECK(difference(gpu.get(kv.k, on_cpu[0].size()), on_cpu[0]) == "");
                CHECK(difference(gpu.get(kv.v, on_cpu[1].size()), on_cpu[1]) == "");
                CHECK(gpu.release() == "");
            }
        }
    }
}

TEST_CASE("cells leave a GPU's cache cell by cell, head by head, and come back to other cells") {
    GpuFixture gpu;
    constexpr int64_t kHeads = 3, kCells = 7;
    constexpr int32_t kSlots = 20;
    for (const int64_t head_bytes : {1, 2, 34, 36, 136, 256}) {
        std::vector<uint8_t> rows(static_cast<size_t>(kHeads * kSlots * head_bytes));
        std::mt19937 random(11);
        for (uint8_t& byte : rows) byte = static_cast<uint8_t>(random());
        const std::vector<int32_t> from = scattered(kSlots, kCells, 12), to = scattered(kSlots, kCells, 13);
        std::vector<uint8_t> staged, expected(rows.size(), 0);
        for (int64_t i = 0; i < kCells; ++i) {
            for (int64_t head = 0; head < kHeads; ++head) {
                const auto begin = rows.begin() + (head * kSlots + from[static_cast<size_t>(i)]) * head_bytes;
                staged.insert(staged.end(), begin, begin + head_bytes);
                std::copy(begin, begin + head_bytes,
                          expected.begin() + (head * kSlots + to[static_cast<size_t>(i)]) * head_bytes);
            }
        }
        uint8_t* staging = gpu.room<uint8_t>(staged.size());
        uint8_t* other = gpu.put(std::vector<uint8_t>(rows.size(), 0));
        tg::gpu_kv_gather(*gpu.stream, gpu.put(rows), kSlots, kHeads, head_bytes, gpu.put(from), kCells, staging);
        CHECK(difference(gpu.get(staging, staged.size()), staged) == "");
        tg::gpu_kv_scatter(*gpu.stream, other, kSlots, kHeads, head_bytes, gpu.put(to), kCells, staging);
        CHECK(difference(gpu.get(other, expected.size()), expected) == "");
        CHECK(gpu.release() == "");
    }
}

TEST_CASE("rows are picked and padded on a GPU with every bit kept") {
    GpuFixture gpu;
    for (const int64_t width : {1, 5, 300, 2560}) {
        constexpr int64_t kRows = 6;
        const std::vector<float> x = numbers(kRows * width, 14, 3);
        const std::vector<int32_t> rows = {4, 0, 4, 5};
        const int64_t wider = width + 7;
        std::vector<float> picked, padded(static_cast<size_t>(kRows * wider), 0.0f);
        for (const int32_t row : rows)
            picked.insert(picked.end(), x.begin() + row * width, x.begin() + (row + 1) * width);
        for (int64_t row = 0; row < kRows; ++row) {
            std::copy_n(x.begin() + row * width, width, padded.begin() + row * wider);
        }
        const float* on_x = gpu.put(x);
        float* out = gpu.room<float>(picked.size());
        float* longer = gpu.room<float>(padded.size());
        tg::gpu_pick_rows(*gpu.stream, on_x, width, gpu.put(rows), static_cast<int64_t>(rows.size()), out);
        tg::gpu_pad(*gpu.stream, on_x, kRows, width, wider, longer);
        CHECK(difference(gpu.get(out, picked.size()), picked) == "");
        CHECK(difference(gpu.get(longer, padded.size()), padded) == "");
        CHECK(gpu.release() == "");
    }
}
