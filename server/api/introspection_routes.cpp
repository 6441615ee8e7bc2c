// GET /props and /slots: what the server is and does, in the shapes of llama-server, as far as they mean something here; and
// /infill, which needs a model that was trained to fill in.
#include <cmath>
#include <string>

#include "server/api/openai_shapes.h"
#include "server/chat/chat_prompt.h"

namespace serve {

namespace {

std::string query_value(const HttpRequest& request, const char* name) {
    const auto found = request.query.find(name);
    return found == request.query.end() ? "" : found->second;
}

Json default_settings(const Engine& engine) {
    const bitnet_sampler_params sampler = http_sampler_params();
    // 0.9, not what a float makes of it.
    const auto number = [](float value) { return std::round(static_cast<double>(value) * 1e6) / 1e6; };
    return {{"n_ctx", engine.facts().n_ctx},
            {"params",
             {{"temperature", number(sampler.temperature)},
              {"top_p", number(sampler.top_p)},
              {"top_k", sampler.top_k},
              {"min_p", number(sampler.min_p)},
              {"repeat_penalty", number(sampler.repetition_penalty)},
              {"repeat_last_n", sampler.penalty_last_n},
              {"frequency_penalty", number(sampler.frequency_penalty)},
              {"presence_penalty", number(sampler.presence_penalty)}}}};
}

std::string chat_template(const Engine& engine) {
    size_t n = 0;
    const char* key = "tokenizer.chat_template";
    if (bitnet_model_get_metadata(engine.model(), key, nullptr, 0, &n) != BITNET_E_BUFFER_TOO_SMALL) return "";
    std::string text(n + 1, '\0');
    check(bitnet_model_get_metadata(engine.model(), key, text.data(), text.size(), &n));
    text.resize(n);
    return text;
}

HttpResponse props(ServerState& state, const HttpRequest& request) {
    const std::shared_ptr<Engine> engine = state.models->find(query_value(request, "model"));
    const ModelFacts& facts = engine->facts();
    bitnet_tokenizer_info tokens;
    tokens.struct_size = sizeof tokens;
    check(bitnet_tokenizer_get_info(engine->tokenizer(), &tokens));
    const auto piece = [&](bitnet_token token) { return token < 0 ? std::string() : token_bytes(*engine, token); };
    return json_response({{"default_generation_settings", default_settings(*engine)},
                          {"total_slots", state.options.registry.engine.n_parallel},
                          {"model_alias", facts.id},
                          {"model_path", facts.path},
                          {"model_name", facts.name},
                          {"modalities", {{"vision", false}, {"audio", false}}},
                          {"chat_template", chat_template(*engine)},
                          {"chat_format", chat_format_name(*engine)},
                          {"bos_token", piece(tokens.bos)},
                          {"eos_token", piece(tokens.eos)},
                          {"build_info", bitnet_build_info()}});
}

// One entry for each text that can be computed at once. Texts are not tied to places, so the first ones are busy.
HttpResponse slots(ServerState& state, const HttpRequest& request) {
    const std::shared_ptr<Engine> engine = state.models->find(query_value(request, "model"));
    const EngineStats stats = engine->stats();
    const int32_t n_slots = state.options.registry.engine.n_parallel;
    if (query_value(request, "fail_on_no_slot") == "1" && stats.active >= n_slots)
        throw ApiError(ErrorCode::kUnavailable, "no slot is free");
    Json list = Json::array();
    for (int32_t i = 0; i < n_slots; i++)
        list.push_back(Json{{"id", i}, {"n_ctx", engine->facts().n_ctx}, {"is_processing", i < stats.active}});
    return json_response(list);
}

// The marks of a model that fills in, by their usual names; empty where it has none.
std::vector<bitnet_token> fill_in_marks(const Engine& engine) {
    const char* sets[][3] = {{"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"},
                             {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"},
                             {"<PRE>", "<SUF>", "<MID>"}};
    for (const auto& set : sets) {
        std::vector<bitnet_token> marks;
        for (const char* name : set) {
            bitnet_token token = -1;
            if (bitnet_tokenizer_get_token(engine.tokenizer(), name, std::char_traits<char>::length(name), &token) ==
                BITNET_OK)
                marks.push_back(token);
        }
        if (marks.size() == 3) return marks;
    }
    return {};
}

HttpResponse infill(ServerState& state, const HttpRequest& request) {
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    const std::string prefix = fields.required_text("input_prefix"), suffix = fields.required_text("input_suffix");
    if (fields.boolean("stream").value_or(false))
        fields.fail("stream", "is not available here; ask for the whole text");
    GenerationSpec spec;
    read_openai_generation(state, request, fields, {"n_predict", "max_tokens"}, spec);
    const auto text = submit_text(state, request, fields.text("model").value_or(""), [&](const Engine& engine) {
        const std::vector<bitnet_token> marks = fill_in_marks(engine);
        if (marks.empty())
            throw ApiError(ErrorCode::kValidationFailed,
                           "the model '" + engine.facts().id + "' was not trained to fill in: its vocabulary lacks " +
                               "<|fim_prefix|>, <|fim_suffix|> and <|fim_middle|>",
                           "model", "Use /v1/completions");
        GenerationSpec made = spec;
        const auto add = [&](bitnet_token mark, const std::string& part, const char* field) {
            made.prompt.push_back(mark);
            const std::vector<bitnet_token> tokens = encode_prompt(state, engine, part, 0, field);
            made.prompt.insert(made.prompt.end(), tokens.begin(), tokens.end());
        };
        add(marks[0], prefix, "input_prefix");
        add(marks[1], suffix, "input_suffix");
        made.prompt.push_back(marks[2]);
        check_prompt_tokens(engine, made.prompt, "input_prefix");
        return made;
    });
    std::string content;
    const TextEnd end = follow_text(
        state, *text, request.client_gone,
        [&](const Step& step) {
            content += step.text;
            return true;
        },
        [] { return true; });
    const Usage usage = text->job->usage();
    return json_response({{"content", content},
                          {"stop", true},
                          {"stop_type", end.finish == BITNET_FINISH_END ? "eos" : openai_finish(end)},
                          {"model", text->engine->facts().id},
                          {"tokens_predicted", usage.generated_tokens},
                          {"tokens_evaluated", usage.prompt_tokens},
                          {"timings", timings_json(usage)}});
}

}  // namespace

void add_introspection_routes(ServerState& state) {
    const auto add = [&state](const char* method, const char* path,
                              HttpResponse (*handler)(ServerState&, const HttpRequest&)) {
        state.router.add({method, path, Access::kUser, ErrorStyle::kOpenAi,
                          [&state, handler](const HttpRequest& request) { return handler(state, request); }});
    };
    add("GET", "/props", props);
    add("GET", "/slots", slots);
    add("POST", "/infill", infill);
}

}  // namespace serve
