// A model that knows no format is no chat model: it goes on with a text. It gets the messages' texts one after the other, as
// `bitnet chat` gives them, so that a chat page on a story model continues the story.
#include "server/chat/chat_prompt.h"

#include <algorithm>
#include <iterator>

#include "server/chat/grammar_cache.h"
#include "server/chat/model_template.h"

namespace serve {

namespace {

// Messages of the three roles that every format has.
struct PlainMessage {
    std::string role;
    std::string text;
};

// Templates and models expect an object; what a model once wrote need not be one.
Json called_json(const ToolCall& call) {
    Json json = {{"name", call.name}};
    try {
        json["arguments"] = parse_object(call.arguments);
    } catch (const ApiError&) {
        json["arguments"] = call.arguments;
    }
    return json;
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
            text += (text.empty() ? "" : "\n") + ("<tool_call>\n" + to_text(called_json(call))) + "\n</tool_call>";
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

// The messages for a template that writes tools itself.
Json template_messages(const ChatRequest& request) {
    Json list = Json::array();
    for (const ChatMessage& message : request.messages) {
        Json json = {{"role", message.role}, {"content", message.text}};
        if (!message.reasoning.empty()) json["reasoning_content"] = message.reasoning;
        if (!message.name.empty()) json["name"] = message.name;
        if (!message.tool_call_id.empty()) json["tool_call_id"] = message.tool_call_id;
        for (const ToolCall& call : message.tool_calls)
            json["tool_calls"].push_back(Json{{"id", call.id}, {"type", "function"}, {"function", called_json(call)}});
        list.push_back(std::move(json));
    }
    return list;
}

Json template_variables(const ChatRequest& request, bool knows_tools) {
    Json variables = request.template_variables.is_object() ? request.template_variables : Json::object();
    Json messages = Json::array(), tools = Json::array();
    if (knows_tools) {
        messages = template_messages(request);
        if (request.uses_tools())
            for (const Tool& tool : request.tools) tools.push_back(tool_json(tool));
    } else {
        for (const PlainMessage& message : plain_messages(request))
            messages.push_back(Json{{"role", message.role}, {"content", message.text}});
    }
    variables["messages"] = std::move(messages);
    variables.erase("tools");
    if (!tools.empty()) variables["tools"] = std::move(tools);
    variables["add_generation_prompt"] = request.add_reply_header;
    return variables;
}

// Templates of models that always think begin the reply's reasoning themselves.
bool ends_in_think(const Engine& engine, const std::vector<bitnet_token>& tokens) {
    const std::vector<bitnet_token> tail(tokens.end() - std::min<std::ptrdiff_t>(std::ssize(tokens), 16), tokens.end());
    std::string text = decode_tokens(engine.tokenizer(), tail, BITNET_DECODE_SPECIAL);
    text.erase(text.find_last_not_of(" \n") + 1);
    return text.ends_with("<think>");
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
    if (const auto own = model_template(engine)) {
        prompt.tokens = own->encode(template_variables(request, own->knows_tools()), request.field);
        prompt.split.begins_in_reasoning = request.add_reply_header && ends_in_think(engine, prompt.tokens);
    } else {
        prompt.tokens = running_text(engine, plain_messages(request));
    }
    return prompt;
}

std::string chat_text(const Engine& engine, const ChatRequest& request) {
    return decode_tokens(engine.tokenizer(), encode_chat(engine, request).tokens, BITNET_DECODE_SPECIAL);
}

std::string chat_format_name(const Engine& engine) {
    const auto own = model_template(engine);
    return own ? own->name() : "plain";
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
