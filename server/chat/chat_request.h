// A conversation and what is asked of the reply, in no protocol's shape. Protocols read their bodies into it; encode_chat
// makes tokens of it, reply_grammar the grammar that the reply must obey, OutputSplitter takes the reply apart.
#pragma once

#include <string>
#include <vector>

#include "server/core/json_fields.h"

namespace serve {

inline constexpr size_t kMaxChatMessages = 4096;
inline constexpr size_t kMaxTools = 128;

// A function call that the model wrote.
struct ToolCall {
    std::string id;         // "call_..."; the protocol's own where a request brings it
    std::string name;       // of the function
    std::string arguments;  // a JSON object as text
};

struct ChatMessage {
    std::string role;  // "system", "user", "assistant", "tool"; "developer" is read as "system"
    std::string text;
    std::string reasoning;             // of an assistant, apart from its text
    std::vector<ToolCall> tool_calls;  // of an assistant
    std::string tool_call_id;          // of a tool's answer
    std::string name;                  // of the tool or the author, or ""
};

struct Tool {
    std::string name;  // 1 .. 64 of [A-Za-z0-9_-]
    std::string description;
    Json parameters = Json::object();  // JSON schema; an empty object: any arguments
    bool strict = false;               // an unknown keyword of the schema is an error, instead of any object
};

enum class ToolChoice {
    kAuto,      // the model decides: text or calls
    kNone,      // tools are not even told to the model
    kRequired,  // one call of any tool, enforced by a grammar
    kNamed      // one call of ChatRequest::tool_name
};

enum class ReplyFormat { kText, kJsonObject, kJsonSchema, kGbnf };

struct ChatRequest {
    std::vector<ChatMessage> messages;
    std::vector<Tool> tools;
    ToolChoice tool_choice = ToolChoice::kAuto;
    std::string tool_name;
    bool parallel_tool_calls = true;
    ReplyFormat format = ReplyFormat::kText;
    Json schema;                     // of kJsonSchema
    std::string gbnf;                // of kGbnf
    bool split_reasoning = true;     // false: <think> stays in the text
    bool add_reply_header = true;    // false: the conversation as it stands, for /apply-template
    Json template_variables;         // more variables for the model's template ("enable_thinking"), or null
    std::string field = "messages";  // the request's field that the messages came in, for errors

    // Tools count: there are some and the choice is not kNone.
    bool uses_tools() const { return !tools.empty() && tool_choice != ToolChoice::kNone; }
    // The reply is a call and nothing else.
    bool must_call() const {
        return uses_tools() && (tool_choice == ToolChoice::kRequired || tool_choice == ToolChoice::kNamed);
    }
};

// ---- Reading, as OpenAI spells it; others use the pieces.

// The text of a message's content: a string, null (""), or parts, of which those of type text, input_text and output_text
// are joined and a refusal counts as text. Throws VALIDATION_FAILED for images, audio and files with the part's place, e.g.
// "messages.0.content.1".
std::string read_content(const Json* content, const std::string& place);
// messages, tools, tool_choice, parallel_tool_calls, response_format (or format), grammar, reasoning_format ("none" leaves
// <think> in the text), chat_template_kwargs. The old functions and function_call are refused.
ChatRequest read_chat_request(const JsonFields& fields);
// The list of messages alone.
std::vector<ChatMessage> read_messages(const JsonFields& fields, const char* name);
// One entry of tools in OpenAI's chat shape ({"type":"function","function":{name, description, parameters, strict}}) or
// flat, as the Responses API has it. Throws with place for other types.
Tool read_tool(const Json& tool, const std::string& place);
// Checks a tool's name and its parameters' type; for readers of other shapes.
void check_tool(const Tool& tool, const std::string& place);
// tool_choice: "auto", "none", "required", {"type":"function","function":{"name"}} or {"type":"function","name"}.
void read_tool_choice(const JsonFields& fields, ChatRequest& request);
// response_format: {"type":"text"}, {"type":"json_object"} (with "schema", as llama-server has it), {"type":"json_schema",
// "json_schema":{"schema"}}.
void read_response_format(const JsonFields& fields, const char* name, ChatRequest& request);

}  // namespace serve
