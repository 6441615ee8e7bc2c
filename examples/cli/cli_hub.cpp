// bitnet fetch and bitnet cache: models of a hub, downloaded once and kept; and --hf, by which other commands load them.
// Standard output gets the path (or JSON), standard error all that is told on the way.
#include <cmath>
#include <cstdio>
#include <limits>

#include "cli_common.h"
#include "cli_platform.h"
#include "examples/hub/hub.h"

namespace cli {
namespace {

struct FetchOptions {
    std::string spec;
    std::string tokenizer_of;  // a model file
    std::string table;
    bool json = false;
    hub::Options hub = hub::options_from_environment();
};

void tell(const std::string& line) { std::fprintf(stderr, "bitnet: %s\n", printable(line, false).c_str()); }

std::string format_duration(double s) {
    char text[64];
    const long long whole = s < 359999 ? static_cast<long long>(std::ceil(s)) : 359999;
    if (whole >= 3600)
        std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
    else
        std::snprintf(text, sizeof text, "%lld:%02lld", whole / 60, whole % 60);
    return text;
}

// On a terminal a line that is written over and over; elsewhere one line when a download begins, for logs.
class DownloadLine {
public:
    void show(const hub::Progress& progress) {
        if (progress.file != file_ && !stderr_is_terminal()) {
            file_ = progress.file;
            tell("downloading " + file_ + (progress.total_bytes != 0 ? ", " + format_bytes(progress.total_bytes) : ""));
        }
        if (!stderr_is_terminal()) return;
        std::string line = printable(progress.file, false) + "  " + format_bytes(progress.done_bytes);
        if (progress.total_bytes != 0) {
            char percent[32];
            std::snprintf(percent, sizeof percent, " %3.0f%%",
                          100.0 * static_cast<double>(progress.done_bytes) / static_cast<double>(progress.total_bytes));
            line += " of " + format_bytes(progress.total_bytes) + percent;
        }
        if (progress.bytes_per_second > 0)
            line += "  " + format_bytes(static_cast<uint64_t>(progress.bytes_per_second)) + "/s";
        if (progress.eta_s >= 0) line += "  " + format_duration(progress.eta_s) + " left";
        std::fprintf(stderr, "\r%s\033[K", line.c_str());
        std::fflush(stderr);
        shown_ = true;
    }
    void clear() {
        if (shown_) std::fprintf(stderr, "\r\033[K");
        shown_ = false;
    }
    ~DownloadLine() { clear(); }

private:
    std::string file_;
    bool shown_ = false;
};

// Runs work with a client that tells what it does; its errors become Failures.
template <typename Work>
auto with_hub(hub::Options options, Work work) {
    DownloadLine line;
    options.on_progress = [&line](const hub::Progress& progress) { line.show(progress); };
    options.on_notice = [&line](const std::string& text) {
        line.clear();
        tell(text);
    };
    options.is_cancelled = [] { return caught_signal() != 0; };
    try {
        hub::Client client(std::move(options));
        return work(client);
    } catch (const hub::Error& error) {
        line.clear();
        if (error.kind() == hub::ErrorKind::kCancelled) throw Failure{interrupted_exit_code(), ""};
        throw Failure{error.kind() == hub::ErrorKind::kUsage ? kExitUsage : kExitFailure, error.what()};
    }
}

void add_cache_dir_option(CLI::App& app, hub::Options& options) {
    app.add_option("--cache-dir", options.cache_dir, "keep downloads here; without it $BITNET_CACHE or ~/.cache/bitnet")
        ->type_name("FOLDER");
}

nlohmann::ordered_json stored_json(const std::vector<hub::StoredFile>& files) {
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (const hub::StoredFile& file : files) {
        nlohmann::ordered_json one = {{"name", file.name}, {"path", file.path}, {"n_bytes", file.size}};
        if (!file.sha256.empty()) one["sha256"] = file.sha256;
        one["cached"] = file.was_cached;
        all.push_back(std::move(one));
    }
    return all;
}

using DiscoveryHandle = std::unique_ptr<bitnet_tokenizer_discovery, Freer<bitnet_tokenizer_discovery_free>>;

// The tokenizer of a model that has none inside: where the library says that it can be had, and what that is checked for.
int fetch_tokenizer(const FetchOptions& options) {
    bitnet_tokenizer_discovery_params params = bitnet_tokenizer_discovery_default_params();
    params.cache_dir = options.hub.cache_dir.empty() ? nullptr : options.hub.cache_dir.c_str();
    params.table_path = options.table.empty() ? nullptr : options.table.c_str();
    bitnet_tokenizer_discovery* discovery = nullptr;
    check(bitnet_tokenizer_discovery_create(options.tokenizer_of.c_str(), &params, &discovery));
    const DiscoveryHandle owner(discovery);
    bitnet_tokenizer_discovery_info info = {};
    info.struct_size = sizeof info;
    check(bitnet_tokenizer_discovery_get_info(discovery, &info));
    std::string path = info.path;
    if (info.strategy == BITNET_TOKENIZER_EMBEDDED) path = options.tokenizer_of;
    if (path.empty()) {
        if (info.source == nullptr)
            throw Failure{kExitFailure, options.tokenizer_of +
                                            ": has no tokenizer, and it is not known where it can be had; " +
                                            "see: bitnet tokenizer " + options.tokenizer_of};
        const bitnet_tokenizer_source& source = *info.source;
        const std::vector<std::string> files(source.files, source.files + source.n_files);
        path = with_hub(options.hub, [&](hub::Client& client) { return client.fetch_files(source.repo, files); }).path;
        check(bitnet_tokenizer_validate_file(path.c_str(), source.expected_vocab));
    } else {
        tell(std::string("nothing to download: ") + info.description);
    }
    write_out(options.json
                  ? dump({{"path", path}, {"was_there", info.strategy != BITNET_TOKENIZER_NEEDS_DOWNLOAD}}) + "\n"
                  : path + "\n");
    return kExitOk;
}

int run_fetch(const FetchOptions& options) {
    if (options.spec.empty() == options.tokenizer_of.empty())
        throw Failure{kExitUsage, "name a model, OWNER/NAME, or with --tokenizer the file of one"};
    if (!options.tokenizer_of.empty()) return fetch_tokenizer(options);
    const hub::FetchResult result =
        with_hub(options.hub, [&](hub::Client& client) { return client.fetch(options.spec); });
    if (options.json) {
        write_out(dump({{"path", result.path},
                        {"repo", result.repo},
                        {"commit", result.commit},
                        {"files", stored_json(result.files)}}) +
                  "\n");
    } else {
        write_out(result.path + "\n");
    }
    return kExitOk;
}

int run_list(const FetchOptions& options) {
    const auto repos = with_hub(options.hub, [](hub::Client& client) { return client.list(); });
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (const hub::CachedRepo& repo : repos) {
        if (options.json) {
            all.push_back({{"repo", repo.repo},
                           {"commit", repo.commit},
                           {"n_unfinished_bytes", repo.n_unfinished_bytes},
                           {"files", stored_json(repo.files)}});
            continue;
        }
        for (const hub::StoredFile& file : repo.files)
            write_out(printable(repo.repo + "  " + repo.commit.substr(0, 8) + "  " + file.name, false) + "  " +
                      format_bytes(file.size) + "\n");
        if (repo.n_unfinished_bytes != 0)
            write_out(repo.repo + "  unfinished  " + format_bytes(repo.n_unfinished_bytes) + "\n");
    }
    if (options.json) write_out(dump(all) + "\n");
    return kExitOk;
}

int run_clear(const FetchOptions& options, bool all) {
    if (all == !options.spec.empty()) throw Failure{kExitUsage, "name a repository to remove from the cache, or --all"};
    const uint64_t n_bytes =
        with_hub(options.hub, [&](hub::Client& client) { return client.clear_cache(options.spec); });
    write_out("removed " + format_bytes(n_bytes) + "\n");
    return kExitOk;
}

}  // namespace

void add_hub_options(CLI::App& app, ModelOptions& options) {
    CLI::Option* spec = app.add_option("--hf", options.hub_spec,
                                       "model of a hub, OWNER/NAME[:FILE]; downloaded if it is not in the cache yet")
                            ->type_name("SPEC")
                            ->excludes("--model");
    app.add_flag("--offline", options.offline, "download nothing; with --hf take what is in the cache")->needs(spec);
    // Once the command line is read and before the command runs: from there on it is a model by its path.
    app.final_callback([&options] {
        if (options.hub_spec.empty()) return;
        hub::Options hub_options = hub::options_from_environment();
        hub_options.offline = hub_options.offline || options.offline;
        options.path = with_hub(hub_options, [&](hub::Client& client) { return client.fetch(options.hub_spec); }).path;
    });
}

Command add_fetch_command(CLI::App& app) {
    CLI::App* command =
        app.add_subcommand("fetch", "Download a model from a hub (Hugging Face), check it, and print its path");
    auto options = std::make_shared<FetchOptions>();
    command->add_option("spec", options->spec, "OWNER/NAME, or OWNER/NAME:FILE with a file or a part of its name")
        ->type_name("SPEC");
    command
        ->add_option("--tokenizer", options->tokenizer_of,
                     "the tokenizer of this model file instead, where it has none inside or beside it")
        ->type_name("MODEL");
    command->add_option("--table", options->table, "JSON file with more rows of where tokenizers can be had")
        ->type_name("FILE")
        ->needs("--tokenizer");
    hub::Options& hub = options->hub;
    command->add_option("--revision", hub.revision, "branch, tag or commit")->type_name("NAME")->capture_default_str();
    command->add_option("--file", hub.file, "this file of the repository, of any kind")->type_name("NAME");
    command->add_flag("--offline", hub.offline, "download nothing; print the path of what is in the cache");
    add_cache_dir_option(*command, hub);
    command->add_flag("--json", options->json, "print one JSON object");
    const auto add_seconds = [&](const char* name, double& value, const char* help) {
        command->add_option(name, value, help)
            ->check(CLI::Range(0.01, 86400.0))
            ->type_name("S")
            ->capture_default_str()
            ->group("Network");
    };
    add_seconds("--connect-timeout", hub.connect_timeout_s, "seconds for a connection");
    add_seconds("--stall-timeout", hub.stall_timeout_s, "seconds with less than a kilobyte that count as a stall");
    add_seconds("--retry-wait", hub.retry_wait_s, "seconds before the first retry; each next one waits twice as long");
    command->add_option("--retries", hub.max_retries, "retries in a row that bring nothing new")
        ->transform(whole_number<int>(0, 1000))
        ->type_name("N")
        ->capture_default_str()
        ->group("Network");
    command
        ->add_option("--lock-wait", hub.lock_wait_s,
                     "seconds to wait for another process that downloads the same file; without it until that ends")
        ->check(CLI::Range(0.0, 86400.0))
        ->type_name("S")
        ->group("Network");
    return {command, [options] { return run_fetch(*options); }};
}

Command add_cache_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("cache", "What is kept of downloads: list it, clear it");
    command->require_subcommand(1);
    auto options = std::make_shared<FetchOptions>();
    CLI::App* list = command->add_subcommand("list", "Print what is in the cache");
    list->add_flag("--json", options->json, "print one JSON array");
    add_cache_dir_option(*list, options->hub);
    CLI::App* clear = command->add_subcommand("clear", "Remove a repository from the cache, or everything");
    auto all = std::make_shared<bool>(false);
    clear->add_option("repo", options->spec, "OWNER/NAME")->type_name("REPO");
    clear->add_flag("--all", *all, "everything that was downloaded");
    add_cache_dir_option(*clear, options->hub);
    return {command, [options, all, list] { return list->parsed() ? run_list(*options) : run_clear(*options, *all); }};
}

}  // namespace cli
