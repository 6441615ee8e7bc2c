// Defaults are Ollama's, so that a client that says nothing gets what it is used to.
#include "server/api/ollama_request.h"

#include <cctype>

namespace serve {

namespace {

constexpr std::string_view kLatest = ":latest";
constexpr size_t kMaxContext = 1 << 20;

// Go's syntax of durations: a sign, then numbers with units.
bool is_duration(std::string_view text) {
    if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
    if (text == "0") return true;
    if (text.empty() || text.size() > 64) return false;
    while (!text.empty()) {
        size_t n_digits = 0, n = 0, n_dots = 0;
        for (; n < text.size() && (std::isdigit(static_cast<unsigned char>(text[n])) || text[n] == '.'); n++)
            ++(text[n] == '.' ? n_dots : n_digits);
        if (n_digits == 0 || n_dots > 1) return false;
        text.remove_prefix(n);
        const std::string_view units[] = {"ns", "us", "\xC2\xB5s", "\xCE\xBCs", "ms", "s", "m", "h"};
        size_t unit = 0;
        for (const std::string_view known : units)
            if (text.starts_with(known)) unit = std::max(unit, known.size());
        if (unit == 0) return false;
        text.remove_prefix(unit);
    }
    return true;
}

bitnet_sampler_params ollama_sampler_params() {
    bitnet_sampler_params params = http_sampler_params();
    params.temperature = 0.8f;
    params.top_k = 40;
    params.top_p = 0.9f;
    params.repetition_penalty = 1.1f;
    params.penalty_last_n = 64;
    return params;
}

void read_options(const ServerState& state, const JsonFields& fields, GenerationSpec& spec) {
    spec.sampler = ollama_sampler_params();
    spec.max_tokens = -1;
    const Json* options = fields.object("options");
    if (!options) return;
    const JsonFields inner(*options, "options");
    read_sampler_fields(inner, spec);
    read_stop_sequences(inner, "stop", true, spec);
    const std::optional<int64_t> n = inner.integer("num_predict", -2, INT32_MAX);
    if (n && *n >= 0) read_max_tokens(state, inner, "num_predict", spec);
}

void read_format(const JsonFields& fields, ChatRequest& chat) {
    const Json* format = fields.find("format");
    if (!format) return;
    if (format->is_object()) {
        chat.format = ReplyFormat::kJsonSchema;
        chat.schema = *format;
    } else if (*format == "json") {
        chat.format = ReplyFormat::kJsonObject;
    } else if (*format != "") {
        fields.fail("format", "must be json or a JSON schema");
    }
}

void read_think(const JsonFields& fields, OllamaRequest& read) {
    const Json* think = fields.find("think");
    if (!think) return;
    const bool wanted =
        think->is_boolean() ? think->get<bool>() : fields.choice("think", {"low", "medium", "high", "max"}).has_value();
    read.show_thinking = wanted;
    read.chat.template_variables = {{"enable_thinking", wanted}};
}

void refuse_images(const JsonFields& fields) {
    const Json* images = fields.array("images", 1024);
    if (images && !images->empty()) fields.fail("images", "cannot be read: this server's models read text only");
}

void refuse_logprobs(const JsonFields& fields) {
    if (fields.boolean("logprobs").value_or(false) || fields.integer("top_logprobs", 0, 20).value_or(0) > 0)
        fields.fail("logprobs", "are not available here; /v1/chat/completions has them");
}

OllamaRequest read_common(const ServerState& state, const HttpRequest& request, const JsonFields& fields) {
    OllamaRequest read;
    read.model = read_ollama_model(fields);
    read.model_id = ollama_model_id(state, read.model);
    read_options(state, fields, read.spec);
    read_priority(fields, request.identity, read.spec);
    read_format(fields, read.chat);
    read_think(fields, read);
    refuse_logprobs(fields);
    check_keep_alive(fields);
    read.stream = fields.boolean("stream").value_or(true);
    return read;
}

ChatMessage message(const char* role, std::string text) {
    ChatMessage made;
    made.role = role;
    made.text = std::move(text);
    return made;
}

void read_context(const JsonFields& fields, OllamaRequest& read) {
    const Json* context = fields.array("context", kMaxContext);
    if (!context) return;
    for (const Json& token : *context) {
        if (!token.is_number_unsigned() || token.get<uint64_t>() > INT32_MAX)
            fields.fail("context", "must hold token ids, as an earlier answer gave them");
        read.context.push_back(static_cast<bitnet_token>(token.get<uint64_t>()));
    }
}

}  // namespace

std::string ollama_model_id(const ServerState& state, const std::string& name) {
    std::string other = name;
    if (name.ends_with(kLatest))
        other.resize(name.size() - kLatest.size());
    else
        other += kLatest;
    bool has_other = false;
    for (const ModelEntry& entry : state.models->list()) {
        if (entry.facts.id == name) return name;
        has_other = has_other || entry.facts.id == other;
    }
    // A name that nothing has yet may be loaded on demand, by its name alone.
    return has_other || name.ends_with(kLatest) ? other : name;
}

std::string read_ollama_model(const JsonFields& fields) {
    std::string name = fields.text("model").value_or(fields.text("name").value_or(""));
    if (name.empty()) fields.fail("model", "is required");
    return name;
}

void check_keep_alive(const JsonFields& fields) {
    const Json* value = fields.find("keep_alive");
    if (!value || value->is_number()) return;
    if (!value->is_string() || !is_duration(value->get_ref<const std::string&>()))
        fields.fail("keep_alive", "must be a number of seconds, or a duration such as 5m");
}

OllamaRequest read_ollama_generate(const ServerState& state, const HttpRequest& request) {
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    OllamaRequest read = read_common(state, request, fields);
    if (!fields.text("template").value_or("").empty())
        fields.fail("template",
                    "is not taken: the model's own template is used; send raw true to write the prompt yourself");
    if (!fields.text("suffix").value_or("").empty())
        fields.fail("suffix", "is not taken here; POST /infill fills in with models that were trained for it");
    refuse_images(fields);
    read.raw = fields.boolean("raw").value_or(false);
    read.prompt = fields.text("prompt").value_or("");
    check_prompt_text(state, read.prompt, "prompt");
    const std::string system = fields.text("system").value_or("");
    check_prompt_text(state, system, "system");
    if (read.raw && !system.empty()) fields.fail("system", "has no place in a raw prompt");
    read_context(fields, read);
    if (!system.empty()) read.chat.messages.push_back(message("system", system));
    read.chat.messages.push_back(message("user", read.prompt));
    return read;
}

OllamaRequest read_ollama_chat(const ServerState& state, const HttpRequest& request) {
    Json body = parse_object(request.body);
    const auto messages = body.find("messages");
    if (messages == body.end() || messages->is_null()) body["messages"] = Json::array();
    // In this protocol a message may come without content.
    if (body["messages"].is_array())
        for (Json& entry : body["messages"])
            if (entry.is_object() && (!entry.contains("content") || entry["content"].is_null())) entry["content"] = "";
    const JsonFields fields(body);
    OllamaRequest read = read_common(state, request, fields);
    if (const Json* tools = fields.array("tools", kMaxTools))
        for (size_t i = 0; i < tools->size(); i++)
            read.chat.tools.push_back(read_tool((*tools)[i], "tools." + std::to_string(i)));
    const Json& list = body["messages"];
    if (list.is_array() && list.empty()) return read;
    read.chat.messages = read_messages(fields, "messages");
    for (size_t i = 0; i < list.size(); i++) {
        const JsonFields entry(list[i], "messages." + std::to_string(i));
        ChatMessage& target = read.chat.messages[i];
        refuse_images(entry);
        if (target.role == "assistant" && target.reasoning.empty())
            target.reasoning = entry.text("thinking").value_or("");
        if (target.role == "tool" && target.name.empty()) target.name = entry.text("tool_name").value_or("");
    }
    return read;
}

}  // namespace serve
