#include "src/receipt/model_hash.h"

#include <algorithm>
#include <vector>

#include "src/base/error.h"
#include "src/base/sha256.h"

namespace bitnet {
namespace {

constexpr uint64_t kPiece = 1 << 20;

Sha256Digest hash_source(const ByteSource& source) {
    Sha256 hash;
    std::vector<uint8_t> copy(source.mapped() != nullptr ? 0 : static_cast<size_t>(std::min(kPiece, source.size())));
    for (uint64_t at = 0; at < source.size(); at += kPiece) {
        const size_t n = static_cast<size_t>(std::min(kPiece, source.size() - at));
        if (source.mapped() == nullptr) source.read(at, copy.data(), n);
        hash.add(source.mapped() != nullptr ? source.mapped() + at : copy.data(), n);
    }
    return hash.finish();
}

std::string hash_file(const GgufFile& file) {
    if (file.n_parts() == 1) return to_hex(hash_source(file.source()));
    Sha256 hash;
    for (size_t part = 0; part < file.n_parts(); ++part) hash.add(hash_source(file.source(part)));
    return to_hex(hash.finish());
}

void check_at_hand(const GgufFile& file, bool loading) {
    if (!loading && !file.source().lasts()) {
        throw Error(BITNET_E_STATE,
                    "the model came through a read callback, which is gone; load it with "
                    "bitnet_model_params.sha256 = 1 to have its hash");
    }
    if (const uint64_t n = file.get_uint(gguf_key::kSplitCount).value_or(1); n > file.n_parts()) {
        throw Error(BITNET_E_STATE, "only one of the model's " + std::to_string(n) +
                                        " parts was opened; load it without vocab_only to have its hash")
            .with_numbers(n, file.n_parts());
    }
}

}  // namespace

std::string ModelHash::get(const GgufFile& file, bool loading) const {
    const std::lock_guard lock(mutex_);
    if (hex_.empty()) {
        check_at_hand(file, loading);
        hex_ = hash_file(file);
    }
    return hex_;
}

}  // namespace bitnet
