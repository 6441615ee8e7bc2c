// Kernels over rows of floats. Every level gives the same bits: elementwise work is one IEEE operation at a time, and
// sums run in 16 fixed lanes (element i goes to lane i mod 16, in rising order, multiply and add rounded separately)
// that are added in one fixed tree: lanes 0..7 += 8..15, 0..3 += 4..7, 0..1 += 2..3, 0 += 1.
// Arithmetic that has no number for an answer gives one fixed NaN, 0x7fc00000. n may be 0; rows may have any length and
// any alignment (a multiple of 64 bytes is fastest). An elementwise output may be one of the inputs, but must not
// overlap one in any other way.
#pragma once

#include <cstdint>

namespace kern {

// How a cache keeps the head_dim numbers of a head. q8_0 and q4_0 divide them into blocks of 32: the codes of all blocks come
// first, then an F16 scale for each block, so that codes lie side by side.
//   q8_0: int8 codes; number = code * scale
//   q4_0: 16 bytes a block, number i in the low half of byte i, number 16 + i in the high half; number = (code - 8) * scale
enum class KvType : uint8_t { f16, q8_0, q4_0 };
inline constexpr int64_t kKvBlock = 32;
inline constexpr int64_t kMaxQuantizedHead = 1024;  // the widest head that may be quantised: a multiple of kKvBlock

constexpr bool can_quantize_head(int64_t head_dim) { return head_dim % kKvBlock == 0 && head_dim <= kMaxQuantizedHead; }

constexpr int64_t kv_head_bytes(KvType type, int64_t head_dim) {
    const int64_t scales = head_dim / kKvBlock * 2;
    return type == KvType::f16 ? head_dim * 2 : (type == KvType::q8_0 ? head_dim : head_dim / 2) + scales;
}

// Attention of the query heads of one KV head at one token, or at several in a row, each of which sees one cell more than
// the token before it.
struct AttendArgs {
    const float* q;  // query i at q + i * q_stride, head_dim floats
    int64_t q_stride;
    int64_t n_q;     // 1 .. any
    const void* k;   // cell c at k + c * k_stride
    const void* v;
    int64_t k_stride;      // in bytes
    int64_t v_stride;
    const int32_t* cells;  // cells in the order of their positions
    int64_t n_cells;       // >= 1, of the first token
    int64_t head_dim;
    float scale;            // scores are (k . q) * scale
    float* scores;          // scratch: n_tokens * n_q * scores_stride floats
    int64_t scores_stride;  // >= n_cells + n_tokens - 1 rounded up to 16
    float* out;             // output i at out + i * out_stride
    int64_t out_stride;
    KvType k_type;
    KvType v_type;
    int64_t n_tokens;        // 1 .. any
    int64_t q_token_stride;  // token t's queries begin at q + t * q_token_stride, its outputs likewise
    int64_t out_token_stride;
};

struct VecKernels {
    const char* name;  // "vec_avx2"
    const char* level;
    uint64_t needs;

    // Largest |x|, NaNs passed over; 0 for n = 0.
    float (*abs_max)(const float* x, int64_t n);
    // q[i] = x[i] * scale rounded half to even, within -127..127, NaN -> 0; scale = 127 / max(abs_max, 1e-5).
    // Returns scale; *sum gets the sum of q. An infinite x[i] gives scale 0 and every q 0.
    float (*quantize_i8)(const float* x, int64_t n, int8_t* q, int32_t* sum);
    // out = x * (1 / sqrt(mean(x^2) + eps)) * weight. out may be x. weight null: no multiply.
    void (*rms_norm)(const float* x, const float* weight, float eps, int64_t n, float* out);
    // In place: exp(x - max) * (1 / sum), with exp_f32. -inf gives 0. A row that holds a NaN or +inf, or nothing but
    // -inf, becomes all NaN.
    void (*softmax)(float* x, int64_t n);
    // Rotates n_dims values of one head in place; the rest of the head stays. cos_sin holds n_dims/2 pairs (cos, sin).
    void (*rope_halves)(float* x, const float* cos_sin, int64_t n_dims);           // pairs (i, i + n_dims/2), "NEOX"
    void (*rope_pairs)(float* x, const float* cos_sin, int64_t n_dims);            // pairs (2i, 2i+1), "NORM"
    void (*relu2_mul)(const float* gate, const float* up, float* out, int64_t n);  // max(g,0)^2 * u; NaN stays NaN
    void (*silu_mul)(const float* gate, const float* up, float* out, int64_t n);   // g / (1 + exp(-g)) * u
    // GELU in its form with tanh: g / (1 + exp(-g * (a + b * g^2))) * u = 0.5 g (1 + tanh(sqrt(2/pi) (g + 0.044715 g^3))) * u
    void (*gelu_mul)(const float* gate, const float* up, float* out, int64_t n);
    void (*add)(const float* a, const float* b, float* out, int64_t n);
    void (*scale)(const float* x, float factor, float* out, int64_t n);
    float (*dot)(const float* a, const float* b, int64_t n);
    // Half to even; overflow gives infinity. Both keep the payload of a NaN as far as it fits and make it quiet.
    void (*f32_to_f16)(const float* x, uint16_t* out, int64_t n);
    void (*f16_to_f32)(const uint16_t* x, float* out, int64_t n);
    // One head of n numbers as a cache keeps it. q8_0: code = x * (127 / m) rounded half to even, m the largest |x| (at
    // least 1e-5), scale = 1 / (127 / m) as F16; q4_0: scale = x0 / -8 as F16, x0 the first x of the largest |x|, code - 8 =
    // x / scale rounded half to even, within -8..7. A NaN becomes 0; a block that holds an infinity has an infinite scale and codes that make NaN of it.
    void (*f32_to_kv)(KvType type, const float* x, int64_t n, void* out);
    // score[j] = dot(k[j], q) * scale; e = exp(score - max); out[d] = (sum of e[j] * v[j][d]) * (1 / sum of e), the
    // first sum cell by cell, the second in 16 lanes. A query's output depends on neither n_q nor n_tokens. NaN as in softmax.
    // Quantised keys: the query is quantised as quantize_i8 does 32 numbers at a time, s its scales; dot(k[j], q) is the
    // sum over the blocks b, one by one, of float(sum of codes times codes) * ((1 / s[b]) * (scale of k[j], b)).
    // Quantised values: v[j][d] = code * scale, rounded.
    void (*attend)(const AttendArgs& args);
    // out[r * out_stride + c] = the sum over t < depth of w[4 * t + r] * x[t * x_stride + c], for four rows and n columns
    // (a multiple of 16): added one by one in rising t, from +0.
    void (*product4)(const float* w, const float* x, int64_t x_stride, int64_t depth, int64_t n, float* out,
                     int64_t out_stride);
};

// The platform-independent functions behind the kernels, for single values; the vector forms give the same bits.
float exp_f32(float x);  // error < 1 ulp, denormal results included; exact 0 and infinity outside the range
// The frequency of dimension pair i of n_dims, freq_base^(-2i / n_dims) / factor, as the sum of two doubles (about 100
// bits), without libm. factor is 1, or what rope_freqs.weight has for the pair. About 0.3 us a call: once per model.
// Arguments that give no number make it NaN.
struct RopeFrequency {
    double high;
    double low;
};
RopeFrequency rope_frequency(int64_t i, int64_t n_dims, double freq_base, double factor);
// Cosine and sine of pos * frequency, computed to about 75 bits and rounded to float once: correctly, but for a few
// angles in a million at pos = 2^31 and fewer below. An angle of 2^50 or more, or NaN, makes both NaN.
void rope_angle(int64_t pos, RopeFrequency frequency, float* out_cos, float* out_sin);
float f16_to_f32_value(uint16_t h);
uint16_t f32_to_f16_value(float f);

}  // namespace kern
