// bitnet-server: reads the options, loads the models, serves until a signal.
#include <csignal>
#include <cstdio>
#include <thread>

#include "server/core/server_state.h"
#include "server/http/http_server.h"

int main(int argc, char** argv) {
    using namespace serve;
    ServerOptions options;
    int exit_code = 0;
    if (!read_server_options(argc, argv, options, &exit_code)) return exit_code;
    sigset_t stop_signals;
    sigemptyset(&stop_signals);
    sigaddset(&stop_signals, SIGTERM);
    sigaddset(&stop_signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);  // every thread inherits this
    std::signal(SIGPIPE, SIG_IGN);
    try {
        ServerState state(options);
        state.models = make_model_registry(options.registry, options.models);
        add_health_routes(state);
        add_native_routes(state);
        add_page_routes(state);
        const std::unique_ptr<HttpServer> server = make_http_server(options, state.router);
        std::fprintf(stderr, "listening on %s\n", server->address().c_str());
        // The signals go to one thread that waits for them, so that stopping needs nothing a handler may not do.
        std::thread signals([&] {
            int signal = 0;
            sigwait(&stop_signals, &signal);
            state.draining = true;
            state.models->drain(std::chrono::seconds(options.drain_timeout_s));
            server->stop();
        });
        server->run();
        signals.join();
    } catch (const ApiError& error) {
        std::fprintf(stderr, "bitnet-server: %s\n", error.what());
        return 1;
    }
    return 0;
}
