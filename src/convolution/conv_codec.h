// The codecs of convolution weights: "i2s4", "tl1-conv" and "tl2-conv". They are no storage types of model files and share
// nothing with I2_S, TL1 and TL2 there but the names that a specification gave both.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet {

struct ConvCodec {
    const char* name;
    int bits;             // of a code: 2 or 8
    float largest;        // |value| of the largest
    const float* values;  // by code

    // Bytes of n codes; n + 3 does not overflow.
    uint64_t bytes(uint64_t n) const noexcept { return bits == 2 ? (n + 3) / 4 : n; }
};

// Throws BITNET_E_QUANT_FORMAT.
const ConvCodec& find_conv_codec(const char* name);
// Bytes of n_channels x n_per_channel weights. Throws BITNET_E_QUANT_INPUT.
uint64_t conv_codec_bytes(const ConvCodec& codec, size_t n_channels, size_t n_per_channel);
void require_conv_scales(const float* scales, size_t n_scales, size_t n_channels);

// Weights first .. first + n - 1 of the whole tensor, which are of one channel, into dst, `apart` floats from one to the next.
void decode_conv_codes(const ConvCodec& codec, float scale, const uint8_t* data, uint64_t first, uint64_t n, float* dst,
                       size_t apart);

// Sizes are checked; weights are finite (throws BITNET_E_QUANT_INPUT before anything is written).
void encode_conv_weights(const ConvCodec& codec, const float* weights, size_t n_channels, size_t n_per_channel,
                         uint8_t* out, float* scales);

}  // namespace bitnet
