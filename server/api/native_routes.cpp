// /v1/inference: the native protocol of the specification.
#include "server/core/json_fields.h"
#include "server/core/server_state.h"

namespace serve {

namespace {

HttpResponse infer(ServerState& state, const HttpRequest& request) {
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    const std::string prompt = fields.required_text("prompt");
    const std::shared_ptr<Engine> engine = state.models->find(fields.text("model").value_or(""));
    GenerationSpec spec;
    spec.prompt = encode_text(engine->tokenizer(), prompt, BITNET_ENCODE_ADD_DEFAULT);
    spec.max_tokens = static_cast<int32_t>(fields.integer("max_tokens", 0, state.options.max_tokens).value_or(64));
    spec.sampler.temperature = static_cast<float>(fields.number("temperature", 0, 2).value_or(1));
    spec.tenant = request.identity.name;
    const std::shared_ptr<Job> job = engine->submit(std::move(spec));
    std::string text;
    follow(
        *job, request.client_gone,
        [&](const Step& step) {
            text += step.text;
            return true;
        },
        [] { return true; });
    HttpResponse response;
    response.body = to_text({{"text", text}, {"tokens_generated", job->usage().generated_tokens}});
    return response;
}

}  // namespace

void add_native_routes(ServerState& state) {
    state.router.add({"POST", "/v1/inference", Access::kUser, ErrorStyle::kNative,
                      [&state](const HttpRequest& request) { return infer(state, request); }});
}

}  // namespace serve
