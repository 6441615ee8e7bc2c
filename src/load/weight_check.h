// Reads through placed weights for values that no converter writes: ternary code 3, impossible trit bytes, NaN or
// infinite norms. Runs at memory speed on all threads, and warms the page cache for the first token.
#pragma once

#include "ggml-like/thread_pool.h"
#include "ggml-like/weight.h"
#include "src/model/weights.h"

namespace bitnet {

// Whether n weights at the beginning of a block hold only codes that mean something; true for types that are not ternary.
bool codes_valid(kern::QuantType type, const uint8_t* bytes, int64_t n) noexcept;

// Throws BITNET_E_GGUF_TENSOR_DATA naming the tensor and, for ternary types, the first bad row.
void check_weight_codes(const tg::Weight& weight, tg::ThreadPool& pool);
void check_norm(const std::string& name, const NormWeight& norm);
// The same for numbers that are divided by: they must be greater than 0.
void check_divisors(const std::string& name, const NormWeight& values);

}  // namespace bitnet
