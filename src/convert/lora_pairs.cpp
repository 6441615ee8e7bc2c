// What an adapter may change, and how its halves must fit.
#include "src/convert/lora_pairs.h"

#include <cmath>
#include <utility>

#include "src/base/error.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

constexpr int64_t kMaxRank = 4096;

std::string in_quotes(const std::string& name) { return "tensor '" + for_message(name) + "'"; }

std::string size_text(int64_t k, int64_t n_rows) {
    return "[" + std::to_string(k) + "," + std::to_string(n_rows) + "]";
}

void check_shape(const LoraHalf& half, int64_t k, int64_t n_rows, const SourceTensor& matrix) {
    if (half.k == k && half.n_rows == n_rows) return;
    throw Error(BITNET_E_GGUF_TENSOR_SHAPE,
                in_quotes(half.name) + " is " + size_text(half.k, half.n_rows) + " instead of " + size_text(k, n_rows) +
                    ", because '" + for_message(matrix.name) + "' is " + size_text(matrix.ne[0], matrix.n_rows()) +
                    "; the adapter is of another model")
        .with_subject(for_message(half.name));
}

std::vector<float> read_finite(const LoraHalf& half) {
    std::vector<float> values = half.read();
    for (const float value : values) {
        if (std::isfinite(value)) continue;
        throw Error(BITNET_E_GGUF_TENSOR_DATA,
                    in_quotes(half.name) + " has a value that is not finite; the file is damaged")
            .with_subject(for_message(half.name));
    }
    return values;
}

}  // namespace

LoraPairs::LoraPairs(const ModelSource& base) : base_(base) {
    for (size_t i = 0; i < base.tensors().size(); ++i) index_[base.tensors()[i].name] = i;
}

size_t LoraPairs::index_of(const LoraHalf& half, const std::string& matrix) const {
    const auto found = index_.find(matrix);
    if (found == index_.end() || changes_.count(found->second) != 0) {
        throw Error(BITNET_E_NOT_FOUND,
                    in_quotes(half.name) + " adapts '" + for_message(matrix) + "', which " +
                        (found == index_.end() ? "the model has not; the adapter is of another model"
                                               : "another of its tensors does, too"))
            .with_subject(for_message(half.name));
    }
    const SourceTensor& tensor = base_.tensors()[found->second];
    const bool is_matrix = tensor.ne[1] > 1 && tensor.ne[2] == 1 && tensor.ne[3] == 1;
    if (!is_matrix || matrix == "token_embd.weight") {
        throw Error(BITNET_E_UNSUPPORTED, in_quotes(half.name) + " adapts '" + for_message(matrix) +
                                              "'; this build merges into the matrices of layers and output.weight only")
            .with_subject(for_message(half.name));
    }
    return found->second;
}

void LoraPairs::add(const std::string& matrix, const LoraHalf& a, const LoraHalf& b,
                    const std::function<double(int64_t rank)>& factor) {
    const size_t index = index_of(a, matrix);
    const SourceTensor& tensor = base_.tensors()[index];
    const int64_t rank = a.n_rows;
    check_shape(a, tensor.ne[0], rank, tensor);
    check_shape(b, rank, tensor.ne[1], tensor);
    if (rank > kMaxRank) {
        throw Error(BITNET_E_LIMIT, in_quotes(a.name) + " has rank " + std::to_string(rank) + ", above " +
                                        std::to_string(kMaxRank) + "; train with a smaller one")
            .with_numbers(kMaxRank, static_cast<uint64_t>(rank))
            .with_subject(for_message(a.name));
    }
    LoraChange change;
    change.rank = rank;
    change.a = read_finite(a);
    change.b = read_finite(b);
    const double times = factor(rank);
    for (float& value : change.b) value = static_cast<float>(static_cast<double>(value) * times);
    changes_.emplace(index, std::move(change));
}

}  // namespace bitnet
