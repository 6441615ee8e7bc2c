// The quantiser through bitnet.h, with vectors that have the right size.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/api_fixture.h"

namespace test {

struct FreeQuantizer {
    void operator()(bitnet_quantizer* quantizer) const { bitnet_quantizer_free(quantizer); }
};
using QuantizerHandle = std::unique_ptr<bitnet_quantizer, FreeQuantizer>;
using QuantizerTweak = std::function<void(bitnet_quantizer_params&)>;

inline bitnet_status create_quantizer(const QuantizerTweak& tweak, QuantizerHandle* out) {
    bitnet_quantizer_params params = bitnet_quantizer_default_params();
    params.n_threads = 1;
    if (tweak) tweak(params);
    bitnet_quantizer* quantizer = nullptr;
    const bitnet_status status = bitnet_quantizer_create(&params, &quantizer);
    CHECK((quantizer == nullptr) == (status != BITNET_OK));
    out->reset(quantizer);
    return status;
}

inline QuantizerHandle make_quantizer(const QuantizerTweak& tweak = {}) {
    QuantizerHandle quantizer;
    must(create_quantizer(tweak, &quantizer));
    return quantizer;
}

inline bitnet_quantize_config quant_config(const char* type, uint64_t block = 0, bool asymmetric = false) {
    bitnet_quantize_config config = bitnet_quantize_default_config();
    config.type = type;
    config.block_size = block;
    config.asymmetric = asymmetric ? 1 : 0;
    return config;
}

struct Quantized {
    std::vector<uint8_t> bytes;
    std::vector<float> scales;
};

// One row of values, unless said otherwise.
inline bitnet_status try_quantize(const QuantizerHandle& quantizer, const bitnet_quantize_config& config,
                                  const std::vector<float>& values, Quantized* out, size_t n_rows = 1) {
    size_t n_bytes = 0, n_scales = 0;
    const bitnet_status status = bitnet_quantize_get_size(&config, n_rows, values.size() / n_rows, &n_bytes, &n_scales);
    if (status != BITNET_OK) return status;
    out->bytes.assign(n_bytes, 0xcd);
    out->scales.assign(n_scales, -1.0f);
    return bitnet_quantizer_quantize(quantizer.get(), &config, values.data(), n_rows, values.size() / n_rows,
                                     out->bytes.data(), n_bytes, out->scales.data(), n_scales);
}

inline Quantized quantize(const QuantizerHandle& quantizer, const bitnet_quantize_config& config,
                          const std::vector<float>& values) {
    Quantized out;
    must(try_quantize(quantizer, config, values, &out));
    return out;
}

inline bitnet_status try_dequantize(const QuantizerHandle& quantizer, const bitnet_quantize_config& config,
                                    const Quantized& in, std::vector<float>* out) {
    return bitnet_quantizer_dequantize(quantizer.get(), &config, in.bytes.data(), in.bytes.size(), in.scales.data(),
                                       in.scales.size(), 1, out->size(), out->data(), out->size());
}

inline std::vector<float> dequantize(const QuantizerHandle& quantizer, const bitnet_quantize_config& config,
                                     const Quantized& in, size_t n) {
    std::vector<float> out(n);
    must(try_dequantize(quantizer, config, in, &out));
    return out;
}

inline bitnet_quantize_accuracy accuracy_of(const bitnet_quantize_config& config, const std::vector<float>& values) {
    bitnet_quantize_accuracy accuracy = {};
    accuracy.struct_size = sizeof accuracy;
    must(bitnet_quantize_get_accuracy(&config, values.data(), 1, values.size(), &accuracy));
    return accuracy;
}

inline bitnet_quantizer_stats stats_of(const QuantizerHandle& quantizer) {
    bitnet_quantizer_stats stats = {};
    stats.struct_size = sizeof stats;
    must(bitnet_quantizer_get_stats(quantizer.get(), &stats));
    return stats;
}

inline uint64_t fnv1a(const std::vector<uint8_t>& bytes) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3u;
    return hash;
}

// Numbers in -1..1 from a seed.
inline std::vector<float> random_values(uint64_t seed, size_t n) {
    std::vector<float> values(n);
    for (float& value : values) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        value = static_cast<float>(static_cast<int32_t>(seed >> 40) - (1 << 23)) / static_cast<float>(1 << 23);
    }
    return values;
}

// -s, 0 and s.
inline std::vector<float> ternary_values(uint64_t seed, size_t n, float s) {
    std::vector<float> values = random_values(seed, n);
    for (float& value : values) value = value > 0.3f ? s : value < -0.3f ? -s : 0.0f;
    return values;
}

// A product with memory of its own.
struct Product {
    std::vector<int8_t> activations;
    std::vector<float> scales;
    std::vector<uint8_t> weights;
    std::vector<float> out;
    bitnet_i2s_matmul call = {};

    // Codes of weights come from a seed, the scale is given.
    Product(uint64_t seed, size_t m, size_t n, size_t k, float weight_scale, bool with_scales) {
        const QuantizerHandle quantizer = make_quantizer([](bitnet_quantizer_params& p) { p.device = "cpu"; });
        weights = quantize(quantizer, quant_config("i2_s"), ternary_values(seed, n * k, weight_scale)).bytes;
        for (const float x : random_values(seed + 1, m * k)) activations.push_back(static_cast<int8_t>(x * 127.9f));
        if (with_scales) {
            for (size_t i = 0; i < m; ++i) scales.push_back(12.5f + static_cast<float>(i) * 0.37f);
        }
        out.assign(m * n, -1.0f);
        call = {activations.data(),
                with_scales ? scales.data() : nullptr,
                scales.size(),
                weights.data(),
                weights.size(),
                out.data(),
                out.size(),
                m,
                n,
                k};
    }
    Product(const Product&) = delete;
};

}  // namespace test
