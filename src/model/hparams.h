// The numbers that fix a model's shape, read from the file's metadata and checked by load/hparams_read.cpp.
#pragma once

#include <cstdint>
#include <string>

namespace bitnet {

enum class Activation : uint8_t { relu2, silu, gelu };  // gelu: in its form with tanh

// <arch>.pooling_type, by its numbers.
enum class Pooling : uint8_t { none, mean, cls, last, rank };

struct Hparams {
    std::string architecture;
    int64_t n_vocab = 0;
    int64_t n_ctx_train = 0;
    int64_t n_embd = 0;
    int64_t n_layer = 0;
    int64_t n_head = 0;
    int64_t n_head_kv = 0;
    int64_t head_dim = 0;
    int64_t n_ff = 0;
    int64_t n_rot = 0;               // rotated dimensions of a head, even, <= head_dim
    float rms_norm_eps = 0.0f;
    double rope_freq_base = 10000.0;
    double rope_freq_scale = 1.0;    // 1 / (linear scaling factor)
    int64_t sliding_window = 0;      // tokens that some layers see, their own included; 0: all layers see everything
    int64_t sliding_period = 1;      // every layer of that number, counted from 1, sees everything
    double rope_freq_base_sliding = 10000.0;  // of layers with a sliding window, which are never scaled
    Pooling pooling = Pooling::none;
    std::string hidden_activation;   // what "<arch>.hidden_activation" says, or ""

    bool slides(int64_t layer) const { return sliding_window > 0 && (layer + 1) % sliding_period != 0; }
    int64_t n_q() const { return n_head * head_dim; }       // width of all query heads
    int64_t n_kv() const { return n_head_kv * head_dim; }   // width of all key heads, and of all value heads
};

}  // namespace bitnet
