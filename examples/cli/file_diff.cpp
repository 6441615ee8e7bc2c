// Metadata is compared as text, key by key; what a difference does to the model is known for the keys that matter.
#include "file_diff.h"

#include <algorithm>
#include <set>

namespace cli {
namespace {

struct KnownKey {
    const char* suffix;  // of the key, or the whole of it
    const char* kind;    // "" where nothing depends on it
    const char* text;
};
constexpr KnownKey kKnownKeys[] = {
    {"tokenizer.ggml.pre", "tokenizer_pre", "texts are split otherwise before they become tokens"},
    {"tokenizer.ggml.model", "tokenizer", "the vocabularies are of different kinds"},
    {"tokenizer.ggml.tokens", "tokenizer", "the same ids are other tokens"},
    {"tokenizer.ggml.merges", "tokenizer", "texts become other tokens"},
    {"tokenizer.ggml.scores", "tokenizer", "texts become other tokens"},
    {"tokenizer.ggml.token_type", "tokenizer", "other tokens are control tokens"},
    {"tokenizer.ggml.bos_token_id", "tokenizer_special", "texts begin with another token"},
    {"tokenizer.ggml.eos_token_id", "tokenizer_special", "another token ends a text: answers may not stop"},
    {"tokenizer.ggml.eot_token_id", "tokenizer_special", "another token ends a turn: answers may not stop"},
    {"tokenizer.ggml.add_bos_token", "tokenizer_special", "one begins texts with BOS, the other does not"},
    {"tokenizer.ggml.add_eos_token", "tokenizer_special", "one ends texts with EOS, the other does not"},
    {"tokenizer.chat_template", "chat_template", "conversations are written otherwise"},
    {"general.architecture", "architecture", "the graphs may differ: activation, norms, RoPE"},
    {"rope.freq_base", "rope", "positions are rotated at another speed"},
    {"rope.dimension_count", "rope", "another part of each head is rotated"},
    {"attention.layer_norm_rms_epsilon", "norm_epsilon", "norms divide by something else"},
    {"attention.head_count", "shape", "heads are cut otherwise"},
    {"attention.head_count_kv", "shape", "heads are cut otherwise"},
    {"attention.key_length", "shape", "heads are cut otherwise"},
    {"attention.value_length", "shape", "heads are cut otherwise"},
    {"embedding_length", "shape", "the models have different shapes"},
    {"feed_forward_length", "shape", "the models have different shapes"},
    {"block_count", "shape", "the models have different numbers of layers"},
    {"hidden_activation", "activation", "the feed-forward network has another activation"},
};

// The key without the architecture that it begins with, which two files of one model may call differently.
std::string_view without_architecture(const GgufView& view, std::string_view key) {
    const std::string prefix = view.value("general.architecture") + ".";
    return key.starts_with(prefix) && !key.starts_with("general.") ? key.substr(prefix.size() - 1) : key;
}

// Where two arrays as JSON part: the number of the first entry that differs.
std::string first_entry(const std::string& a, const std::string& b) {
    if (!a.starts_with('[') || !b.starts_with('[')) return "";
    const size_t at = static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
    size_t entry = 0;
    bool quoted = false;
    for (size_t i = 1; i < std::min(at, a.size()); ++i) {
        if (quoted && a[i] == '\\') {
            ++i;
        } else if (a[i] == '"') {
            quoted = !quoted;
        } else if (a[i] == ',' && !quoted) {
            ++entry;
        }
    }
    return "[" + std::to_string(entry) + "]";
}

Cause cause_of(std::string_view key, const std::string* a, const std::string* b) {
    for (const KnownKey& known : kKnownKeys) {
        const std::string_view suffix = known.suffix;
        if (key != suffix && !(key.starts_with('.') && key.substr(1) == suffix)) continue;
        if (suffix == "tokenizer.ggml.pre" && (a == nullptr || b == nullptr))
            return {"tokenizer_pre_missing",
                    std::string(a == nullptr ? "A" : "B") +
                        " lacks tokenizer.ggml.pre: its texts are split in a default way, which "
                        "makes other tokens and worse answers; add the key"};
        return {known.kind, known.text};
    }
    if (key.starts_with(".rope.scaling")) return {"rope", "positions are scaled otherwise"};
    return {};
}

std::string shape_text(const bitnet_file_tensor& tensor) {
    std::string text = "[";
    for (int32_t d = 0; d < tensor.n_dims; ++d) text += (d > 0 ? ", " : "") + std::to_string(tensor.shape[d]);
    return text + "]";
}

// Lengths of a head that the rows of q or k may be cut into; what the file says, or what is usual.
std::vector<int64_t> head_dims_of(const GgufView& view, const bitnet_file_tensor& tensor) {
    const std::string_view name = tensor.name;
    if (name.find("attn_q.") == std::string_view::npos && name.find("attn_k.") == std::string_view::npos) return {};
    const int64_t said = view.number("attention.key_length"), n_head = view.number("attention.head_count");
    if (said > 0) return {said};
    if (n_head > 0 && view.number("embedding_length") % n_head == 0) return {view.number("embedding_length") / n_head};
    return {64, 128, 256, 32, 80, 96, 100};
}

}  // namespace

bool FileDiff::differs() const {
    return std::any_of(keys.begin(), keys.end(), [](const KeyDiff& key) { return !key.cause.kind.empty(); }) ||
           std::any_of(tensors.begin(), tensors.end(), [](const TensorDiff& tensor) { return tensor.differs(); });
}

std::vector<KeyDiff> compare_metadata(const GgufView& a, const GgufView& b) {
    std::vector<KeyDiff> out;
    std::map<std::string, const std::string*> of_b;
    for (const auto& [key, value] : b.metadata) of_b.emplace(without_architecture(b, key), &value);
    for (const auto& [key, value] : a.metadata) {
        const std::string name(without_architecture(a, key));
        const auto found = of_b.find(name);
        const std::string* other = found != of_b.end() ? found->second : nullptr;
        if (found != of_b.end()) of_b.erase(found);
        if (other != nullptr && *other == value) continue;
        out.push_back(
            {key, &value, other, other != nullptr ? first_entry(value, *other) : "", cause_of(name, &value, other)});
    }
    for (const auto& [key, value] : b.metadata) {
        const std::string name(without_architecture(b, key));
        if (of_b.contains(name)) out.push_back({key, nullptr, &value, "", cause_of(name, nullptr, &value)});
    }
    return out;
}

TensorDiff compare_tensor(const GgufView& a, const GgufView& b, const std::string& name, bool quick) {
    TensorDiff diff;
    diff.name = name;
    diff.a = a.find_tensor(name);
    diff.b = b.find_tensor(name);
    if (diff.a == nullptr || diff.b == nullptr) return diff;
    if (!std::equal(std::begin(diff.a->shape), std::end(diff.a->shape), std::begin(diff.b->shape))) {
        diff.problem = "the shapes differ: A " + shape_text(*diff.a) + ", B " + shape_text(*diff.b);
    } else if (*diff.a->problem != '\0' || *diff.b->problem != '\0') {
        const bool in_a = *diff.a->problem != '\0';
        diff.problem = std::string("the values of ") + (in_a ? "A" : "B") +
                       " cannot be read: " + (in_a ? diff.a->problem : diff.b->problem);
    } else if (diff.a->shape[0] * n_rows_of(*diff.a) != 0) {
        diff.weights =
            compare_weights(TensorRows(a, *diff.a), TensorRows(b, *diff.b), {quick, head_dims_of(a, *diff.a)});
    }
    return diff;
}

FileDiff compare_files(const GgufView& a, const GgufView& b, bool quick) {
    FileDiff diff;
    diff.keys = compare_metadata(a, b);
    uint64_t n_bytes = 1, done = 0;
    for (const bitnet_file_tensor& tensor : a.tensors) n_bytes += tensor.n_bytes;
    ProgressBar bar("comparing");
    for (const bitnet_file_tensor& tensor : a.tensors) {
        if (abort_on_signal(nullptr) != 0) throw Failure{interrupted_exit_code(), ""};
        // A factor of a projection's output is part of its weights, in whichever file it stands.
        const std::string_view name = tensor.name;
        done += tensor.n_bytes;
        if (name.ends_with(".scale") && b.find_tensor(name) == nullptr) continue;
        diff.tensors.push_back(compare_tensor(a, b, tensor.name, quick));
        diff.sampled = diff.sampled || diff.tensors.back().weights.sampled;
        bar.update(static_cast<double>(done) / static_cast<double>(n_bytes));
    }
    for (const bitnet_file_tensor& tensor : b.tensors) {
        const std::string_view name = tensor.name;
        if (a.find_tensor(name) == nullptr && !name.ends_with(".scale"))
            diff.tensors.push_back(compare_tensor(a, b, tensor.name, quick));
    }
    return diff;
}

}  // namespace cli
