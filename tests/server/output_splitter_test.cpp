// Replies taken apart: any cut of a reply into pieces gives the same text, reasoning and calls.
#include "server/chat/output_splitter.h"

#include <string>

#include <doctest/doctest.h>

using namespace serve;

namespace {

SplitOptions detecting() {
    SplitOptions options;
    options.tools = ToolSyntax::kDetect;
    options.tool_names = {"weather", "time"};
    return options;
}
SplitOptions whole() {
    SplitOptions options = detecting();
    options.tools = ToolSyntax::kWhole;
    options.reasoning = false;
    return options;
}

// "reasoning|text|name(arguments)name(arguments)"
std::string shown(const Reply& reply) {
    std::string line = reply.reasoning + "|" + reply.text + "|";
    for (const ToolCall& call : reply.tool_calls) line += call.name + "(" + call.arguments + ")";
    return line;
}

// The reply in two pieces at every place, in single characters, and at once: all must agree.
std::string split_everywhere(const std::string& text, const SplitOptions& options) {
    const std::string once = shown(split_reply(text, options));
    for (size_t cut = 0; cut <= text.size(); cut++) {
        OutputSplitter splitter(options);
        Reply reply;
        collect(reply, splitter.push(text.substr(0, cut)));
        collect(reply, splitter.push(text.substr(cut)));
        collect(reply, splitter.finish());
        REQUIRE(shown(reply) == once);
    }
    OutputSplitter splitter(options);
    Reply reply;
    for (const char c : text) collect(reply, splitter.push(std::string(1, c)));
    collect(reply, splitter.finish());
    REQUIRE(shown(reply) == once);
    return once;
}

}  // namespace

TEST_CASE("a reply is split the same wherever it is cut: reasoning, text and calls") {
    const SplitOptions options = detecting();
    CHECK(split_everywhere("Hello, you.\n", options) == "|Hello, you.\n|");
    CHECK(split_everywhere("<think>\nHm, so.\n</think>\n\nYes.", options) == "Hm, so.|Yes.|");
    CHECK(split_everywhere("  <think></think>Yes", options) == "|Yes|");
    CHECK(split_everywhere("<think>never ends ", options) == "never ends|" + std::string("|"));
    CHECK(split_everywhere("a <think>b</think>", options) == "|a <think>b</think>|");
    CHECK(split_everywhere("Look: \n<tool_call>\n{\"name\": \"time\", \"arguments\": {}}\n</tool_call>\n", options) ==
          "|Look:|time({})");
    CHECK(split_everywhere("<tool_call>{\"name\":\"time\"}</tool_call><tool_call>{\"name\":\"weather\",\"arguments\":"
                           "{\"city\":\"</tool_call>\\\"}\"}}</tool_call> bye",
                           options) == "| bye|time({})weather({\"city\":\"</tool_call>\\\"}\"})");
    CHECK(split_everywhere("<tool_call>{\"name\":\"time\",\"arguments\":\"{\\\"a\\\":1}\"}", options) ==
          "||time({\"a\":1})");
    CHECK(split_everywhere("<think>x</think>\n{\"name\":\"time\",\"parameters\":{\"a\":[1]}}", options) ==
          "x||time({\"a\":[1]})");
    CHECK(split_everywhere("{\"name\":\"time\"}; {\"name\":\"weather\"}\n", options) == "||time({})weather({})");
    CHECK(split_everywhere("[{\"name\":\"time\"},{\"type\":\"function\",\"function\":{\"name\":\"weather\","
                           "\"arguments\":{\"x\":2}}}]",
                           options) == "||time({})weather({\"x\":2})");
}

TEST_CASE("what only looks like a call stays text") {
    const SplitOptions options = detecting();
    for (const char* text :
         {"{\"name\":\"unknown\",\"arguments\":{}}", "{\"a\":1} and more", "{\"name\":\"time\",\"arguments\":7}",
          "{\"name\":\"time\"", "{ not JSON }", "[1,2]", "[]", "{", "<tool_cal", "<tool_call", " \n ",
          "{\"name\":\"time\",\"arguments\":\"no json\"}", "{\"name\":\"time\"},\"x\":{}}"}) {
        if (std::string(text) == "{\"name\":\"time\"},\"x\":{}}") {
            // The first object is a call; what follows it is not.
            CHECK(split_everywhere(text, options) == "|,\"x\":{}}|time({})");
            continue;
        }
        CHECK(split_everywhere(text, options) == "|" + std::string(text) + "|");
    }
    CHECK(split_everywhere("<tool_call>", options) == "|<tool_call>|");
    CHECK(split_everywhere("x \n<tool_call>\nno call</tool_call>", options) ==
          "|x \n<tool_call>\nno call</tool_call>|");
    CHECK(split_everywhere("<tool_call>{\"name\":\"rm\"}</tool_call>", options) ==
          "|<tool_call>{\"name\":\"rm\"}</tool_call>|");
    SplitOptions none;
    none.reasoning = false;
    CHECK(split_everywhere("<think>a</think><tool_call>{\"name\":\"time\"}</tool_call>", none) ==
          "|<think>a</think><tool_call>{\"name\":\"time\"}</tool_call>|");
}

TEST_CASE("text is given out as soon as it cannot be a tag, and held back while it can") {
    OutputSplitter splitter(detecting());
    const auto text_of = [](const std::vector<OutputPart>& parts) {
        std::string text;
        for (const OutputPart& part : parts) text += part.text;
        return text;
    };
    CHECK(text_of(splitter.push("One two")) == "One two");
    CHECK(text_of(splitter.push(" <tool")) == "");
    CHECK(text_of(splitter.push("box>")) == " <toolbox>");
    CHECK(text_of(splitter.push("<tool_call>{\"name\":\"time\"}")) == "");
    CHECK(splitter.finish().empty());
    OutputSplitter object(detecting());
    CHECK(text_of(object.push("{\"answer\": 1,")) == "{\"answer\": 1,");  // its first key is no call's
}

TEST_CASE("a reply that must be a call is one, also of several in an array; ids differ; no more than one where asked") {
    CHECK(split_everywhere("{\"name\":\"time\",\"arguments\":{\"zone\":\"}\"}}", whole()) ==
          "||time({\"zone\":\"}\"})");
    const Reply two = split_reply("[{\"name\":\"time\"},{\"name\":\"time\"}]", whole());
    REQUIRE(two.tool_calls.size() == 2);
    CHECK(two.tool_calls[0].id.starts_with("call_"));
    CHECK(two.tool_calls[0].id != two.tool_calls[1].id);
    CHECK(split_everywhere("{\"name\":\"time\",\"argu", whole()) == "|{\"name\":\"time\",\"argu|");
    SplitOptions one = detecting();
    one.parallel_calls = false;
    CHECK(split_everywhere("<tool_call>{\"name\":\"time\"}</tool_call><tool_call>{\"name\":\"weather\"}</tool_call>",
                           one) == "||time({})");
    SplitOptions thinking;
    thinking.begins_in_reasoning = true;
    CHECK(split_everywhere("a b\n</think>\nc", thinking) == "a b|c|");
}

TEST_CASE("a long reply made to be expensive is split in linear time") {
    const SplitOptions options = detecting();
    for (const std::string piece : {"<", "[", " ", "<tool_call>", "<tool_call>{", "{\"name\":", "</think>", "\\\""}) {
        OutputSplitter splitter(options);
        Reply reply;
        std::string text;
        for (int i = 0; i < 20000; i++) {
            text += piece;
            collect(reply, splitter.push(piece));
        }
        collect(reply, splitter.finish());
        CHECK((reply.text + reply.reasoning).size() == text.size());
    }
    const std::string deep = "{\"name\":\"time\",\"arguments\":{\"a\":" + std::string(100000, '[');
    CHECK(split_reply(deep + std::string(100000, ']') + "}}", options).tool_calls.empty());
}
