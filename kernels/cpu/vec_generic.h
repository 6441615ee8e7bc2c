// Every kernel over rows of floats, written once over the sixteen lanes of V16. The including file (vec_scalar.cpp,
// vec_avx2.cpp, vec_avx512vnni.cpp and others) includes its v16_*.h first and fills in a VecKernels with VEC_KERNELS at the end.
//
// Why all levels agree: an elementwise kernel is a chain of single IEEE operations, and a sum adds element i to lane
// i mod 16 in rising order and the lanes in one tree. At the end of a row, lanes without an element get x * y = +0:
// a lane begins at +0 and a sum rounded to nearest is -0 only if both parts are -0, so it never becomes -0 and adding
// +0 changes nothing. Where processors differ (payload and sign of a NaN made by arithmetic), results are replaced by
// the one quiet NaN 0x7fc00000; only the conversions between f32 and f16 keep payloads, as the hardware does.
// Denormals are kept; rounding is to nearest even (the state a thread starts in; nobody changes it).
#pragma once

#include "kernels/cpu/cpu_features.h"
#include "kernels/exp_coefficients.h"
#include "kernels/f16_bits.h"
#include "kernels/vec_kernels.h"

namespace kern {
namespace {

inline float minus_infinity() { return float_from_bits(0xff800000u); }

inline V16 v16_quiet_nan() { return v16_set1(float_from_bits(kQuietNanBits)); }

inline V16 v16_canonical(V16 a) { return v16_if_number(a, a, v16_quiet_nan()); }

// Half to even; for |a| < 2^22.
inline V16 v16_round(V16 a) {
    const V16 magic = v16_set1(exp_coefficients::kRound);
    return v16_sub(v16_add(a, magic), magic);
}

// The steps of exp_f32 (float_math.cpp), same bits. NaN gives the quiet NaN, -inf gives 0, inf gives inf.
inline V16 v16_exp(V16 x) {
    using namespace exp_coefficients;
    const V16 limited = v16_min(v16_max(x, v16_set1(kLow)), v16_set1(kHigh));
    const V16 n = v16_round(v16_mul(limited, v16_set1(kLog2E)));
    const V16 r = v16_sub(v16_sub(limited, v16_mul(n, v16_set1(kLn2High))), v16_mul(n, v16_set1(kLn2Low)));
    V16 p = v16_set1(kP0);
    p = v16_add(v16_mul(p, r), v16_set1(kP1));
    p = v16_add(v16_mul(p, r), v16_set1(kP2));
    p = v16_add(v16_mul(p, r), v16_set1(kP3));
    p = v16_add(v16_mul(p, r), v16_set1(kP4));
    const V16 y = v16_add(v16_set1(1.0f), v16_add(r, v16_mul(v16_mul(r, r), p)));
    return v16_if_number(x, v16_scale_by_power(y, n), v16_quiet_nan());
}

// out[i] = op(i) for i < n, NaNs made canonical. op(i, load) gets a function that loads sixteen values, or what is left
// of them, so that one text serves the body and the tail.
template <class Op>
inline void for_each_16(int64_t n, float* out, Op op) {
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        v16_store(out + i, v16_canonical(op([i](const float* p) { return v16_load(p + i); })));
    }
    if (const int64_t left = n - i; left > 0) {
        const V16 r = op([i, left](const float* p) { return v16_load_part(p + i, left, 0.0f); });
        v16_store_part(out + i, v16_canonical(r), left);
    }
}

// |x| > m ? |x| : m, which a NaN never wins.
inline float vec_abs_max(const float* x, int64_t n) {
    V16 m = v16_set1(0.0f);
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) m = v16_max(v16_abs(v16_load(x + i)), m);
    if (i < n) m = v16_max(v16_abs(v16_load_part(x + i, n - i, 0.0f)), m);
    return v16_max_lane(m);
}

// abs_max infinite: scale is 0, every q is 0 (0 * inf is NaN, which gives 0) and what is divided by the scale later
// becomes NaN or infinite, so that an overflow shows instead of passing as zeros. Otherwise scale is finite and > 0.
inline float vec_quantize_i8(const float* x, int64_t n, int8_t* q, int32_t* sum) {
    const float largest = vec_abs_max(x, n);
    const float scale = 127.0f / (largest > 1e-5f ? largest : 1e-5f);
    const V16 factor = v16_set1(scale);
    const auto quantize = [factor](V16 v) {
        const V16 scaled = v16_mul(v, factor);
        const V16 number = v16_if_number(scaled, scaled, v16_set1(0.0f));
        // 127 / m * m may round to just above 127; the limits also hold what rounding makes of tiny scales.
        return i16_from_v16(v16_round(v16_min(v16_max(number, v16_set1(-127.0f)), v16_set1(127.0f))));
    };
    I16 total = i16_zero();
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const I16 whole = quantize(v16_load(x + i));
        total = i16_add(total, whole);
        i16_store_i8(q + i, whole);
    }
    if (i < n) {
        const I16 whole = quantize(v16_load_part(x + i, n - i, 0.0f));  // lanes without an element give 0
        total = i16_add(total, whole);
        i16_store_i8_part(q + i, whole, n - i);
    }
    *sum = i16_sum(total);
    return scale;
}

inline float vec_dot(const float* a, const float* b, int64_t n) {
    V16 sum = v16_set1(0.0f);
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) sum = v16_add(sum, v16_mul(v16_load(a + i), v16_load(b + i)));
    if (i < n) {
        sum = v16_add(sum, v16_mul(v16_load_part(a + i, n - i, 0.0f), v16_load_part(b + i, n - i, 0.0f)));
    }
    return canonical_nan(v16_tree(sum));
}

// (x * (1 / sqrt(dot(x, x) / n + eps))) * weight. A sum that overflows to infinity makes the row 0 (inf * 0: NaN).
inline void vec_rms_norm(const float* x, const float* weight, float eps, int64_t n, float* out) {
    const float mean = vec_dot(x, x, n) / static_cast<float>(n);
    const V16 factor = v16_set1(1.0f / __builtin_sqrtf(mean + eps));
    if (weight == nullptr) {
        for_each_16(n, out, [=](auto load) { return v16_mul(load(x), factor); });
    } else {
        for_each_16(n, out, [=](auto load) { return v16_mul(v16_mul(load(x), factor), load(weight)); });
    }
}

// The largest element, NaNs passed over; -inf for a row of -inf and NaNs only.
inline float vec_max(const float* x, int64_t n) {
    V16 m = v16_set1(minus_infinity());
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) m = v16_max(v16_load(x + i), m);
    if (i < n) m = v16_max(v16_load_part(x + i, n - i, minus_infinity()), m);
    return v16_max_lane(m);
}

// x[i] = exp(x[i] - largest); returns the sum of them in 16 lanes.
inline float vec_exp_sum(float* x, int64_t n) {
    const V16 largest = v16_set1(vec_max(x, n));
    V16 sum = v16_set1(0.0f);
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const V16 e = v16_exp(v16_sub(v16_load(x + i), largest));
        sum = v16_add(sum, e);
        v16_store(x + i, e);
    }
    if (const int64_t left = n - i; left > 0) {
        // Lanes without an element hold -inf: exp gives +0, or NaN in a row whose result is NaN anyway.
        const V16 e = v16_exp(v16_sub(v16_load_part(x + i, left, minus_infinity()), largest));
        sum = v16_add(sum, e);
        v16_store_part(x + i, e, left);
    }
    return v16_tree(sum);
}

// exp(x - max) * (1 / sum). A row that holds a NaN or +inf, or nothing but -inf, becomes NaN throughout: x - max is
// then NaN somewhere, and with it the sum. Every other row has a sum of at least 1.
inline void vec_softmax(float* x, int64_t n) {
    const V16 factor = v16_set1(1.0f / vec_exp_sum(x, n));
    for_each_16(n, x, [=](auto load) { return v16_mul(load(x), factor); });
}

inline void vec_add(const float* a, const float* b, float* out, int64_t n) {
    for_each_16(n, out, [=](auto load) { return v16_add(load(a), load(b)); });
}

inline void vec_scale(const float* x, float factor, float* out, int64_t n) {
    const V16 f = v16_set1(factor);
    for_each_16(n, out, [=](auto load) { return v16_mul(load(x), f); });
}

// The rectifier is 0 > g ? 0 : g, so a NaN in the gate stays one.
inline void vec_relu2_mul(const float* gate, const float* up, float* out, int64_t n) {
    for_each_16(n, out, [=](auto load) {
        const V16 r = v16_max(v16_set1(0.0f), load(gate));
        return v16_mul(v16_mul(r, r), load(up));
    });
}

// (g / (1 + exp(-g))) * u. g = -inf gives NaN, as the formula says; g below -88.7 gives -0 * u.
inline void vec_silu_mul(const float* gate, const float* up, float* out, int64_t n) {
    for_each_16(n, out, [=](auto load) {
        const V16 g = load(gate);
        return v16_mul(v16_div(g, v16_add(v16_set1(1.0f), v16_exp(v16_negate(g)))), load(up));
    });
}

// 0.5 (1 + tanh(t)) is 1 / (1 + exp(-2t)), which loses nothing where tanh is near -1. g = -inf gives NaN as above.
inline void vec_gelu_mul(const float* gate, const float* up, float* out, int64_t n) {
    constexpr float kLinear = 0x1.988454p+0f;  // 2 sqrt(2/pi)
    constexpr float kCubic = 0x1.2444f2p-4f;   // 0.044715 times that
    for_each_16(n, out, [=](auto load) {
        const V16 g = load(gate);
        const V16 slope = v16_add(v16_set1(kLinear), v16_mul(v16_set1(kCubic), v16_mul(g, g)));
        const V16 e = v16_exp(v16_negate(v16_mul(g, slope)));
        return v16_mul(v16_div(g, v16_add(v16_set1(1.0f), e)), load(up));
    });
}

// One pair: (x, y) -> (x cos - y sin, x sin + y cos), each product and each sum rounded.
struct Rotated {
    V16 x, y;
};

inline Rotated rotate(V16 x, V16 y, V16 cos, V16 sin) {
    return {v16_canonical(v16_sub(v16_mul(x, cos), v16_mul(y, sin))),
            v16_canonical(v16_add(v16_mul(x, sin), v16_mul(y, cos)))};
}

// The pairs that do not fill sixteen lanes, one by one.
inline void rotate_one(float* x, float* y, const float* cos_sin) {
    const float a = *x;
    const float b = *y;
    *x = canonical_nan(a * cos_sin[0] - b * cos_sin[1]);
    *y = canonical_nan(a * cos_sin[1] + b * cos_sin[0]);
}

inline void vec_rope_halves(float* x, const float* cos_sin, int64_t n_dims) {
    const int64_t half = n_dims / 2;
    int64_t i = 0;
    for (; i + 16 <= half; i += 16) {
        V16 cos, sin;
        v16_load_pairs(cos_sin + 2 * i, &cos, &sin);
        const Rotated r = rotate(v16_load(x + i), v16_load(x + half + i), cos, sin);
        v16_store(x + i, r.x);
        v16_store(x + half + i, r.y);
    }
    for (; i < half; ++i) rotate_one(x + i, x + half + i, cos_sin + 2 * i);
}

inline void vec_rope_pairs(float* x, const float* cos_sin, int64_t n_dims) {
    const int64_t half = n_dims / 2;
    int64_t i = 0;
    for (; i + 16 <= half; i += 16) {
        V16 cos, sin, even, odd;
        v16_load_pairs(cos_sin + 2 * i, &cos, &sin);
        v16_load_pairs(x + 2 * i, &even, &odd);
        const Rotated r = rotate(even, odd, cos, sin);
        v16_store_pairs(x + 2 * i, r.x, r.y);
    }
    for (; i < half; ++i) rotate_one(x + 2 * i, x + 2 * i + 1, cos_sin + 2 * i);
}

inline void vec_f32_to_f16(const float* x, uint16_t* out, int64_t n) {
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) v16_to_f16(out + i, v16_load(x + i));
    if (i < n) v16_to_f16_part(out + i, v16_load_part(x + i, n - i, 0.0f), n - i);
}

inline void vec_f16_to_f32(const uint16_t* x, float* out, int64_t n) {
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) v16_store(out + i, v16_from_f16(x + i));
    if (i < n) v16_store_part(out + i, v16_from_f16_part(x + i, n - i), n - i);
}

}  // namespace
}  // namespace kern

// The members of a VecKernels after name, level and needs, in their order.
#define VEC_KERNELS                                                                                                    \
    .abs_max = vec_abs_max, .quantize_i8 = vec_quantize_i8, .rms_norm = vec_rms_norm, .softmax = vec_softmax,          \
    .rope_halves = vec_rope_halves, .rope_pairs = vec_rope_pairs, .relu2_mul = vec_relu2_mul,                          \
    .silu_mul = vec_silu_mul, .gelu_mul = vec_gelu_mul, .add = vec_add, .scale = vec_scale, .dot = vec_dot,            \
    .f32_to_f16 = vec_f32_to_f16, .f16_to_f32 = vec_f16_to_f32, .f32_to_kv = vec_f32_to_kv, .attend = vec_attend, .product4 = vec_product4
