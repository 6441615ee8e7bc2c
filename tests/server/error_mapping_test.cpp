// The table of error codes: each code, its HTTP status and its body for each kind of client, and the request that leads to
// each of the specification's ten.
#include <fstream>
#include <set>

#include <doctest/doctest.h>

#include "server/api/generation_request.h"
#include "server/auth/access_guard.h"
#include "tests/server/handler_fixture.h"
#include "tests/support/temp_dir.h"

using namespace serve;

TEST_CASE("every error code has the HTTP status of the table, in every style of body") {
    const struct {
        const char* name;
        int status;
    } expected[] = {
        {"PROMPT_TOO_LONG", 400},
        {"TOO_MANY_TOKENS", 400},
        {"INVALID_CHARACTERS", 400},
        {"BLOCKED_CONTENT", 400},
        {"MODEL_NOT_FOUND", 404},
        {"DEVICE_UNAVAILABLE", 400},
        {"RATE_LIMIT_EXCEEDED", 429},
        {"QUANTIZATION_NOT_SUPPORTED", 400},
        {"SERVER_OVERLOADED", 429},
        {"VALIDATION_FAILED", 400},
        {"NOT_FOUND", 404},
        {"METHOD_NOT_ALLOWED", 405},
        {"UNAUTHORIZED", 401},
        {"FORBIDDEN", 403},
        {"CONFLICT", 409},
        {"PAYLOAD_TOO_LARGE", 413},
        {"HEADERS_TOO_LARGE", 431},
        {"REQUEST_TIMEOUT", 408},
        {"TIMEOUT", 504},
        {"SERVICE_UNAVAILABLE", 503},
        {"INTERNAL_ERROR", 500},
    };
    CHECK(error_table().size() == std::size(expected));
    std::set<std::string> seen;
    for (const ErrorInfo& info : error_table()) {
        CAPTURE(info.name);
        CHECK(seen.insert(info.name).second);
        int status = 0;
        for (const auto& row : expected)
            if (std::string(row.name) == info.name) status = row.status;
        CHECK(info.http_status == status);
        CHECK(&error_info(info.code) == &info);

        ApiError error(info.code, "a \xff sentence", "the.field", "some advice");
        const Json native = Json::parse(error_body(error, ErrorStyle::kNative, "req_1"));
        CHECK(native.size() == 4);
        CHECK(native["error"] == "a \xEF\xBF\xBD sentence");
        CHECK(native["error_code"] == info.name);
        CHECK(native["request_id"] == "req_1");
        CHECK(native["details"] == Json({{"field", "the.field"}, {"suggestion", "some advice"}}));
        const Json openai = Json::parse(error_body(error, ErrorStyle::kOpenAi, "req_1"))["error"];
        CHECK(openai["type"] == info.openai_type);
        CHECK(openai["param"] == "the.field");
        CHECK(openai["code"] == info.name);
        const Json anthropic = Json::parse(error_body(error, ErrorStyle::kAnthropic, "req_1"));
        CHECK(anthropic["type"] == "error");
        CHECK(anthropic["error"]["type"] == info.anthropic_type);
        CHECK(Json::parse(error_body(error, ErrorStyle::kOllama, "req_1"))["error"].is_string());

        // Through the router, with the headers that belong to the status.
        error.retry_after_s = info.http_status == 429 || info.http_status == 503 ? 7 : 0;
        Router router;
        router.add({"GET", "/thrown", Access::kUser, ErrorStyle::kNative,
                    [&](const HttpRequest&) -> HttpResponse { throw error; }});
        HttpRequest request;
        request.method = "GET";
        request.path = "/thrown";
        const HttpResponse response = router.answer(request);
        CHECK(response.status == status);
        bool retry = false, challenge = false;
        for (const auto& [name, value] : response.headers) {
            retry = retry || (name == "Retry-After" && value == "7");
            challenge = challenge || name == "WWW-Authenticate";
        }
        CHECK(retry == (error.retry_after_s > 0));
        CHECK(challenge == (status == 401));
    }
}

TEST_CASE("each of the ten codes of the specification is reached by one request") {
    const test::TempDir folder;
    ServerOptions options = handler_options();
    options.max_tokens = 1000;
    options.block_list_file = folder.file("blocked");
    std::ofstream(options.block_list_file) << "# words\nforbidden fruit\n";
    HandlerFixture server(options);

    std::string long_prompt;
    for (int i = 0; i < 600; i++) long_prompt += "word ";
    const struct {
        const char* code;
        int status;
        Json body;
        const char* field;
    } requests[] = {
        {"PROMPT_TOO_LONG", 400, {{"prompt", long_prompt}}, "prompt"},
        {"TOO_MANY_TOKENS", 400, {{"prompt", "a"}, {"max_tokens", 1001}}, "max_tokens"},
        {"INVALID_CHARACTERS", 400, {{"prompt", std::string("a\0b", 3)}}, "prompt"},
        {"BLOCKED_CONTENT", 400, {{"prompt", "Eat the FORBIDDEN Fruit."}}, "prompt"},
        {"MODEL_NOT_FOUND", 404, {{"prompt", "a"}, {"model", "no-such-model"}}, "model"},
        {"DEVICE_UNAVAILABLE", 400, {{"prompt", "a"}, {"device_preference", "cuda:255"}}, "device_preference"},
        {"QUANTIZATION_NOT_SUPPORTED", 400, {{"prompt", "a"}, {"quantization_hint", "int3"}}, "quantization_hint"},
        {"VALIDATION_FAILED", 400, {{"max_tokens", 1}}, "prompt"},
    };
    for (const auto& request : requests) {
        CAPTURE(request.code);
        for (const char* path : {"/v1/inference", "/v1/inference/stream", "/inference"}) {
            const HandlerAnswer answer = server.post(path, request.body);
            CHECK(answer.status == request.status);
            CHECK(answer.code() == request.code);
            CHECK(answer.field() == request.field);
            CHECK(answer.json()["request_id"] == "req_test");
        }
    }
    // By bytes, before anything is tokenized.
    ServerOptions short_options = handler_options();
    short_options.max_prompt_bytes = 10;
    short_options.registry.engine.n_parallel = 1;
    short_options.registry.engine.max_queue = 1;
    HandlerFixture crowded(short_options);
    CHECK(crowded.post("/v1/inference", {{"prompt", "12345678901"}}).code() == "PROMPT_TOO_LONG");

    // The remaining two: no place to wait, and a limit of one request a minute.
    std::vector<std::shared_ptr<RunningText>> others;
    for (int i = 0; i < 3; i++) {
        try {
            others.push_back(submit_text(crowded.state, HttpRequest(), "", [](const Engine&) {
                GenerationSpec spec;
                spec.prompt = {1};
                spec.max_tokens = 500;
                return spec;
            }));
        } catch (const ApiError& error) {
            CHECK(error.code == ErrorCode::kServerOverloaded);
        }
    }
    const HandlerAnswer overloaded = crowded.post("/v1/inference", {{"prompt", "a"}});
    CHECK(overloaded.status == 429);
    CHECK(overloaded.code() == "SERVER_OVERLOADED");
    CHECK(overloaded.header("Retry-After") != "");

    AccessRules rules;
    rules.requests_per_minute = 1;
    server.state.access = std::make_shared<AccessGuard>(rules);
    server.state.router.set_guard(
        [access = server.state.access](HttpRequest& request, const Route& route) { access->check(request, route); });
    CHECK(server.post("/v1/inference", {{"prompt", "a"}, {"max_tokens", 1}}).status == 200);
    const HandlerAnswer limited = server.post("/v1/inference", {{"prompt", "a"}, {"max_tokens", 1}});
    CHECK(limited.status == 429);
    CHECK(limited.code() == "RATE_LIMIT_EXCEEDED");
    CHECK(limited.header("Retry-After") != "");
}

TEST_CASE("a path, a method and a body that cannot be answered get the standard body, too") {
    HandlerFixture server;
    const struct {
        const char* method;
        const char* path;
        std::string body;
        int status;
        const char* code;
    } requests[] = {
        {"GET", "/nothing/here", "", 404, "NOT_FOUND"},
        {"GET", "/v1/inference", "", 405, "METHOD_NOT_ALLOWED"},
        {"BREW", "/v1/models", "", 405, "METHOD_NOT_ALLOWED"},
        {"POST", "/v1/inference", "", 400, "VALIDATION_FAILED"},
        {"POST", "/v1/inference", "{\"prompt\":", 400, "VALIDATION_FAILED"},
        {"POST", "/v1/inference", "[1]", 400, "VALIDATION_FAILED"},
        {"POST", "/v1/inference", "{\"prompt\":\"\xC0\xAF\"}", 400, "INVALID_CHARACTERS"},
        {"POST", "/v1/inference", "{\"prompt\":\"\\ud800\"}", 400, "INVALID_CHARACTERS"},
        {"POST", "/v1/inference", "{\"prompt\":" + std::string(50000, '[') + "}", 400, "VALIDATION_FAILED"},
        {"POST", "/v1/inference", "{\"prompt\":\"a\",\"max_tokens\":1e400}", 400, "VALIDATION_FAILED"},
        {"GET", "/v1/models/nobody", "", 404, "MODEL_NOT_FOUND"},
        {"DELETE", "/v1/models/nobody", "", 404, "MODEL_NOT_FOUND"},
        {"POST", "/v1/models/load", "{}", 400, "VALIDATION_FAILED"},
        {"POST", "/v1/models/swap", "{}", 400, "VALIDATION_FAILED"},
    };
    for (const auto& request : requests) {
        CAPTURE(request.path);
        CAPTURE(request.body.substr(0, 60));
        const HandlerAnswer answer = server.ask(request.method, request.path, request.body);
        CHECK(answer.status == request.status);
        CHECK(answer.code() == request.code);
        CHECK(answer.json().size() == 4);
        CHECK(answer.json()["error"].get<std::string>().size() > 5);
        CHECK(answer.json()["details"].is_object());
    }
}
