// Items become messages: calls and thoughts of the model are items of their own here, and belong to the assistant's message that
// they stand next to.
#include "server/api/responses_request.h"

namespace serve {

namespace {

constexpr size_t kMaxMetadata = 16, kMaxIncludes = 16;  // OpenAI's for metadata

class ItemReader {
public:
    ItemReader(const ServerState& state, ChatRequest& chat) : state_(state), chat_(chat) {}

    void read(const JsonFields& item) {
        const std::string type = item.text("type").value_or("message");
        if (type == "message") return read_message(item);
        if (type == "function_call") return read_call(item);
        if (type == "function_call_output") return read_output(item);
        if (type == "reasoning") return read_reasoning(item);
        if (type == "item_reference")
            refuse_field(item.place("type"), "'item_reference' needs stored responses, which this server does not keep",
                   "Send the items themselves");
        refuse_field(item.place("type"), "'" + type.substr(0, 40) +
                                       "' is not known; this server takes messages, "
                                       "function_call, function_call_output and reasoning");
    }
    void add(std::string role, std::string text, const std::string& place) {
        check_prompt_text(state_, text, place);
        ChatMessage message;
        message.role = std::move(role);
        message.text = std::move(text);
        chat_.messages.push_back(std::move(message));
        open_ = nullptr;
    }

private:
    void read_message(const JsonFields& item) {
        std::string role = item.required_text("role");
        if (role == "developer") role = "system";
        if (role != "system" && role != "user" && role != "assistant")
            item.fail("role", "must be one of system, developer, user, assistant");
        if (!item.has("content")) item.fail("content", "is required");
        std::string text = read_content(item.find("content"), item.place("content"));
        if (role != "assistant") return add(role, std::move(text), item.place("content"));
        check_prompt_text(state_, text, item.place("content"));
        assistant().text += text;
    }
    void read_call(const JsonFields& item) {
        ChatMessage& message = assistant();
        if (message.tool_calls.size() == kMaxTools) item.fail("type", "one turn has too many calls");
        ToolCall call = {item.required_text("call_id"), item.required_text("name"),
                         item.text("arguments").value_or("{}")};
        check_prompt_text(state_, call.arguments, item.place("arguments"));
        message.tool_calls.push_back(std::move(call));
    }
    void read_output(const JsonFields& item) {
        const std::string id = item.required_text("call_id");
        if (!item.has("output")) item.fail("output", "is required");
        std::string name;
        for (const ChatMessage& earlier : chat_.messages)
            for (const ToolCall& call : earlier.tool_calls)
                if (call.id == id) name = call.name;
        if (name.empty()) item.fail("call_id", "belongs to no function_call of an earlier item");
        add("tool", read_content(item.find("output"), item.place("output")), item.place("output"));
        chat_.messages.back().tool_call_id = id;
        chat_.messages.back().name = std::move(name);
    }
    void read_reasoning(const JsonFields& item) {
        const Json* content = item.array("content", 1024);
        if (!content) return;
        for (size_t i = 0; i < content->size(); i++) {
            const JsonFields part((*content)[i], item.place("content") + "." + std::to_string(i));
            const std::string text = part.required_text("text");
            check_prompt_text(state_, text, part.place("text"));
            assistant().reasoning += text;
        }
    }
    // The assistant's message that is being read.
    ChatMessage& assistant() {
        if (!open_) {
            ChatMessage message;
            message.role = "assistant";
            chat_.messages.push_back(std::move(message));
            open_ = &chat_.messages.back();
        }
        return *open_;
    }

    const ServerState& state_;
    ChatRequest& chat_;
    ChatMessage* open_ = nullptr;  // valid until the next message comes
};

void read_input(const ServerState& state, const JsonFields& fields, ResponsesRequest& read) {
    read.chat.field = "input";
    ItemReader items(state, read.chat);
    if (const std::optional<std::string> instructions = fields.text("instructions"))
        items.add("system", *instructions, "instructions");
    const Json* input = fields.find("input");
    if (!input) fields.fail("input", "is required");
    if (input->is_string()) {
        items.add("user", input->get<std::string>(), "input");
        return;
    }
    if (!input->is_array() || input->empty() || input->size() > kMaxChatMessages)
        fields.fail("input", "must be a text or a list of 1 to " + std::to_string(kMaxChatMessages) + " items");
    for (size_t i = 0; i < input->size(); i++) items.read(JsonFields((*input)[i], "input." + std::to_string(i)));
}

// What would need a memory of earlier responses, or work that goes on without a client.
void refuse_what_is_kept(const JsonFields& fields) {
    for (const char* name : {"previous_response_id", "conversation"})
        if (fields.has(name))
            fields.fail(
                name, "needs stored responses, which this server does not keep; send the whole conversation as input");
    if (fields.has("prompt")) fields.fail("prompt", "names a stored prompt, which this server does not keep");
    if (fields.boolean("store").value_or(false)) fields.fail("store", "must be false: this server keeps no responses");
    if (fields.boolean("background").value_or(false))
        fields.fail("background", "must be false: this server keeps no responses to fetch later");
}

Json read_text_format(const JsonFields& fields, ChatRequest& chat) {
    Json echo = {{"format", {{"type", "text"}}}};
    const Json* text = fields.object("text");
    if (!text) return echo;
    const JsonFields inner(*text, "text");
    read_response_format(inner, "format", chat);
    if (const Json* format = inner.object("format")) echo["format"] = *format;
    if (inner.choice("verbosity", {"low", "medium", "high"})) echo["verbosity"] = *inner.find("verbosity");
    return echo;
}

Json read_metadata(const JsonFields& fields) {
    const Json* metadata = fields.object("metadata");
    if (!metadata) return Json::object();
    if (metadata->size() > kMaxMetadata) fields.fail("metadata", "has more than 16 entries");
    for (const auto& [key, value] : metadata->items())
        if (key.size() > 256 || !value.is_string() || value.get_ref<const std::string&>().size() > 2048)
            fields.fail("metadata", "must hold short texts only");
    return *metadata;
}

void read_tools(const JsonFields& fields, ResponsesRequest& read) {
    Json echo = Json::array();
    if (const Json* tools = fields.array("tools", kMaxTools))
        for (size_t i = 0; i < tools->size(); i++) {
            read.chat.tools.push_back(read_tool((*tools)[i], "tools." + std::to_string(i)));
            const Tool& tool = read.chat.tools.back();
            echo.push_back(Json{{"type", "function"},
                                {"name", tool.name},
                                {"description", tool.description},
                                {"parameters", tool.parameters},
                                {"strict", tool.strict}});
        }
    read_tool_choice(fields, read.chat);
    read.chat.parallel_tool_calls = fields.boolean("parallel_tool_calls").value_or(true);
    read.echo["parallel_tool_calls"] = read.chat.parallel_tool_calls;
    const Json* choice = fields.find("tool_choice");
    read.echo["tool_choice"] = choice ? *choice : Json("auto");
    read.echo["tools"] = std::move(echo);
}

Json read_reasoning_wish(const JsonFields& fields, ChatRequest& chat) {
    Json echo = {{"effort", nullptr}, {"summary", nullptr}};
    const Json* reasoning = fields.object("reasoning");
    if (!reasoning) return echo;
    const JsonFields inner(*reasoning, "reasoning");
    const auto effort = inner.choice("effort", {"none", "minimal", "low", "medium", "high", "xhigh"});
    if (effort) {
        chat.template_variables = {{"enable_thinking", *effort > 0}};
        echo["effort"] = *inner.find("effort");
    }
    return echo;
}

}  // namespace

ResponsesRequest read_responses_request(const ServerState& state, const HttpRequest& request) {
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    ResponsesRequest read;
    refuse_what_is_kept(fields);
    read.model = fields.text("model").value_or("");
    read_input(state, fields, read);
    read.spec.max_tokens = -1;  // a reply ends by itself
    read.spec.sampler = http_sampler_params();
    read_sampler_fields(fields, read.spec);
    if (fields.integer("max_output_tokens", 1, INT32_MAX))
        read_max_tokens(state, fields, "max_output_tokens", read.spec);
    read_timeout(fields, "timeout_ms", 0, request, read.spec);
    read_priority(fields, request.identity, read.spec);
    read.stream = fields.boolean("stream").value_or(false);
    fields.object("stream_options");
    fields.choice("truncation", {"disabled"});
    if (fields.integer("top_logprobs", 0, 20).value_or(0) > 0)
        fields.fail("top_logprobs", "is not available here; /v1/chat/completions has it");
    fields.texts("include", kMaxIncludes);
    const Json* instructions = fields.find("instructions");
    read.echo = {{"instructions", instructions ? *instructions : Json()},
                 {"max_output_tokens", read.spec.max_tokens > 0 ? Json(read.spec.max_tokens) : Json()}};
    read_tools(fields, read);
    read.echo["text"] = read_text_format(fields, read.chat);
    read.echo["reasoning"] = read_reasoning_wish(fields, read.chat);
    read.echo["metadata"] = read_metadata(fields);
    const std::optional<double> temperature = fields.number("temperature", 0, 2), top_p = fields.number("top_p", 0, 1);
    read.echo["temperature"] = temperature.value_or(1);
    read.echo["top_p"] = top_p.value_or(0.9);
    const std::optional<std::string> user = fields.text("user");
    read.echo["user"] = user ? Json(*user) : Json();
    return read;
}

}  // namespace serve
