// What the command line says.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/engine/model_registry.h"

namespace serve {

struct ServerOptions {
    // Where to listen.
    std::string host = "127.0.0.1";  // several with commas between
    int port = 8080;                 // 0: the system chooses; the log tells
    std::string unix_socket;         // a path; then host and port do not count
    std::string api_prefix;
    std::string tls_cert, tls_key;  // PEM files; both or none
    // Limits in front of everything.
    size_t max_body_bytes = 8u << 20;
    size_t max_buffered_bytes = 256u << 20;  // of all bodies that are being read
    size_t max_header_bytes = 32u << 10;
    int max_connections = 1024;
    int header_timeout_s = 10;  // from the first byte of a request to the end of its headers
    int body_timeout_s = 60;
    int write_timeout_s = 30;  // a client that reads nothing
    int idle_timeout_s = 75;   // between requests of a connection
    int64_t max_prompt_bytes = 4 << 20;
    int64_t max_tokens = 32768;  // of one text
    // Who may ask.
    std::string api_key_file;
    std::string jwt_key_file, jwt_audience, jwt_issuer;
    std::vector<std::string> cors_origins;
    std::vector<std::string> allowed_hosts;  // names in the Host field besides addresses and localhost
    double rate_limit = 0;                   // requests a minute and key; 0: none
    int64_t token_quota = 0;                 // tokens a day and key; 0: none
    std::string block_list_file, filter_library;
    // What is written.
    bool log_json = true;
    bool log_prompts = false;
    std::string log_level = "info";
    int drain_timeout_s = 30;
    int stall_timeout_s = 120;  // an engine with work that finishes no step for so long fails /health/live
    bool sandbox = false;
    // What is served.
    std::vector<std::string> models;  // -m, several, "path" or "id=path"; none: the embedded one
    std::vector<std::string> hub_models;  // --hf, several, "spec" or "id=spec"
    bool offline = false;
    RegistryOptions registry;
};

// "http://localhost:3000" and the like, or "*": what may be given as an origin. Without path, query, or capitals.
bool is_origin(std::string_view text);

// Id ("" where none is given) and path of a -m. A file whose name has a = is a path.
std::pair<std::string, std::string> split_model_option(const std::string& text);

// Reads the command line, the file of --config and the environment (BITNET_SERVER_PORT for --port); what comes first here
// wins. Returns false when the program should end with *exit_code (help, version, a usage error that was told on standard
// error).
bool read_server_options(int argc, char** argv, ServerOptions& options, int* exit_code);

}  // namespace serve
