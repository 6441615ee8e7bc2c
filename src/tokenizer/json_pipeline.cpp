// "normalizer", "pre_tokenizer", "post_processor" and "decoder" of a tokenizer.json. Two families are understood:
// byte-level BPE behind any sequence of splits, and SentencePiece's way with spaces. Everything else is refused by
// name, because a step that is ignored gives tokens the model has never seen.
#include "src/base/error.h"
#include "src/tokenizer/tokenizer_json.h"

namespace bitnet {
namespace {

using nlohmann::json;

[[noreturn]] void unsupported(const std::string& what) {
    throw Error(BITNET_E_TOKENIZER, "tokenizer.json uses " + what + ", which is not supported").with_subject(what);
}

std::string type_of(const json& component) {
    return component.is_object() ? json_string(component, "type", "(no type)") : std::string("(not an object)");
}

// A component, or the parts of a "Sequence" of them, in order; nothing for null.
std::vector<const json*> components(const json& value, const char* list_key) {
    if (value.is_null()) return {};
    if (type_of(value) != "Sequence") return {&value};
    const json& list = json_member(value, list_key);
    if (!list.is_array()) unsupported(std::string("a Sequence without ") + list_key);
    std::vector<const json*> out;
    for (const json& item : list) {
        if (type_of(item) == "Sequence") unsupported("a Sequence inside a Sequence");
        out.push_back(&item);
    }
    return out;
}

SplitBehavior behavior_of(const json& component, std::string_view absent) {
    const std::string name = json_string(component, "behavior", absent);
    if (name == "Isolated") return SplitBehavior::isolated;
    if (name == "Contiguous") return SplitBehavior::contiguous;
    if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
    if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
    unsupported("the split behavior " + quote_text(name));
}

std::string escape_regex(std::string_view literal) {
    std::string out;
    for (char c : literal) {
        switch (c) {
            case '\n': out += "\\n"; break;
            case '\r': out += "\\r"; break;
            case '\t': out += "\\t"; break;
            default:
                if (std::string_view(R"(\^$.|?*+()[]{}-)").find(c) != std::string_view::npos) out += '\\';
                out += c;
        }
    }
    return out;
}

PretokenizeStage split_stage(const json& component) {
    PretokenizeStage stage;
    const json& pattern = json_member(component, "pattern");
    if (!json_member(pattern, "Regex").is_null()) {
        stage.regex = json_string(pattern, "Regex", "");
    } else {
        stage.regex = escape_regex(json_string(pattern, "String", ""));
    }
    stage.behavior = behavior_of(component, "Removed");
    // Inverted, matches and what is between them swap roles; that changes nothing where both stay pieces of their own.
    if (json_bool(component, "invert", false) && stage.behavior != SplitBehavior::isolated) {
        unsupported("an inverted Split");
    }
    return stage;
}

// Appends the stages of one pre-tokenizer; byte_level is set from ByteLevel on.
void add_stage(const json& component, bool is_first, bool& byte_level, Vocabulary& v) {
    const std::string type = type_of(component);
    const auto add = [&](PretokenizeStage stage) {
        stage.over_bytes = byte_level;
        v.stages.push_back(std::move(stage));
    };
    if (type == "Split") {
        add(split_stage(component));
    } else if (type == "Punctuation") {
        add({"\\p{hf_punctuation}", behavior_of(component, "Isolated"), false});
    } else if (type == "Digits") {
        const bool individual = json_bool(component, "individual_digits", false);
        add({"\\p{hf_digit}", individual ? SplitBehavior::isolated : SplitBehavior::contiguous, false});
    } else if (type == "ByteLevel") {
        if (byte_level) unsupported("ByteLevel twice");
        v.prefix_space = json_bool(component, "add_prefix_space", true);
        if (v.prefix_space && !is_first) unsupported("add_prefix_space after another pre-tokenizer");
        if (json_bool(component, "use_regex", true)) add(stages_of(*find_pretokenizer("gpt-2"))[0]);
        byte_level = true;
    } else {
        unsupported("the pre-tokenizer " + quote_text(type));
    }
}

void read_byte_level(const json& root, const std::vector<const json*>& pre_tokenizers, Vocabulary& v) {
    const std::vector<const json*> normalizers = components(json_member(root, "normalizer"), "normalizers");
    for (const json* normalizer : normalizers) {
        if (type_of(*normalizer) != "NFC") unsupported("the normalizer " + quote_text(type_of(*normalizer)));
        v.nfc = true;
    }
    v.kind = VocabularyKind::bpe;
    bool byte_level = false;
    for (size_t i = 0; i < pre_tokenizers.size(); ++i) add_stage(*pre_tokenizers[i], i == 0, byte_level, v);
    v.pre = "custom";
    if (const PretokenizerRow* row = find_pretokenizer(v.stages)) v.pre = row->names[0];
}

// Replace " " by U+2581, perhaps after putting one in front.
bool read_space_normalizers(const json& root, Vocabulary& v) {
    bool replaces = false;
    v.space_prefix = SpacePrefix::never;
    for (const json* normalizer : components(json_member(root, "normalizer"), "normalizers")) {
        const std::string type = type_of(*normalizer);
        if (type == "Prepend") {
            if (json_string(*normalizer, "prepend", "") != kSpaceMark)
                unsupported("a Prepend of something else than U+2581");
            v.space_prefix = SpacePrefix::each_fragment;
        } else if (type == "Replace") {
            if (json_string(json_member(*normalizer, "pattern"), "String", "") != " " ||
                json_string(*normalizer, "content", "") != kSpaceMark) {
                unsupported("a Replace of something else than a space by U+2581");
            }
            replaces = true;
        } else {
            unsupported("the normalizer " + quote_text(type));
        }
    }
    if (!replaces && v.space_prefix != SpacePrefix::never) unsupported("Prepend without Replace");
    v.normalize_added = replaces;
    return replaces;
}

void read_metaspace(const json& component, Vocabulary& v) {
    if (json_string(component, "replacement", kSpaceMark) != kSpaceMark)
        unsupported("Metaspace with another mark than U+2581");
    const bool legacy_prefix = json_bool(component, "add_prefix_space", true);
    const std::string scheme = json_string(component, "prepend_scheme", legacy_prefix ? "always" : "never");
    if (scheme == "always") {
        v.space_prefix = SpacePrefix::each_fragment;
    } else if (scheme == "first") {
        v.space_prefix = SpacePrefix::text_start;
    } else if (scheme != "never") {
        unsupported("the prepend_scheme " + quote_text(scheme));
    }
    v.prefix_only_if_absent = true;
    v.escape_after_added = true;
    v.split_at_spaces = json_bool(component, "split", true);
}

void read_sentencepiece_like(const json& root, const std::vector<const json*>& pre_tokenizers, Vocabulary& v) {
    v.kind = VocabularyKind::spm;
    v.merge_by_score = false;
    const bool replaced = read_space_normalizers(root, v);
    bool metaspace = false;
    for (const json* component : pre_tokenizers) {
        const std::string type = type_of(*component);
        if (type == "Metaspace" && !replaced && !metaspace) {
            read_metaspace(*component, v);
            metaspace = true;
            continue;
        }
        // A split at spaces does nothing once there are none.
        const bool at_spaces = type == "Split" && json_string(json_member(*component, "pattern"), "String", "") == " ";
        if (!(replaced && at_spaces)) unsupported("the pre-tokenizer " + quote_text(type));
    }
    if (!replaced && !metaspace) unsupported("text without ByteLevel, Metaspace or a Replace of spaces by U+2581");
}

}  // namespace

void read_json_pipeline(const json& root, Vocabulary& v) {
    const std::vector<const json*> pre_tokenizers = components(json_member(root, "pre_tokenizer"), "pretokenizers");
    bool byte_level = false;
    for (const json* component : pre_tokenizers) byte_level = byte_level || type_of(*component) == "ByteLevel";
    if (byte_level) {
        read_byte_level(root, pre_tokenizers, v);
    } else {
        read_sentencepiece_like(root, pre_tokenizers, v);
    }
}

JsonTemplate read_json_post_processor(const json& root) {
    JsonTemplate out;
    for (const json* processor : components(json_member(root, "post_processor"), "processors")) {
        const std::string type = type_of(*processor);
        if (type == "ByteLevel") continue;  // changes offsets only
        if (type != "TemplateProcessing" || out.is_there) unsupported("the post-processor " + quote_text(type));
        out.is_there = true;
        bool sequence_seen = false;
        const json& single = json_member(*processor, "single");
        if (!single.is_array()) unsupported("a TemplateProcessing without 'single'");
        for (const json& item : single) {
            if (!json_member(item, "Sequence").is_null()) {
                if (sequence_seen) unsupported("a template with the text twice");
                sequence_seen = true;
                continue;
            }
            const std::string name = json_string(json_member(item, "SpecialToken"), "id", "");
            std::optional<std::string>& place = sequence_seen ? out.after : out.before;
            if (name.empty() || place) unsupported("a template with more than one token before or after the text");
            place = name;
        }
        if (!sequence_seen) unsupported("a template without the text");
    }
    return out;
}

void check_json_decoder(const json& root, VocabularyKind kind) {
    for (const json* decoder : components(json_member(root, "decoder"), "decoders")) {
        const std::string type = type_of(*decoder);
        const bool known = kind == VocabularyKind::bpe ? type == "ByteLevel"
                                                       : type == "Replace" || type == "ByteFallback" ||
                                                             type == "Fuse" || type == "Strip" || type == "Metaspace";
        if (!known) unsupported("the decoder " + quote_text(type));
    }
}

}  // namespace bitnet
