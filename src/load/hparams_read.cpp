#include "src/load/hparams_read.h"

#include <cmath>
#include <string>

#include "src/arch/arch.h"
#include "src/base/error.h"
#include "src/gguf/gguf_keys.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

// Generous bounds: far above any model, low enough that no product of a few of them overflows 64 bits.
constexpr uint64_t kMaxWidth = 1 << 20;
constexpr uint64_t kMaxFeedForward = 1 << 22;
constexpr uint64_t kMaxLayers = 4096;
constexpr uint64_t kMaxHeads = 65536;
constexpr uint64_t kMaxVocabulary = 1 << 24;
constexpr uint64_t kMaxContext = uint64_t{1} << 31;

class HparamsReader {
public:
    explicit HparamsReader(const GgufFile& file) : file_(file) {}

    Hparams read() {
        h_.architecture = file_.require_string(gguf_key::kArchitecture);
        arch_ = find_arch(h_.architecture);
        if (arch_ == nullptr) {
            const std::string shown = for_message(h_.architecture);
            throw Error(BITNET_E_MODEL_ARCHITECTURE, "architecture '" + shown + "' is not supported; this build runs " + arch_names())
                .with_subject(shown);
        }
        h_.n_embd = required(gguf_key::kEmbeddingLength, kMaxWidth);
        h_.n_layer = required(gguf_key::kBlockCount, kMaxLayers);
        h_.n_ff = required(gguf_key::kFeedForwardLength, kMaxFeedForward);
        h_.n_head = required(gguf_key::kHeadCount, kMaxHeads);
        h_.n_head_kv = optional(gguf_key::kHeadCountKv, kMaxHeads, h_.n_head);
        h_.n_ctx_train = optional(gguf_key::kContextLength, kMaxContext, 2048);
        read_heads();
        read_numbers();
        read_window();
        read_vocabulary();
        read_unsupported();
        h_.pooling = static_cast<Pooling>(number_up_to(gguf_key::kPoolingType, static_cast<uint64_t>(Pooling::rank), 0));
        h_.hidden_activation = file_.get_string(key(gguf_key::kHiddenActivation)).value_or("");
        return std::move(h_);
    }

private:
    std::string key(const char* suffix) const { return h_.architecture + suffix; }

    // A scalar, or an array with the same number for every layer; both widths of integer occur.
    std::optional<uint64_t> number(const std::string& name) const {
        const GgufValue* value = file_.find(name);
        if (value == nullptr) return std::nullopt;
        if (value->size() == 0) throw bad(name, "is empty");
        const std::optional<uint64_t> first = value->as_uint(0);
        if (!first) throw bad(name, "is not a whole number");
        for (size_t i = 1; i < value->size(); ++i) {
            if (value->as_uint(i) != first) {
                throw Error(BITNET_E_MODEL_SHAPE, "key '" + name + "' differs between layers; this build runs models with equal layers")
                    .with_subject(name);
            }
        }
        return first;
    }

    int64_t in_range(const std::string& name, uint64_t value, uint64_t limit) const {
        if (value < 1 || value > limit) {
            throw Error(BITNET_E_MODEL_SHAPE, "key '" + name + "' = " + std::to_string(value) + " is outside 1.." +
                                                  std::to_string(limit) + "; the file is damaged or hostile")
                .with_numbers(limit, value)
                .with_subject(name);
        }
        return static_cast<int64_t>(value);
    }

    int64_t required(const char* suffix, uint64_t limit) const {
        const std::string name = key(suffix);
        const std::optional<uint64_t> value = number(name);
        if (!value) throw bad(name, "is missing");
        return in_range(name, *value, limit);
    }

    int64_t optional(const char* suffix, uint64_t limit, int64_t otherwise) const {
        const std::string name = key(suffix);
        const std::optional<uint64_t> value = number(name);
        return value ? in_range(name, *value, limit) : otherwise;
    }

    int64_t number_up_to(const char* suffix, uint64_t limit, uint64_t otherwise) const {
        const std::string name = key(suffix);
        const uint64_t value = number(name).value_or(otherwise);
        if (value > limit) throw bad(name, "= " + std::to_string(value) + " is above " + std::to_string(limit));
        return static_cast<int64_t>(value);
    }

    double positive(const char* suffix, double otherwise, double low, double high) const {
        const std::string name = key(suffix);
        const double value = file_.get_float(name).value_or(otherwise);
        if (!(value >= low && value <= high)) throw bad(name, "= " + std::to_string(value) + " is not a usable value");
        return value;
    }

    static Error bad(const std::string& name, const std::string& what) {
        return Error(BITNET_E_GGUF_METADATA, "key '" + name + "' " + what + "; reconvert the model").with_subject(name);
    }

    static Error misfit(const std::string& what) { return Error(BITNET_E_MODEL_SHAPE, what + "; reconvert the model"); }

    void read_heads() {
        if (h_.n_head % h_.n_head_kv != 0) {
            throw misfit(std::to_string(h_.n_head) + " query heads cannot share " + std::to_string(h_.n_head_kv) + " KV heads");
        }
        const std::string key_length = key(gguf_key::kKeyLength);
        if (file_.find(key_length) == nullptr && h_.n_embd % h_.n_head != 0) {
            throw misfit("width " + std::to_string(h_.n_embd) + " is not a multiple of " + std::to_string(h_.n_head) + " heads");
        }
        h_.head_dim = optional(gguf_key::kKeyLength, kMaxWidth, h_.n_embd / h_.n_head);
        if (optional(gguf_key::kValueLength, kMaxWidth, h_.head_dim) != h_.head_dim) {
            throw misfit("keys and values of different width are not supported");
        }
        if (h_.n_q() > static_cast<int64_t>(kMaxWidth)) throw misfit("the heads are wider than " + std::to_string(kMaxWidth));
        h_.n_rot = optional(gguf_key::kRopeDimensionCount, kMaxWidth, h_.head_dim);
        if (h_.n_rot > h_.head_dim || h_.n_rot % 2 != 0) {
            throw misfit("rope dimension " + std::to_string(h_.n_rot) + " does not fit heads of width " + std::to_string(h_.head_dim));
        }
    }

    void read_numbers() {
        h_.rms_norm_eps = static_cast<float>(positive(gguf_key::kRmsEpsilon, 1e-5, 0.0, 1.0));
        h_.rope_freq_base = positive(gguf_key::kRopeFreqBase, 10000.0, 1.0, 1e12);
        const double factor = positive(gguf_key::kRopeScalingFactor, 1.0, 1e-3, 1e6);
        const std::string scaling(file_.get_string(key(gguf_key::kRopeScalingType)).value_or("linear"));
        if (scaling != "linear" && scaling != "none") {
            throw Error(BITNET_E_UNSUPPORTED,
                        "rope scaling '" + for_message(scaling) + "' is not supported; this build knows none and linear")
                .with_subject(key(gguf_key::kRopeScalingType));
        }
        h_.rope_freq_scale = scaling == "none" ? 1.0 : 1.0 / factor;
    }

    // A window of 0 is none. The pattern is the number of each layer that sees everything, or says of each layer whether it
    // slides; then it must come from such a number.
    void read_window() {
        const int64_t usual = arch_->traits.sliding_period;
        if (usual == 0) return;
        h_.sliding_window = number_up_to(gguf_key::kSlidingWindow, kMaxContext, 0);
        if (h_.sliding_window == 0) return;
        h_.rope_freq_base_sliding = positive(gguf_key::kRopeFreqBaseSliding, 10000.0, 1.0, 1e12);
        h_.sliding_period = usual;
        const std::string name = key(gguf_key::kSlidingPattern);
        const GgufValue* pattern = file_.find(name);
        if (pattern == nullptr) return;
        if (pattern->size() == 1 && pattern->as_uint()) {
            h_.sliding_period = in_range(name, *pattern->as_uint(), kMaxLayers + 1);
            return;
        }
        if (pattern->size() != static_cast<size_t>(h_.n_layer)) throw bad(name, "is not one value for each layer");
        int64_t first = 0;
        while (first < h_.n_layer && slides(*pattern, first)) ++first;
        h_.sliding_period = first + 1;
        for (int64_t i = first; i < h_.n_layer; ++i) {
            if (slides(*pattern, i) == h_.slides(i)) continue;
            throw Error(BITNET_E_UNSUPPORTED, "key '" + name + "': layer " + std::to_string(i) +
                                                  " breaks the rhythm of layers with a sliding window; this build runs regular ones")
                .with_subject(name);
        }
    }

    static bool slides(const GgufValue& pattern, int64_t layer) {
        const size_t i = static_cast<size_t>(layer);
        return pattern.as_bool(i).value_or(pattern.as_uint(i).value_or(0) != 0);
    }

    // What this build would compute wrongly.
    void read_unsupported() const {
        const auto refuse = [](const std::string& subject, const std::string& what) {
            throw Error(BITNET_E_UNSUPPORTED, what + ", which this build does not; use another model").with_subject(subject);
        };
        for (const char* suffix : {gguf_key::kAttentionSoftcap, gguf_key::kFinalSoftcap}) {
            if (file_.get_float(key(suffix)).value_or(0.0) != 0.0) refuse(key(suffix), "key '" + key(suffix) + "' asks to cap values");
        }
        if (!file_.get_bool(key(gguf_key::kCausal)).value_or(true)) {
            refuse(key(gguf_key::kCausal), "key '" + key(gguf_key::kCausal) + "' asks for attention that sees later tokens");
        }
        const std::string why = arch_->unsupported != nullptr ? arch_->unsupported(h_) : "";
        if (!why.empty()) refuse(h_.architecture, why);
    }

    // The embedding's row count is the truth about the vocabulary; the key may be absent, and must agree when it is not.
    void read_vocabulary() {
        const GgufTensor* embedding = file_.find_tensor("token_embd.weight");
        const std::optional<uint64_t> stated = number(key(gguf_key::kVocabSize));
        const uint64_t rows = embedding != nullptr ? static_cast<uint64_t>(embedding->ne[1]) : stated.value_or(0);
        if (stated && *stated != rows) {
            throw misfit("key '" + key(gguf_key::kVocabSize) + "' says " + std::to_string(*stated) + ", token_embd.weight has " +
                         std::to_string(rows) + " rows");
        }
        // Without an embedding (a vocabulary alone, or a damaged file) and without the key it stays 0.
        if (embedding != nullptr || stated) h_.n_vocab = in_range("vocabulary size", rows, kMaxVocabulary);
    }

    const GgufFile& file_;
    const ArchRow* arch_ = nullptr;
    Hparams h_;
};

}  // namespace

Hparams read_hparams(const GgufFile& file) { return HparamsReader(file).read(); }

}  // namespace bitnet
