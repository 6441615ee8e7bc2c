// The text of a receipt: written from what a generation recorded, and read back with every rule that needs no model. What
// the fields mean, and what digest and chain protect, stands in bitnet.h, "Receipts".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet.h"
#include "src/base/sha256.h"
#include "src/generation/run_record.h"
#include "src/sampler/sampler.h"

namespace bitnet {

inline constexpr size_t kMaxReceiptBytes = size_t{16} << 20;

struct ReceiptModel {
    std::string name, architecture, quantization, sha256;
};

// What a receipt is made of. Times in microseconds.
struct ReceiptFacts {
    const RunRecord& record;
    const std::vector<bitnet_token>& prompt;
    SamplerConfig sampler;  // with the seed that was used
    ReceiptModel model;
    std::string version, build_info, backend, finish_reason;
    uint64_t prefill_us, decode_us, total_us, reused_tokens;
};

std::string write_receipt_text(const ReceiptFacts& facts);

// A receipt that was read: what a replay needs.
struct Receipt {
    std::vector<std::string> kernels;
    std::string model_sha256;
    SamplerConfig sampler;
    std::vector<bitnet_token> prompt, generated;
    Sha256Digest statement;           // S of bitnet.h: of all fields but chain and digest
    std::vector<Sha256Digest> chain;  // one per generated token
};

// The link of a position: previous is the link before it, or the statement at position 0.
Sha256Digest chain_link(const Sha256Digest& previous, const Sha256Digest& statement, bitnet_token token,
                        const Sha256Digest& logits);

// Throws ReceiptError; BITNET_E_LIMIT for a text above kMaxReceiptBytes.
Receipt read_receipt_text(std::string_view text);

}  // namespace bitnet
