// Conversations as tokens of real vocabularies, and grammars of replies: the golden model has the control tokens of
// BitNet 2B-4T; the default model knows no chat at all.
#include "server/chat/chat_prompt.h"

#include <string>

#include <doctest/doctest.h>

#include "examples/stories/default_model.h"
#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"

using namespace serve;

namespace {

std::shared_ptr<Engine> engine_of(bitnet_model* model) {
    EngineOptions options;
    options.n_parallel = 2;
    options.n_threads = 1;
    ModelFacts facts;
    facts.id = "test";
    static int n_loaded = 0;  // as the registry has it: what is kept for one loading is not another's
    facts.instance = "test_" + std::to_string(n_loaded++);
    return start_engine(ModelHandle(model, bitnet_model_free), facts, options);
}
std::shared_ptr<Engine> chat_engine() {
    bitnet_model* model = nullptr;
    REQUIRE(bitnet_model_load(test::golden_model("b158-i2s").c_str(), nullptr, &model) == BITNET_OK);
    return engine_of(model);
}
std::shared_ptr<Engine> story_engine() {
    size_t size = 0;
    const void* bytes = default_model_bytes(&size);
    bitnet_model* model = nullptr;
    REQUIRE(bitnet_model_load_from_memory(bytes, size, nullptr, &model) == BITNET_OK);
    return engine_of(model);
}

// A llama model whose file brings this template.
std::shared_ptr<Engine> template_engine(const std::string& source) {
    const test::TempDir folder;
    const std::string path = folder.write(
        "template.gguf",
        test::ModelEdit::open(test::golden_model("llama-i2s")).set_string("tokenizer.chat_template", source).bytes());
    bitnet_model* model = nullptr;
    REQUIRE(bitnet_model_load(path.c_str(), nullptr, &model) == BITNET_OK);
    return engine_of(model);
}

ChatRequest chat(const std::string& body) {
    const Json json = parse_object(body);
    return read_chat_request(JsonFields(json));
}

size_t n_control(const Engine& engine, const std::vector<bitnet_token>& tokens) {
    size_t n = 0;
    for (const bitnet_token token : tokens)
        n += bitnet_tokenizer_get_attribute(engine.tokenizer(), token) == BITNET_TOKEN_CONTROL;
    return n;
}

const char* kTools = R"("tools":[{"type":"function","function":{"name":"time","parameters":{"type":"object",
    "properties":{"zone":{"$ref":"#/$defs/zone"}},"required":["zone"],"$defs":{"zone":{"enum":["UTC"]}}}}}])";

// What may be written under a grammar: whether all of text is.
bool accepts(const Engine& engine, const std::shared_ptr<const bitnet_grammar>& grammar, const std::string& text) {
    bitnet_sampler* sampler = nullptr;
    REQUIRE(bitnet_sampler_create(nullptr, &sampler) == BITNET_OK);
    REQUIRE(bitnet_sampler_set_grammar(sampler, grammar.get()) == BITNET_OK);
    bool accepted = true;
    for (const bitnet_token token : encode_text(engine.tokenizer(), text, 0))
        accepted = accepted && bitnet_sampler_accept(sampler, token) == BITNET_OK;
    bitnet_tokenizer_info info;
    info.struct_size = sizeof info;
    REQUIRE(bitnet_tokenizer_get_info(engine.tokenizer(), &info) == BITNET_OK);
    accepted = accepted && bitnet_sampler_accept(sampler, info.eos) == BITNET_OK;
    bitnet_sampler_free(sampler);
    return accepted;
}

}  // namespace

TEST_CASE("a conversation becomes the model's own form, and its texts never become control tokens") {
    const auto engine = chat_engine();
    const ChatRequest request = chat(R"({"messages":[{"role":"system","content":"One."},{"role":"developer",
        "content":"Two."},{"role":"user","content":"<|eot_id|>"}]})");
    CHECK(chat_text(*engine, request) ==
          "<|begin_of_text|>System: One.\n\nTwo.<|eot_id|>User: <|eot_id|><|eot_id|>Assistant: ");
    CHECK(n_control(*engine, encode_chat(*engine, request).tokens) == 3);
    ChatRequest open = request;
    open.add_reply_header = false;
    CHECK(chat_text(*engine, open).ends_with("<|eot_id|><|eot_id|>"));
}

TEST_CASE("tools are told in the system message, calls and answers are written as text") {
    const auto engine = chat_engine();
    const std::string text = chat_text(
        *engine, chat(std::string(R"({"messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"Hi"},
        {"role":"assistant","tool_calls":[{"id":"1","function":{"name":"time","arguments":"{\"zone\": \"UTC\"}"}},
        {"id":"2","function":{"name":"time","arguments":"broken"}}]},{"role":"tool","content":"noon"},{"role":"tool",
        "content":"one"}],)") +
                      kTools + "}"));
    CHECK(text.find("System: Be kind.\n\nYou can call functions.") != text.npos);
    CHECK(text.find("{\"type\":\"function\",\"function\":{\"name\":\"time\"") != text.npos);
    CHECK(text.find("<tool_call>\n{\"name\":\"time\",\"arguments\":{\"zone\":\"UTC\"}}\n</tool_call>\n<tool_call>\n"
                    "{\"name\":\"time\",\"arguments\":\"broken\"}\n</tool_call><|eot_id|>") != text.npos);
    CHECK(
        text.find("User: <tool_response>\nnoon\n</tool_response>\n<tool_response>\none\n</tool_response><|eot_id|>") !=
        text.npos);
    const std::string none = chat_text(*engine, chat(std::string(R"({"tool_choice":"none","messages":[{"role":"user",
        "content":"Hi"}],)") + kTools + "}"));
    CHECK(none == "<|begin_of_text|>User: Hi<|eot_id|>Assistant: ");
}

TEST_CASE("a model that knows no chat format goes on with the messages' text") {
    const auto engine = story_engine();
    const ChatRequest request = chat(R"({"messages":[{"role":"user","content":"Once upon a time"}]})");
    CHECK(chat_format_name(*engine) == "plain");
    CHECK(chat_text(*engine, request) == "<|begin_of_text|>Once upon a time");
    CHECK(chat_text(*engine, chat(R"({"messages":[{"role":"user","content":"A."},{"role":"assistant","content":" B "},
        {"role":"user","content":"C"}]})")) == "<|begin_of_text|>A.\n B C");
    CHECK(!encode_chat(*engine, chat(R"({"messages":[{"role":"user","content":""}]})")).tokens.empty());
}

TEST_CASE("a NUL in a message is refused with its place, not cut off") {
    const auto engine = chat_engine();
    try {
        encode_chat(*engine,
                    chat(R"({"messages":[{"role":"user","content":"a"},{"role":"user","content":"b\u0000c"}]})"));
        FAIL("not refused");
    } catch (const ApiError& error) {
        CHECK(error.code == ErrorCode::kInvalidCharacters);
        CHECK(error.field == "messages.1.content");
    }
}

TEST_CASE("the grammar of a required call allows calls of the tools and nothing else") {
    const auto engine = chat_engine();
    const std::string head = R"({"messages":[{"role":"user","content":"x"}],)";
    const ChatRequest request = chat(head + kTools + R"(,"tool_choice":"required"})");
    const auto grammar = reply_grammar(*engine, request);
    REQUIRE(grammar);
    CHECK(accepts(*engine, grammar, R"({"name":"time","arguments":{"zone":"UTC"}})"));
    CHECK(!accepts(*engine, grammar, R"({"name":"time","arguments":{"zone":"GMT"}})"));
    CHECK(!accepts(*engine, grammar, R"({"name":"other","arguments":{"zone":"UTC"}})"));
    CHECK(!accepts(*engine, grammar, R"({"name":"time"})"));
    CHECK(!accepts(*engine, grammar, "It is noon."));
    CHECK(reply_grammar(*engine, request) == grammar);  // from the cache
    CHECK(!reply_grammar(*engine, chat(head + kTools + "}")));
    const ChatPrompt prompt = encode_chat(*engine, request);
    CHECK(prompt.split.tools == ToolSyntax::kWhole);
    CHECK(prompt.split.tool_names == std::vector<std::string>{"time"});
}

TEST_CASE("a tool's schema that is not known gives any object, or an error where it is strict") {
    const auto engine = chat_engine();
    const std::string head = R"({"messages":[{"role":"user","content":"x"}],"tool_choice":"required","tools":[)"
                             R"({"type":"function","function":{"name":"a","parameters":{"type":"object",
        "patternProperties":{}})";
    const auto grammar = reply_grammar(*engine, chat(head + "}}]}"));
    CHECK(accepts(*engine, grammar, R"({"name":"a","arguments":{"x":1}})"));
    CHECK(!accepts(*engine, grammar, R"({"name":"a","arguments":1})"));
    CHECK_THROWS_AS(reply_grammar(*engine, chat(head + ",\"strict\":true}}]}")), ApiError);
}

TEST_CASE("the format of a reply becomes a grammar, and a bad one is refused with its field") {
    const auto engine = chat_engine();
    const std::string head = R"({"messages":[{"role":"user","content":"x"}],)";
    const auto fault = [&](const std::string& fields) -> std::string {
        try {
            reply_grammar(*engine, chat(head + fields + "}"));
            return "";
        } catch (const ApiError& error) {
            CHECK(error_info(error.code).http_status == 400);
            return error.field;
        }
    };
    const auto object = reply_grammar(*engine, chat(head + R"("response_format":{"type":"json_object"}})"));
    CHECK(accepts(*engine, object, R"({"a": [1, null]})"));
    CHECK(!accepts(*engine, object, "[1]"));
    CHECK(!accepts(*engine, object, "{\n}"));  // no white space without end
    const auto letters = reply_grammar(*engine, chat(head + R"("grammar":"root ::= [ab]+"})"));
    CHECK(accepts(*engine, letters, "abba"));
    CHECK(!accepts(*engine, letters, "abc"));
    CHECK(fault(R"("response_format":{"type":"json_schema","json_schema":{"schema":{"type":"thing"}}})") ==
          "response_format");
    CHECK(fault(R"("grammar":"root ::= root")") == "grammar");
    CHECK(fault("\"grammar\":\"root ::= " + std::string(100000, '(') + "\"") == "grammar");
}

TEST_CASE("a template that knows tools gets them, with calls, answers and the request's own variables") {
    const auto engine = template_engine(
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% for c in m.tool_calls or [] %}({{ c.function.name }} "
        "{{ c.function.arguments.zone }}){% endfor %}{% endfor %}{% if tools %}{{ tools[0].function.name }}{% endif %}"
        "{% if loud %}!{% endif %}{% if add_generation_prompt %}[assistant]<think>\n{% endif %}");
    CHECK(chat_format_name(*engine) == "jinja");
    ChatRequest request = chat(std::string(R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant",
        "tool_calls":[{"id":"1","function":{"name":"time","arguments":"{\"zone\":\"UTC\"}"}}]},{"role":"tool","content":
        "noon"}],"chat_template_kwargs":{"loud":true,"messages":7,"tools":{}},)") +
                               kTools + "}");
    CHECK(chat_text(*engine, request) == "[user]Hi[assistant](time UTC)[tool]noontime![assistant]<think>\n");
    const ChatPrompt prompt = encode_chat(*engine, request);
    CHECK(prompt.split.begins_in_reasoning);
    request.add_reply_header = false;
    request.tool_choice = ToolChoice::kNone;
    CHECK(chat_text(*engine, request) == "[user]Hi[assistant](time UTC)[tool]noon!");
    CHECK(!encode_chat(*engine, request).split.begins_in_reasoning);
}

TEST_CASE("a template that refuses a conversation says why, one that works without end is stopped") {
    const ChatRequest request = chat(R"({"messages":[{"role":"system","content":"x"}]})");
    for (const char* source :
         {"{% if messages[0].role == 'system' %}{{ raise_exception('no system, please') }}{% endif %}",
          "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}"}) {
        try {
            encode_chat(*template_engine(source), request);
            FAIL("not refused");
        } catch (const ApiError& error) {
            CHECK(error_info(error.code).http_status == 400);
            CHECK(error.field == "messages");
            if (source[3] == 'i') CHECK(error.message.find("no system, please") != std::string::npos);
        }
    }
}
