// What Ollama's clients ask about models. Their names carry a version there; here all are "latest".
#include "server/api/ollama_models.h"

#include <algorithm>

#include "server/api/embedding_pooling.h"
#include "server/api/generation_request.h"
#include "server/api/ollama_request.h"
#include "server/chat/chat_prompt.h"
#include "server/core/clock_text.h"

namespace serve {

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxOllamaInputs = 2048;

// A text that the library writes into a buffer whose size it tells; "" where it has none.
template <typename Write>
std::string library_text(Write write) {
    size_t n = 0;
    if (write(nullptr, 0, &n) != BITNET_E_BUFFER_TOO_SMALL) return "";
    std::string text(n + 1, '\0');
    check(write(text.data(), text.size(), &n));
    text.resize(n);
    return text;
}

std::string metadata(const Engine& engine, const char* key) {
    return library_text([&](char* buffer, size_t size, size_t* n) {
        return bitnet_model_get_metadata(engine.model(), key, buffer, size, n);
    });
}

std::string tagged(const std::string& id) { return id.find(':') == id.npos ? id + ":latest" : id; }

// "2.4B", "330M", "12K"
std::string short_count(uint64_t n) {
    const auto rounded = [&](double unit, const char* name) {
        char text[32];
        std::snprintf(text, sizeof text, "%.1f%s", static_cast<double>(n) / unit, name);
        return std::string(text);
    };
    return n >= 1000000000 ? rounded(1e9, "B") : n >= 1000000 ? rounded(1e6, "M") : rounded(1e3, "K");
}

Json details(const ModelFacts& facts) {
    std::string quantization = facts.quantization;
    std::transform(quantization.begin(), quantization.end(), quantization.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    return {{"parent_model", ""},
            {"format", "gguf"},
            {"family", facts.architecture},
            {"families", {facts.architecture}},
            {"parameter_size", short_count(facts.n_parameters)},
            {"quantization_level", quantization}};
}

// The digest of a file is computed when it is asked for the first time, some seconds per gigabyte; models that are not loaded
// have none.
Json model_json(const ModelEntry& entry) {
    const ModelFacts& facts = entry.facts;
    Json model = {{"name", tagged(facts.id)}, {"model", tagged(facts.id)}};
    if (!entry.engine) return model;
    model["modified_at"] = iso_time(facts.loaded_at);
    model["size"] = facts.n_bytes;
    const std::string digest = library_text([&](char* buffer, size_t size, size_t* n) {
        return bitnet_model_get_sha256(entry.engine->model(), buffer, size, n);
    });
    if (!digest.empty()) model["digest"] = digest;
    model["details"] = details(facts);
    return model;
}

HttpResponse tags(const ServerState& state) {
    Json models = Json::array();
    for (const ModelEntry& entry : state.models->list()) models.push_back(model_json(entry));
    return json_response({{"models", std::move(models)}});
}

HttpResponse running(const ServerState& state) {
    Json models = Json::array();
    for (const ModelEntry& entry : state.models->list()) {
        if (!entry.engine) continue;
        Json model = model_json(entry);
        model.erase("modified_at");
        model["size_vram"] = 0;
        model["context_length"] = entry.facts.n_ctx;
        models.push_back(std::move(model));
    }
    return json_response({{"models", std::move(models)}});
}

// The file's metadata. Without verbose long lists are null, as Ollama has it.
Json model_info(const Engine& engine, bool verbose) {
    Json info = Json::object();
    const size_t n_keys = bitnet_model_get_metadata_count(engine.model());
    for (size_t i = 0; i < n_keys; i++) {
        const std::string key = library_text([&](char* buffer, size_t size, size_t* n) {
            return bitnet_model_get_metadata_key(engine.model(), i, buffer, size, n);
        });
        if (key == "tokenizer.chat_template") continue;  // is told as template
        const std::string text = metadata(engine, key.c_str());
        // Numbers and lists come as text.
        const Json value = Json::parse(text, nullptr, false);
        if (text.starts_with("["))
            info[key] = verbose && value.is_array() ? value : Json();
        else
            info[key] = value.is_number() || value.is_boolean() ? value : Json(text);
    }
    info["general.parameter_count"] = engine.facts().n_parameters;
    return info;
}

HttpResponse show(ServerState& state, const HttpRequest& request) {
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    const std::string name = read_ollama_model(fields);
    const bool verbose = fields.boolean("verbose").value_or(false);
    const std::shared_ptr<Engine> engine = state.models->find(ollama_model_id(state, name));
    const ModelFacts& facts = engine->facts();
    Json capabilities = {"completion"};
    if (chat_format_name(*engine) != "plain") capabilities.push_back("tools");
    return json_response({{"modelfile", "FROM " + (facts.path.empty() ? facts.id : facts.path) + "\n"},
                          {"parameters", ""},
                          {"template", metadata(*engine, "tokenizer.chat_template")},
                          {"license", metadata(*engine, "general.license")},
                          {"details", details(facts)},
                          {"model_info", model_info(*engine, verbose)},
                          {"capabilities", capabilities},
                          {"modified_at", iso_time(facts.loaded_at)}});
}

// The tokens of a text; where it is too long its beginning, if the client allows that.
std::vector<bitnet_token> embedded_tokens(const ServerState& state, const Engine& engine, const std::string& text,
                                          const std::string& field, bool truncate) {
    check_prompt_text(state, text, field);
    std::vector<bitnet_token> tokens = encode_text(engine.tokenizer(), text, BITNET_ENCODE_ADD_DEFAULT);
    const auto most = static_cast<size_t>(std::max(1, engine.facts().n_ctx - 1));
    if (truncate && tokens.size() > most) tokens.resize(most);
    if (tokens.empty()) throw ApiError(ErrorCode::kValidationFailed, field + " has no tokens", field);
    check_prompt_tokens(engine, tokens, field);
    return tokens;
}

HttpResponse ollama_embed(ServerState& state, const HttpRequest& request) {
    const Clock::time_point began = request.received == SteadyTime() ? Clock::now() : request.received;
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    const std::string name = read_ollama_model(fields);
    if (!fields.has("input")) fields.fail("input", "is required");
    const std::vector<std::string> inputs = fields.texts("input", kMaxOllamaInputs, true);
    const bool truncate = fields.boolean("truncate").value_or(true);
    fields.object("options");
    check_keep_alive(fields);
    const Clock::time_point before = Clock::now();
    const std::shared_ptr<Engine> engine = state.models->find(ollama_model_id(state, name));
    const auto load = Clock::now() - before;
    const int32_t n_embd = engine->facts().n_embd;
    if (fields.integer("dimensions", 0, INT32_MAX).value_or(0) > 0 &&
        fields.integer("dimensions", 0, INT32_MAX) != n_embd)
        fields.fail("dimensions", "must be " + std::to_string(n_embd) + " with this model: its vectors cannot be cut");
    std::vector<std::vector<bitnet_token>> texts;
    size_t n_tokens = 0;
    for (size_t i = 0; i < inputs.size(); i++) {
        texts.push_back(embedded_tokens(state, *engine, inputs[i], "input." + std::to_string(i), truncate));
        n_tokens += texts.back().size();
    }
    Json answer = {{"model", name}, {"embeddings", Json::array()}};
    if (!texts.empty())
        answer["embeddings"] = engine->embed(texts, default_pooling(*engine), true, request.client_gone);
    const auto nanoseconds = [](Clock::duration passed) {
        return std::chrono::duration_cast<std::chrono::nanoseconds>(passed).count();
    };
    answer["total_duration"] = nanoseconds(Clock::now() - began);
    answer["load_duration"] = nanoseconds(load);
    answer["prompt_eval_count"] = n_tokens;
    return json_response(answer);
}

// The older form: one text, its vector as it is.
HttpResponse embeddings(ServerState& state, const HttpRequest& request) {
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    const std::string name = read_ollama_model(fields);
    const std::string prompt = fields.text("prompt").value_or("");
    fields.object("options");
    check_keep_alive(fields);
    const std::shared_ptr<Engine> engine = state.models->find(ollama_model_id(state, name));
    Json vector = Json::array();
    if (!prompt.empty())
        vector = engine->embed({embedded_tokens(state, *engine, prompt, "prompt", true)}, default_pooling(*engine),
                               false, request.client_gone)[0];
    return json_response({{"embedding", std::move(vector)}});
}

// Models come from the command line and the native protocol.
HttpResponse not_implemented(const HttpRequest& request) {
    HttpResponse response;
    response.status = 501;
    response.body = to_text(
        {{"error",
          request.path + " is not available: this server loads local files only, with -m or POST /v1/models/load"}});
    return response;
}

}  // namespace

void add_ollama_model_routes(ServerState& state) {
    const auto add = [&](const char* method, const char* path, Handler handler) {
        state.router.add({method, path, Access::kUser, ErrorStyle::kOllama, std::move(handler)});
    };
    add("GET", "/api/tags", [&state](const HttpRequest&) { return tags(state); });
    add("GET", "/api/ps", [&state](const HttpRequest&) { return running(state); });
    add("GET", "/api/version", [](const HttpRequest&) {
        return json_response({{"version", bitnet_version_string()}});
    });
    add("POST", "/api/show", [&state](const HttpRequest& request) { return show(state, request); });
    add("POST", "/api/embed", [&state](const HttpRequest& request) { return ollama_embed(state, request); });
    add("POST", "/api/embeddings", [&state](const HttpRequest& request) { return embeddings(state, request); });
    for (const char* path : {"/api/pull", "/api/push", "/api/create", "/api/copy"}) add("POST", path, not_implemented);
    add("DELETE", "/api/delete", not_implemented);
}

}  // namespace serve
