// The least recently used entry goes first. A grammar that is gone from here lives on in the texts that use it.
#include "server/chat/grammar_cache.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <string_view>

namespace serve {

namespace {

constexpr size_t kMaxEntries = 64;
constexpr size_t kMaxKeyBytes = 4 << 20;

using Grammar = std::shared_ptr<const bitnet_grammar>;

class GrammarCache {
public:
    Grammar find(const std::string& key) {
        const std::lock_guard lock(mutex_);
        for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
            if (entry->key != key) continue;
            entries_.splice(entries_.begin(), entries_, entry);
            return entry->grammar;
        }
        return nullptr;
    }
    void add(std::string key, Grammar grammar) {
        const std::lock_guard lock(mutex_);
        n_bytes_ += key.size();
        entries_.push_front({std::move(key), std::move(grammar)});
        while (entries_.size() > kMaxEntries || (n_bytes_ > kMaxKeyBytes && entries_.size() > 1)) {
            n_bytes_ -= entries_.back().key.size();
            entries_.pop_back();
        }
    }

private:
    struct Entry {
        std::string key;
        Grammar grammar;
    };
    std::mutex mutex_;
    std::list<Entry> entries_;
    size_t n_bytes_ = 0;
};

ApiError error_at(bitnet_status status, const std::string& field) {
    ApiError error = error_from_status(status);
    error.field = field;
    return error;
}

// The schema as GBNF with one space at most between its parts: small models, once between two parts, may write white space
// without end, and nobody misses it.
std::string compact_gbnf(const std::string& schema, const std::string& field) {
    constexpr std::string_view kRule = "json-space ::= ";
    size_t n = 0;
    bitnet_status status = bitnet_json_schema_to_gbnf(schema.data(), schema.size(), nullptr, 0, &n);
    std::string text(n + 1, '\0');
    if (status == BITNET_E_BUFFER_TOO_SMALL)
        status = bitnet_json_schema_to_gbnf(schema.data(), schema.size(), text.data(), text.size(), &n);
    if (status != BITNET_OK) throw error_at(status, field);
    text.resize(n);
    size_t begin = text.starts_with(kRule) ? 0 : text.find("\n" + std::string(kRule));
    if (begin == text.npos) return text;
    if (begin > 0) begin++;
    const size_t end = std::min(text.find('\n', begin), text.size());
    return text.replace(begin, end - begin, std::string(kRule) + "\" \"?");
}

template <typename Compile>
Grammar compile_once(const Engine& engine, char kind, const std::string& text, const std::string& field,
                     Compile compile) {
    static GrammarCache cache;
    const std::string key = engine_key(engine) + " " + kind + text;
    if (Grammar found = cache.find(key)) return found;
    bitnet_grammar* grammar = nullptr;
    if (const bitnet_status status = compile(engine.tokenizer(), &grammar); status != BITNET_OK) {
        throw error_at(status, field);
    }
    Grammar made(grammar,
                 [](const bitnet_grammar* handle) { bitnet_grammar_free(const_cast<bitnet_grammar*>(handle)); });
    cache.add(key, made);
    return made;
}

}  // namespace

std::string engine_key(const Engine& engine) { return engine.facts().instance; }

std::shared_ptr<const bitnet_grammar> cached_json_grammar(const Engine& engine, const std::string& schema,
                                                          const std::string& field) {
    return compile_once(engine, 'j', schema, field, [&](const bitnet_tokenizer* tokenizer, bitnet_grammar** out) {
        const std::string text = compact_gbnf(schema, field);
        return bitnet_grammar_create_from_gbnf(tokenizer, text.data(), text.size(), nullptr, out);
    });
}

std::shared_ptr<const bitnet_grammar> cached_gbnf_grammar(const Engine& engine, const std::string& text,
                                                          const std::string& field) {
    return compile_once(engine, 'g', text, field, [&](const bitnet_tokenizer* tokenizer, bitnet_grammar** out) {
        return bitnet_grammar_create_from_gbnf(tokenizer, text.data(), text.size(), nullptr, out);
    });
}

}  // namespace serve
