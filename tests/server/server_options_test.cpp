// The command line, the rules about web pages that hang on it, and the log's lines.
#include "server/core/server_options.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "server/core/server_log.h"
#include "server/http/origin_rules.h"

using namespace serve;

namespace {

// The exit code of a command line, 0 where the server would start. What is told about it goes nowhere.
int exit_code_of(std::vector<std::string> arguments, ServerOptions* options = nullptr) {
    arguments.insert(arguments.begin(), "bitnet-server");
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    ServerOptions read;
    int exit_code = 0;
    const bool started = read_server_options(static_cast<int>(pointers.size()), pointers.data(), read, &exit_code);
    if (options) *options = read;
    CHECK((started || exit_code == 2));
    return exit_code;
}

RequestHead head_of(const std::string& method, const std::string& fields) {
    HeadReader reader({});
    reader.feed(method + " / HTTP/1.1\r\n" + fields + "\r\n");
    REQUIRE(reader.complete());
    return reader.head();
}

bool passes(const OriginRules& rules, const std::string& method, const std::string& fields) {
    try {
        rules.check(head_of(method, fields));
        return true;
    } catch (const ApiError& error) {
        CHECK(error.code == ErrorCode::kForbidden);
        return false;
    }
}

std::string header_of(const std::vector<std::pair<std::string, std::string>>& headers, const std::string& name) {
    for (const auto& [key, value] : headers)
        if (key == name) return value;
    return "-";
}

}  // namespace

TEST_CASE("options are read from the command line, a file and the environment, in this order") {
    ServerOptions options;
    CHECK(exit_code_of({}, &options) == 0);
    CHECK(options.host == "127.0.0.1");
    CHECK(options.port == 8080);
    CHECK(options.registry.engine.n_draft == 0);
    const char* const path = "server_options_test.toml";
    std::FILE* file = std::fopen(path, "w");
    REQUIRE(file);
    std::fputs(
        "port = 1001\nparallel = 3\nlog-prompts = true\ncors-origin = [\"https://a.example\", \"https://b.example\"]\n",
        file);
    std::fclose(file);
    setenv("BITNET_SERVER_PARALLEL", "4", 1);
    setenv("BITNET_SERVER_MAX_QUEUE", "5", 1);
    setenv("BITNET_SERVER_CHUNK_TOKENS", "8", 1);
    CHECK(exit_code_of({"--config", path, "--max-queue", "6", "-m", "a.gguf", "-m", "b=c=d.gguf", "--ctx-size", "128",
                        "--log-format", "text", "--rate-limit", "0.5", "--token-quota", "7", "--draft", "16"},
                       &options) == 0);
    unsetenv("BITNET_SERVER_PARALLEL");
    unsetenv("BITNET_SERVER_MAX_QUEUE");
    unsetenv("BITNET_SERVER_CHUNK_TOKENS");
    std::remove(path);
    CHECK(options.port == 1001);
    CHECK(options.registry.engine.n_parallel == 3);
    CHECK(options.registry.engine.chunk_tokens == 8);
    CHECK(options.registry.engine.max_queue == 6);
    CHECK(options.registry.engine.n_ctx == 128);
    CHECK(options.registry.engine.n_draft == 16);
    CHECK(options.log_prompts);
    CHECK_FALSE(options.log_json);
    CHECK(options.rate_limit == 0.5);
    CHECK(options.token_quota == 7);
    CHECK(options.cors_origins == std::vector<std::string>{"https://a.example", "https://b.example"});
    REQUIRE(options.models.size() == 2);
    CHECK(split_model_option(options.models[0]) == std::pair<std::string, std::string>("", "a.gguf"));
    CHECK(split_model_option(options.models[1]) == std::pair<std::string, std::string>("b", "c=d.gguf"));
}

TEST_CASE("a command line that is wrong ends with exit code 2") {
    const std::vector<std::vector<std::string>> wrong = {{"--port", "65536"},
                                                         {"--port", "-1"},
                                                         {"--port", "80x"},
                                                         {"--port", ""},
                                                         {"--port", "1e3"},
                                                         {"--port"},
                                                         {"--nonsense"},
                                                         {"stray"},
                                                         {"--parallel", "0"},
                                                         {"--max-body-bytes", "-1"},
                                                         {"--max-body-bytes", "99999999999999999999"},
                                                         {"--rate-limit", "nan"},
                                                         {"--rate-limit", "-1"},
                                                         {"--rate-limit", "1x"},
                                                         {"--log-level", "loud"},
                                                         {"--log-format", "xml"},
                                                         {"--tls-cert", "a.pem"},
                                                         {"--tls-key", "a.pem"},
                                                         {"--api-prefix", "llm"},
                                                         {"--api-prefix", "/llm/"},
                                                         {"--api-prefix", "/a b"},
                                                         {"--cors-origin", "example.com"},
                                                         {"--cors-origin", "https://a.example/path"},
                                                         {"--cors-origin", "https://*.example"},
                                                         {"--cors-origin", "*", "--api-key-file", "keys"},
                                                         {"--cors-origin", "*", "--jwt-key-file", "key"},
                                                         {"--jwt-issuer", "a"},
                                                         {"-m", "name="},
                                                         {"--drain-timeout", "-1"},
                                                         {"--header-timeout", "0"},
                                                         {"--config", "there_is_no_such_file.toml"}};
    for (const std::vector<std::string>& arguments : wrong) {
        INFO(arguments.front(), " ", arguments.back());
        CHECK(exit_code_of(arguments) == 2);
    }
    const char* const path = "server_options_wrong_test.toml";
    std::FILE* file = std::fopen(path, "w");
    REQUIRE(file);
    std::fputs("prot = 1001\n", file);
    std::fclose(file);
    CHECK(exit_code_of({"--config", path}) == 2);
    std::remove(path);
}

TEST_CASE("pages of other sites may use the server only where they are allowed to") {
    const OriginRules none({}, false, {});
    CHECK(passes(none, "POST", "Host: a:1\r\n"));
    CHECK(passes(none, "POST", "Host: a:1\r\nOrigin: http://A:1\r\n"));
    CHECK(passes(none, "GET", "Host: a:1\r\nOrigin: http://evil.example\r\n"));
    for (const char* origin : {"http://evil.example", "http://a:2", "http://a", "null", "", "a:1"})
        CHECK_FALSE(passes(none, "POST", std::string("Host: a:1\r\nOrigin: ") + origin + "\r\n"));
    CHECK(none.answer_headers(head_of("GET", "Host: a\r\nOrigin: http://b\r\n")).empty());

    const OriginRules one({"https://app.example"}, false, {});
    CHECK(passes(one, "DELETE", "Host: a\r\nOrigin: https://app.example\r\n"));
    CHECK_FALSE(passes(one, "DELETE", "Host: a\r\nOrigin: https://app.example.evil\r\n"));
    auto headers = one.answer_headers(head_of("GET", "Host: a\r\nOrigin: https://app.example\r\n"));
    CHECK(header_of(headers, "Access-Control-Allow-Origin") == "https://app.example");
    CHECK(header_of(headers, "Vary") == "Origin");
    headers = one.answer_headers(head_of("GET", "Host: a\r\nOrigin: https://other.example\r\n"));
    CHECK(header_of(headers, "Access-Control-Allow-Origin") == "-");
    CHECK(header_of(headers, "Vary") == "Origin");

    const OriginRules all({"*"}, false, {});
    CHECK(passes(all, "POST", "Host: a\r\nOrigin: null\r\n"));
    headers = all.answer_headers(head_of("GET", "Host: a\r\nOrigin: https://other.example\r\n"));
    CHECK(header_of(headers, "Access-Control-Allow-Origin") == "*");
}

TEST_CASE("on the loopback address a name that is not this machine's is refused") {
    const OriginRules rules({}, true, {"workstation.lan"});
    for (const char* host : {"localhost", "LocalHost:80", "a.localhost", "127.0.0.1:8080", "[::1]:8080", "192.168.1.2",
                             "workstation.lan:1", "Workstation.LAN"})
        CHECK(passes(rules, "GET", std::string("Host: ") + host + "\r\n"));
    for (const char* host : {"evil.example", "127.0.0.1.evil.example", "evil.example:8080", "localhost.evil", "1", ""})
        CHECK_FALSE(passes(rules, "GET", std::string("Host: ") + host + "\r\n"));
}

TEST_CASE("a log line keeps to one line, whatever it tells") {
    const LogField fields[] = {{"path", "/a\r\nb\x1b[31m\xff"}, {"n", 3}, {"ms", 1.5}, {"yes", true}};
    CHECK(format_log_line(LogLevel::kWarning, true, "now", "a \"message\"\n", fields, 4) ==
          "{\"time\":\"now\",\"level\":\"warning\",\"message\":\"a \\\"message\\\"\\n\","
          "\"path\":\"/a\\r\\nb\\u001b[31m\xef\xbf\xbd\",\"n\":3,\"ms\":1.5,\"yes\":true}");
    CHECK(format_log_line(LogLevel::kInfo, false, "now", "a message", fields, 4) ==
          "now info a message path=\"/a\\r\\nb\\u001b[31m\xef\xbf\xbd\" n=3 ms=1.5 yes=true");
    // What could be taken for another field is quoted.
    const LogField tricky[] = {{"path", "a b=c"}, {"empty", ""}};
    CHECK(format_log_line(LogLevel::kInfo, false, "now", "m\nn", tricky, 2) ==
          "now info \"m\\nn\" path=\"a b=c\" empty=\"\"");
    const std::string longest(5000, 'a');
    const LogField cut[] = {{"path", longest}};
    CHECK(format_log_line(LogLevel::kInfo, true, "now", "m", cut, 1).size() < 1200);
}
