// Comparing floats as bits, buffers that notice writes outside their range, and the library's definition of a sum as a
// plain loop (16 lanes, then one tree), against which every kernel is held.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace test {

inline uint32_t bits_of(float f) {
    uint32_t u;
    std::memcpy(&u, &f, sizeof u);
    return u;
}

inline float float_of(uint32_t u) {
    float f;
    std::memcpy(&f, &u, sizeof f);
    return f;
}

// Empty when both hold the same bytes, else the first difference in words, for CHECK(difference(a, b) == "").
template <class T>
std::string difference(const std::vector<T>& a, const std::vector<T>& b) {
    if (a.size() != b.size()) return "sizes " + std::to_string(a.size()) + " and " + std::to_string(b.size());
    for (size_t i = 0; i < a.size(); ++i) {
        if (std::memcmp(&a[i], &b[i], sizeof(T)) != 0) {
            return "[" + std::to_string(i) + "]: " + std::to_string(a[i]) + " and " + std::to_string(b[i]);
        }
    }
    return "";
}

// n values between two guard zones that must keep their pattern.
template <class T>
class Guarded {
public:
    explicit Guarded(size_t n) : n_(n), bytes_((n + 2 * kGuard) * sizeof(T), kPattern) {}
    T* data() { return reinterpret_cast<T*>(bytes_.data()) + kGuard; }
    std::vector<T> values() { return std::vector<T>(data(), data() + n_); }
    bool guards_intact() const {
        for (size_t i = 0; i < kGuard * sizeof(T); ++i) {
            if (bytes_[i] != kPattern || bytes_[bytes_.size() - 1 - i] != kPattern) return false;
        }
        return true;
    }

private:
    static constexpr size_t kGuard = 64;
    static constexpr uint8_t kPattern = 0xa5;
    size_t n_;
    std::vector<uint8_t> bytes_;
};

// Uniform in -1 .. 1, the same on every platform.
inline std::vector<float> random_floats(size_t n, uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<float> values(n);
    for (float& v : values) v = static_cast<float>(static_cast<int32_t>(random())) * 0x1p-31f;
    return values;
}

// Values at which kernels go wrong: NaNs of both signs with payloads, signalling ones, infinities, zeros, denormals,
// the largest, ties of the half format, arguments around the limits of exp.
inline const std::vector<float>& special_floats() {
    static const std::vector<float> values = {0.0f,
                                              -0.0f,
                                              1.0f,
                                              -1.0f,
                                              float_of(1),
                                              float_of(0x80000001),
                                              float_of(0x007fffff),
                                              0x1p-126f,
                                              1e-5f,
                                              -1e-20f,
                                              std::numeric_limits<float>::max(),
                                              -std::numeric_limits<float>::max(),
                                              std::numeric_limits<float>::infinity(),
                                              -std::numeric_limits<float>::infinity(),
                                              float_of(0x7fc00000),
                                              float_of(0xffc12345),
                                              float_of(0x7f800001),
                                              float_of(0xffbfffff),
                                              65504.0f,
                                              65519.996f,
                                              65520.0f,
                                              0x1p-24f,
                                              0x1p-25f,
                                              0x1.000002p-25f,
                                              0x1.8p-24f,
                                              0x1p-14f,
                                              88.7f,
                                              88.73f,
                                              -87.4f,
                                              -103.97f,
                                              -104.5f,
                                              1e10f,
                                              0.5f,
                                              126.5f,
                                              127.5f,
                                              -127.5f,
                                              2.5f,
                                              3.5f};
    return values;
}

// Random values with a special one about every `every` places.
inline std::vector<float> mixed_floats(size_t n, uint32_t seed, uint32_t every) {
    std::vector<float> values = random_floats(n, seed);
    std::mt19937 random(seed + 1);
    const std::vector<float>& special = special_floats();
    for (float& v : values) {
        if (random() % every == 0) v = special[random() % special.size()];
    }
    return values;
}

inline float tree_of_lanes(float* lane) {
    for (int half = 8; half >= 1; half /= 2) {
        for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
    }
    return std::isnan(lane[0]) ? float_of(0x7fc00000) : lane[0];
}

// The definition: element i goes to lane i mod 16, product and sum rounded separately.
inline float dot_by_definition(const float* a, const float* b, int64_t n) {
    float lane[16] = {};
    for (int64_t i = 0; i < n; ++i) lane[i % 16] += a[i] * b[i];
    return tree_of_lanes(lane);
}

// Distance of a float from an exact value, in units of the last place of the exact value.
inline double ulps_from(float actual, double exact) {
    if (exact == 0.0) return std::fabs(actual) / 0x1p-149;
    const int exponent = std::max(std::ilogb(exact), -126);
    return std::fabs(actual - exact) / std::ldexp(1.0, exponent - 23);
}

}  // namespace test
