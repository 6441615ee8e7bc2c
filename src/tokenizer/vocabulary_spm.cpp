// SentencePiece tokenizer.model -> Vocabulary. The file is a protocol buffer; the few fields that matter are read by
// hand, with every length checked against the bytes that are left.
#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <optional>

#include "src/base/error.h"
#include "src/tokenizer/tokenizer_json.h"
#include "src/tokenizer/vocabulary.h"

namespace bitnet {
namespace {

[[noreturn]] void damaged(const char* what) {
    throw Error(BITNET_E_TOKENIZER, std::string("not a SentencePiece model, or a damaged one: ") + what);
}

// One field of a message: exactly one of number and bytes has a meaning, by wire type.
struct Field {
    uint32_t id = 0;
    uint32_t wire = 0;
    uint64_t number = 0;
    std::string_view bytes;
};

class MessageReader {
public:
    explicit MessageReader(std::string_view message) : rest_(message) {}

    bool next(Field& field) {
        if (rest_.empty()) return false;
        const uint64_t key = varint();
        if (key > UINT32_MAX) damaged("a field number is too large");
        field = {static_cast<uint32_t>(key >> 3), static_cast<uint32_t>(key & 7), 0, {}};
        switch (field.wire) {
            case 0: field.number = varint(); break;
            case 1: take(8); break;
            case 2: field.bytes = take(varint()); break;
            case 5: {
                const std::string_view bytes = take(4);
                for (int i = 3; i >= 0; --i)
                    field.number = field.number << 8 | static_cast<uint8_t>(bytes[static_cast<size_t>(i)]);
                break;
            }
            default: damaged("an unknown wire type");
        }
        return true;
    }

private:
    uint64_t varint() {
        uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (rest_.empty()) damaged("it ends inside a number");
            const uint8_t byte = static_cast<uint8_t>(rest_[0]);
            rest_.remove_prefix(1);
            value |= uint64_t{byte & 0x7Fu} << shift;
            if (byte < 0x80) return value;
        }
        damaged("a number is longer than 10 bytes");
    }
    std::string_view take(uint64_t n) {
        if (n > rest_.size()) damaged("it ends inside a field");
        const std::string_view bytes = rest_.substr(0, n);
        rest_.remove_prefix(n);
        return bytes;
    }

    std::string_view rest_;
};

std::string_view text_of(const Field& field) {
    if (field.wire != 2) damaged("a field has the wrong type");
    return field.bytes;
}
uint64_t number_of(const Field& field) {
    if (field.wire != 0) damaged("a field has the wrong type");
    return field.number;
}

struct TrainerSpec {
    uint64_t model_type = 1;  // 1 unigram, 2 BPE, 3 word, 4 char
    bool byte_fallback = false;
    bool whitespace_as_suffix = false;
    std::string_view bos = "<s>", eos = "</s>", pad = "<pad>";
};

struct NormalizerSpec {
    std::string_view name;
    std::string_view charsmap;
    std::string_view rules;
    bool add_dummy_prefix = true;
    bool remove_extra_whitespaces = true;
    bool escape_whitespaces = true;
};

TrainerSpec read_trainer(std::string_view message) {
    TrainerSpec spec;
    MessageReader reader(message);
    for (Field field; reader.next(field);) {
        switch (field.id) {
            case 3: spec.model_type = number_of(field); break;
            case 24: spec.whitespace_as_suffix = number_of(field) != 0; break;
            case 35: spec.byte_fallback = number_of(field) != 0; break;
            case 46: spec.bos = text_of(field); break;
            case 47: spec.eos = text_of(field); break;
            case 48: spec.pad = text_of(field); break;
            default: break;  // how it was trained
        }
    }
    return spec;
}

NormalizerSpec read_normalizer(std::string_view message) {
    NormalizerSpec spec;
    MessageReader reader(message);
    for (Field field; reader.next(field);) {
        switch (field.id) {
            case 1: spec.name = text_of(field); break;
            case 2: spec.charsmap = text_of(field); break;
            case 3: spec.add_dummy_prefix = number_of(field) != 0; break;
            case 4: spec.remove_extra_whitespaces = number_of(field) != 0; break;
            case 5: spec.escape_whitespaces = number_of(field) != 0; break;
            case 6: spec.rules = text_of(field); break;
            default: break;
        }
    }
    return spec;
}

void read_piece(std::string_view message, Vocabulary& v) {
    std::string_view text;
    float score = 0.0f;
    uint64_t type = BITNET_TOKEN_NORMAL;  // the types have the numbers of bitnet_token_attribute
    MessageReader reader(message);
    for (Field field; reader.next(field);) {
        if (field.id == 1) text = text_of(field);
        if (field.id == 2) {
            if (field.wire != 5) damaged("a score has the wrong type");
            score = std::bit_cast<float>(static_cast<uint32_t>(field.number));
        }
        if (field.id == 3) type = number_of(field);
    }
    if (type < BITNET_TOKEN_NORMAL || type > BITNET_TOKEN_BYTE) damaged("a piece has an unknown type");
    if (v.tokens.size() >= kMaxVocabulary) damaged("it has more than 16777216 pieces");
    v.tokens.emplace_back(text);
    v.scores.push_back(score);
    v.attributes.push_back(static_cast<uint8_t>(type));
    // SentencePiece looks for user-defined pieces in normalized text.
    v.token_flags.push_back(type == BITNET_TOKEN_USER_DEFINED ? kTokenNormalized : uint8_t{0});
}

[[noreturn]] void unsupported(const std::string& what) {
    throw Error(BITNET_E_TOKENIZER, "the SentencePiece model uses " + what + ", which is not supported")
        .with_subject(what);
}

void check_specs(const TrainerSpec& trainer, const NormalizerSpec& normalizer) {
    if (trainer.model_type != 2) {
        const char* const kTypes[] = {"0", "unigram", "bpe", "word", "char"};
        const std::string name =
            trainer.model_type < 5 ? kTypes[trainer.model_type] : std::to_string(trainer.model_type);
        unsupported("the model type " + name + " (this build reads bpe)");
    }
    if (trainer.whitespace_as_suffix) unsupported("treat_whitespace_as_suffix");
    if (!normalizer.escape_whitespaces) unsupported("unescaped whitespace");
    if (!normalizer.charsmap.empty() || !normalizer.rules.empty()) {
        unsupported("the normalization " + quote_text(normalizer.name) + " (this build reads identity)");
    }
}

int32_t find_control(const Vocabulary& v, std::string_view text) {
    for (size_t id = 0; id < v.tokens.size(); ++id) {
        if (v.attributes[id] == BITNET_TOKEN_CONTROL && v.tokens[id] == text) return static_cast<int32_t>(id);
    }
    return -1;
}

// Ids that no token has are filled with unused tokens, but not without end.
constexpr size_t kMaxHoles = 65536;

// added_tokens.json names tokens and their ids, added_tokens_decoder of the configuration also how they are matched.
std::map<uint32_t, TokenizerConfig::Added> all_added(const TokenizerConfig& config, std::string_view added_json) {
    std::map<uint32_t, TokenizerConfig::Added> all;
    if (!added_json.empty()) {
        const nlohmann::json root = parse_json(added_json, "added_tokens.json");
        if (!root.is_object())
            throw Error(BITNET_E_TOKENIZER, "added_tokens.json is not an object of token texts and ids");
        for (const auto& [text, value] : root.items()) {
            const std::optional<uint32_t> id = json_token_id(value);
            if (!id || text.empty()) {
                throw Error(BITNET_E_TOKENIZER, "added_tokens.json: the id of token " + quote_text(text) +
                                                    " is not a number below 16777216, or the token is empty");
            }
            const bool special = text == config.bos || text == config.eos || text == config.pad || text == config.unk;
            if (!all.emplace(*id, TokenizerConfig::Added{*id, text, special, 0}).second) {
                throw Error(BITNET_E_TOKENIZER, "added_tokens.json: two tokens have the id " + std::to_string(*id));
            }
        }
    }
    for (const TokenizerConfig::Added& token : config.added) all.insert_or_assign(token.id, token);
    return all;
}

void add_tokens(const std::map<uint32_t, TokenizerConfig::Added>& all, Vocabulary& v) {
    const size_t limit = v.tokens.size() + all.size() + kMaxHoles;
    for (const auto& [id, token] : all) {
        if (id >= limit) {
            throw Error(BITNET_E_TOKENIZER, "the added token " + quote_text(token.text) + " has the id " +
                                                std::to_string(id) + ", far behind the " +
                                                std::to_string(v.tokens.size()) + " tokens before it");
        }
        if (id >= v.tokens.size()) fill_vocabulary(v, id + size_t{1});
        uint8_t& attribute = v.attributes[id];
        if (v.tokens[id] != token.text) {  // what is added replaces what the model has there
            v.tokens[id] = token.text;
            v.scores[id] = kScoreOfAdded;
            attribute = BITNET_TOKEN_UNUSED;
        }
        const bool is_new = attribute == BITNET_TOKEN_UNUSED;
        if (attribute == BITNET_TOKEN_BYTE || attribute == BITNET_TOKEN_UNKNOWN) continue;
        attribute = token.special ? BITNET_TOKEN_CONTROL : BITNET_TOKEN_USER_DEFINED;
        v.token_flags[id] = static_cast<uint8_t>(token.flags | (is_new ? kTokenAddedOnly : 0));
    }
}

void read_special_ids(const TokenizerConfig& config, Vocabulary& v) {
    const std::pair<const std::optional<std::string>&, int32_t&> named[] = {
        {config.bos, v.bos}, {config.eos, v.eos}, {config.pad, v.pad}, {config.unk, v.unk}};
    for (const auto& [text, id] : named) {
        if (!text) continue;
        const auto found = std::find(v.tokens.begin(), v.tokens.end(), *text);
        if (found != v.tokens.end()) id = static_cast<int32_t>(found - v.tokens.begin());
    }
}

}  // namespace

Vocabulary read_vocabulary_spm(std::string_view model, std::string_view config_json, std::string_view added_json) {
    Vocabulary v;
    v.source = "tokenizer.model";
    v.kind = VocabularyKind::spm;
    TrainerSpec trainer;
    NormalizerSpec normalizer;
    MessageReader reader(model);
    for (Field field; reader.next(field);) {
        if (field.id == 1) read_piece(text_of(field), v);
        if (field.id == 2) trainer = read_trainer(text_of(field));
        if (field.id == 3) normalizer = read_normalizer(text_of(field));
    }
    if (v.tokens.empty()) damaged("it has no pieces");
    check_specs(trainer, normalizer);
    v.byte_fallback = trainer.byte_fallback;
    v.space_prefix = normalizer.add_dummy_prefix ? SpacePrefix::each_fragment : SpacePrefix::never;
    v.remove_extra_whitespaces = normalizer.remove_extra_whitespaces;
    v.bos = find_control(v, trainer.bos);
    v.eos = find_control(v, trainer.eos);
    v.pad = find_control(v, trainer.pad);
    for (size_t id = 0; id < v.tokens.size() && v.unk < 0; ++id) {
        if (v.attributes[id] == BITNET_TOKEN_UNKNOWN) v.unk = static_cast<int32_t>(id);
    }
    const TokenizerConfig config = parse_tokenizer_config(config_json);
    v.chat_template = config.chat_template;
    add_tokens(all_added(config, added_json), v);
    read_special_ids(config, v);
    // The file itself does not say; the models that ship one want BOS and no EOS.
    v.add_bos = config.add_bos.value_or(true);
    v.add_eos = config.add_eos.value_or(false);
    return v;
}

}  // namespace bitnet
