// --hf: the hub's client, told to the log.
#include "server/engine/hub_models.h"

#include <chrono>

#include "examples/hub/hub.h"
#include "server/core/server_log.h"

namespace serve {

std::pair<std::string, std::string> split_hub_option(const std::string& text) {
    const size_t equals = text.find('=');
    if (equals == text.npos) return {"", text};
    return {text.substr(0, equals), text.substr(equals + 1)};
}

std::vector<std::string> fetch_hub_models(const std::vector<std::string>& options, bool offline) {
    using Clock = std::chrono::steady_clock;
    std::vector<std::string> models;
    if (options.empty()) return models;
    hub::Options hub_options = hub::options_from_environment();
    hub_options.offline = hub_options.offline || offline;
    hub_options.on_notice = [](const std::string& text) { log_line(LogLevel::kWarning, text); };
    Clock::time_point told;
    hub_options.on_progress = [&told](const hub::Progress& progress) {
        constexpr std::chrono::seconds kBetweenLines(10);
        const bool last = progress.total_bytes != 0 && progress.done_bytes == progress.total_bytes;
        if (!last && Clock::now() - told < kBetweenLines) return;
        told = Clock::now();
        log_line(LogLevel::kInfo, "downloading",
                 {{"file", progress.file}, {"n_bytes", progress.done_bytes}, {"n_bytes_total", progress.total_bytes}});
    };
    hub::Client client(hub_options);
    for (const std::string& option : options) {
        const auto [name, spec] = split_hub_option(option);
        const hub::FetchResult result = client.fetch(spec);
        log_line(LogLevel::kInfo, "fetched", {{"model", spec}, {"commit", result.commit}, {"path", result.path}});
        models.push_back(name.empty() ? result.path : name + "=" + result.path);
    }
    return models;
}

}  // namespace serve
