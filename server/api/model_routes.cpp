// /v1/models: what is loaded, in the shapes of the specification and of OpenAI at once (ruling T5), and loading, exchanging
// and unloading for administrators.
#include "server/api/generation_request.h"
#include "server/core/clock_text.h"

namespace serve {

namespace {

// Of a model that is loaded; figures that were not measured are absent.
Json performance(const ModelEntry& entry) {
    const EngineStats stats = entry.engine->stats();
    Json metrics = {{"total_requests", stats.requests}};
    if (stats.generated_tokens > 0 && stats.decode_us > 0)
        metrics["avg_tokens_per_second"] =
            static_cast<double>(stats.generated_tokens) * 1e6 / static_cast<double>(stats.decode_us);
    if (stats.requests > 0)
        metrics["avg_inference_time_ms"] =
            static_cast<double>(stats.request_us) / 1000 / static_cast<double>(stats.requests);
    if (entry.accuracy >= 0) metrics["accuracy_score"] = entry.accuracy;
    return metrics;
}

Json model_object(const ModelEntry& entry) {
    const ModelFacts& facts = entry.facts;
    Json model = {{"id", facts.id}, {"object", "model"}};
    if (entry.engine)
        model["created"] = std::chrono::system_clock::to_time_t(facts.loaded_at);
    else
        model["created"] = 0;  // OpenAI's clients want a number; this one was never loaded
    model["owned_by"] = "bitnet";
    model["path"] = facts.path;
    model["status"] = entry.status;
    model["default"] = entry.is_default;
    if (!entry.engine) return model;
    model["instance"] = facts.instance;
    model["quantization_format"] = quantization_name(facts.quantization);
    model["device"] = device_name(facts.device);
    model["load_time"] = iso_time(facts.loaded_at);
    if (facts.load_us > 0) model["load_duration_ms"] = static_cast<double>(facts.load_us) / 1000;
    model["performance_metrics"] = performance(entry);
    model["model_info"] = {{"parameter_count", facts.n_parameters},
                           {"tensor_count", facts.n_tensors},
                           {"model_size_bytes", facts.n_bytes},
                           {"name", facts.name},
                           {"architecture", facts.architecture},
                           {"context_length", facts.n_ctx},
                           {"training_context_length", facts.n_ctx_train},
                           {"vocabulary_size", facts.n_vocab},
                           {"embedding_length", facts.n_embd}};
    return model;
}

HttpResponse list_models(const ServerState& state) {
    Json models = Json::array();
    for (const ModelEntry& entry : state.models->list()) models.push_back(model_object(entry));
    Json body = {{"object", "list"}};
    body["data"] = models;
    body["models"] = std::move(models);
    return json_response(body);
}

ApiError not_found(const std::string& id) {
    return {ErrorCode::kModelNotFound, "the model '" + id + "' is not loaded", "model_id",
            "GET /v1/models lists those that are"};
}

bool is_called(const ModelEntry& entry, const std::string& id) {
    return !id.empty() && (entry.facts.id == id || entry.facts.instance == id);
}

HttpResponse get_model(const ServerState& state, const std::string& id) {
    for (const ModelEntry& entry : state.models->list())
        if (is_called(entry, id)) return json_response(model_object(entry));
    throw not_found(id);
}

HttpResponse delete_model(ServerState& state, const std::string& id) {
    bool known = false;
    for (const ModelEntry& entry : state.models->list()) known = known || is_called(entry, id);
    if (!known) throw not_found(id);
    state.models->unload(id);
    HttpResponse response;
    response.status = 204;
    response.content_type.clear();
    return response;
}

// Names that are one segment of a path and one label of a metric.
std::string read_id(const JsonFields& fields, const char* name) {
    const std::string id = fields.text(name).value_or("");
    bool fits = id.size() <= 128;
    for (const char c : id)
        fits = fits && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                        c == '_' || c == ':' || c == '-');
    if (!fits) fields.fail(name, "must be at most 128 letters, digits, dots, colons, underscores and hyphens");
    return id;
}

std::string read_path(const JsonFields& fields, const char* name) {
    std::string path = fields.required_text(name);
    if (path.empty() || path.size() > 4096 || path.find('\0') != path.npos) fields.fail(name, "is not a path");
    return path;
}

HttpResponse load_model(ServerState& state, const HttpRequest& request) {
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    LoadRequest load;
    load.path = read_path(fields, "model_path");
    if (fields.has("tokenizer_path")) load.tokenizer_path = read_path(fields, "tokenizer_path");
    load.device = fields.text("device").value_or("auto");
    if (load.device == "gpu") load.device = "cuda";
    const bitnet_status device = bitnet_device_check(load.device.c_str());
    if (device == BITNET_E_CONFIG)
        fields.fail("device",
                    "must be auto, cpu, gpu, metal, cuda, cuda:N or several GPUs, as cuda:0,cuda:1 or cuda:all");
    if (device != BITNET_OK)
        throw ApiError(ErrorCode::kDeviceUnavailable, bitnet_last_error(), "device", "Use auto, or leave it out");
    load.id = read_id(fields, "model_id");
    if (const Json* config = fields.object("validation_config")) {
        const JsonFields inner(*config, "validation_config");
        load.validation.enabled = inner.boolean("enable_cross_validation").value_or(false);
        load.validation.min_accuracy = inner.number("min_accuracy", 0, 1).value_or(load.validation.min_accuracy);
        load.validation.samples =
            static_cast<int32_t>(inner.integer("validation_samples", 1, 10000).value_or(load.validation.samples));
    }
    const std::string id = state.models->load(load);
    return json_response(
        {{"model_id", id}, {"status", "success"}, {"message", "Model loaded and activated successfully"}});
}

HttpResponse swap_model(ServerState& state, const HttpRequest& request) {
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    SwapRequest swap;
    swap.path = read_path(fields, "new_model_path");
    swap.target_id = fields.required_text("target_model_id");
    fields.choice("swap_strategy", {"atomic"});
    swap.rollback_on_failure = fields.boolean("rollback_on_failure").value_or(true);
    swap.validation_timeout_s =
        static_cast<int32_t>(fields.integer("validation_timeout_seconds", 1, 3600).value_or(swap.validation_timeout_s));
    swap.canary_share = fields.number("canary_share", 0, 1).value_or(0);
    const SwapResult result = state.models->swap(swap);
    return json_response({{"swap_id", result.swap_id},
                          {"status", "success"},
                          {"new_model_id", result.new_model_id},
                          {"previous_model_id", result.previous_model_id},
                          {"swap_time_ms", static_cast<double>(result.swap_us) / 1000}});
}

}  // namespace

void add_model_routes(ServerState& state) {
    Router& router = state.router;
    router.add({"GET", "/v1/models", Access::kUser, ErrorStyle::kNative,
                [&state](const HttpRequest&) { return list_models(state); }});
    router.add({"POST", "/v1/models/load", Access::kAdmin, ErrorStyle::kNative,
                [&state](const HttpRequest& request) { return load_model(state, request); }});
    router.add({"POST", "/v1/models/swap", Access::kAdmin, ErrorStyle::kNative,
                [&state](const HttpRequest& request) { return swap_model(state, request); }});
    router.add({"GET", "/v1/models/{id}", Access::kUser, ErrorStyle::kNative,
                [&state](const HttpRequest& request) { return get_model(state, request.captures.at(0)); }});
    router.add({"DELETE", "/v1/models/{id}", Access::kAdmin, ErrorStyle::kNative,
                [&state](const HttpRequest& request) { return delete_model(state, request.captures.at(0)); }});
}

}  // namespace serve
