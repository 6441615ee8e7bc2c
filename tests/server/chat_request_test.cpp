// Chat bodies: what is read of them, and that what is wrong is refused with its place in the request.
#include "server/chat/chat_request.h"

#include <string>

#include <doctest/doctest.h>

using namespace serve;

namespace {

ChatRequest read(const std::string& body) {
    const Json json = parse_object(body);
    return read_chat_request(JsonFields(json));
}

// "" or the field at fault.
std::string fault(const std::string& body) {
    try {
        read(body);
        return "";
    } catch (const ApiError& error) {
        CHECK(error_info(error.code).http_status == 400);
        CHECK(!error.message.empty());
        return error.field;
    }
}

std::string with_message(const std::string& message) { return "{\"messages\":[" + message + "]}"; }
std::string with(const std::string& fields) { return R"({"messages":[{"role":"user","content":"x"}],)" + fields + "}"; }

}  // namespace

TEST_CASE("messages are read: roles, parts of text joined, calls and their answers") {
    const ChatRequest request = read(R"({"messages":[
        {"role":"developer","content":"Be kind."},
        {"role":"user","content":[{"type":"text","text":"a"},{"type":"input_text","text":"b"},"c"],"name":"ann"},
        {"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[
            {"id":"call_1","type":"function","function":{"name":"time","arguments":"{\"zone\":1}"}}]},
        {"role":"tool","tool_call_id":"call_1","content":"noon"},
        {"role":"assistant","content":{"type":"output_text","text":"Noon."}}]})");
    REQUIRE(request.messages.size() == 5);
    CHECK(request.messages[0].role == "system");
    CHECK(request.messages[1].text == "abc");
    CHECK(request.messages[1].name == "ann");
    CHECK(request.messages[2].text.empty());
    CHECK(request.messages[2].reasoning == "hm");
    REQUIRE(request.messages[2].tool_calls.size() == 1);
    CHECK(request.messages[2].tool_calls[0].name == "time");
    CHECK(request.messages[2].tool_calls[0].arguments == "{\"zone\":1}");
    CHECK(request.messages[3].role == "tool");
    CHECK(request.messages[3].tool_call_id == "call_1");
    CHECK(request.messages[4].text == "Noon.");
    CHECK(request.tool_choice == ToolChoice::kAuto);
    CHECK(!request.uses_tools());
}

TEST_CASE("tools, their choice and the format of the reply are read") {
    const std::string tools = R"("tools":[{"type":"function","function":{"name":"time","description":"d",
        "parameters":{"type":"object"},"strict":true}},{"type":"function","name":"flat"}])";
    const ChatRequest automatic = read(with(tools));
    REQUIRE(automatic.tools.size() == 2);
    CHECK(automatic.tools[0].strict);
    CHECK(automatic.tools[0].description == "d");
    CHECK(automatic.tools[1].name == "flat");
    CHECK(automatic.uses_tools());
    CHECK(!automatic.must_call());
    CHECK(!read(with(tools + R"(,"tool_choice":"none")")).uses_tools());
    CHECK(read(with(tools + R"(,"tool_choice":"required","parallel_tool_calls":false)")).must_call());
    const ChatRequest named = read(with(tools + R"(,"tool_choice":{"type":"function","function":{"name":"flat"}})"));
    CHECK(named.tool_name == "flat");
    CHECK(named.must_call());
    CHECK(read(with(R"("response_format":{"type":"text"})")).format == ReplyFormat::kText);
    CHECK(read(with(R"("response_format":{"type":"json_object"})")).format == ReplyFormat::kJsonObject);
    const ChatRequest schema =
        read(with(R"("response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"null"}}})"));
    CHECK(schema.format == ReplyFormat::kJsonSchema);
    CHECK(to_text(schema.schema) == R"({"type":"null"})");
    CHECK(read(with(R"("grammar":"root ::= \"a\"")")).format == ReplyFormat::kGbnf);
    CHECK(read(with(R"("grammar":"")")).format == ReplyFormat::kText);
    CHECK(!read(with(R"("reasoning_format":"none")")).split_reasoning);
}

TEST_CASE("what is wrong with a chat body is refused and named") {
    CHECK(fault("{}") == "messages");
    CHECK(fault(R"({"messages":[]})") == "messages");
    CHECK(fault(R"({"messages":"hi"})") == "messages");
    CHECK(fault(R"({"messages":[7]})") == "messages.0");
    CHECK(fault(with_message(R"({"content":"x"})")) == "messages.0.role");
    CHECK(fault(with_message(R"({"role":"root","content":"x"})")) == "messages.0.role");
    CHECK(fault(with_message(R"({"role":"user"})")) == "messages.0.content");
    CHECK(fault(with_message(R"({"role":"user","content":5})")) == "messages.0.content");
    CHECK(fault(with_message(R"({"role":"user","content":[{"type":"text"}]})")) == "messages.0.content.0.text");
    CHECK(fault(with_message(R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":
        {"url":"http://x"}}]})")) == "messages.0.content.1");
    CHECK(fault(with_message(R"({"role":"user","content":[{"type":"input_audio","input_audio":{}}]})")) ==
          "messages.0.content.0");
    CHECK(fault(with_message(R"({"role":"assistant","tool_calls":[{"id":"a"}]})")) ==
          "messages.0.tool_calls.0.function");
    CHECK(fault(with_message(R"({"role":"assistant","tool_calls":{}})")) == "messages.0.tool_calls");
    CHECK(fault(with(R"("functions":[{}])")) == "functions");
    CHECK(fault(with(R"("function_call":"auto")")) == "function_call");
    CHECK(fault(with(R"("tools":{})")) == "tools");
    CHECK(fault(with(R"("tools":[{"type":"web_search"}])")) == "tools.0.type");
    CHECK(fault(with(R"("tools":[{"type":"function","function":{"name":"a b"}}])")) == "tools.0.function.name");
    CHECK(fault(with(R"("tools":[{"type":"function","function":{"name":"a","parameters":[]}}])")) ==
          "tools.0.function.parameters");
    CHECK(fault(with(R"("tool_choice":"required")")) == "tool_choice");
    CHECK(fault(with(R"("tool_choice":"often")")) == "tool_choice");
    CHECK(fault(with(R"("tool_choice":{"type":"function","function":{"name":"x"}})")) == "tool_choice");
    CHECK(fault(with(R"("response_format":"json")")) == "response_format");
    CHECK(fault(with(R"("response_format":{"type":"yaml"})")) == "response_format.type");
    CHECK(fault(with(R"("response_format":{"type":"json_schema"})")) == "response_format.schema");
    CHECK(fault(with(R"("response_format":{"type":"json_schema","json_schema":{"schema":7}})")) ==
          "response_format.json_schema.schema");
    CHECK(fault(with(R"("response_format":{"type":"json_object"},"grammar":"root ::= [a]")")) == "grammar");
    CHECK(fault(with(R"("grammar":{})")) == "grammar");
    CHECK(fault(with(R"("reasoning_format":"loud")")) == "reasoning_format");
    CHECK(fault(with(R"("chat_template_kwargs":[])")) == "chat_template_kwargs");
    CHECK(fault(with(R"("parallel_tool_calls":1)")) == "parallel_tool_calls");
    std::string many;
    for (size_t i = 0; i <= kMaxTools; i++)
        many += (i ? "," : "") + std::string(R"({"type":"function","function":{"name":"a"}})");
    CHECK(fault(with("\"tools\":[" + many + "]")) == "tools");
}
