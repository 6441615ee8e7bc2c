// The command line, with CLI11 as the bitnet command has it. Every option can come from the environment and from a file, too.
#include "server/core/server_options.h"

#include <unistd.h>

#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include <CLI/CLI.hpp>

namespace serve {

namespace {

constexpr int64_t kMaxInt = INT32_MAX;

// One line, whatever an argument put into the message.
std::string one_line(std::string text) {
    for (char& c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    return text;
}

std::string env_name(const std::string& names) {
    std::string name = "BITNET_SERVER_";
    for (char c : names.substr(names.find("--") + 2))
        name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
}

// Adds options in groups; each also has a name in the environment.
class Options {
public:
    explicit Options(CLI::App& app) : app_(app) {}

    void group(const char* name) { group_ = name; }
    template <typename T>
    CLI::Option* add(const char* names, T& value, const char* what) {
        return placed(app_.add_option(names, value, what), names);
    }
    // A whole number from least to most, and nothing behind it.
    template <typename T>
    CLI::Option* whole(const char* names, T& value, int64_t least, int64_t most, const char* what) {
        const auto check = [least, most](const std::string& text) -> std::string {
            const std::string range =
                "a whole number from " + std::to_string(least) + " to " + std::to_string(most) + " is needed";
            int64_t number = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
            return error == std::errc() && end == text.data() + text.size() && number >= least && number <= most
                       ? ""
                       : range;
        };
        return add(names, value, what)->check(CLI::Validator(check, ""))->type_name("N")->capture_default_str();
    }
    CLI::Option* flag(const char* names, bool& value, const char* what) {
        return placed(app_.add_flag(names, value, what), names);
    }
    CLI::Option* seconds(const char* names, int& value, int64_t least, const char* what) {
        return whole(names, value, least, 86400, what);
    }
    template <typename T>
    CLI::Option* list(const char* names, T& values, const char* what) {
        return add(names, values, what)->allow_extra_args(false)->take_all();
    }

private:
    CLI::Option* placed(CLI::Option* option, const char* names) {
        return option->group(group_)->envname(env_name(names));
    }

    CLI::App& app_;
    std::string group_;
};

std::string check_rate(const std::string& text) {
    char* end = nullptr;
    const double rate = std::strtod(text.c_str(), &end);
    return !text.empty() && *end == '\0' && rate >= 0 && rate <= 1e9 ? "" : "a number from 0 to 1e9 is needed";
}

void add_listening(Options& options, ServerOptions& values) {
    options.group("Listening");
    options.add("--host", values.host, "Addresses or names to listen on, with commas between")
        ->type_name("HOST")
        ->capture_default_str();
    options.whole("--port", values.port, 0, 65535, "Port; 0: the system chooses, the log tells");
    options.add("--unix-socket", values.unix_socket, "Listen on this socket file instead")->type_name("PATH");
    options.add("--api-prefix", values.api_prefix, "Put in front of every path, such as /llm")->type_name("PATH");
    options.add("--tls-cert", values.tls_cert, "Serve TLS: certificate chain (PEM); read again on SIGHUP")
        ->type_name("FILE");
    options.add("--tls-key", values.tls_key, "Its key (PEM)")->type_name("FILE");
}

void add_models(Options& options, ServerOptions& values) {
    EngineOptions& engine = values.registry.engine;
    options.group("Models");
    options
        .list("-m,--model", values.models, "GGUF file, or NAME=FILE; may be given again (default: the model inside)")
        ->type_name("FILE");
    options
        .list("--hf", values.hub_models,
              "Model of a hub, OWNER/NAME[:FILE] or NAME=OWNER/NAME[:FILE], downloaded at the start if it is not "
              "cached; may "
              "be given again")
        ->type_name("SPEC");
    options.flag("--offline", values.offline, "Download nothing: --hf takes what is in the cache");
    options.add("--models-dir", values.registry.models_dir, "Let requests load models from below this folder")
        ->type_name("FOLDER");
    options.seconds("--idle-unload", values.registry.idle_unload_s, 0,
                    "Unload models that were not used for so many seconds; 0: never");
    options.flag("--unload-default", values.registry.unload_default, "The default model too");
    options.whole("--max-models", values.registry.max_models, 1, 1000,
                  "Models in memory; for one more the one not used longest goes");
    options.whole("--max-model-bytes", values.registry.max_bytes, 0, int64_t{1} << 50,
                  "Of all models and their contexts; 0: BITNET_MEMORY_LIMIT decides");
    options
        .add("--device", values.registry.device,
             "Where to compute: cpu, cuda:0, several GPUs (cuda:0,cuda:1 or cuda:all), auto (see bitnet devices)")
        ->type_name("NAME");
    options.add("--kernel", values.registry.kernel, "Use this matrix kernel (see bitnet kernels)")->type_name("NAME");
    options
        .add("--quantization", values.registry.quantization,
             "How ternary matrices lie in memory: i2s, t5, tl1, tl2, or auto for the fastest, which is measured")
        ->type_name("NAME");
    options.whole("-c,--ctx-size", engine.n_ctx, 0, kMaxInt, "Tokens that all texts together may hold; 0: the default");
    const std::vector<std::pair<std::string, int32_t>> cache_types = {
        {"f16", BITNET_KV_F16}, {"q8_0", BITNET_KV_Q8_0}, {"q4_0", BITNET_KV_Q4_0}};
    options.add("--cache-type-k", engine.type_k, "How contexts keep keys: f16, q8_0 or q4_0; changes results")
        ->transform(CLI::CheckedTransformer(cache_types))
        ->type_name("TYPE");
    options.add("--cache-type-v", engine.type_v, "The same for values")
        ->transform(CLI::CheckedTransformer(cache_types))
        ->type_name("TYPE");
    options.whole("-t,--threads", engine.n_threads, 0, 4096, "Threads that compute; 0: as many as cores");
    options.whole("--parallel", engine.n_parallel, 1, 4096, "Texts that are computed at once");
    options.whole("--max-queue", engine.max_queue, 0, 1'000'000, "Texts that may wait; beyond it 429");
    options.whole("--chunk-tokens", engine.chunk_tokens, 1, 65536, "Tokens of prompts per step");
    options.whole("--chunk-ms", engine.chunk_ms, 0, 60'000,
                  "Milliseconds that prompts hold up running texts per step; 0: chunk-tokens alone");
    options.whole("--draft", engine.n_draft, 0, 16,
                  "Tokens that a text guesses ahead where it repeats itself or its prompt; never changes it");
    options.whole("--cached-texts", engine.n_cached, -1, 2048,
                  "Finished texts whose beginnings are used again; 0: none; -1: four times --parallel");
}

void add_limits(Options& options, ServerOptions& values) {
    options.group("Limits");
    options.whole("--max-connections", values.max_connections, 1, 100'000, "Connections; beyond it 503");
    options.whole("--max-body-bytes", values.max_body_bytes, 1, int64_t{1} << 32, "Longest body; beyond it 413");
    options.whole("--max-buffered-bytes", values.max_buffered_bytes, 1, int64_t{1} << 40,
                  "Of all bodies that are being read; beyond it 503");
    options.whole("--max-header-bytes", values.max_header_bytes, 256, 1 << 20, "Longest head; beyond it 431");
    options.whole("--max-prompt-bytes", values.max_prompt_bytes, 1, int64_t{1} << 32, "Longest prompt");
    options.whole("--max-tokens", values.max_tokens, 1, kMaxInt, "Most tokens of one text");
    options.seconds("--header-timeout", values.header_timeout_s, 1,
                    "Seconds for a request's head, and of silence within a body");
    options.seconds("--body-timeout", values.body_timeout_s, 1, "Seconds for a request's body");
    options.seconds("--write-timeout", values.write_timeout_s, 1, "Seconds for a client that does not read");
    options.seconds("--idle-timeout", values.idle_timeout_s, 1, "Seconds between requests of a connection");
    options.seconds("--stall-timeout", values.stall_timeout_s, 1,
                    "Seconds without progress after which /health/live says so");
    options.seconds("--drain-timeout", values.drain_timeout_s, 0, "Seconds for running texts after SIGTERM");
}

void add_access(Options& options, ServerOptions& values) {
    options.group("Access");
    options.add("--api-key-file", values.api_key_file, "API keys, one a line; read again on SIGHUP")->type_name("FILE");
    options.add("--jwt-key-file", values.jwt_key_file, "Key that JSON web tokens are signed with")->type_name("FILE");
    options.add("--jwt-audience", values.jwt_audience, "The audience that tokens must name")->type_name("NAME");
    options.add("--jwt-issuer", values.jwt_issuer, "The issuer that tokens must name")->type_name("NAME");
    options
        .list("--cors-origin", values.cors_origins,
              "Web pages that may use the server, such as https://app.example; may be given again; *: all")
        ->delimiter(',')
        ->type_name("ORIGIN");
    options
        .list("--allowed-host", values.allowed_hosts,
              "A name of this server besides its addresses and localhost, for one that listens on the loopback "
              "address only and asks for no keys; may be given again")
        ->delimiter(',')
        ->type_name("NAME");
    options.add("--rate-limit", values.rate_limit, "Requests a minute and key; 0: any number")
        ->check(CLI::Validator(check_rate, ""))
        ->type_name("N")
        ->capture_default_str();
    options.whole("--token-quota", values.token_quota, 0, int64_t{1} << 53, "Tokens a day and key; 0: any number");
    options.add("--block-list", values.block_list_file, "Words that prompts and texts may not have, one a line")
        ->type_name("FILE");
    options.add("--filter-library", values.filter_library, "Shared library with a content filter")->type_name("FILE");
    options.flag("--sandbox", values.sandbox, "Give up system calls that serving does not need (Linux)");
}

void add_log(Options& options, ServerOptions& values, std::string& log_format) {
    options.group("Log");
    options.add("--log-level", values.log_level, "Least level on standard error")
        ->check(CLI::IsMember({"none", "error", "warning", "info", "debug"}))
        ->type_name("LEVEL")
        ->capture_default_str();
    options.add("--log-format", log_format, "json or text, one line per event")
        ->check(CLI::IsMember({"json", "text"}))
        ->type_name("FORMAT")
        ->capture_default_str();
    options.flag("--log-prompts", values.log_prompts, "Write the bodies of requests into the log, prompts and all");
}

// What no single option can say. "" where all is well.
std::string contradiction(const ServerOptions& values) {
    if (values.tls_cert.empty() != values.tls_key.empty()) return "--tls-cert and --tls-key belong together";
    const std::string& prefix = values.api_prefix;
    const char* const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-._~";
    if (!prefix.empty() && (prefix.front() != '/' || prefix.back() == '/' || prefix.find("//") != prefix.npos ||
                            prefix.find_first_not_of(letters) != prefix.npos))
        return "--api-prefix must look like /llm";
    const bool keys = !values.api_key_file.empty() || !values.jwt_key_file.empty();
    for (const std::string& origin : values.cors_origins) {
        if (!is_origin(origin)) return "--cors-origin " + origin + ": write it as https://app.example, or *";
        if (origin == "*" && keys) return "--cors-origin * cannot be combined with keys or tokens; name the origins";
    }
    for (const std::string& model : values.models)
        if (split_model_option(model).second.empty()) return "--model " + model + ": no file is named";
    if ((!values.jwt_audience.empty() || !values.jwt_issuer.empty()) && values.jwt_key_file.empty())
        return "--jwt-audience and --jwt-issuer need --jwt-key-file";
    return "";
}

}  // namespace

bool is_origin(std::string_view text) {
    if (text == "*") return true;
    const size_t scheme_end = text.find("://");
    if (scheme_end == text.npos || scheme_end == 0) return false;
    const std::string_view host = text.substr(scheme_end + 3);
    return !host.empty() && host.find_first_of("/?#@ *ABCDEFGHIJKLMNOPQRSTUVWXYZ") == host.npos;
}

std::pair<std::string, std::string> split_model_option(const std::string& text) {
    const size_t equals = text.find('=');
    if (equals == text.npos || access(text.c_str(), F_OK) == 0) return {"", text};
    return {text.substr(0, equals), text.substr(equals + 1)};
}

bool read_server_options(int argc, char** argv, ServerOptions& values, int* exit_code) {
    CLI::App app("Serves ternary language models over HTTP: its own protocol, OpenAI's, Anthropic's and Ollama's.",
                 "bitnet-server");
    app.set_version_flag("--version",
                         std::string("bitnet-server ") + bitnet_version_string() + "\n" + bitnet_build_info());
    app.set_config("--config", "", "Read options from this file, a line each: port = 8081 (TOML or INI)")
        ->type_name("FILE")
        ->envname("BITNET_SERVER_CONFIG");
    app.allow_config_extras(CLI::config_extras_mode::error);
    app.footer(
        "Every option can be given in the file of --config and as BITNET_SERVER_NAME in the environment; the command "
        "line\n"
        "comes first, then the file, then the environment. SIGTERM ends the server once running texts have ended, a "
        "second\n"
        "one at once; SIGHUP reads keys and certificates again.");
    Options options(app);
    add_listening(options, values);
    add_models(options, values);
    add_limits(options, values);
    add_access(options, values);
    std::string log_format = "json";
    add_log(options, values, log_format);
    const auto usage_error = [&](const std::string& message) {
        std::fprintf(stderr, "bitnet-server: %s (see --help)\n", one_line(message).c_str());
        *exit_code = 2;
        return false;
    };
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& success) {  // --help, --version
        std::ostringstream text;
        app.exit(success, text, text);
        std::fputs(text.str().c_str(), stdout);
        *exit_code = std::fflush(stdout) == 0 ? 0 : 1;
        return false;
    } catch (const CLI::ParseError& error) {
        return usage_error(error.what());
    }
    values.log_json = log_format == "json";
    const std::string wrong = contradiction(values);
    return wrong.empty() || usage_error(wrong);
}

}  // namespace serve
