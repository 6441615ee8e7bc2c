// A turn of this protocol is a list of blocks: answers of tools stand in the user's turns, calls and thoughts in the
// assistant's. The conversation that models know has a message for each answer instead.
#include "server/api/anthropic_request.h"

#include <algorithm>

namespace serve {

namespace {

constexpr size_t kMaxBlocks = 4096;
constexpr size_t kMaxStops = 64;

[[noreturn]] void refuse_value(const std::string& place, const std::string& what) {
    throw ApiError(ErrorCode::kValidationFailed, place + ": " + what, place);
}

// Reads the turns of a request, one after the other.
class TurnReader {
public:
    TurnReader(const ServerState& state, ChatRequest& chat) : state_(state), chat_(chat) {}

    // A text, or text blocks, joined.
    std::string joined_text(const Json& content, const std::string& place) const {
        if (content.is_string()) {
            check_prompt_text(state_, content.get_ref<const std::string&>(), place);
            return content.get<std::string>();
        }
        if (!content.is_array() || content.size() > kMaxBlocks) refuse_value(place, "must be a string or a list of blocks");
        std::string text;
        for (size_t i = 0; i < content.size(); i++) {
            const JsonFields block(content[i], place_at(place, i));
            if (const std::string type = block.required_text("type"); type != "text") refuse_type(block, type);
            text += text_of(block, "text");
        }
        return text;
    }

    void read_turn(const JsonFields& turn) {
        const std::string role = turn.required_text("role");
        if (role != "user" && role != "assistant")
            turn.fail("role", "must be user or assistant; a system prompt goes into the field system");
        const Json* content = turn.find("content");
        if (!content) turn.fail("content", "is required");
        ChatMessage message;
        message.role = role;
        if (!content->is_array()) {
            message.text = joined_text(*content, turn.place("content"));
            chat_.messages.push_back(std::move(message));
            return;
        }
        if (content->size() > kMaxBlocks) turn.fail("content", "has too many blocks");
        bool has_own = content->empty();  // something besides answers of tools
        for (size_t i = 0; i < content->size(); i++) {
            const JsonFields block((*content)[i], place_at(turn.place("content"), i));
            has_own |= role == "user" ? read_user_block(block, message) : read_assistant_block(block, message);
        }
        if (has_own) chat_.messages.push_back(std::move(message));
    }

private:
    [[noreturn]] static void refuse_type(const JsonFields& block, const std::string& type) {
        refuse_value(block.place("type"),
               "'" + type.substr(0, 40) + "' is not taken here; this server's models read text only");
    }

    std::string text_of(const JsonFields& block, const char* name) const {
        std::string text = block.required_text(name);
        check_prompt_text(state_, text, block.place(name));
        return text;
    }

    // False for an answer of a tool, which is a message of its own.
    bool read_user_block(const JsonFields& block, ChatMessage& message) {
        const std::string type = block.required_text("type");
        if (type == "text") {
            message.text += text_of(block, "text");
            return true;
        }
        if (type != "tool_result") refuse_type(block, type);
        ChatMessage answer;
        answer.role = "tool";
        answer.tool_call_id = block.required_text("tool_use_id");
        if (const Json* content = block.find("content")) answer.text = joined_text(*content, block.place("content"));
        if (block.boolean("is_error").value_or(false)) answer.text = "Error: " + answer.text;
        for (const ChatMessage& earlier : chat_.messages)
            for (const ToolCall& call : earlier.tool_calls)
                if (call.id == answer.tool_call_id) answer.name = call.name;
        if (answer.name.empty()) block.fail("tool_use_id", "belongs to no tool_use block of an earlier message");
        chat_.messages.push_back(std::move(answer));
        return false;
    }

    bool read_assistant_block(const JsonFields& block, ChatMessage& message) {
        const std::string type = block.required_text("type");
        if (type == "text") {
            message.text += text_of(block, "text");
        } else if (type == "thinking") {
            message.reasoning += text_of(block, "thinking");
        } else if (type == "tool_use") {
            if (message.tool_calls.size() == kMaxTools) refuse_value(block.place("type"), "one turn has too many calls");
            const Json* input = block.object("input");
            message.tool_calls.push_back(
                {block.required_text("id"), block.required_text("name"), input ? to_text(*input) : "{}"});
        } else if (type != "redacted_thinking") {  // another server's secret, of no use here
            refuse_type(block, type);
        }
        return true;
    }

    const ServerState& state_;
    ChatRequest& chat_;
};

void read_tools(const JsonFields& fields, ChatRequest& chat) {
    const Json* tools = fields.array("tools", kMaxTools);
    if (!tools) return;
    for (size_t i = 0; i < tools->size(); i++) {
        const std::string place = place_at("tools", i);
        const JsonFields entry((*tools)[i], place);
        if (const std::string type = entry.text("type").value_or("custom"); type != "custom")
            refuse_value(place + ".type",
                   "'" + type.substr(0, 40) + "' is a tool of Anthropic's servers; only custom ones are known");
        Tool tool;
        tool.name = entry.required_text("name");
        tool.description = entry.text("description").value_or("");
        const Json* schema = entry.object("input_schema");
        if (!schema) entry.fail("input_schema", "is required");
        tool.parameters = *schema;
        tool.strict = entry.boolean("strict").value_or(false);
        check_tool(tool, place);
        chat.tools.push_back(std::move(tool));
    }
}

void read_choice(const JsonFields& fields, ChatRequest& chat) {
    const Json* choice = fields.object("tool_choice");
    if (!choice) return;
    const JsonFields inner(*choice, "tool_choice");
    inner.required_text("type");
    constexpr ToolChoice kChoices[] = {ToolChoice::kAuto, ToolChoice::kRequired, ToolChoice::kNamed, ToolChoice::kNone};
    chat.tool_choice = kChoices[*inner.choice("type", {"auto", "any", "tool", "none"})];
    chat.parallel_tool_calls = !inner.boolean("disable_parallel_tool_use").value_or(false);
    if (chat.tool_choice == ToolChoice::kNamed) {
        chat.tool_name = inner.required_text("name");
        const auto named = [&](const Tool& tool) { return tool.name == chat.tool_name; };
        if (std::none_of(chat.tools.begin(), chat.tools.end(), named))
            refuse_value("tool_choice.name", "'" + chat.tool_name.substr(0, 64) + "' is not in tools");
    }
    if (chat.tools.empty() && chat.tool_choice == ToolChoice::kRequired) refuse_value("tool_choice", "needs tools");
}

void read_thinking(const JsonFields& fields, AnthropicRequest& read) {
    const Json* thinking = fields.object("thinking");
    if (!thinking) return;
    const JsonFields inner(*thinking, "thinking");
    inner.required_text("type");
    const bool off = *inner.choice("type", {"enabled", "adaptive", "disabled"}) == 2;
    inner.integer("budget_tokens", 1, INT32_MAX);
    read.show_thinking = !off;
    read.chat.template_variables = {{"enable_thinking", !off}};
}

void read_conversation(const ServerState& state, const JsonFields& fields, AnthropicRequest& read) {
    read.model = fields.required_text("model");
    TurnReader turns(state, read.chat);
    if (const Json* system = fields.find("system")) {
        std::string text = turns.joined_text(*system, "system");
        if (!text.empty()) {
            ChatMessage message;
            message.role = "system";
            message.text = std::move(text);
            read.chat.messages.push_back(std::move(message));
        }
    }
    const Json* messages = fields.array("messages", kMaxChatMessages);
    if (!messages || messages->empty()) fields.fail("messages", messages ? "must not be empty" : "is required");
    for (size_t i = 0; i < messages->size(); i++) turns.read_turn(JsonFields((*messages)[i], place_at("messages", i)));
    if (read.chat.messages.back().role == "assistant")
        refuse_value("messages", "the last one must be the user's; going on with an assistant's turn is not supported");
    read_tools(fields, read.chat);
    read_choice(fields, read.chat);
    read_thinking(fields, read);
    if (const Json* config = fields.object("output_config")) {
        const JsonFields inner(*config, "output_config");
        read_response_format(inner, "format", read.chat);
    }
}

}  // namespace

AnthropicRequest read_anthropic_request(const ServerState& state, const HttpRequest& request) {
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    AnthropicRequest read;
    read_conversation(state, fields, read);
    read.spec.sampler = http_sampler_params();
    if (!fields.integer("max_tokens", 1, INT32_MAX)) fields.fail("max_tokens", "is required");
    read_max_tokens(state, fields, "max_tokens", read.spec);
    fields.number("temperature", 0, 1);
    read_sampler_fields(fields, read.spec);
    fields.texts("stop_sequences", kMaxStops);
    read_stop_sequences(fields, "stop_sequences", false, read.spec);
    read_priority(fields, request.identity, read.spec);
    read.stream = fields.boolean("stream").value_or(false);
    if (const Json* metadata = fields.object("metadata")) JsonFields(*metadata, "metadata").text("user_id");
    return read;
}

AnthropicRequest read_anthropic_count(const ServerState& state, const HttpRequest& request) {
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    AnthropicRequest read;
    read_conversation(state, fields, read);
    return read;
}

}  // namespace serve
