// bitnet-server: reads the options, loads the models, serves until a signal.
//   0 ended by SIGTERM or SIGINT, 1 it could not begin, 2 the command line is wrong (one line on standard error each).
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <exception>
#include <thread>

#include "server/auth/access_guard.h"
#include "server/core/sandbox.h"
#include "server/core/server_log.h"
#include "server/core/server_state.h"
#include "server/engine/hub_models.h"
#include "server/filter/content_filter.h"
#include "server/http/http_server.h"

namespace {

using namespace serve;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// One of the signals within so long, or 0.
int wait_for_signal(const sigset_t& signals, std::chrono::milliseconds most) {
    const timespec timeout = {static_cast<time_t>(most.count() / 1000),
                              static_cast<long>(most.count() % 1000) * 1000000};
    const int signal = sigtimedwait(&signals, nullptr, &timeout);
    return signal < 0 ? 0 : signal;
}

void reload(ServerState& state, HttpServer& server) {
    const auto attempt = [](const std::function<void()>& hook) {
        try {
            hook();
        } catch (const std::exception& error) {
            log_line(LogLevel::kError, "reload failed, what was there stays", {{"error", error.what()}});
        }
    };
    for (const auto& hook : state.reload_hooks) attempt(hook);
    attempt([&] { server.reload_tls(); });
    log_line(LogLevel::kInfo, "reloaded");
}

// The life of a server that serves, on a thread of its own, so that stopping needs nothing that a signal handler may not do.
class Lifecycle {
public:
    Lifecycle(ServerState& state, HttpServer& server, const sigset_t& signals)
        : state_(state), server_(server), signals_(signals), thread_([this] { run(); }) {}
    // run() of the server has returned.
    ~Lifecycle() {
        ended_ = true;
        if (!serving_) kill(getpid(), SIGTERM);  // it waits for a signal still
        thread_.join();
    }
    // From here on there is something to reload and to drain.
    void serving() { serving_ = true; }

private:
    void run() {
        int signal = 0;
        while (signal == 0 || signal == SIGHUP) {
            if (signal == SIGHUP && serving_) reload(state_, server_);
            sigwait(&signals_, &signal);
        }
        if (!serving_) {
            if (ended_) return;
            server_.remove_socket_file();
            _exit(0);  // in the middle of loading, which nothing else ends
        }
        log_line(LogLevel::kInfo, "draining", {{"connections", server_.n_connections()}});
        state_.draining = true;
        server_.begin_drain();
        const Clock::time_point end = Clock::now() + std::chrono::seconds(state_.options.drain_timeout_s);
        bool at_once = false;
        // In short waits, so that a second signal is seen.
        const auto busy = [&] { return !state_.models->drain(0ms) || server_.n_requests() > 0; };
        while (!at_once && busy() && Clock::now() < end) at_once = is_stop(20ms);
        // What is written by now may still go out; what computes is cut off.
        server_.stop(at_once ? 0ms : 2000ms);
        while (!ended_ && !at_once) at_once = is_stop(20ms);
        if (!at_once) return;
        server_.stop(0ms);
        for (int i = 0; i < 100 && !ended_; i++) std::this_thread::sleep_for(20ms);
        if (ended_) return;
        server_.remove_socket_file();
        _exit(0);  // something hangs; who signals twice does not want to wait for it
    }
    bool is_stop(std::chrono::milliseconds most) {
        const int signal = wait_for_signal(signals_, most);
        return signal == SIGTERM || signal == SIGINT;
    }

    ServerState& state_;
    HttpServer& server_;
    const sigset_t signals_;
    std::atomic<bool> serving_ = false, ended_ = false;
    std::thread thread_;
};

std::shared_ptr<AccessGuard> make_access_guard(const ServerOptions& options, bool local_only) {
    AccessRules rules;
    rules.api_key_file = options.api_key_file;
    rules.jwt_key_file = options.jwt_key_file;
    rules.jwt = {options.jwt_audience, options.jwt_issuer};
    rules.requests_per_minute = options.rate_limit;
    rules.tokens_per_day = options.token_quota;
    rules.open_admin = local_only;
    return std::make_shared<AccessGuard>(std::move(rules));
}

void serve_models(ServerOptions options, const sigset_t& signals) {
    ServerState state(options);
    state.router.add_observer([](const HttpRequest& request, const Route*, int status, uint64_t n_bytes,
                                 uint64_t total_us) { log_access(request, status, n_bytes, total_us); });
    // Before the models, which may take long: an address that is taken is told at once.
    const std::unique_ptr<HttpServer> server = make_http_server(state.options, state.router);
    Lifecycle lifecycle(state, *server, signals);
    state.access = make_access_guard(options, server->local_only());
    state.router.set_guard(
        [&access = *state.access](HttpRequest& request, const Route& route) { access.check(request, route); });
    state.reload_hooks.push_back([&access = *state.access] { access.reload(); });
    state.filter = make_content_filter(options.block_list_file, options.filter_library);
    for (std::string& model : fetch_hub_models(options.hub_models, options.offline))
        options.models.push_back(std::move(model));
    state.models = make_model_registry(options.registry, options.models);
    add_stats_routes(state);
    add_health_routes(state);
    add_native_routes(state);
    add_model_routes(state);
    add_client_routes(state);
    if (options.sandbox) log_line(LogLevel::kInfo, "sandbox", {{"limits", enter_sandbox(sandbox_policy(options))}});
    log_line(LogLevel::kInfo, "listening on " + server->address(),
             {{"version", bitnet_version_string()}, {"pid", static_cast<int64_t>(getpid())}});
    lifecycle.serving();
    server->run();
}

}  // namespace

int main(int argc, char** argv) {
    ServerOptions options;
    int exit_code = 0;
    sigset_t signals;
    sigemptyset(&signals);
    for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
    for (int failure : {SIGPIPE, SIGXFSZ}) std::signal(failure, SIG_IGN);  // calls tell it
    try {
        if (!read_server_options(argc, argv, options, &exit_code)) return exit_code;
        configure_log(options.log_level, options.log_json, options.log_prompts);
        pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // every thread inherits this
        serve_models(options, signals);
        log_line(LogLevel::kInfo, "ended");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bitnet-server: %s\n", error.what());
        return 1;
    }
    return 0;
}
