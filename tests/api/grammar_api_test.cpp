// Grammars through bitnet.h: what is generated under one is always inside its language, with the same bits every time, and
// what the sampler does with one.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <cmath>

#include "examples/stories/default_model.h"
#include "tests/support/api_fixture.h"

namespace {

struct FreeGrammar {
    void operator()(bitnet_grammar* grammar) const { bitnet_grammar_free(grammar); }
};
using GrammarHandle = std::unique_ptr<bitnet_grammar, FreeGrammar>;

test::ModelHandle load_default() {
    size_t size = 0;
    const void* bytes = default_model_bytes(&size);
    REQUIRE(bytes != nullptr);
    bitnet_model* model = nullptr;
    test::must(bitnet_model_load_from_memory(bytes, size, nullptr, &model));
    return test::ModelHandle(model);
}

GrammarHandle make_grammar(const test::ModelHandle& model, const std::string& text, bool is_schema = false) {
    const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(model.get());
    bitnet_grammar* grammar = nullptr;
    test::must(is_schema ? bitnet_grammar_create_from_json_schema(tokenizer, text.data(), text.size(), &grammar)
                         : bitnet_grammar_create_from_gbnf(tokenizer, text.data(), text.size(), nullptr, &grammar));
    return GrammarHandle(grammar);
}

struct Made {
    std::string text;
    test::Tokens tokens;
    int32_t reason = 0;
};

Made generate(const test::ModelHandle& model, const bitnet_grammar* grammar, uint64_t seed, float temperature,
              int32_t n_most = 200) {
    const test::ContextHandle context = test::make_context(model);
    bitnet_sampler_params sampler = bitnet_sampler_default_params();
    sampler.has_seed = 1;
    sampler.seed = seed;
    sampler.temperature = temperature;
    bitnet_generation_params params = bitnet_generation_default_params();
    params.max_new_tokens = n_most;
    params.sampler = &sampler;
    params.grammar = grammar;
    bitnet_generation* generation = nullptr;
    test::must(bitnet_generate(context.get(), 0, "Once upon a time", 16, &params, nullptr, nullptr, &generation));
    bitnet_generation_result result = {};
    result.struct_size = sizeof result;
    test::must(bitnet_generation_get_result(generation, &result));
    Made made{{result.text, result.n_bytes}, {result.tokens, result.tokens + result.n_tokens}, result.finish_reason};
    bitnet_generation_free(generation);
    return made;
}

constexpr const char* kSchema = R"({"type": "object", "properties": {
    "name": {"type": "string", "maxLength": 12},
    "age": {"type": "integer", "minimum": 0, "maximum": 120},
    "kind": {"enum": ["cat", "dog", null]},
    "likes": {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3}},
    "required": ["name", "age", "likes"], "additionalProperties": false})";

bool fits_schema(const nlohmann::json& v) {
    if (!v.is_object() || !v.contains("name") || !v.contains("age") || !v.contains("likes")) return false;
    for (const auto& [name, member] : v.items()) {
        if (name == "name" && !member.is_string()) return false;
        if (name == "age" && (!member.is_number_integer() || member < 0 || member > 120)) return false;
        if (name == "kind" && !(member == "cat" || member == "dog" || member.is_null())) return false;
        if (name == "likes" && (!member.is_array() || member.empty() || member.size() > 3 || !member[0].is_boolean()))
            return false;
        if (name != "name" && name != "age" && name != "kind" && name != "likes") return false;
    }
    return true;
}

}  // namespace

TEST_CASE("a generation under a JSON schema ends with JSON that obeys it, the same for the same seed") {
    const test::ModelHandle model = load_default();
    const GrammarHandle grammar = make_grammar(model, kSchema, true);
    std::vector<Made> made;
    for (uint64_t seed = 0; seed < 6; ++seed) {
        made.push_back(generate(model, grammar.get(), seed, seed == 0 ? 0.0f : 1.5f));
        CAPTURE(made.back().text);
        REQUIRE(made.back().reason == BITNET_FINISH_END);
        const nlohmann::json value = nlohmann::json::parse(made.back().text, nullptr, false);
        REQUIRE_FALSE(value.is_discarded());
        CHECK(fits_schema(value));
    }
    CHECK(made[1].text != made[2].text);
    // Shared by another generation, it gives the same again.
    const Made again = generate(model, grammar.get(), 3, 1.5f);
    CHECK(again.text == made[3].text);
    CHECK(again.tokens == made[3].tokens);
}

TEST_CASE("a text under a grammar is inside its language from the first byte on, and ends when it must") {
    const test::ModelHandle model = load_default();
    CHECK(generate(model, make_grammar(model, "root ::= \"yes\" | \"no\"").get(), 1, 1.0f).reason == BITNET_FINISH_END);
    const Made fixed =
        generate(model, make_grammar(model, "root ::= \"<< exactly\\n\xC3\xA9\xF0\x9F\x98\x80 >>\"").get(), 1, 0);
    CHECK(fixed.text == "<< exactly\n\xC3\xA9\xF0\x9F\x98\x80 >>");
    CHECK(fixed.reason == BITNET_FINISH_END);
    const Made cut = generate(model, make_grammar(model, "root ::= [0-9]*").get(), 1, 1.0f, 5);
    CHECK(cut.text.find_first_not_of("0123456789") == std::string::npos);
    // A grammar that allows everything changes nothing.
    const Made free = generate(model, nullptr, 9, 0.7f, 40);
    CHECK(generate(model, make_grammar(model, "root ::= .*").get(), 9, 0.7f, 40).text == free.text);
}

TEST_CASE("a sampler gives only what its grammar allows, whatever logits and biases want") {
    const test::ModelHandle model = load_default();
    const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(model.get());
    const auto n_vocab = static_cast<size_t>(bitnet_tokenizer_get_n_vocab(tokenizer));
    test::Logits logits(n_vocab, -1.0f);
    for (size_t i = 0; i < n_vocab; i += 3) logits[i] = 50;
    GrammarHandle grammar = make_grammar(model, "root ::= \"ab\"");
    for (const int32_t mode : {0, 1, 2}) {  // greedy, drawn, and nothing finite
        CAPTURE(mode);
        bitnet_sampler_params params = bitnet_sampler_default_params();
        params.has_seed = 1;
        params.temperature = mode == 0 ? 0.0f : 1.0f;
        if (mode == 2) logits.assign(n_vocab, NAN);
        bitnet_sampler* created = nullptr;
        test::must(bitnet_sampler_create(&params, &created));
        const test::SamplerHandle sampler(created);
        test::must(bitnet_sampler_set_grammar(sampler.get(), grammar.get()));
        for (int round = 0; round < 2; ++round) {
            std::string text;
            bitnet_token token = -1;
            for (int i = 0; i < 4; ++i) {
                test::Logits probabilities(n_vocab);
                test::must(
                    bitnet_sampler_get_probabilities(sampler.get(), logits.data(), n_vocab, probabilities.data()));
                test::must(bitnet_sampler_sample(sampler.get(), logits.data(), n_vocab, &token));
                CHECK(probabilities[static_cast<size_t>(token)] > 0);
                if (bitnet_tokenizer_is_end(tokenizer, token) != 0) break;
                char piece[16];
                size_t n = 0;
                test::must(bitnet_tokenizer_decode(tokenizer, &token, 1, 0, piece, sizeof piece, &n));
                text.append(piece, n);
            }
            CHECK(text == "ab");
            CHECK(bitnet_tokenizer_is_end(tokenizer, token) == 1);
            // Once it has ended, nothing but ends comes.
            test::must(bitnet_sampler_sample(sampler.get(), logits.data(), n_vocab, &token));
            CHECK(bitnet_tokenizer_is_end(tokenizer, token) == 1);
            test::must(bitnet_sampler_reset(sampler.get()));
        }
        if (mode == 2) grammar.reset();  // samplers keep it alive
        test::must(bitnet_sampler_set_grammar(sampler.get(), nullptr));
    }
}

TEST_CASE("accepting a token that the grammar does not allow is a failure that changes nothing") {
    const test::ModelHandle model = load_default();
    const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(model.get());
    bitnet_sampler* created = nullptr;
    test::must(bitnet_sampler_create(nullptr, &created));
    const test::SamplerHandle sampler(created);
    test::must(bitnet_sampler_set_grammar(sampler.get(), make_grammar(model, "root ::= \"a\"+").get()));
    const auto token_of = [&](const char* text) {
        bitnet_token tokens[8];
        size_t n = 0;
        test::must(bitnet_tokenizer_encode(tokenizer, text, 1, 0, tokens, 8, &n));
        return tokens[n - 1];
    };
    CHECK(test::name_of(bitnet_sampler_accept(sampler.get(), token_of("b"))) == "BITNET_E_STATE");
    CHECK(test::last_error().find("the grammar does not allow token") != std::string::npos);
    test::must(bitnet_sampler_accept(sampler.get(), token_of("a")));
    CHECK(test::name_of(bitnet_sampler_accept(sampler.get(), token_of("b"))) == "BITNET_E_STATE");
}

TEST_CASE("grammars that are wrong, too large or too ambiguous each have their status") {
    const test::ModelHandle model = load_default();
    const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(model.get());
    bitnet_grammar* grammar = nullptr;
    const auto create = [&](const std::string& text, const char* root = nullptr) {
        const bitnet_status status =
            bitnet_grammar_create_from_gbnf(tokenizer, text.data(), text.size(), root, &grammar);
        CHECK((grammar != nullptr) == (status == BITNET_OK));
        bitnet_grammar_free(grammar);
        return test::name_of(status);
    };
    CHECK(create("root ::= \"a\"") == "BITNET_OK");
    CHECK(create("main ::= \"a\"", "main") == "BITNET_OK");
    CHECK(create("root ::= (\"a\"") == "BITNET_E_CONFIG");
    CHECK(test::last_error().find("grammar line 1, column 14") != std::string::npos);
    CHECK(create("root ::= root") == "BITNET_E_CONFIG");
    CHECK(create("root ::= (\"a\"{60000}){60000}") == "BITNET_E_SECURITY_INPUT");
    CHECK(test::name_of(bitnet_grammar_create_from_gbnf(nullptr, "", 0, nullptr, &grammar)) == "BITNET_E_ARGUMENT");
    CHECK(test::name_of(bitnet_grammar_create_from_gbnf(tokenizer, nullptr, 1, nullptr, &grammar)) ==
          "BITNET_E_ARGUMENT");
    CHECK(test::name_of(bitnet_grammar_create_from_gbnf(tokenizer, "", 0, nullptr, nullptr)) == "BITNET_E_ARGUMENT");
    CHECK(test::name_of(bitnet_grammar_create_from_json_schema(tokenizer, "{\"not\":{}}", 10, &grammar)) ==
          "BITNET_E_CONFIG");
    CHECK(test::last_error().find("#/not") != std::string::npos);
    CHECK(test::name_of(bitnet_sampler_set_grammar(nullptr, nullptr)) == "BITNET_E_ARGUMENT");
    bitnet_grammar_free(nullptr);

    bitnet_sampler* created = nullptr;
    test::must(bitnet_sampler_create(nullptr, &created));
    const test::SamplerHandle sampler(created);
    const std::string text = "root ::= (\"a\"? \"b\"?){40000} \"c\"";
    test::must(bitnet_grammar_create_from_gbnf(tokenizer, text.data(), text.size(), nullptr, &grammar));
    CHECK(test::name_of(bitnet_sampler_set_grammar(sampler.get(), grammar)) == "BITNET_E_SECURITY_EXHAUSTION");
    bitnet_grammar_free(grammar);
}

TEST_CASE("a receipt cannot be had of a text under a grammar, which it could not name") {
    const test::ModelHandle model = load_default();
    const test::ContextHandle context = test::make_context(model);
    const GrammarHandle grammar = make_grammar(model, "root ::= \"a\"");
    bitnet_generation_params params = bitnet_generation_default_params();
    params.grammar = grammar.get();
    params.receipt = 1;
    bitnet_generation* generation = nullptr;
    CHECK(test::name_of(bitnet_generation_create(context.get(), 0, "a", 1, &params, &generation)) ==
          "BITNET_E_UNSUPPORTED");
    CHECK(generation == nullptr);
}

TEST_CASE("a schema's grammar can be read as text, and compiled again it is the same") {
    size_t n = 0;
    CHECK(test::name_of(bitnet_json_schema_to_gbnf(kSchema, std::strlen(kSchema), nullptr, 0, &n)) ==
          "BITNET_E_BUFFER_TOO_SMALL");
    std::string text(n + 1, '\0');
    test::must(bitnet_json_schema_to_gbnf(kSchema, std::strlen(kSchema), text.data(), text.size(), &n));
    text.resize(n);
    CHECK(text.find("root ::= ") != std::string::npos);
    const test::ModelHandle model = load_default();
    CHECK(generate(model, make_grammar(model, text).get(), 4, 1.0f).text ==
          generate(model, make_grammar(model, kSchema, true).get(), 4, 1.0f).text);
}
