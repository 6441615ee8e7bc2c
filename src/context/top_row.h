// The best logits of a row that a backend keeps, and those of the tokens that a sampler touches besides.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ggml-like/kept_rows.h"
#include "src/base/logit_row.h"

namespace bitnet {

class TopRow {
public:
    // As Context::top_logits, lent until the next call; false where the whole row has to be read.
    bool read(tg::KeptRows& kept, int64_t row, size_t k, std::span<const int32_t> also, size_t n_vocab, LogitRow* out);

private:
    std::vector<int32_t> missing_, tokens_;
    std::vector<float> missing_logits_, logits_;
};

}  // namespace bitnet
