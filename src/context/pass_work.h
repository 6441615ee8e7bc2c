// What a decode has to read and to compute, counted from the model's shape and where its weights lie: the measure that
// a time is held against.
#pragma once

#include <cstdint>

#include "ggml-like/graph.h"
#include "src/model/model.h"

namespace bitnet {

// A batch: n_seq sequences that hold n_past tokens each get n_tokens more; each sequence's last token has an output.
struct PassShape {
    int64_t n_seq = 1;
    int64_t n_tokens = 1;
    int64_t n_past = 0;
    int64_t n_ubatch = 512;
    kern::KvType k_type = kern::KvType::f16;
    kern::KvType v_type = kern::KvType::f16;
};

struct PassWork {
    int64_t n_micro_batches = 0;
    uint64_t layer_bytes = 0;  // of the layers' weights, once
    uint64_t head_bytes = 0;   // of the vocabulary matrix, once
    uint64_t kv_bytes = 0;     // keys and values that are read and written
    uint64_t total_bytes = 0;  // with the weights once per micro-batch that uses them
    uint64_t int8_ops = 0;     // multiplications and additions of matrices whose inputs are 8-bit integers
    uint64_t float_ops = 0;    // of the other matrices and of attention
};

PassWork pass_work(const Model& model, const PassShape& shape);

}  // namespace bitnet
