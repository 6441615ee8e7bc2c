// Strict where a mistake would change what the model sees, lenient where clients differ in what they leave out.
#include "server/chat/chat_request.h"

#include <algorithm>

namespace serve {

namespace {

std::string part_text(const Json& part, const std::string& place) {
    if (part.is_string()) return part.get<std::string>();
    const JsonFields fields(part, place);
    const std::string type = fields.text("type").value_or("text");
    if (type == "text" || type == "input_text" || type == "output_text") return fields.required_text("text");
    if (type == "refusal") return fields.required_text("refusal");
    refuse_field(place, "is of type '" + type.substr(0, 40) + "'; this server's models read text only");
}

std::vector<ToolCall> read_tool_calls(const JsonFields& message) {
    std::vector<ToolCall> calls;
    const Json* array = message.array("tool_calls", kMaxTools);
    if (!array) return calls;
    const std::string place = message.place("tool_calls");
    for (size_t i = 0; i < array->size(); i++) {
        const JsonFields fields((*array)[i], place_at(place, i));
        if (fields.text("type").value_or("function") != "function") refuse_field(place_at(place, i), "must be of type function");
        const Json* function = fields.object("function");
        if (!function) refuse_field(place_at(place_at(place, i), "function"), "is required");
        const JsonFields inner(*function, place_at(place_at(place, i), "function"));
        ToolCall call;
        call.id = fields.text("id").value_or("");
        call.name = inner.required_text("name");
        const Json* arguments = inner.find("arguments");
        if (arguments && arguments->is_object())
            call.arguments = to_text(*arguments);
        else
            call.arguments = inner.text("arguments").value_or("{}");
        calls.push_back(std::move(call));
    }
    return calls;
}

ChatMessage read_message(const Json& json, const std::string& place) {
    const JsonFields fields(json, place);
    ChatMessage message;
    message.role = fields.required_text("role");
    if (message.role == "developer") message.role = "system";
    if (message.role == "function") message.role = "tool";
    const char* roles[] = {"system", "user", "assistant", "tool"};
    if (std::find(std::begin(roles), std::end(roles), message.role) == std::end(roles))
        refuse_field(place_at(place, "role"), "must be one of system, developer, user, assistant, tool");
    const bool assistant = message.role == "assistant";
    if (!assistant && !fields.has("content")) refuse_field(place_at(place, "content"), "is required");
    message.text = read_content(fields.find("content"), place_at(place, "content"));
    message.name = fields.text("name").value_or("");
    message.tool_call_id = fields.text("tool_call_id").value_or("");
    if (!assistant) return message;
    for (const char* name : {"reasoning_content", "reasoning"})
        if (message.reasoning.empty()) message.reasoning = fields.text(name).value_or("");
    message.tool_calls = read_tool_calls(fields);
    return message;
}

// What a schema may be: an object, or true and false.
void check_schema(const Json& schema, const std::string& place) {
    if (!schema.is_object() && !schema.is_boolean()) refuse_field(place, "must be a JSON schema, an object");
}

}  // namespace

std::string read_content(const Json* content, const std::string& place) {
    if (!content || content->is_null()) return "";
    if (content->is_string()) return content->get<std::string>();
    if (content->is_object()) return part_text(*content, place);
    if (!content->is_array()) refuse_field(place, "must be a string or an array of parts");
    std::string text;
    for (size_t i = 0; i < content->size(); i++) text += part_text((*content)[i], place_at(place, i));
    return text;
}

std::vector<ChatMessage> read_messages(const JsonFields& fields, const char* name) {
    const Json* array = fields.array(name, kMaxChatMessages);
    if (!array || array->empty()) refuse_field(fields.place(name), array ? "must not be empty" : "is required");
    std::vector<ChatMessage> messages;
    for (size_t i = 0; i < array->size(); i++) messages.push_back(read_message((*array)[i], place_at(fields.place(name), i)));
    return messages;
}

void check_tool(const Tool& tool, const std::string& place) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    };
    if (tool.name.empty() || tool.name.size() > 64 || !std::all_of(tool.name.begin(), tool.name.end(), allowed))
        refuse_field(place_at(place, "name"), "must be 1 to 64 letters, digits, underscores and dashes");
    if (!tool.parameters.is_object()) refuse_field(place_at(place, "parameters"), "must be a JSON schema, an object");
}

Tool read_tool(const Json& json, const std::string& place) {
    const JsonFields outer(json, place);
    if (const std::string type = outer.text("type").value_or("function"); type != "function")
        refuse_field(place_at(place, "type"), "'" + type.substr(0, 40) + "' is not known; this server calls functions only");
    const Json* function = outer.object("function");
    const std::string where = function ? place_at(place, "function") : place;
    const JsonFields fields(function ? *function : json, where);
    Tool tool;
    tool.name = fields.required_text("name");
    tool.description = fields.text("description").value_or("");
    if (const Json* parameters = fields.find("parameters")) tool.parameters = *parameters;
    tool.strict = fields.boolean("strict").value_or(false);
    check_tool(tool, where);
    return tool;
}

void read_tool_choice(const JsonFields& fields, ChatRequest& request) {
    const Json* choice = fields.find("tool_choice");
    if (!choice) return;
    const std::string place = fields.place("tool_choice");
    if (choice->is_string()) {
        const std::string& text = choice->get_ref<const std::string&>();
        if (text == "auto")
            request.tool_choice = ToolChoice::kAuto;
        else if (text == "none")
            request.tool_choice = ToolChoice::kNone;
        else if (text == "required" || text == "any")
            request.tool_choice = ToolChoice::kRequired;
        else
            refuse_field(place, "must be auto, none, required or a function");
    } else {
        const JsonFields outer(*choice, place);
        if (outer.text("type").value_or("function") != "function") refuse_field(place_at(place, "type"), "must be function");
        const Json* function = outer.object("function");
        request.tool_name = JsonFields(function ? *function : *choice, place).required_text("name");
        request.tool_choice = ToolChoice::kNamed;
        const auto named = [&](const Tool& tool) { return tool.name == request.tool_name; };
        if (std::none_of(request.tools.begin(), request.tools.end(), named))
            refuse_field(place, "names '" + request.tool_name.substr(0, 64) + "', which is not in tools");
    }
    if (request.tools.empty() && request.tool_choice == ToolChoice::kRequired) refuse_field(place, "needs tools");
}

void read_response_format(const JsonFields& fields, const char* name, ChatRequest& request) {
    const Json* format = fields.object(name);
    if (!format) return;
    const std::string place = fields.place(name);
    const JsonFields outer(*format, place);
    const std::string type = outer.required_text("type");
    if (type == "text") return;
    const Json* schema = outer.find("schema");
    std::string where = place_at(place, "schema");
    if (type == "json_schema") {
        if (const Json* named = outer.object("json_schema")) {
            schema = JsonFields(*named, place_at(place, "json_schema")).find("schema");
            where = place_at(place_at(place, "json_schema"), "schema");
        }
        if (!schema) refuse_field(where, "is required");
    } else if (type != "json_object") {
        refuse_field(place_at(place, "type"), "must be one of text, json_object, json_schema");
    }
    request.format = schema ? ReplyFormat::kJsonSchema : ReplyFormat::kJsonObject;
    if (!schema) return;
    check_schema(*schema, where);
    request.schema = *schema;
}

ChatRequest read_chat_request(const JsonFields& fields) {
    ChatRequest request;
    request.messages = read_messages(fields, "messages");
    for (const char* old : {"functions", "function_call"})
        if (fields.has(old)) fields.fail(old, "is the old form; use tools and tool_choice");
    if (const Json* tools = fields.array("tools", kMaxTools))
        for (size_t i = 0; i < tools->size(); i++)
            request.tools.push_back(read_tool((*tools)[i], place_at(fields.place("tools"), i)));
    read_tool_choice(fields, request);
    request.parallel_tool_calls = fields.boolean("parallel_tool_calls").value_or(true);
    read_response_format(fields, "response_format", request);
    if (const std::optional<std::string> gbnf = fields.text("grammar"); gbnf && !gbnf->empty()) {
        if (request.format != ReplyFormat::kText) fields.fail("grammar", "and response_format exclude each other");
        request.format = ReplyFormat::kGbnf;
        request.gbnf = *gbnf;
    }
    if (request.must_call() && request.format == ReplyFormat::kGbnf)
        fields.fail("grammar", "and a required tool call exclude each other");
    const std::optional<size_t> reasoning = fields.choice("reasoning_format", {"none", "auto", "deepseek"});
    request.split_reasoning = reasoning != 0;
    if (const Json* variables = fields.object("chat_template_kwargs")) request.template_variables = *variables;
    return request;
}

}  // namespace serve
