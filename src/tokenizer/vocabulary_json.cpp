// tokenizer.json -> Vocabulary: the tokens of the model, the added tokens, the merges and the special ids.
#include "src/base/error.h"
#include "src/tokenizer/tokenizer_json.h"

namespace bitnet {
namespace {

using nlohmann::json;

// Ids that no token has are filled with unused tokens, as converters do; a file that is mostly holes is refused.
constexpr size_t kMaxHoles = 65536;

[[noreturn]] void refuse(const std::string& message) { throw Error(BITNET_E_TOKENIZER, "tokenizer.json: " + message); }

uint32_t id_of(const json& value, const std::string& token) {
    if (value.is_number_unsigned() && value.get<uint64_t>() < kMaxVocabulary) return value.get<uint32_t>();
    refuse("the id of token " + quote_text(token) + " is not a number below 16777216");
}

// Places tokens by id; the holes are known by an attribute of 0.
void place(Vocabulary& v, uint32_t id, const std::string& text, uint8_t attribute, uint8_t flags) {
    if (id >= v.tokens.size()) {
        v.tokens.resize(id + size_t{1});
        v.attributes.resize(id + size_t{1}, 0);
        v.token_flags.resize(id + size_t{1}, 0);
    }
    if (v.attributes[id] != 0) {
        refuse("tokens " + quote_text(v.tokens[id]) + " and " + quote_text(text) + " have the same id " +
               std::to_string(id));
    }
    v.tokens[id] = text;
    v.attributes[id] = attribute;
    v.token_flags[id] = flags;
}

void check_model(const json& model) {
    if (!model.is_object()) refuse("there is no 'model'");
    const std::string type = json_string(model, "type", "BPE");
    if (type != "BPE") {
        throw Error(BITNET_E_TOKENIZER,
                    "tokenizer.json: the model type " + quote_text(type) + " is not supported; this build reads 'BPE'")
            .with_subject(type);
    }
    const json& dropout = json_member(model, "dropout");
    if (!dropout.is_null() && !(dropout.is_number() && dropout.get<double>() == 0.0))
        refuse("'dropout' is not supported");
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
        if (!json_string(model, key, "").empty()) refuse(std::string("'") + key + "' is not supported");
    }
}

// Ids end before limit: the number of all tokens and holes that are allowed.
void read_model_tokens(const json& model, size_t limit, bool byte_fallback, Vocabulary& v) {
    for (const auto& [text, value] : json_member(model, "vocab").items()) {
        const uint32_t id = id_of(value, text);
        if (id >= limit) refuse("the ids of the vocabulary have too many gaps (id " + std::to_string(id) + ")");
        const bool is_byte = byte_fallback && byte_of_token_text(text) >= 0;
        place(v, id, text, is_byte ? BITNET_TOKEN_BYTE : BITNET_TOKEN_NORMAL, 0);
    }
}

void read_added_tokens(const json& added, const json& model_vocab, size_t limit, Vocabulary& v) {
    for (const json& token : added) {
        const std::string text = json_string(token, "content", "");
        const uint32_t id = id_of(json_member(token, "id"), text);
        if (text.empty()) refuse("the added token " + std::to_string(id) + " has no content");
        if (id >= limit) refuse("the ids of the vocabulary have too many gaps (id " + std::to_string(id) + ")");
        const bool special = json_bool(token, "special", false);
        const uint8_t attribute = special ? BITNET_TOKEN_CONTROL : BITNET_TOKEN_USER_DEFINED;
        const uint8_t flags = added_token_flags(token, special);
        const auto known = model_vocab.find(text);
        if (known == model_vocab.end()) {
            place(v, id, text, attribute, static_cast<uint8_t>(flags | kTokenAddedOnly));
        } else if (id_of(*known, text) != id) {
            refuse("the added token " + quote_text(text) + " has another id than in the vocabulary");
        } else {
            v.attributes[id] = attribute;
            v.token_flags[id] = flags;
        }
    }
}

void read_tokens(const json& root, bool byte_fallback, Vocabulary& v) {
    static const json no_tokens = json::array();
    const json& model_vocab = json_member(json_member(root, "model"), "vocab");
    const json* added = &json_member(root, "added_tokens");
    if (added->is_null()) added = &no_tokens;
    if (!model_vocab.is_object() || !added->is_array()) refuse("'vocab' is not an object or 'added_tokens' not a list");
    const size_t limit = model_vocab.size() + added->size() + kMaxHoles;
    read_model_tokens(json_member(root, "model"), limit, byte_fallback, v);
    read_added_tokens(*added, model_vocab, limit, v);
    for (size_t id = 0; id < v.tokens.size(); ++id) {
        if (v.attributes[id] != 0) continue;
        v.tokens[id] = "[PAD" + std::to_string(id) + "]";
        v.attributes[id] = BITNET_TOKEN_UNUSED;
        v.token_flags[id] = kTokenAddedOnly;
    }
}

void read_merges(const json& model, Vocabulary& v) {
    const json& merges = json_member(model, "merges");
    if (!merges.is_array()) refuse("'merges' is not a list");
    v.merges.reserve(merges.size());
    for (const json& merge : merges) {
        std::string left;
        std::string right;
        if (merge.is_string()) {
            const std::string& text = merge.get_ref<const std::string&>();
            const size_t space = text.find(' ', 1);
            if (space != std::string::npos) {
                left = text.substr(0, space);
                right = text.substr(space + 1);
            }
        } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
            left = merge[0].get<std::string>();
            right = merge[1].get<std::string>();
        }
        if (left.empty() || right.empty())
            refuse("merge " + std::to_string(v.merges.size()) + " does not have two parts");
        const uint32_t left_size = static_cast<uint32_t>(left.size());
        v.merges.push_back({std::move(left) + right, left_size});
    }
    v.strict_merges = true;
}

int32_t find_token(const Vocabulary& v, std::string_view text) {
    for (size_t id = 0; id < v.tokens.size(); ++id) {
        if (v.tokens[id] == text) return static_cast<int32_t>(id);
    }
    return -1;
}

int32_t require_token(const Vocabulary& v, const std::string& text, const char* what) {
    const int32_t id = find_token(v, text);
    if (id < 0) refuse(std::string(what) + " " + quote_text(text) + " is not in the vocabulary");
    return id;
}

// The id of the first name that is an added token.
int32_t find_special(const Vocabulary& v, std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
        const int32_t id = find_token(v, name);
        if (id >= 0 && v.attributes[static_cast<size_t>(id)] == BITNET_TOKEN_CONTROL) return id;
    }
    return -1;
}

void read_special_ids(const json& root, const TokenizerConfig& config, Vocabulary& v) {
    if (config.bos) v.bos = find_token(v, *config.bos);
    if (config.eos) v.eos = find_token(v, *config.eos);
    if (config.pad) v.pad = find_token(v, *config.pad);
    const JsonTemplate around = read_json_post_processor(root);
    if (around.before) v.bos = require_token(v, *around.before, "the first token of the template");
    if (around.after) v.eos = require_token(v, *around.after, "the last token of the template");
    v.add_bos = around.is_there ? around.before.has_value() : config.add_bos.value_or(false);
    v.add_eos = around.is_there ? around.after.has_value() : config.add_eos.value_or(false);
    // tokenizer.json alone does not say which tokens begin and end a text; the usual names do.
    if (v.bos < 0) v.bos = find_special(v, {"<|begin_of_text|>", "<s>", "<|startoftext|>", "<bos>"});
    if (v.eos < 0) v.eos = find_special(v, {"<|end_of_text|>", "</s>", "<|endoftext|>", "<|im_end|>", "<eos>"});
    const std::string unknown = json_string(json_member(root, "model"), "unk_token", "");
    if (unknown.empty()) return;
    v.unk = require_token(v, unknown, "the unknown token");
    if (v.unk != v.bos && v.unk != v.eos) v.attributes[static_cast<size_t>(v.unk)] = BITNET_TOKEN_UNKNOWN;
}

}  // namespace

Vocabulary read_vocabulary_json(std::string_view text, std::string_view config_json) {
    const json root = parse_json(text, "tokenizer.json");
    const json& model = json_member(root, "model");
    check_model(model);
    const TokenizerConfig config = parse_tokenizer_config(config_json);
    Vocabulary v;
    v.source = "tokenizer.json";
    v.chat_template = config.chat_template;
    read_json_pipeline(root, v);
    check_json_decoder(root, v.kind);
    v.ignore_merges = json_bool(model, "ignore_merges", false);
    if (v.kind == VocabularyKind::spm && v.ignore_merges)
        refuse("'ignore_merges' is supported for byte-level BPE only");
    v.byte_fallback = v.kind == VocabularyKind::spm && json_bool(model, "byte_fallback", false);
    v.fuse_unknown = json_bool(model, "fuse_unk", false);
    read_tokens(root, v.byte_fallback, v);
    read_merges(model, v);
    read_special_ids(root, config, v);
    return v;
}

}  // namespace bitnet
