// /v1/inference, its stream and the legacy form: what is read, what comes back, and how a text ends.
#include <cmath>
#include <fstream>
#include <set>

#include <doctest/doctest.h>

#include "server/api/generation_request.h"
#include "tests/server/handler_fixture.h"
#include "tests/support/temp_dir.h"

using namespace serve;

namespace {

std::set<std::string> keys(const Json& object) {
    std::set<std::string> names;
    for (const auto& [name, value] : object.items()) names.insert(name);
    return names;
}

}  // namespace

TEST_CASE("HTTP's defaults are temperature 1 and 64 tokens, the library's 0.7 and 100") {
    const bitnet_sampler_params http = http_sampler_params();
    CHECK(http.temperature == 1.0f);
    CHECK(http.top_p == 0.9f);
    CHECK(http.top_k == 50);
    CHECK(http.repetition_penalty == 1.0f);
    CHECK(http.has_seed == 0);
    CHECK(GenerationSpec().max_tokens == 64);
    CHECK(bitnet_sampler_default_params().temperature == 0.7f);
    CHECK(bitnet_generation_default_params().max_new_tokens == 100);
    // Through the protocol: what is not said is what is said in these words.
    HandlerFixture server;
    const Json said = {{"prompt", "Once upon a time"}, {"seed", 7},    {"max_tokens", 64},
                       {"temperature", 1.0},           {"top_p", 0.9}, {"top_k", 50},
                       {"repetition_penalty", 1.0}};
    const Json a = server.post("/v1/inference", {{"prompt", "Once upon a time"}, {"seed", 7}}).json();
    const Json b = server.post("/v1/inference", said).json();
    CHECK(a["text"] == b["text"]);
    CHECK(a["seed"] == 7);
    CHECK(a["tokens_generated"].get<int>() <= 64);
}

TEST_CASE("each field of an inference request refuses wrong types and values and names itself") {
    HandlerFixture server;
    const struct {
        const char* field;
        std::vector<Json> wrong;
        std::vector<Json> right;
    } fields[] = {
        {"prompt",
         {1, true, Json::object(), Json::array(), {"a"}, {1.5}, {-1}, {4294967296}, {1, "a"}, {99999999}},
         {"a", {1, 2}}},
        {"max_tokens", {"1", 1.5, -1, true, Json::array(), 1e30}, {0, 1}},
        {"model", {1, true, Json::array()}, {"stories"}},
        {"temperature", {"1", -0.1, 2.1, true, Json::array(), 1e300}, {0, 2, 0.5}},
        {"top_p", {"1", -0.1, 1.1, true}, {0.5, 1}},
        {"top_k", {"1", -1, 1.5, 9999999999, true}, {0, 50}},
        {"min_p", {-0.1, 1.1, "a"}, {0.1}},
        {"typical_p", {-0.1, 1.1, "a"}, {0.9}},
        {"repetition_penalty", {0, -1, 11, "a", true}, {1, 1.3}},
        {"frequency_penalty", {-2.1, 2.1, "a"}, {0.5}},
        {"presence_penalty", {-2.1, 2.1, "a"}, {0.5}},
        {"penalty_last_n", {-2, 1.5, "a"}, {-1, 0, 64}},
        {"xtc_probability", {-1, 2, "a"}, {0.5}},
        {"xtc_threshold", {-1, 2, "a"}, {0.1}},
        {"dry_multiplier", {-1, 1e9, "a"}, {0.8}},
        {"dry_base", {0.5, 1e9, "a"}, {1.75}},
        {"dry_allowed_length", {0, 1.5, "a"}, {2}},
        {"dynatemp_range", {-1, 3, "a"}, {0.5}},
        {"top_n_sigma", {-1, 1e9, "a"}, {1}},
        {"mirostat", {3, -1, "2", 1.5}, {0, 1, 2}},
        {"mirostat_tau", {0, "a"}, {5}},
        {"mirostat_eta", {0, "a"}, {0.1}},
        {"stop_sequences",
         {"a",
          1,
          {1},
          {""},
          {std::string(1025, 'x')},
          {std::string("a\0b", 3)},
          Json(std::vector<std::string>(65, "s"))},
         {{"x", "y"}, Json::array()}},
        {"seed", {"1", -2, 1.5, true}, {0, -1, 18446744073709551615u}},
        {"priority", {"urgent", 1, "HIGH", ""}, {"low", "normal", "high", "critical"}},
        {"device_preference", {"tpu", 1, "", "CPU", "cuda:-1", "cuda:01"}, {"auto", "cpu"}},
        {"quantization_hint", {1, true}, {"auto", "i2s", "tl1", "tl2", "i2_s"}},
        {"timeout_ms", {0, -1, 1.5, "1", 3600001}, {30000}},
        {"logprobs", {-1, 21, true, "1"}, {0, 20}},
        {"grammar", {1, "rule ::= \"a\"", "root ::= root \"a\""}, {"root ::= [a-z]+"}},
        {"json_schema", {1, "a", Json::array(), {{"type", "nothing"}}}, {{{"type", "boolean"}}}},
        {"logit_bias",
         {1,
          "a",
          {{"x", 1}},
          {{"-1", 1}},
          {{"1", "a"}},
          {{"1", 1e9}},
          Json::array({1}),
          Json::array({Json::array({1})})},
         {{{"5", -100}}, Json::array({Json::array({5, false})})}},
    };
    for (const auto& row : fields) {
        CAPTURE(std::string(row.field));
        for (const Json& value : row.wrong) {
            CAPTURE(to_text(value).substr(0, 80));
            Json body = {{"prompt", "a"}, {"max_tokens", 1}};
            body[row.field] = value;
            const HandlerAnswer answer = server.post("/v1/inference", body);
            CHECK(answer.status == 400);
            CHECK(answer.code() == "VALIDATION_FAILED");
            CHECK(answer.field() == row.field);
        }
        for (const Json& value : row.right) {
            CAPTURE(to_text(value));
            Json body = {{"prompt", "a"}, {"max_tokens", 1}};
            body[row.field] = value;
            const HandlerAnswer answer = server.post("/v1/inference", body);
            CHECK_MESSAGE(answer.status == 200, answer.body);
        }
        Json absent = {{"prompt", "a"}, {"max_tokens", 1}};
        absent[row.field] = nullptr;
        CHECK(server.post("/v1/inference", absent).status == (std::string(row.field) == "prompt" ? 400 : 200));
    }
}

TEST_CASE("an answer has every field of the specification, measured") {
    HandlerFixture server;
    const Json answer =
        server.post("/v1/inference", {{"prompt", "Once upon a time"}, {"max_tokens", 5}, {"temperature", 0}}).json();
    CHECK(keys(answer) == std::set<std::string>{"text", "tokens_generated", "inference_time_ms", "tokens_per_second",
                                                "device_used", "quantization_type", "batch_id", "batch_size",
                                                "queue_time_ms", "prompt_tokens", "reused_tokens", "prompt_time_ms",
                                                "finish_reason", "seed", "model"});
    CHECK(answer["text"] == ", there was a little");
    CHECK(answer["tokens_generated"] == 5);
    CHECK(answer["prompt_tokens"] == 5);
    CHECK(answer["device_used"] == "Cpu");
    CHECK(answer["quantization_type"] == "i2s");
    CHECK(answer["model"] == "stories");
    CHECK(answer["finish_reason"] == "length");
    CHECK(answer["batch_size"].get<int>() >= 1);
    const double ms = answer["inference_time_ms"].get<double>();
    CHECK(ms > 0);
    CHECK(answer["tokens_per_second"].get<double>() == doctest::Approx(5000 / ms));

    // Tokens in place of text are the same request.
    const std::shared_ptr<Engine> engine = server.state.models->find("");
    const std::vector<bitnet_token> tokens =
        encode_text(engine->tokenizer(), "Once upon a time", BITNET_ENCODE_ADD_DEFAULT);
    const Json by_tokens =
        server.post("/v1/inference", {{"prompt", tokens}, {"max_tokens", 5}, {"temperature", 0}}).json();
    CHECK(by_tokens["text"] == answer["text"]);

    // No tokens: the prompt is computed, nothing is written.
    const Json nothing = server.post("/v1/inference", {{"prompt", "Once"}, {"max_tokens", 0}}).json();
    CHECK(nothing["text"] == "");
    CHECK(nothing["tokens_generated"] == 0);

    const HandlerAnswer legacy =
        server.post("/inference", {{"prompt", "Once upon a time"}, {"max_tokens", 5}, {"temperature", 0}});
    CHECK(legacy.header("Deprecation") == "true");
    CHECK(keys(legacy.json()) ==
          std::set<std::string>{"text", "tokens_generated", "inference_time_ms", "tokens_per_second"});
    CHECK(legacy.json()["text"] == answer["text"]);
}

TEST_CASE("a stop sequence ends the text, never shows, and is named") {
    HandlerFixture server;
    const Json body = {
        {"prompt", "Once upon a time"}, {"max_tokens", 20}, {"temperature", 0}, {"stop_sequences", {"zebra", "was a"}}};
    const Json answer = server.post("/v1/inference", body).json();
    CHECK(answer["text"] == ", there ");
    CHECK(answer["finish_reason"] == "stop_sequence");
    CHECK(answer["stop_sequence"] == "was a");
    std::string shown;
    for (const Json& event : server.post("/v1/inference/stream", body).events())
        if (event["type"] == "token") shown += event["text"].get<std::string>();
    CHECK(shown == ", there ");
}

TEST_CASE("log-probabilities, grammars and schemas work through the native protocol") {
    HandlerFixture server;
    const Json one =
        server.post("/v1/inference", {{"prompt", "Once"}, {"max_tokens", 8}, {"grammar", "root ::= [0-9] [0-9]"}})
            .json();
    const std::string digits = one["text"];
    CHECK(digits.size() == 2);
    CHECK(digits.find_first_not_of("0123456789") == digits.npos);
    const Json flag =
        server.post("/v1/inference", {{"prompt", "Once"}, {"max_tokens", 20}, {"json_schema", {{"type", "boolean"}}}})
            .json();
    CHECK((flag["text"] == "true" || flag["text"] == "false"));
    CHECK(
        server.post("/v1/inference", {{"prompt", "a"}, {"grammar", "root ::= \"a\""}, {"json_schema", Json::object()}})
            .field() == "grammar");
    const Json logprobs =
        server.post("/v1/inference", {{"prompt", "Once"}, {"max_tokens", 3}, {"temperature", 0}, {"logprobs", 2}})
            .json()["logprobs"];
    REQUIRE(logprobs.size() == 3);
    std::string text;
    for (const Json& entry : logprobs) text += entry["text"].get<std::string>();
    CHECK(text != "");
}

TEST_CASE("a stream has tokens, metrics and one last event, and its texts are the final text") {
    HandlerFixture server;
    const Json body = {{"prompt", "Once upon a time"}, {"max_tokens", 12}, {"temperature", 0}};
    const HandlerAnswer answer = server.post("/v1/inference/stream", body);
    CHECK(answer.status == 200);
    CHECK(answer.header("Cache-Control") == "no-cache");
    const std::vector<Json> events = answer.events();
    std::string text;
    int64_t position = -1;
    size_t n_metrics = 0;
    for (const Json& event : events) {
        const std::string type = event["type"];
        if (type == "token") {
            CHECK(keys(event) == std::set<std::string>{"type", "text", "position"});
            text += event["text"].get<std::string>();
            CHECK(event["position"].get<int64_t>() > position);
            position = event["position"];
        } else if (type == "metrics") {
            n_metrics++;
            CHECK(event["tokens_per_second"].get<double>() > 0);
            CHECK(event["device"] == "Cpu");
        } else {
            CHECK(type == "complete");
            CHECK(&event == &events.back());
        }
    }
    CHECK(n_metrics >= 1);
    const Json& last = events.back();
    REQUIRE(last["type"] == "complete");
    CHECK(last["total_tokens"] == 12);
    CHECK(last["final_text"] == text);
    CHECK(last["inference_time_ms"].get<double>() > 0);
    CHECK(text == server.post("/v1/inference", body).json()["text"]);
}

TEST_CASE("a stream whose time is over ends in one error event, with the standard body") {
    HandlerFixture server;
    HttpRequest request;
    request.method = "POST";
    request.path = "/v1/inference/stream";
    request.request_id = "req_late";
    request.body = to_text({{"prompt", "Once upon a time"}, {"max_tokens", 400}, {"timeout_ms", 1}});
    request.received = std::chrono::steady_clock::now() - std::chrono::seconds(1);
    const HttpResponse response = server.state.router.answer(request);
    REQUIRE(response.stream);
    TextSink sink;
    response.stream(sink);
    const std::vector<Json> events = HandlerAnswer{200, sink.text, {}}.events();
    REQUIRE(events.size() == 1);
    CHECK(keys(events[0]) == std::set<std::string>{"type", "error", "error_code", "request_id", "details"});
    CHECK(events[0]["type"] == "error");
    CHECK(events[0]["error_code"] == "TIMEOUT");
    CHECK(events[0]["request_id"] == "req_late");
    // Without a stream it is a status.
    request.path = "/v1/inference";
    CHECK(server.state.router.answer(request).status == 504);
}

TEST_CASE("a client that goes away ends its text within a step") {
    HandlerFixture server;
    const std::shared_ptr<Engine> engine = server.state.models->find("");
    HttpRequest request;
    request.method = "POST";
    request.path = "/v1/inference/stream";
    request.body = to_text({{"prompt", "Once upon a time"}, {"max_tokens", 400}, {"temperature", 0}});
    HttpResponse response = server.state.router.answer(request);
    REQUIRE(response.stream);
    TextSink sink;
    sink.n_writes_until_gone = 3;
    response.stream(sink);
    CHECK(sink.n_writes == 3);  // nothing is written to a client that is gone
    CHECK(wait_until([&] { return engine->idle(); }));
    CHECK(server.state.metrics);

    // One that never begins to read: letting go of the answer is enough.
    { const HttpResponse dropped = server.state.router.answer(request); }
    response = {};
    CHECK(wait_until([&] { return engine->idle(); }));
    server.ask("POST", "/v1/inference", request.body, [] { return true; });
    CHECK(wait_until([&] { return engine->idle(); }));
}

TEST_CASE("a priority is no higher than its holder may ask for, and a timeout begins with the request") {
    const Json body = {{"priority", "critical"}, {"timeout_ms", 5000}};
    const JsonFields fields(body);
    GenerationSpec spec;
    Identity identity;
    read_priority(fields, identity, spec);
    CHECK(spec.priority == Priority::kCritical);
    identity.max_priority = 1;
    read_priority(fields, identity, spec);
    CHECK(spec.priority == Priority::kNormal);
    identity.max_priority = 0;
    const Json nothing = Json::object();
    GenerationSpec other;
    read_priority(JsonFields(nothing), identity, other);
    CHECK(other.priority == Priority::kLow);

    HttpRequest request;
    request.received = std::chrono::steady_clock::now();
    read_timeout(fields, "timeout_ms", 30000, request, spec);
    CHECK(spec.deadline == request.received + std::chrono::milliseconds(5000));
    read_timeout(JsonFields(nothing), "timeout_ms", 30000, request, other);
    CHECK(other.deadline == request.received + std::chrono::milliseconds(30000));
    GenerationSpec unlimited;
    read_timeout(JsonFields(nothing), "timeout_ms", 0, request, unlimited);
    CHECK(unlimited.deadline == SteadyTime::max());
}

TEST_CASE("a server that drains takes no more texts") {
    HandlerFixture server;
    server.state.draining = true;
    const HandlerAnswer answer = server.post("/v1/inference", {{"prompt", "a"}});
    CHECK(answer.status == 503);
    CHECK(answer.code() == "SERVICE_UNAVAILABLE");
    CHECK(server.get("/health/ready").status == 503);
    CHECK(server.get("/health/live").status == 200);
    CHECK(server.get("/health").status == 503);
}

TEST_CASE("an answer stops where the content filter stops it, and nothing of the phrase is shown") {
    const test::TempDir folder;
    ServerOptions options = handler_options();
    options.block_list_file = folder.file("blocked");
    std::ofstream(options.block_list_file) << "WAS A LITTLE\n";
    HandlerFixture server(options);
    const Json body = {{"prompt", "Once upon a time"}, {"max_tokens", 30}, {"temperature", 0}};
    const Json answer = server.post("/v1/inference", body).json();
    CHECK(answer["text"] == ", there ");
    CHECK(answer["finish_reason"] == "content_filter");
    const std::vector<Json> events = server.post("/v1/inference/stream", body).events();
    std::string shown;
    for (const Json& event : events)
        if (event["type"] == "token") shown += event["text"].get<std::string>();
    CHECK(shown == ", there ");
    CHECK(events.back()["type"] == "complete");
    CHECK(events.back()["finish_reason"] == "content_filter");
    const std::shared_ptr<Engine> engine = server.state.models->find("");
    const std::vector<bitnet_token> tokens = encode_text(engine->tokenizer(), "was a little girl", 0);
    CHECK(server.post("/v1/inference", {{"prompt", tokens}}).code() == "BLOCKED_CONTENT");
}

namespace {

// Gives out an engine that has been closed the first time: what a request sees that comes between finding and exchanging.
class ExchangedModels final : public ModelRegistry {
public:
    explicit ExchangedModels(std::unique_ptr<ModelRegistry> old, std::unique_ptr<ModelRegistry> now)
        : old_(std::move(old)), now_(std::move(now)) {
        old_->find("")->close();
    }
    std::shared_ptr<Engine> find(const std::string& id) override { return (n_found_++ == 0 ? old_ : now_)->find(id); }
    std::string load(const LoadRequest& request) override { return now_->load(request); }
    SwapResult swap(const SwapRequest& request) override { return now_->swap(request); }
    void unload(const std::string& id) override { now_->unload(id); }
    std::vector<ModelEntry> list() const override { return now_->list(); }
    bool drain(std::chrono::milliseconds most) override { return now_->drain(most); }
    void set_load_observer(std::function<void(const ModelFacts&)> observer) override {
        now_->set_load_observer(observer);
    }

private:
    const std::unique_ptr<ModelRegistry> old_, now_;
    int n_found_ = 0;
};

}  // namespace

TEST_CASE("a request whose model is exchanged before it is queued is answered by the new one") {
    HandlerFixture server;
    const RegistryOptions registry = handler_options().registry;
    server.state.models =
        std::make_unique<ExchangedModels>(make_model_registry(registry, {}), make_model_registry(registry, {}));
    const HandlerAnswer answer =
        server.post("/v1/inference", {{"prompt", "Once upon a time"}, {"max_tokens", 5}, {"temperature", 0}});
    CHECK(answer.status == 200);
    CHECK(answer.json()["text"] == ", there was a little");
    // Closed for good: said so.
    server.state.models->find("")->close();
    CHECK(server.post("/v1/inference", {{"prompt", "a"}}).status == 503);
}
