// POST /v1/embeddings, and /v1/rerank by the cosine of embeddings: no model here is a cross-encoder, so a query and a document
// are embedded apart and compared.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "server/api/embedding_pooling.h"
#include "server/api/openai_shapes.h"

namespace serve {

namespace {

constexpr size_t kMaxInputs = 2048;  // OpenAI's

struct Input {
    std::string text;
    std::vector<bitnet_token> tokens;
    bool is_text = true;
    std::string field;
};

std::string metadata(const Engine& engine, const std::string& key) {
    size_t n = 0;
    if (bitnet_model_get_metadata(engine.model(), key.c_str(), nullptr, 0, &n) != BITNET_E_BUFFER_TOO_SMALL) return "";
    std::string text(n + 1, '\0');
    check(bitnet_model_get_metadata(engine.model(), key.c_str(), text.data(), text.size(), &n));
    text.resize(n);
    return text;
}

bitnet_pooling read_pooling(const JsonFields& fields, const Engine& engine) {
    if (const std::optional<size_t> choice = fields.choice("pooling", {"last", "mean"}))
        return *choice == 0 ? BITNET_POOLING_LAST : BITNET_POOLING_MEAN;
    return default_pooling(engine);
}

std::vector<bitnet_token> token_list(const Json& array, const std::string& place) {
    std::vector<bitnet_token> tokens;
    for (const Json& item : array) {
        if (!item.is_number_unsigned() || item.get<uint64_t>() > INT32_MAX)
            throw ApiError(ErrorCode::kValidationFailed, place + " must hold token ids", place);
        tokens.push_back(static_cast<bitnet_token>(item.get<uint64_t>()));
    }
    return tokens;
}

std::vector<Input> read_inputs(const JsonFields& fields) {
    const Json* input = fields.find("input");
    if (!input) fields.fail("input", "is required");
    if (input->is_string()) return {{input->get<std::string>(), {}, true, "input"}};
    if (!input->is_array() || input->empty())
        fields.fail("input", "must be a string, a list of strings, a list of token ids or a list of such lists");
    if (input->front().is_number()) return {{"", token_list(*input, "input"), false, "input"}};
    if (input->size() > kMaxInputs) fields.fail("input", "has more than " + std::to_string(kMaxInputs) + " entries");
    std::vector<Input> inputs;
    for (size_t i = 0; i < input->size(); i++) {
        const Json& item = (*input)[i];
        const std::string place = "input." + std::to_string(i);
        if (item.is_string())
            inputs.push_back({item.get<std::string>(), {}, true, place});
        else if (item.is_array())
            inputs.push_back({"", token_list(item, place), false, place});
        else
            throw ApiError(ErrorCode::kValidationFailed, place + " must be a string or a list of token ids", place);
    }
    return inputs;
}

std::vector<std::vector<bitnet_token>> encode_inputs(const ServerState& state, const Engine& engine,
                                                     const std::vector<Input>& inputs, uint64_t& n_tokens) {
    std::vector<std::vector<bitnet_token>> texts;
    for (const Input& input : inputs) {
        texts.push_back(input.is_text ? encode_prompt(state, engine, input.text, BITNET_ENCODE_ADD_DEFAULT, input.field)
                                      : input.tokens);
        if (texts.back().empty())
            throw ApiError(ErrorCode::kValidationFailed, input.field + " must not be empty", input.field);
        check_prompt_tokens(engine, texts.back(), input.field);
        n_tokens += texts.back().size();
    }
    return texts;
}

// RFC 4648 of the numbers as little-endian floats.
std::string base64_floats(const std::vector<float>& values) {
    constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string bytes;
    for (const float value : values) {
        const uint32_t bits = std::bit_cast<uint32_t>(value);
        for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(bits >> shift));
    }
    std::string text;
    for (size_t i = 0; i < bytes.size(); i += 3) {
        uint32_t group = 0;
        for (size_t k = 0; k < 3; k++)
            group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
        for (size_t k = 0; k < 4; k++)
            text.push_back(i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=');
    }
    return text;
}

Json usage(uint64_t n_tokens) { return {{"prompt_tokens", n_tokens}, {"total_tokens", n_tokens}}; }

HttpResponse embed(ServerState& state, const HttpRequest& request) {
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    const std::vector<Input> inputs = read_inputs(fields);
    const bool base64 = fields.choice("encoding_format", {"float", "base64"}).value_or(0) == 1;
    const bool normalize = fields.boolean("normalize").value_or(true);
    fields.text("user");
    const std::shared_ptr<Engine> engine = state.models->find(fields.text("model").value_or(""));
    const int32_t n_embd = engine->facts().n_embd;
    if (fields.integer("dimensions", 1, INT32_MAX).value_or(n_embd) != n_embd)
        fields.fail("dimensions", "must be " + std::to_string(n_embd) + " with this model: its vectors cannot be cut");
    uint64_t n_tokens = 0;
    const auto texts = encode_inputs(state, *engine, inputs, n_tokens);
    const auto vectors = engine->embed(texts, read_pooling(fields, *engine), normalize, request.client_gone);
    Json answer = {{"object", "list"}, {"data", Json::array()}};
    for (size_t i = 0; i < vectors.size(); i++)
        answer["data"].push_back(Json{{"object", "embedding"},
                                      {"index", i},
                                      {"embedding", base64 ? Json(base64_floats(vectors[i])) : Json(vectors[i])}});
    answer["model"] = engine->facts().id;
    answer["usage"] = usage(n_tokens);
    HttpResponse response;
    response.body = to_text(answer);
    return response;
}

// {"query", "documents": [text or {"text"}], "top_n", "return_documents"}, as Jina and llama-server have it.
HttpResponse rerank(ServerState& state, const HttpRequest& request) {
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    std::vector<Input> inputs = {{fields.required_text("query"), {}, true, "query"}};
    const Json* documents = fields.array("documents", kMaxInputs);
    if (!documents || documents->empty()) fields.fail("documents", documents ? "must not be empty" : "is required");
    for (size_t i = 0; i < documents->size(); i++) {
        const Json& item = (*documents)[i];
        const std::string place = "documents." + std::to_string(i);
        inputs.push_back({item.is_string() ? item.get<std::string>() : JsonFields(item, place).required_text("text"),
                          {},
                          true,
                          place});
    }
    const auto n_best =
        static_cast<size_t>(fields.integer("top_n", 1, INT32_MAX).value_or(static_cast<int64_t>(documents->size())));
    const bool with_text = fields.boolean("return_documents").value_or(false);
    const std::shared_ptr<Engine> engine = state.models->find(fields.text("model").value_or(""));
    uint64_t n_tokens = 0;
    const auto texts = encode_inputs(state, *engine, inputs, n_tokens);
    const auto vectors = engine->embed(texts, read_pooling(fields, *engine), true, request.client_gone);
    std::vector<std::pair<double, size_t>> scores;
    for (size_t i = 1; i < vectors.size(); i++)
        scores.emplace_back(std::inner_product(vectors[0].begin(), vectors[0].end(), vectors[i].begin(), 0.0), i);
    std::stable_sort(scores.begin(), scores.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    Json answer = {{"model", engine->facts().id}, {"object", "list"}, {"usage", usage(n_tokens)}};
    Json& results = answer["results"] = Json::array();
    for (size_t i = 0; i < std::min(n_best, scores.size()); i++) {
        Json result = {{"index", scores[i].second - 1}, {"relevance_score", scores[i].first}};
        if (with_text) result["document"]["text"] = inputs[scores[i].second].text;
        results.push_back(std::move(result));
    }
    HttpResponse response;
    response.body = to_text(answer);
    return response;
}

}  // namespace

bitnet_pooling default_pooling(const Engine& engine) {
    // llama.cpp's numbers: 2 is the first token, 3 the last.
    const std::string number = metadata(engine, engine.facts().architecture + ".pooling_type");
    if (number == "2") return BITNET_POOLING_CLS;
    return number == "3" ? BITNET_POOLING_LAST : BITNET_POOLING_MEAN;
}

void add_embedding_routes(ServerState& state) {
    for (const char* path : {"/v1/embeddings", "/embeddings"})
        state.router.add({"POST", path, Access::kUser, ErrorStyle::kOpenAi,
                          [&state](const HttpRequest& request) { return embed(state, request); }});
    for (const char* path : {"/v1/rerank", "/rerank"})
        state.router.add({"POST", path, Access::kUser, ErrorStyle::kOpenAi,
                          [&state](const HttpRequest& request) { return rerank(state, request); }});
}

}  // namespace serve
