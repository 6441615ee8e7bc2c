// F16, BF16, Q8_0, Q4_0 and Q6_K: decode against the format description, error bounds of encode, and inputs that are
// not numbers.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

#include "tests/support/kernel_cases.h"
#include "tests/support/ternary_reference.h"

using kern::QuantType;

namespace {

std::vector<float> decode(QuantType type, const std::vector<unsigned char>& bytes) {
    const kern::QuantTypeInfo& info = kern::quant_type_info(type);
    const int64_t n = static_cast<int64_t>(bytes.size()) / info.block_bytes * info.block_length;
    std::vector<float> out(static_cast<size_t>(n));
    // From an odd address: weights in a mapped file may begin anywhere.
    const test::OffsetBytes moved(bytes.data(), bytes.size(), 1);
    info.decode(moved.data(), 1.0f, n, out.data());
    return out;
}

std::vector<unsigned char> encode(QuantType type, const std::vector<float>& values) {
    const kern::QuantTypeInfo& info = kern::quant_type_info(type);
    test::OffsetBytes bytes(values.size() / info.block_length * info.block_bytes, 3);
    info.encode(values.data(), 1.0f, static_cast<int64_t>(values.size()), bytes.data());
    return {bytes.data(), bytes.data() + bytes.size()};
}

// One block from the description in the file format, in doubles.
std::vector<double> reference_block(QuantType type, const unsigned char* b) {
    const auto s8 = [](unsigned char c) { return static_cast<int>(static_cast<signed char>(c)); };
    std::vector<double> out;
    if (type == QuantType::q8_0) {
        for (int i = 0; i < 32; ++i) out.push_back(test::half_at(b) * s8(b[2 + i]));
    } else if (type == QuantType::q4_0) {
        for (int i = 0; i < 16; ++i) out.push_back(test::half_at(b) * (b[2 + i] % 16 - 8));
        for (int i = 0; i < 16; ++i) out.push_back(test::half_at(b) * (b[2 + i] / 16 - 8));
    } else if (type == QuantType::q4_1) {
        for (int i = 0; i < 32; ++i) {
            out.push_back(test::half_at(b) * (i < 16 ? b[4 + i] % 16 : b[4 + i - 16] / 16) + test::half_at(b + 2));
        }
    } else if (type == QuantType::q1_0) {
        for (int i = 0; i < 128; ++i)
            out.push_back(b[2 + i / 8] / (1 << i % 8) % 2 == 1 ? test::half_at(b) : -test::half_at(b));
    } else if (type == QuantType::q2_0 || type == QuantType::q2_0_g128) {
        const int n = type == QuantType::q2_0 ? 64 : 128;
        for (int i = 0; i < n; ++i) out.push_back(test::half_at(b) * (b[2 + i / 4] / (1 << 2 * (i % 4)) % 4 - 1));
    } else {
        out.resize(256);
        const double d = test::half_at(b + 208);
        for (int h = 0; h < 2; ++h) {
            const unsigned char* ql = b + 64 * h;
            const unsigned char* qh = b + 128 + 32 * h;
            const unsigned char* sc = b + 192 + 8 * h;
            for (int l = 0; l < 32; ++l) {
                const int is = l / 16;
                const int q[4] = {
                    ((ql[l] & 15) | (qh[l] & 3) << 4) - 32, ((ql[l + 32] & 15) | (qh[l] >> 2 & 3) << 4) - 32,
                    ((ql[l] >> 4) | (qh[l] >> 4 & 3) << 4) - 32, ((ql[l + 32] >> 4) | (qh[l] >> 6 & 3) << 4) - 32};
                for (int j = 0; j < 4; ++j) {
                    out[static_cast<size_t>(128 * h + 32 * j + l)] = d * s8(sc[is + 2 * j]) * q[j];
                }
            }
        }
    }
    return out;
}

constexpr QuantType kBlockTypes[] = {QuantType::q8_0, QuantType::q4_0, QuantType::q6_k, QuantType::q4_1};
constexpr QuantType kReadTypes[] = {QuantType::q8_0, QuantType::q4_0, QuantType::q6_k,     QuantType::q4_1,
                                    QuantType::q1_0, QuantType::q2_0, QuantType::q2_0_g128};

double rms(const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    return std::sqrt(sum / static_cast<double>(a.size()));
}

}  // namespace

TEST_CASE("block types decode random bytes as the format says") {
    for (const QuantType type : kReadTypes) {
        const kern::QuantTypeInfo& info = kern::quant_type_info(type);
        test::Random random(static_cast<uint64_t>(type) + 1);
        std::vector<unsigned char> bytes(info.block_bytes * 50);
        for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(random.bits());
        const std::vector<float> out = decode(type, bytes);
        for (size_t b = 0; b < 50; ++b) {
            const std::vector<double> expected = reference_block(type, bytes.data() + b * info.block_bytes);
            for (size_t i = 0; i < expected.size(); ++i) {
                INFO(info.name, " block ", b, " weight ", i);
                // d * scale * q has at most 11 + 7 + 6 significant bits, so the float product is exact.
                CHECK(test::same_bits(out[b * info.block_length + i], static_cast<float>(expected[i])));
            }
        }
    }
}

TEST_CASE("every half and every bfloat16 survives decode and encode") {
    for (const QuantType type : {QuantType::f16, QuantType::bf16}) {
        std::vector<unsigned char> bytes;
        for (unsigned value = 0; value < 65536; ++value) {
            bytes.push_back(static_cast<unsigned char>(value));
            bytes.push_back(static_cast<unsigned char>(value >> 8));
        }
        const std::vector<float> floats = decode(type, bytes);
        const std::vector<unsigned char> back = encode(type, floats);
        const std::vector<float> again = decode(type, back);
        int64_t wrong = 0;
        for (size_t i = 0; i < 65536; ++i) {
            wrong += !test::same_bits(floats[i], again[i]);
            if (floats[i] == floats[i]) wrong += back[2 * i] != bytes[2 * i] || back[2 * i + 1] != bytes[2 * i + 1];
            if (type == QuantType::f16)
                wrong += !test::same_bits(floats[i], static_cast<float>(test::half_value(static_cast<unsigned>(i))));
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("bfloat16 rounds half to even, overflows to infinity and keeps a NaN a NaN") {
    const auto bits_of = [](uint32_t bits) {
        const std::vector<unsigned char> out = encode(QuantType::bf16, {std::bit_cast<float>(bits)});
        return static_cast<unsigned>(out[0] | out[1] << 8);
    };
    CHECK(bits_of(0x3f808000) == 0x3f80);  // halfway, even below
    CHECK(bits_of(0x3f818000) == 0x3f82);  // halfway, odd below
    CHECK(bits_of(0x3f808001) == 0x3f81);
    CHECK(bits_of(0x3f807fff) == 0x3f80);
    CHECK(bits_of(0x7f7fffff) == 0x7f80);
    CHECK(bits_of(0xff7fffff) == 0xff80);
    CHECK(bits_of(0x7f800001) == 0x7fc0);
    CHECK(bits_of(0xffffffff) == 0xffff);
}

TEST_CASE("Q8_0 and Q4_0 stay within their rounding error") {
    for (const float magnitude : {1.0f, 1e-3f, 300.0f}) {
        std::vector<float> values = test::Random(7).reals(32 * 200);
        for (float& v : values) v *= magnitude;
        for (const QuantType type : {QuantType::q8_0, QuantType::q4_0}) {
            const std::vector<float> out = decode(type, encode(type, values));
            for (size_t b = 0; b < 200; ++b) {
                float abs_max = 0.0f;
                for (size_t i = 0; i < 32; ++i) abs_max = std::fmax(abs_max, std::fabs(values[b * 32 + i]));
                // Q8_0: half a step of absmax / 127. Q4_0: half a step of absmax / 8, a whole one at the end that has
                // no code. Both: the scale's rounding to a half, one part in 2048 (or 2^-25 below the normal halves).
                const float step = type == QuantType::q8_0 ? abs_max / 254.0f : abs_max / 8.0f;
                const float bound = step * 1.0001f + abs_max / 2048.0f + 128.0f * 0x1p-25f;
                for (size_t i = 0; i < 32; ++i) {
                    CHECK(std::fabs(out[b * 32 + i] - values[b * 32 + i]) <= bound);
                    if (type == QuantType::q4_0 && std::fabs(values[b * 32 + i]) == abs_max) {
                        CHECK(std::fabs(out[b * 32 + i] - values[b * 32 + i]) <= bound - step);  // the peak is a code
                    }
                }
            }
        }
    }
}

TEST_CASE("values on a block's own grid survive Q8_0 and Q4_0 unchanged") {
    std::vector<float> q8(32), q4(32);
    for (int i = 0; i < 32; ++i) {
        q8[static_cast<size_t>(i)] = 0.25f * static_cast<float>(i == 0 ? -127 : i * 8 - 127);
        q4[static_cast<size_t>(i)] = 0.5f * static_cast<float>(i % 16 - 8);
    }
    CHECK(decode(QuantType::q8_0, encode(QuantType::q8_0, q8)) == q8);
    CHECK(decode(QuantType::q4_0, encode(QuantType::q4_0, q4)) == q4);
}

TEST_CASE("Q8_0 rounds halves away from zero") {
    std::vector<float> values(32, 0.0f);
    values[0] = 127.0f;  // the scale is 1
    values[1] = 0.5f;
    values[2] = -0.5f;
    values[3] = 2.5f;
    values[4] = 2.4999f;
    const std::vector<unsigned char> bytes = encode(QuantType::q8_0, values);
    CHECK(bytes[0] == 0x00);
    CHECK(bytes[1] == 0x3c);
    CHECK(bytes[3] == 1);
    CHECK(bytes[4] == 0xff);
    CHECK(bytes[5] == 3);
    CHECK(bytes[6] == 2);
}

TEST_CASE("Q6_K is about four times as exact as Q4_0 and gives every group of 16 its own scale") {
    test::Random random(8);
    std::vector<float> values(256 * 60);
    for (float& v : values) v = random.real() + random.real() + random.real();  // about normal, deviation 1
    const double error6 = rms(decode(QuantType::q6_k, encode(QuantType::q6_k, values)), values);
    const double error4 = rms(decode(QuantType::q4_0, encode(QuantType::q4_0, values)), values);
    CHECK(error6 < 0.02);
    CHECK(error6 * 3.5 < error4);
    // The search must not be worse than the plain scale: peak / 32 of a group gives an error of at most peak / 64 each,
    // plus the rounding of the scale itself to 8 bits.
    std::vector<float> stairs(256);
    for (size_t i = 0; i < 256; ++i) stairs[i] = random.real() * std::ldexp(1.0f, -static_cast<int>(i / 16) / 4);
    const std::vector<float> out = decode(QuantType::q6_k, encode(QuantType::q6_k, stairs));
    for (size_t g = 0; g < 16; ++g) {
        float peak = 0.0f;
        for (size_t i = 0; i < 16; ++i) peak = std::fmax(peak, std::fabs(stairs[16 * g + i]));
        for (size_t i = 0; i < 16; ++i) CHECK(std::fabs(out[16 * g + i] - stairs[16 * g + i]) <= peak / 16.0f);
    }
}

TEST_CASE("the Q6_K scale search beats the scale that maps the largest magnitude to -32") {
    test::Random random(8);
    std::vector<float> values(256 * 60);
    for (float& v : values) v = random.real() + random.real() + random.real();
    const std::vector<float> out = decode(QuantType::q6_k, encode(QuantType::q6_k, values));
    // The error both minimise: squares weighted with the square of the value. The plain scale is not even rounded.
    double searched = 0.0;
    double plain = 0.0;
    for (size_t g = 0; g < values.size(); g += 16) {
        const float* x = &values[g];
        float peak = 0.0f;
        for (int i = 0; i < 16; ++i) peak = std::fabs(x[i]) > std::fabs(peak) ? x[i] : peak;
        for (int i = 0; i < 16; ++i) {
            const double q = std::fmin(31.0, std::fmax(-32.0, std::nearbyint(-32.0 * x[i] / peak)));
            const double plain_error = q * peak / -32.0 - x[i];
            const double error = double{out[g + static_cast<size_t>(i)]} - x[i];
            searched += double{x[i]} * x[i] * error * error;
            plain += double{x[i]} * x[i] * plain_error * plain_error;
        }
    }
    CHECK(searched < 0.85 * plain);
}

TEST_CASE("zeros, tiny values and non-numbers encode to finite blocks") {
    const float inf = std::numeric_limits<float>::infinity();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (const QuantType type : kBlockTypes) {
        const size_t n = kern::quant_type_info(type).block_length;
        for (const float value : {0.0f, -0.0f, 1e-45f, -1e-40f, 1e-20f, inf, -inf, nan}) {
            for (const float out : decode(type, encode(type, std::vector<float>(n, value)))) CHECK(out == 0.0f);
        }
        std::vector<float> mixed = test::Random(9).reals(n);
        std::vector<float> cleaned = mixed;
        for (const size_t at : {size_t{0}, n / 2, n - 1}) {
            mixed[at] = at == 0 ? inf : at == n - 1 ? -inf : nan;
            cleaned[at] = 0.0f;
        }
        CHECK(encode(type, mixed) == encode(type, cleaned));
        // The largest floats overflow the half-precision scale, without undefined behaviour on the way.
        encode(type, std::vector<float>(n, std::numeric_limits<float>::max()));
    }
}

TEST_CASE("IQ2_S decodes every row of its table to the floats of the gguf package, bit for bit") {
    const std::filesystem::path golden = std::filesystem::path(__FILE__).parent_path().parent_path() / "golden";
    std::ifstream in(golden / "iq2_s.bin", std::ios::binary);  // make_iq2s_golden.py
    const std::vector<char> file{std::istreambuf_iterator<char>(in), {}};
    constexpr size_t kBlocks = 36, kStored = kBlocks * 82;
    REQUIRE(file.size() == kStored + kBlocks * 256 * sizeof(float));
    const std::vector<float> out = decode(QuantType::iq2_s, {file.begin(), file.begin() + kStored});
    CHECK(std::memcmp(out.data(), file.data() + kStored, out.size() * sizeof(float)) == 0);
}
