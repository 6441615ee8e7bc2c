#include "src/convert/lora_file.h"

#include <cmath>
#include <memory>
#include <string_view>
#include <utility>

#include "src/base/error.h"
#include "src/gguf/gguf_keys.h"
#include "src/gguf/gguf_reader.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

constexpr std::string_view kSuffixA = ".lora_a", kSuffixB = ".lora_b";

std::string in_quotes(std::string_view name) { return "tensor '" + for_message(name) + "'"; }

void require_text(const GgufFile& file, const char* key, std::string_view wanted) {
    const std::string_view found = file.require_string(key);
    if (found == wanted) return;
    throw Error(BITNET_E_GGUF_METADATA, "key '" + std::string(key) + "' is '" + for_message(found) + "' instead of '" +
                                            std::string(wanted) + "'; this is no LoRA adapter")
        .with_subject(key);
}

class LoraReader {
public:
    LoraReader(const GgufFile& file, float scale, const ModelSource& base) : file_(file), scale_(scale), pairs_(base) {}

    std::unordered_map<size_t, LoraChange> read() {
        read_metadata();
        if (file_.tensors().empty())
            throw Error(BITNET_E_GGUF_MISSING_TENSOR, "the adapter has no tensors; convert it again");
        for (const GgufTensor& tensor : file_.tensors()) {
            const std::string_view name = tensor.name;
            if (name.ends_with(kSuffixA)) {
                read_pair(tensor, std::string(name.substr(0, name.size() - kSuffixA.size())));
            } else if (!name.ends_with(kSuffixB)) {
                throw Error(BITNET_E_UNSUPPORTED,
                            in_quotes(name) +
                                " is neither .lora_a nor .lora_b of a matrix, so the merged model would be "
                                "wrong; train the adapter on matrices only")
                    .with_subject(for_message(name));
            } else {
                partner_of(tensor, name.substr(0, name.size() - kSuffixB.size()), kSuffixA);
            }
        }
        return pairs_.take();
    }

private:
    void read_metadata() {
        require_text(file_, gguf_key::kType, "adapter");
        require_text(file_, gguf_key::kAdapterType, "lora");
        if (file_.find(gguf_key::kAdapterInvocationTokens) != nullptr) {
            throw Error(BITNET_E_UNSUPPORTED, "key '" + std::string(gguf_key::kAdapterInvocationTokens) +
                                                  "': an adapter that begins at certain tokens only (aLoRA) cannot be "
                                                  "merged; train it as a plain LoRA")
                .with_subject(gguf_key::kAdapterInvocationTokens);
        }
        alpha_ = file_.get_float(gguf_key::kAdapterAlpha).value_or(0.0);
        if (!(std::fabs(alpha_) <= kMaxLoraAlpha)) {
            throw Error(BITNET_E_GGUF_METADATA, "key '" + std::string(gguf_key::kAdapterAlpha) + "' = " +
                                                    std::to_string(alpha_) + " is not a usable value; convert it again")
                .with_subject(gguf_key::kAdapterAlpha);
        }
    }

    const GgufTensor& partner_of(const GgufTensor& tensor, std::string_view base, std::string_view suffix) const {
        const std::string other = std::string(base) + std::string(suffix);
        const GgufTensor* partner = file_.find_tensor(other);
        if (partner != nullptr) return *partner;
        throw Error(BITNET_E_GGUF_MISSING_TENSOR,
                    in_quotes(tensor.name) + " has no partner '" + for_message(other) + "'; convert the adapter again")
            .with_subject(for_message(other));
    }

    std::vector<float> read_floats(const GgufTensor& tensor) const {
        const bool usable = tensor.type == kern::QuantType::f32 || tensor.type == kern::QuantType::f16 ||
                            tensor.type == kern::QuantType::bf16;
        if (!usable) {
            throw Error(BITNET_E_GGUF_TENSOR_TYPE,
                        in_quotes(tensor.name) + " has type " + kern::quant_type_info(tensor.type).name +
                            "; adapters are read as f32, f16 or bf16; convert it to one of them")
                .with_subject(for_message(tensor.name));
        }
        // The reader has checked that the file holds this many bytes.
        std::vector<uint8_t> stored(static_cast<size_t>(tensor.n_bytes));
        file_.read_data(tensor, 0, stored.data(), tensor.n_bytes);
        std::vector<float> values(static_cast<size_t>(tensor.n_elements()));
        kern::quant_type_info(tensor.type).decode(stored.data(), 1.0f, tensor.n_elements(), values.data());
        return values;
    }

    LoraHalf half_of(const GgufTensor& tensor) const {
        return {tensor.name, tensor.ne[0], tensor.n_rows(), [this, &tensor] { return read_floats(tensor); }};
    }

    void read_pair(const GgufTensor& a, const std::string& matrix) {
        pairs_.add(matrix, half_of(a), half_of(partner_of(a, matrix, kSuffixB)), [&](int64_t rank) {
            return (alpha_ != 0.0 ? alpha_ / static_cast<double>(rank) : 1.0) * static_cast<double>(scale_);
        });
    }

    const GgufFile& file_;
    const float scale_;
    double alpha_ = 0;
    LoraPairs pairs_;
};

}  // namespace

LoraFile read_lora_file(const std::string& path, float scale, const ModelSource& base) {
    const std::shared_ptr<const GgufFile> file = GgufFile::open(path, false);
    LoraFile out;
    out.paths = {path};
    try {
        out.architecture = file->require_string(gguf_key::kArchitecture);
        out.changes = LoraReader(*file, scale, base).read();
    } catch (Error& error) {
        // The reader's own failures name the file already.
        const std::string where = file->source().name();
        if (error.message().compare(0, where.size() + 2, where + ": ") != 0) error.prefix(where);
        throw;
    }
    return out;
}

}  // namespace bitnet
