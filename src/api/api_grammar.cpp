// Grammars, and samplers that obey them.
#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/grammar/grammar_filter.h"
#include "src/grammar/json_schema.h"

using namespace bitnet;

namespace {

std::shared_ptr<const Tokenizer> checked(const bitnet_tokenizer* tokenizer) {
    require(tokenizer != nullptr && tokenizer->tokenizer != nullptr, "the tokenizer is NULL");
    return tokenizer->tokenizer;
}

std::string_view checked(const char* text, size_t n_bytes) {
    require(text != nullptr || n_bytes == 0, "the text is NULL");
    return {n_bytes != 0 ? text : "", n_bytes};
}

}  // namespace

extern "C" {

bitnet_status bitnet_grammar_create_from_gbnf(const bitnet_tokenizer* tokenizer, const char* text, size_t n_bytes,
                                              const char* root, bitnet_grammar** out_grammar) {
    if (out_grammar != nullptr) *out_grammar = nullptr;
    return api_call(__func__, [&] {
        require(out_grammar != nullptr, "bitnet_grammar_create_from_gbnf: out_grammar is NULL");
        *out_grammar = new bitnet_grammar{std::make_shared<const Grammar>(checked(tokenizer), checked(text, n_bytes),
                                                                          root != nullptr ? root : "root")};
    });
}

bitnet_status bitnet_grammar_create_from_json_schema(const bitnet_tokenizer* tokenizer, const char* schema,
                                                     size_t n_bytes, bitnet_grammar** out_grammar) {
    if (out_grammar != nullptr) *out_grammar = nullptr;
    return api_call(__func__, [&] {
        require(out_grammar != nullptr, "bitnet_grammar_create_from_json_schema: out_grammar is NULL");
        const std::shared_ptr<const Tokenizer> t = checked(tokenizer);
        const std::string gbnf = json_schema_to_gbnf(checked(schema, n_bytes));
        *out_grammar = new bitnet_grammar{std::make_shared<const Grammar>(t, gbnf, "root")};
    });
}

void bitnet_grammar_free(bitnet_grammar* grammar) { delete grammar; }

bitnet_status bitnet_json_schema_to_gbnf(const char* schema, size_t n_bytes, char* buffer, size_t capacity,
                                         size_t* out_size) {
    return api_call(__func__,
                    [&] { write_text(json_schema_to_gbnf(checked(schema, n_bytes)), buffer, capacity, out_size); });
}

bitnet_status bitnet_sampler_set_grammar(bitnet_sampler* sampler, const bitnet_grammar* grammar) {
    return api_call(__func__, [&] {
        require(sampler != nullptr, "the sampler is NULL");
        sampler->sampler.set_filter(grammar != nullptr ? std::make_unique<GrammarFilter>(grammar->grammar) : nullptr);
    });
}

}  // extern "C"
