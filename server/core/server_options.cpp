// The command line, with CLI11 as the bitnet command has it.
#include "server/core/server_options.h"

#include <CLI/CLI.hpp>

namespace serve {

bool read_server_options(int argc, char** argv, ServerOptions& options, int* exit_code) {
    CLI::App app("bitnet-server: ternary language models over HTTP");
    app.add_option("-m,--model", options.models,
                   "GGUF file; several times for several models (default: the embedded model)");
    app.add_option("--host", options.host, "Address to listen on")->capture_default_str();
    app.add_option("--port", options.port, "Port; 0: the system chooses")->capture_default_str();
    app.add_option("--block-list", options.block_list_file,
                   "File with a phrase on each line that neither prompts nor answers may hold");
    app.add_option("--filter-library", options.filter_library,
                   "Shared library that judges prompts and answers (server/filter/content_filter_plugin.h)");
    app.add_option("--stall-timeout", options.stall_timeout_s,
                   "Seconds without progress after which /health/live fails")
        ->capture_default_str()
        ->check(CLI::Range(1, 86400));
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        *exit_code = app.exit(error) == 0 ? 0 : 2;
        return false;
    }
    return true;
}

}  // namespace serve
