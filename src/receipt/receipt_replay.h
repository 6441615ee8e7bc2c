// Computes some positions of a receipt again. A position's logits depend on nothing but the tokens before it, so each can be
// checked alone; in rising order each shares the prefix of the one before.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "src/context/context.h"
#include "src/receipt/receipt_text.h"

namespace bitnet {

struct ReplayOptions {
    std::vector<size_t> positions;  // rising, below the number of generated tokens
    uint64_t max_tokens = 0;        // of the longest prefix
    int32_t n_threads = 1;
    int32_t (*should_abort)(void* user_data) = nullptr;
    void* abort_user_data = nullptr;
};

// n of n_all positions, drawn with seed; rising.
std::vector<size_t> choose_positions(size_t n_all, size_t n, uint64_t seed);

// Throws ReceiptError at the first position that differs; *out_n_replayed counts those before it.
// BITNET_E_LIMIT for a prefix above max_tokens, and as Context.
void replay_receipt(const Receipt& receipt, std::shared_ptr<const Model> model, const ReplayOptions& options,
                    uint64_t* out_n_replayed);

}  // namespace bitnet
