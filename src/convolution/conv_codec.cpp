// Values come from a table per codec, weights from the same table times the channel's scale: encoder, decoder and the
// convolution cannot disagree.
#include "src/convolution/conv_codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "src/base/checked_math.h"
#include "src/base/error.h"
#include "src/base/quoted.h"

namespace bitnet {
namespace {

constexpr uint64_t kMostWeights = uint64_t{1} << 45;  // as floats the 2^47 bytes that an address reaches

constexpr float kFourLevels[4] = {-2.0f, -1.0f, 1.0f, 2.0f};

struct ByteValues {
    float linear[256] = {};
    float squared[256] = {};
};

// Whole numbers below 2^24 divided once: correctly rounded everywhere.
constexpr ByteValues byte_values() {
    ByteValues values;
    for (int code = 0; code < 256; ++code) {
        const int step = code == 0 ? -127 : code - 128;
        values.linear[code] = static_cast<float>(step) / 127.0f;
        values.squared[code] = static_cast<float>(step < 0 ? -step * step : step * step) / 16129.0f;
    }
    return values;
}
constexpr ByteValues kByteValues = byte_values();

constexpr ConvCodec kCodecs[] = {
    {"i2s4", 2, 2.0f, kFourLevels},
    {"tl1-conv", 8, 1.0f, kByteValues.linear},
    {"tl2-conv", 8, 1.0f, kByteValues.squared},
};

// Codes in the order of their values, each value once: byte 0 of the 8-bit codecs doubles byte 1 and is never written.
int first_code(const ConvCodec& codec) { return codec.bits == 2 ? 0 : 1; }
int last_code(const ConvCodec& codec) { return codec.bits == 2 ? 3 : 255; }

bool same_name(const char* a, const char* b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    while (*a != '\0' && lower(*a) == lower(*b)) ++a, ++b;
    return *a == *b;
}

// The code whose weight is nearest; of two as near the one of the smaller weight. Differences of floats are exact enough in
// double: both weights are within a factor of the channel's largest.
int nearest_code(const ConvCodec& codec, const float* table, float weight) {
    if (table[last_code(codec)] == 0.0f) return codec.bits == 2 ? 2 : 128;  // the scale is 0: the one of +0
    const float* const begin = table + first_code(codec);
    const float* const end = table + last_code(codec) + 1;
    const float* above = std::lower_bound(begin, end, weight);
    if (above == end) return last_code(codec);
    if (above == begin) return first_code(codec);
    const double up = static_cast<double>(*above) - static_cast<double>(weight);
    const double down = static_cast<double>(weight) - static_cast<double>(above[-1]);
    const bool take_upper = up != down ? up < down : std::fabs(*above) < std::fabs(above[-1]);
    return static_cast<int>(above - table) - (take_upper ? 0 : 1);
}

}  // namespace

const ConvCodec& find_conv_codec(const char* name) {
    const char* wanted = name == nullptr ? "" : name;
    for (const ConvCodec& codec : kCodecs) {
        if (same_name(codec.name, wanted)) return codec;
    }
    throw Error(BITNET_E_QUANT_FORMAT,
                "there is no codec " + quoted(wanted) + " of convolution weights; choose i2s4, tl1-conv or tl2-conv")
        .with_subject(quoted(wanted));
}

uint64_t conv_codec_bytes(const ConvCodec& codec, size_t n_channels, size_t n_per_channel) {
    uint64_t n = 0;
    if (n_channels == 0 || n_per_channel == 0) {
        throw Error(BITNET_E_QUANT_INPUT, std::to_string(n_channels) + " channels of " + std::to_string(n_per_channel) +
                                              " weights: nothing to quantise");
    }
    if (!checked_mul(n_channels, n_per_channel, &n) || n > kMostWeights) {
        throw Error(BITNET_E_QUANT_INPUT, std::to_string(n_channels) + " channels of " + std::to_string(n_per_channel) +
                                              " weights: more than any memory holds");
    }
    return codec.bytes(n);
}

void require_conv_scales(const float* scales, size_t n_scales, size_t n_channels) {
    if (n_scales != n_channels) {
        throw Error(BITNET_E_QUANT_SCALE_COUNT, std::to_string(n_scales) + " scales for " + std::to_string(n_channels) +
                                                    " output channels; give one for each")
            .with_numbers(n_channels, n_scales);
    }
    for (size_t i = 0; i < n_scales; ++i) {
        if (!std::isfinite(scales[i])) {
            throw Error(BITNET_E_QUANT_SCALE, "the scale of output channel " + std::to_string(i) + " is not finite");
        }
    }
}

void decode_conv_codes(const ConvCodec& codec, float scale, const uint8_t* data, uint64_t first, uint64_t n, float* dst,
                       size_t apart) {
    if (codec.bits == 2) {
        for (uint64_t i = first; i < first + n; ++i, dst += apart) {
            *dst = codec.values[data[i / 4] >> (i % 4 * 2) & 3] * scale;
        }
        return;
    }
    for (uint64_t i = first; i < first + n; ++i, dst += apart) *dst = codec.values[data[i]] * scale;
}

void encode_conv_weights(const ConvCodec& codec, const float* weights, size_t n_channels, size_t n_per_channel,
                         uint8_t* out, float* scales) {
    const size_t n = n_channels * n_per_channel;
    for (size_t i = 0; i < n; ++i) {
        if (!std::isfinite(weights[i])) {
            throw Error(BITNET_E_QUANT_INPUT,
                        "weight " + std::to_string(i) + " is NaN or infinite; only finite weights can be quantised");
        }
    }
    std::memset(out, 0, codec.bytes(n));
    for (size_t channel = 0; channel < n_channels; ++channel) {
        float largest = 0.0f;
        for (size_t i = 0; i < n_per_channel; ++i) {
            largest = std::max(largest, std::fabs(weights[channel * n_per_channel + i]));
        }
        scales[channel] = largest / codec.largest;
        float table[256];  // the weights of this channel by code
        for (int code = 0; code <= last_code(codec); ++code) table[code] = codec.values[code] * scales[channel];
        for (size_t i = channel * n_per_channel; i < (channel + 1) * n_per_channel; ++i) {
            const int code = nearest_code(codec, table, weights[i]);
            if (codec.bits == 2) {
                out[i / 4] = static_cast<uint8_t>(out[i / 4] | code << (i % 4 * 2));
            } else {
                out[i] = static_cast<uint8_t>(code);
            }
        }
    }
}

}  // namespace bitnet
