// The numbers that fix a model's shape, read from the file's metadata and checked by load/hparams_read.cpp.
#pragma once

#include <cstdint>
#include <string>

namespace bitnet {

enum class Activation : uint8_t { relu2, silu };

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
    std::string hidden_activation;   // what "<arch>.hidden_activation" says, or ""

    int64_t n_q() const { return n_head * head_dim; }       // width of all query heads
    int64_t n_kv() const { return n_head_kv * head_dim; }   // width of all key heads, and of all value heads
};

}  // namespace bitnet
