// Models of real shapes with seeded random ternary weights, for measuring and for tests that need size but no sense.
// The file is written row by row: a model of any size needs a few megabytes of memory.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "kernels/quant_types.h"

namespace bitnet {

struct SyntheticShape {
    const char* name;
    const char* model;  // whose shape it is
    const char* architecture;
    int64_t n_layer, n_embd, n_ff, n_head, n_head_kv, head_dim, n_vocab, n_ctx;
    float rope_freq_base;
};

std::span<const SyntheticShape> synthetic_shapes();
// By name: "2b4t", "large", "3b", "8b", "tiny"; nullptr for others.
const SyntheticShape* find_synthetic_shape(const std::string& name);
std::string synthetic_shape_names();
// Of a layer's matrix with rows of k weights: I2_S, whose rows are whole blocks of 128; else IQ2_BN, whose blocks are 64 (3b:
// 8640), which becomes I2_S codes at load.
kern::QuantType synthetic_matrix_type(int64_t k);

struct SyntheticOptions {
    kern::QuantType embedding = kern::QuantType::f16;  // tied: also the head
    uint64_t seed = 1;
    std::function<bool(uint64_t done, uint64_t total)> on_progress;
};

// A third of the weights are zeros, and scales keep activations near 1. The same arguments give the same bytes on every
// machine. Throws Error, BITNET_E_QUANT_INPUT where the embedding's rows are no whole blocks of its type.
void write_synthetic_model(const std::string& path, const SyntheticShape& shape, const SyntheticOptions& options);

}  // namespace bitnet
