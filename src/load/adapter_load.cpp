#include "src/load/adapter_load.h"

#include <cmath>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ggml-like/graph_trace.h"
#include "src/arch/arch.h"
#include "src/base/error.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

constexpr std::string_view kSuffixA = ".lora_a", kSuffixB = ".lora_b";
constexpr double kMaxAlpha = 1e6;

std::string quoted(std::string_view name) { return "tensor '" + for_message(name) + "'"; }

std::string shape_text(int64_t k, int64_t n_rows) {
    return "[" + std::to_string(k) + "," + std::to_string(n_rows) + "]";
}

class AdapterReader {
public:
    AdapterReader(const GgufFile& file, std::shared_ptr<const Model> model, uint64_t memory_limit, Adapter& out)
        : file_(file), model_(*model), out_(out), memory_limit_(memory_limit) {
        out_.model = std::move(model);
    }

    void read() {
        if (model_.arch == nullptr) {
            throw Error(BITNET_E_STATE,
                        "the model was loaded with vocab_only and has no weights; load it again without");
        }
        read_metadata();
        find_matrices();
        find_pairs();
        copy_data();
        if (model_.on_gpu()) place_on_gpu();
    }

private:
    struct Half {
        const GgufTensor* tensor;
        tg::Weight* weight;
    };

    void require_text(const char* key, std::string_view wanted) const {
        const std::string_view found = file_.require_string(key);
        if (found == wanted) return;
        throw Error(BITNET_E_GGUF_METADATA, "key '" + std::string(key) + "' is '" + for_message(found) +
                                                "' instead of '" + std::string(wanted) + "'; this is no LoRA adapter")
            .with_subject(key);
    }

    void read_metadata() {
        require_text(gguf_key::kType, "adapter");
        require_text(gguf_key::kAdapterType, "lora");
        if (file_.find(gguf_key::kAdapterInvocationTokens) != nullptr) {
            throw Error(BITNET_E_UNSUPPORTED,
                        "key '" + std::string(gguf_key::kAdapterInvocationTokens) +
                            "': an adapter that begins at certain tokens only (aLoRA) is not supported; "
                            "train it as a plain LoRA")
                .with_subject(gguf_key::kAdapterInvocationTokens);
        }
        out_.architecture = file_.require_string(gguf_key::kArchitecture);
        out_.name = file_.get_string(gguf_key::kName).value_or("");
        out_.label =
            for_message(out_.name.empty() ? std::string_view(file_.source().name()) : std::string_view(out_.name));
        // Converters know one name where model files have several; what counts is that the tensors mean the same.
        const ArchRow* arch = find_arch(out_.architecture);
        const ArchRow& own = *model_.arch;
        if (arch == nullptr || arch->layer_tensors.data() != own.layer_tensors.data() ||
            arch->traits.rope_halves != own.traits.rope_halves) {
            const std::string shown = for_message(out_.architecture);
            throw Error(BITNET_E_MODEL_ARCHITECTURE, "the adapter is for architecture '" + shown + "', the model is '" +
                                                         own.name + "'; convert it against this model")
                .with_subject(shown);
        }
        const double alpha = file_.get_float(gguf_key::kAdapterAlpha).value_or(0.0);
        if (!(std::fabs(alpha) <= kMaxAlpha)) {
            throw Error(BITNET_E_GGUF_METADATA, "key '" + std::string(gguf_key::kAdapterAlpha) + "' = " +
                                                    std::to_string(alpha) + " is not a usable value; convert it again")
                .with_subject(gguf_key::kAdapterAlpha);
        }
        out_.alpha = static_cast<float>(alpha);
    }

    void find_matrices() {
        const int64_t n_layer = model_.hparams.n_layer;
        out_.pairs.resize(static_cast<size_t>(adapter_head_slot(n_layer)) + 1);
        for (int64_t i = 0; i < n_layer; ++i) {
            for (tg::Weight LayerWeights::*matrix : kAdaptedMatrices) {
                const tg::Weight& weight = model_.weights.layers[static_cast<size_t>(i)].*matrix;
                matrices_[weight.name] = {&weight, adapter_slot(i, matrix)};
            }
        }
        const tg::Weight& head = model_.weights.output;
        if (head.present()) matrices_[head.name] = {&head, adapter_head_slot(n_layer)};
    }

    // The pair and the matrix that a tensor's name without suffix names.
    std::pair<tg::LoraPair*, const tg::Weight*> place_of(const std::string& base, const std::string& tensor) {
        const auto found = matrices_.find(base);
        if (found != matrices_.end())
            return {&out_.pairs[static_cast<size_t>(found->second.slot)], found->second.weight};
        if (model_.file->find_tensor(base) != nullptr) {
            throw Error(BITNET_E_UNSUPPORTED, quoted(tensor) + " adapts '" + for_message(base) +
                                                  "'; this build adapts the matrices of layers and output.weight only")
                .with_subject(for_message(tensor));
        }
        throw Error(BITNET_E_NOT_FOUND, quoted(tensor) + " adapts '" + for_message(base) +
                                            "', which the model has not; the adapter is of another model")
            .with_subject(for_message(tensor));
    }

    void find_pairs() {
        if (file_.tensors().empty()) {
            throw Error(BITNET_E_GGUF_MISSING_TENSOR, "the adapter has no tensors; convert it again");
        }
        for (const GgufTensor& tensor : file_.tensors()) {
            const std::string_view name = tensor.name;
            const bool is_a = name.ends_with(kSuffixA);
            if (!is_a && !name.ends_with(kSuffixB)) {
                throw Error(BITNET_E_UNSUPPORTED, quoted(name) +
                                                      " is neither .lora_a nor .lora_b of a matrix, so results "
                                                      "would be wrong; train the adapter on matrices only")
                    .with_subject(for_message(name));
            }
            const std::string base(name.substr(0, name.size() - kSuffixA.size()));
            const std::string other = base + std::string(is_a ? kSuffixB : kSuffixA);
            const auto [pair, matrix] = place_of(base, tensor.name);
            const GgufTensor* partner = file_.find_tensor(other);
            if (partner == nullptr) {
                throw Error(BITNET_E_GGUF_MISSING_TENSOR,
                            quoted(name) + " has no partner '" + for_message(other) + "'; convert the adapter again")
                    .with_subject(for_message(other));
            }
            const int64_t rank = (is_a ? tensor : *partner).ne[1];
            check_shape(tensor, is_a ? matrix->k : rank, is_a ? rank : matrix->n_rows, *matrix);
            if (rank < 1 || rank > kMaxAdapterRank) {
                throw Error(BITNET_E_LIMIT, quoted(name) + " has rank " + std::to_string(rank) + ", outside 1.." +
                                                std::to_string(kMaxAdapterRank) + "; train with a smaller one")
                    .with_numbers(kMaxAdapterRank, static_cast<uint64_t>(rank))
                    .with_subject(for_message(name));
            }
            prepare(tensor, is_a ? pair->a : pair->b);
            pair->factor = out_.alpha != 0.0f ? static_cast<double>(out_.alpha) / static_cast<double>(rank) : 1.0;
            out_.rank = std::max(out_.rank, static_cast<int32_t>(rank));
        }
    }

    void check_shape(const GgufTensor& tensor, int64_t k, int64_t n_rows, const tg::Weight& matrix) const {
        if (tensor.ne[0] == k && tensor.ne[1] == n_rows && tensor.n_rows() == n_rows) return;
        const bool wrong_width = tensor.ne[0] != k;
        throw Error(BITNET_E_GGUF_TENSOR_SHAPE,
                    quoted(tensor.name) + " is " + shape_text(tensor.ne[0], tensor.n_rows()) + " instead of " +
                        shape_text(k, n_rows) + ", because '" + matrix.name + "' is " +
                        shape_text(matrix.k, matrix.n_rows) + "; the adapter is of another model")
            .with_numbers(static_cast<uint64_t>(wrong_width ? k : n_rows),
                          static_cast<uint64_t>(wrong_width ? tensor.ne[0] : tensor.n_rows()))
            .with_subject(for_message(tensor.name));
    }

    void prepare(const GgufTensor& tensor, tg::Weight& weight) {
        const bool usable = tensor.type == kern::QuantType::f32 || tensor.type == kern::QuantType::f16 ||
                            tensor.type == kern::QuantType::bf16;
        if (!usable) {
            throw Error(BITNET_E_GGUF_TENSOR_TYPE,
                        quoted(tensor.name) + " has type " + kern::quant_type_info(tensor.type).name +
                            "; adapters are read as f32, f16 or bf16; convert it to one of them")
                .with_subject(for_message(tensor.name));
        }
        weight.name = tensor.name;
        weight.type = tensor.type;
        weight.k = tensor.ne[0];
        weight.n_rows = tensor.ne[1];
        weight.kernel = &model_.kernels.for_type(tensor.type);
        halves_.push_back({&tensor, &weight});
        n_bytes_ += tg::align_up(tensor.n_bytes);  // below the file's size and 64 for each of at most 65536
        out_.n_parameters += static_cast<uint64_t>(tensor.n_elements());
        ++out_.n_tensors;
    }

    void copy_data() {
        out_.charge.resize(n_bytes_, memory_limit_, "the adapter", "free models, contexts and adapters");
        out_.data = tg::Arena(n_bytes_, "adapter");
        uint8_t* to = out_.data.data();
        uint64_t hash = tg::checksum_bytes(&out_.alpha, sizeof out_.alpha);
        for (const Half& half : halves_) {
            const GgufTensor& tensor = *half.tensor;
            file_.read_data(tensor, 0, to, tensor.n_bytes);
            check_finite(tensor, to);
            half.weight->file_data = to;
            half.weight->data = to;
            hash = tg::checksum_bytes(tensor.name.data(), tensor.name.size(), hash);
            hash = tg::checksum_bytes(tensor.ne, sizeof tensor.ne, hash);
            hash = tg::checksum_bytes(to, tensor.n_bytes, hash);
            to += tg::align_up(tensor.n_bytes);
        }
        out_.fingerprint = hash;
    }

    void place_on_gpu() {
        uint64_t gpu_bytes = 0;
        for (const GpuShare& share : model_.gpus) out_.gpus.push_back(std::make_unique<tg::GpuWeights>(share.weights->device()));
        for (const Half& half : halves_) out_.gpus[model_.share_of_tensor(half.weight->name)]->add(*half.weight);
        for (const auto& weights : out_.gpus) gpu_bytes += weights->bytes();
        out_.charge.resize(n_bytes_ + gpu_bytes, memory_limit_, "the adapter", "free models, contexts and adapters");
    }

    static void check_finite(const GgufTensor& tensor, const uint8_t* data) {
        std::vector<float> row(static_cast<size_t>(tensor.ne[0]));
        const uint64_t row_bytes = kern::quant_row_bytes(tensor.type, tensor.ne[0]);
        for (int64_t i = 0; i < tensor.n_rows(); ++i) {
            kern::quant_type_info(tensor.type)
                .decode(data + static_cast<uint64_t>(i) * row_bytes, 1.0f, tensor.ne[0], row.data());
            for (const float value : row) {
                if (std::isfinite(value)) continue;
                throw Error(BITNET_E_GGUF_TENSOR_DATA, quoted(tensor.name) + " has a value that is not finite in row " +
                                                           std::to_string(i) + "; the file is damaged")
                    .with_subject(for_message(tensor.name));
            }
        }
    }

    struct Place {
        const tg::Weight* weight;
        int32_t slot;
    };

    const GgufFile& file_;
    const Model& model_;
    Adapter& out_;
    std::unordered_map<std::string, Place> matrices_;
    std::vector<Half> halves_;
    const uint64_t memory_limit_;
    uint64_t n_bytes_ = 0;
};

}  // namespace

std::shared_ptr<const Adapter> load_adapter(const GgufFile& file, std::shared_ptr<const Model> model,
                                            uint64_t memory_limit) {
    const auto adapter = std::make_shared<Adapter>();
    try {
        AdapterReader(file, std::move(model), memory_limit, *adapter).read();
    } catch (Error& error) {
        // The reader's own failures name the file already.
        const std::string where = file.source().name();
        if (error.message().compare(0, where.size() + 2, where + ": ") != 0) error.prefix(where);
        throw;
    }
    return adapter;
}

}  // namespace bitnet
