// Convolutions and the codecs of their weights.
#include <algorithm>

#include "src/api/api_guard.h"
#include "src/api/param_read.h"
#include "src/base/environment.h"
#include "src/base/kernel_choice.h"
#include "src/convolution/conv2d.h"

using namespace bitnet;

namespace {

ConvShape read_shape(const bitnet_conv2d_params& params, const uint64_t* input_dims, const uint64_t* weight_dims) {
    require(input_dims != nullptr && weight_dims != nullptr, "input_dims or weight_dims is NULL");
    return conv_shape(input_dims, weight_dims, params.stride, params.padding, params.dilation);
}

void require_floats(const void* floats, const std::string& name) {
    if (floats == nullptr) throw Error(BITNET_E_ARGUMENT, name + " is NULL").with_subject(name);
    if (reinterpret_cast<uintptr_t>(floats) % alignof(float) != 0) {
        throw Error(BITNET_E_ARGUMENT, name + " is not aligned as floats are").with_subject(name);
    }
}

void require_count(const std::string& name, uint64_t given, uint64_t needed) {
    if (given == needed) return;
    throw Error(BITNET_E_ARGUMENT,
                name + " has " + std::to_string(given) + " floats; this convolution takes " + std::to_string(needed))
        .with_numbers(needed, given)
        .with_subject(name);
}

// What both kinds of weights share.
ConvShape read_conv(const bitnet_conv2d_params& params, const bitnet_conv2d* conv) {
    require(conv != nullptr, "the convolution is NULL");
    const ConvShape shape = read_shape(params, conv->input_dims, conv->weight_dims);
    require_floats(conv->input, "input");
    require_count("input", conv->n_input, shape.n_input());
    if (conv->bias != nullptr) require_floats(conv->bias, "bias");
    require_count("bias", conv->n_bias, conv->bias == nullptr ? 0 : static_cast<uint64_t>(shape.out_channels));
    require_floats(conv->out, "out");
    if (conv->n_out < shape.n_output()) {
        throw Error(BITNET_E_BUFFER_TOO_SMALL, "out has room for " + std::to_string(conv->n_out) + " floats, " +
                                                   std::to_string(shape.n_output()) + " are needed")
            .with_numbers(shape.n_output(), conv->n_out);
    }
    return shape;
}

void run(const bitnet_conv2d_params& params, const bitnet_conv2d& conv, const ConvShape& shape,
         const ConvWeights& weights) {
    const int32_t n_threads = loading_threads(params.n_threads);
    const kern::KernelSet kernels = choose_kernels(params.kernel != nullptr ? params.kernel : env_kernel());
    run_conv2d(*kernels.vec, shape, weights, conv.input, conv.bias, conv.out, n_threads);
}

const uint8_t* require_codes(const ConvCodec& codec, const void* data, size_t given, uint64_t needed) {
    if (data == nullptr) throw Error(BITNET_E_QUANT_INPUT, "the quantised weights are NULL");
    if (given != needed) {
        throw Error(BITNET_E_QUANT_INPUT, "the quantised weights have " + std::to_string(given) + " bytes; as " +
                                              codec.name + " they have " + std::to_string(needed))
            .with_numbers(needed, given)
            .with_subject(codec.name);
    }
    return static_cast<const uint8_t*>(data);
}

}  // namespace

extern "C" {

void bitnet_conv2d_params_init(bitnet_conv2d_params* params, uint32_t struct_size) {
    bitnet_conv2d_params defaults;
    std::memset(&defaults, 0, sizeof defaults);
    for (int i = 0; i < 2; ++i) {
        defaults.stride[i] = 1;
        defaults.dilation[i] = 1;
    }
    write_params(params, struct_size, defaults);
}

bitnet_status bitnet_conv2d_get_output_dims(const bitnet_conv2d_params* params, const uint64_t input_dims[4],
                                            const uint64_t weight_dims[4], uint64_t out_dims[4]) {
    return api_call(__func__, [&] {
        const ConvShape shape = read_shape(read_params(params, bitnet_conv2d_params_init), input_dims, weight_dims);
        require(out_dims != nullptr, "out_dims is NULL");
        const int64_t dims[4] = {shape.images, shape.out_channels, shape.y.output, shape.x.output};
        for (int i = 0; i < 4; ++i) out_dims[i] = static_cast<uint64_t>(dims[i]);
    });
}

bitnet_status bitnet_conv2d_f32(const bitnet_conv2d_params* params, const bitnet_conv2d* conv, const float* weights,
                                size_t n_weights) {
    return api_call(__func__, [&] {
        const bitnet_conv2d_params p = read_params(params, bitnet_conv2d_params_init);
        const ConvShape shape = read_conv(p, conv);
        require_floats(weights, "weights");
        require_count("weights", n_weights, shape.n_weights());
        ConvWeights floats;
        floats.floats = weights;
        run(p, *conv, shape, floats);
    });
}

bitnet_status bitnet_conv2d_quantized(const bitnet_conv2d_params* params, const bitnet_conv2d* conv, const char* codec,
                                      const void* weights, size_t n_bytes, const float* scales, size_t n_scales) {
    return api_call(__func__, [&] {
        const bitnet_conv2d_params p = read_params(params, bitnet_conv2d_params_init);
        const ConvShape shape = read_conv(p, conv);
        ConvWeights coded;
        coded.codec = &find_conv_codec(codec);
        coded.codes = require_codes(*coded.codec, weights, n_bytes, coded.codec->bytes(shape.n_weights()));
        require_floats(scales, "scales");
        require_conv_scales(scales, n_scales, static_cast<size_t>(shape.out_channels));
        coded.scales = scales;
        run(p, *conv, shape, coded);
    });
}

bitnet_status bitnet_conv2d_get_quantized_size(const char* codec, size_t n_channels, size_t n_per_channel,
                                               size_t* out_n_bytes) {
    return api_call(__func__, [&] {
        const uint64_t n_bytes = conv_codec_bytes(find_conv_codec(codec), n_channels, n_per_channel);
        require(out_n_bytes != nullptr, "out_n_bytes is NULL");
        *out_n_bytes = n_bytes;
    });
}

bitnet_status bitnet_conv2d_quantize(const char* codec, const float* weights, size_t n_channels, size_t n_per_channel,
                                     void* out, size_t n_out_bytes, float* scales, size_t n_scales) {
    return api_call(__func__, [&] {
        const ConvCodec& found = find_conv_codec(codec);
        const uint64_t n_bytes = conv_codec_bytes(found, n_channels, n_per_channel);
        if (weights == nullptr) throw Error(BITNET_E_QUANT_INPUT, "weights is NULL").with_subject("weights");
        require_floats(weights, "weights");
        require_floats(scales, "scales");
        require(out != nullptr, "out is NULL");
        if (n_scales != n_channels) require_conv_scales(scales, n_scales, n_channels);
        if (n_out_bytes < n_bytes) {
            throw Error(BITNET_E_QUANT_OUTPUT_SIZE, "out has " + std::to_string(n_out_bytes) +
                                                        " bytes; these weights as " + found.name + " need " +
                                                        std::to_string(n_bytes))
                .with_numbers(n_bytes, n_out_bytes)
                .with_subject(found.name);
        }
        encode_conv_weights(found, weights, n_channels, n_per_channel, static_cast<uint8_t*>(out), scales);
    });
}

bitnet_status bitnet_conv2d_dequantize(const char* codec, const void* data, size_t n_bytes, const float* scales,
                                       size_t n_scales, size_t n_channels, size_t n_per_channel, float* out,
                                       size_t n_out) {
    return api_call(__func__, [&] {
        const ConvCodec& found = find_conv_codec(codec);
        const uint8_t* codes = require_codes(found, data, n_bytes, conv_codec_bytes(found, n_channels, n_per_channel));
        require_floats(scales, "scales");
        require_conv_scales(scales, n_scales, n_channels);
        require_floats(out, "out");
        if (n_out < n_channels * n_per_channel) {
            throw Error(BITNET_E_QUANT_OUTPUT_SIZE, "out has room for " + std::to_string(n_out) + " floats, " +
                                                        std::to_string(n_channels * n_per_channel) + " are needed")
                .with_numbers(n_channels * n_per_channel, n_out);
        }
        for (size_t channel = 0; channel < n_channels; ++channel) {
            decode_conv_codes(found, scales[channel], codes, channel * n_per_channel, n_per_channel,
                              out + channel * n_per_channel, 1);
        }
    });
}

}  // extern "C"
