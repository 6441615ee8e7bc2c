// A model that knows no format is no chat model: it goes on with a text. It gets the messages' texts one after the other, as
// `bitnet chat` gives them, so that a chat page on a story model continues the story.
#include "server/chat/chat_prompt.h"

#include "server/chat/grammar_cache.h"

namespace serve {

namespace {

// Messages of the three roles that every format has.
struct PlainMessage {
    std::string role;
    std::string text;
};

std::string call_json(const ToolCall& call) {
    Json json = {{"name", call.name}};
    try {
        json["arguments"] = parse_object(call.arguments);
    } catch (const ApiError&) {
        json["arguments"] = call.arguments;  // what a model once wrote need not be JSON
    }
    return to_text(json);
}

Json tool_json(const Tool& tool) {
    Json function = {{"name", tool.name}};
    if (!tool.description.empty()) function["description"] = tool.description;
    function["parameters"] = tool.parameters;
    return {{"type", "function"}, {"function", function}};
}

// What a model must know of its tools where its format has no place for them. The form of the calls is that of the Hermes
// models, which most open models have seen.
std::string tools_text(const ChatRequest& request) {
    std::string text =
        "You can call functions. Their signatures, as JSON, stand between <tools> and </tools>:\n<tools>\n";
    for (const Tool& tool : request.tools) text += to_text(tool_json(tool)) + "\n";
    text += "</tools>\n";
    if (request.tool_choice == ToolChoice::kNamed) text += "Call the function " + request.tool_name + " now. ";
    if (request.must_call())
        return text + "Answer with one call only: {\"name\": <name>, \"arguments\": <object of arguments>}";
    return text +
           "To call one, write a JSON object with its name and arguments between <tool_call> and </tool_call>:\n"
           "<tool_call>\n{\"name\": <name>, \"arguments\": <object of arguments>}\n</tool_call>";
}

std::vector<PlainMessage> plain_messages(const ChatRequest& request) {
    std::vector<PlainMessage> list;
    bool tools_told = !request.uses_tools();
    const auto tell_tools = [&] {
        if (tools_told) return;
        tools_told = true;
        if (list.empty() || list.back().role != "system") list.push_back({"system", ""});
        std::string& text = list.back().text;
        text += (text.empty() ? "" : "\n\n") + tools_text(request);
    };
    bool after_tool = false;
    for (const ChatMessage& message : request.messages) {
        if (message.role != "system") tell_tools();
        if (message.role == "tool") {
            // Several answers in a row are one turn.
            const std::string answer = "<tool_response>\n" + message.text + "\n</tool_response>";
            if (after_tool)
                list.back().text += "\n" + answer;
            else
                list.push_back({"user", answer});
            after_tool = true;
            continue;
        }
        after_tool = false;
        std::string text = message.text;
        for (const ToolCall& call : message.tool_calls)
            text += (text.empty() ? "" : "\n") + ("<tool_call>\n" + call_json(call)) + "\n</tool_call>";
        if (message.role == "system" && list.size() == 1 && list[0].role == "system")
            list[0].text += "\n\n" + text;  // formats have one system message, at the beginning
        else
            list.push_back({message.role, std::move(text)});
    }
    tell_tools();
    return list;
}

[[noreturn]] void refuse_nul(const std::string& place) {
    throw ApiError(ErrorCode::kInvalidCharacters, place + " holds a NUL character", place);
}

void check_texts(const ChatRequest& request) {
    const auto check = [](const std::string& text, const std::string& place) {
        if (text.find('\0') != text.npos) refuse_nul(place);
    };
    for (size_t i = 0; i < request.messages.size(); i++) {
        const ChatMessage& message = request.messages[i];
        const std::string place = request.field + "." + std::to_string(i);
        check(message.text, place + ".content");
        for (const ToolCall& call : message.tool_calls) check(call.name + call.arguments, place + ".tool_calls");
    }
}

std::vector<bitnet_token> running_text(const Engine& engine, const std::vector<PlainMessage>& list) {
    std::string text;
    for (const PlainMessage& message : list) {
        const bool apart = text.empty() || text.back() == ' ' || text.back() == '\n';
        text += (apart ? "" : "\n") + message.text;
    }
    std::vector<bitnet_token> tokens = encode_text(engine.tokenizer(), text, BITNET_ENCODE_ADD_DEFAULT);
    bitnet_tokenizer_info info;
    info.struct_size = sizeof info;
    check(bitnet_tokenizer_get_info(engine.tokenizer(), &info));
    if (tokens.empty() && info.bos >= 0) tokens.push_back(info.bos);
    return tokens;
}

// The library's built-in formats. BITNET_E_NOT_FOUND where the model has none of them.
bitnet_status built_in(const Engine& engine, const std::vector<PlainMessage>& list, bool add_reply_header,
                       std::vector<bitnet_token>& tokens) {
    std::vector<bitnet_chat_message> messages;
    size_t n = 64;
    for (const PlainMessage& message : list) {
        messages.push_back({message.role.c_str(), message.text.c_str()});
        n += message.text.size() / 2 + 16;
    }
    for (bitnet_status status = BITNET_E_BUFFER_TOO_SMALL; status == BITNET_E_BUFFER_TOO_SMALL;) {
        tokens.resize(n);
        status = bitnet_tokenizer_encode_chat(engine.tokenizer(), nullptr, messages.data(), messages.size(),
                                              add_reply_header ? 1 : 0, tokens.data(), tokens.size(), &n);
        if (status != BITNET_OK && status != BITNET_E_BUFFER_TOO_SMALL) return status;
    }
    tokens.resize(n);
    return BITNET_OK;
}

SplitOptions split_options(const ChatRequest& request) {
    SplitOptions split;
    split.parallel_calls = request.parallel_tool_calls;
    if (request.must_call())
        split.tools = ToolSyntax::kWhole;
    else if (request.uses_tools() && request.format == ReplyFormat::kText)
        split.tools = ToolSyntax::kDetect;
    // A grammar's text is all there is: nothing in it is a tag.
    split.reasoning = request.split_reasoning && request.format == ReplyFormat::kText && !request.must_call();
    if (split.tools != ToolSyntax::kNone)
        for (const Tool& tool : request.tools)
            if (request.tool_choice != ToolChoice::kNamed || tool.name == request.tool_name)
                split.tool_names.push_back(tool.name);
    return split;
}

// The schema of one tool stands inside a larger one: its references into itself move along.
void move_references(Json& schema, const std::string& to) {
    if (schema.is_array())
        for (Json& item : schema) move_references(item, to);
    if (!schema.is_object()) return;
    for (auto& [key, value] : schema.items()) {
        if (key == "const" || key == "enum" || key == "default" || key == "examples") continue;
        if (key == "$ref" && value.is_string() && value.get_ref<const std::string&>().starts_with("#"))
            value = to + value.get_ref<const std::string&>().substr(1);
        else
            move_references(value, to);
    }
}

Json call_schema(const Tool& tool, const std::string& place, bool any_arguments) {
    Json arguments = tool.parameters;
    if (arguments.empty() || any_arguments) {
        arguments = {{"type", "object"}};
    } else if (!arguments.contains("type")) {
        arguments["type"] = "object";
    }
    move_references(arguments, "#" + place + "/properties/arguments");
    return {{"type", "object"},
            {"properties", {{"name", {{"const", tool.name}}}, {"arguments", arguments}}},
            {"required", {"name", "arguments"}},
            {"additionalProperties", false}};
}

std::shared_ptr<const bitnet_grammar> call_grammar(const Engine& engine, const ChatRequest& request) {
    Json any = Json::array();
    for (const Tool& tool : request.tools) {
        if (request.tool_choice == ToolChoice::kNamed && tool.name != request.tool_name) continue;
        // Each alone first: what is wrong with a schema names its tool, or gives any object where it need not be strict.
        bool any_arguments = false;
        try {
            cached_json_grammar(engine, to_text(call_schema(tool, "", false)), "tools");
        } catch (const ApiError& error) {
            if (tool.strict || error.code != ErrorCode::kValidationFailed) throw;
            any_arguments = true;
        }
        any.push_back(call_schema(tool, "/anyOf/" + std::to_string(any.size()), any_arguments));
    }
    return cached_json_grammar(engine, to_text({{"anyOf", any}}), "tools");
}

}  // namespace

ChatPrompt encode_chat(const Engine& engine, const ChatRequest& request) {
    check_texts(request);
    ChatPrompt prompt;
    prompt.split = split_options(request);
    const std::vector<PlainMessage> list = plain_messages(request);
    const bitnet_status status = built_in(engine, list, request.add_reply_header, prompt.tokens);
    if (status == BITNET_E_NOT_FOUND)
        prompt.tokens = running_text(engine, list);
    else
        check(status);
    return prompt;
}

std::string chat_text(const Engine& engine, const ChatRequest& request) {
    return decode_tokens(engine.tokenizer(), encode_chat(engine, request).tokens, BITNET_DECODE_SPECIAL);
}

std::string chat_format_name(const Engine& engine) {
    std::vector<bitnet_token> tokens;
    return built_in(engine, {{"user", "x"}}, true, tokens) == BITNET_OK ? "built-in" : "plain";
}

std::shared_ptr<const bitnet_grammar> reply_grammar(const Engine& engine, const ChatRequest& request) {
    if (request.must_call()) return call_grammar(engine, request);
    switch (request.format) {
        case ReplyFormat::kText: return nullptr;
        case ReplyFormat::kJsonObject: return cached_json_grammar(engine, "{\"type\":\"object\"}", "response_format");
        case ReplyFormat::kJsonSchema: return cached_json_grammar(engine, to_text(request.schema), "response_format");
        case ReplyFormat::kGbnf: return cached_gbnf_grammar(engine, request.gbnf, "grammar");
    }
    return nullptr;
}

}  // namespace serve
