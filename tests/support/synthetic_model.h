// Models of real shapes with seeded random ternary weights, for measuring and for tests that need size but no sense.
// The file is written row by row: a model of any size needs a few megabytes of memory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "kernels/quant_types.h"

namespace test {

struct SyntheticShape {
    const char* name;
    const char* architecture;
    int64_t n_layer, n_embd, n_ff, n_head, n_head_kv, head_dim, n_vocab, n_ctx;
    float rope_freq_base;
};

// "2b4t" (bitnet-b1.58-2B-4T), "large" (1bitLLM bitnet_b1_58-large), "8b" (Llama3-8B-1.58), "tiny"; nullptr for others.
const SyntheticShape* find_synthetic_shape(const std::string& name);
std::string synthetic_shape_names();

struct SyntheticOptions {
    kern::QuantType embedding = kern::QuantType::f16;  // tied: also the head
    uint64_t seed = 1;
    std::function<bool(uint64_t done, uint64_t total)> on_progress;
};

// Weights are I2_S with a third of each code and scales that keep activations near 1. The same arguments give the same
// bytes on every machine. Throws bitnet::Error.
void write_synthetic_model(const std::string& path, const SyntheticShape& shape, const SyntheticOptions& options);

}  // namespace test
