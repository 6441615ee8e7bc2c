// Finding, fetching and listing: what of a repository is wanted, what of that is cached, and where the rest comes from.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "cache_layout.h"
#include "file_download.h"
#include "http_get.h"
#include "hub.h"
#include "hub_url.h"
#include "model_spec.h"
#include "repo_listing.h"

namespace hub {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

bool is_on(const std::string& value) { return !value.empty() && value != "0" && value != "false" && value != "no"; }

// Rate over the last seconds, and how long the rest takes at it.
class ProgressMeter {
public:
    explicit ProgressMeter(const Options& options) : options_(options), last_told_(Clock::now()), mark_(last_told_) {}

    void begin(uint64_t done_bytes, uint64_t total_bytes) {
        progress_.done_bytes = done_before_ = done_bytes;
        progress_.total_bytes = total_bytes;
    }
    void begin_file(const std::string& name) {
        progress_.file = name;
        done_before_ = progress_.done_bytes;
        mark_bytes_ = progress_.done_bytes;
        mark_ = Clock::now();
    }
    void update(uint64_t n_file_bytes, bool at_once) {
        const auto now = Clock::now();
        progress_.done_bytes = done_before_ + n_file_bytes;
        if (progress_.done_bytes < mark_bytes_) mark_bytes_ = progress_.done_bytes;  // begun anew
        if (!options_.on_progress || (!at_once && now - last_told_ < std::chrono::milliseconds(100))) return;
        last_told_ = now;
        const double seconds = std::chrono::duration<double>(now - mark_).count();
        if (seconds > 0.2) {
            progress_.bytes_per_second = static_cast<double>(progress_.done_bytes - mark_bytes_) / seconds;
            const bool known = progress_.total_bytes > progress_.done_bytes && progress_.bytes_per_second > 0;
            progress_.eta_s =
                known ? static_cast<double>(progress_.total_bytes - progress_.done_bytes) / progress_.bytes_per_second
                      : -1;
        }
        if (seconds > 5) {
            mark_ = now;
            mark_bytes_ = progress_.done_bytes;
        }
        options_.on_progress(progress_);
    }

private:
    using Clock = std::chrono::steady_clock;
    const Options& options_;
    Progress progress_;
    uint64_t done_before_ = 0;  // of the files before this one
    Clock::time_point last_told_, mark_;
    uint64_t mark_bytes_ = 0;
};

// What is wanted of a repository: the model that a spec names, or files by their names.
struct Wanted {
    std::string repo;
    std::string model;
    std::vector<std::string> names;

    std::vector<RepoFile> choose(const std::vector<RepoFile>& files) const {
        return names.empty() ? choose_model(files, model, repo) : choose_exactly(files, names, repo);
    }
};

class Session {
public:
    explicit Session(const Options& options)
        : options_(options), own_(options.cache_dir), foreign_(options.foreign_cache_dir) {
        require_revision(options.revision);
        if (options.cache_dir.empty())
            throw Error(ErrorKind::kUsage, "no folder to keep downloads in: set BITNET_CACHE, or HOME");
    }

    // From the caches alone. Error(kNotFound) with the reason.
    FetchResult cached(const Wanted& wanted) const {
        std::optional<Error> reason;
        for (const CacheLayout* cache : {&own_, &foreign_}) {
            if (cache == &foreign_ && options_.foreign_cache_dir.empty()) continue;
            const auto commit = cache->find_commit(wanted.repo, options_.revision);
            if (!commit) continue;
            try {
                return stored(*cache, wanted.repo, *commit, wanted.choose(cache->files_of(wanted.repo, *commit)));
            } catch (const Error& error) {
                if (!reason) reason = error;
            }
        }
        // What is cached but not unique says more than that nothing was found.
        if (reason && reason->kind() == ErrorKind::kUsage) throw *reason;
        throw Error(ErrorKind::kNotFound, wanted.repo + " at " + options_.revision + ": " + describe(wanted) +
                                              " is not in the cache " + options_.cache_dir);
    }

    FetchResult fetch(const Wanted& wanted) const {
        if (is_commit(options_.revision) || options_.offline) {
            try {
                return cached(wanted);
            } catch (const Error& error) {
                if (options_.offline && error.kind() == ErrorKind::kNotFound)
                    throw Error(ErrorKind::kOffline,
                                std::string(error.what()) +
                                    ", and offline mode allows no download; fetch it once without --offline "
                                    "and BITNET_OFFLINE");
                if (options_.offline) throw;
            }
        }
        Url endpoint = parse_url(options_.endpoint, "the endpoint (HF_ENDPOINT)");
        if (endpoint.target.find('?') != endpoint.target.npos)
            throw Error(ErrorKind::kUsage,
                        "the endpoint (HF_ENDPOINT) " + in_quotes(options_.endpoint) + " has a query");
        while (!endpoint.target.empty() && endpoint.target.back() == '/') endpoint.target.pop_back();
        const HttpGetter http(endpoint, options_.token,
                              {options_.connect_timeout_s, options_.stall_timeout_s, options_.is_cancelled});
        // Who has the model already should not wait long for a network that is not there.
        std::optional<FetchResult> known;
        try {
            known = cached(wanted);
        } catch (const Error&) {
        }
        RepoListing listing;
        try {
            listing = list_repo(http, wanted.repo, known ? std::min(1, options_.max_retries) : options_.max_retries);
        } catch (const Error& error) {
            if (!known || (error.kind() != ErrorKind::kNetwork && error.kind() != ErrorKind::kServer)) throw;
            notice(std::string(error.what()) + "; using the cached " + known->commit.substr(0, 8));
            return *known;
        }
        const std::vector<RepoFile> files = wanted.choose(listing.files);
        if (auto foreign = find_foreign(wanted.repo, listing.commit, files)) return *foreign;
        return download(http, wanted.repo, listing.commit, files);
    }

private:
    std::string describe(const Wanted& wanted) const {
        if (!wanted.names.empty()) return in_quotes(wanted.names.front());
        return wanted.model.empty() ? "a GGUF file" : in_quotes(wanted.model);
    }
    void notice(const std::string& text) const {
        if (options_.on_notice) options_.on_notice(text);
    }

    static FetchResult stored(const CacheLayout& cache, const std::string& repo, const std::string& commit,
                              const std::vector<RepoFile>& files) {
        FetchResult result = {"", repo, commit, {}};
        for (const RepoFile& file : files)
            result.files.push_back({file.path, (cache.snapshot(repo, commit) / file.path).string(),
                                    file.size.value_or(0), file.sha256, true});
        result.path = result.files.front().path;
        return result;
    }

    // All of them in Hugging Face's cache with the right sizes: parts must lie side by side.
    std::optional<FetchResult> find_foreign(const std::string& repo, const std::string& commit,
                                            const std::vector<RepoFile>& files) const {
        if (options_.foreign_cache_dir.empty()) return std::nullopt;
        for (const RepoFile& file : files) {
            std::error_code error;
            const uint64_t size = fs::file_size(foreign_.snapshot(repo, commit) / file.path, error);
            if (error || (file.size && size != *file.size)) return std::nullopt;
        }
        return stored(foreign_, repo, commit, files);
    }

    RepoListing list_repo(const HttpGetter& http, const std::string& repo, int max_retries) const {
        Url url = http.endpoint();
        url.target += "/api/models/" + percent_encode(repo, true) + "/revision/" +
                      percent_encode(options_.revision, false) + "?blobs=true";
        const std::string what = repo + " at " + options_.revision;
        RetryBudget budget(max_retries, options_.retry_wait_s);
        for (;;) {
            std::string json, reason;
            ErrorKind kind = ErrorKind::kNetwork;
            double retry_after_s = 0;
            try {
                Decision decision;
                HttpHandlers handlers;
                handlers.on_head = [&](const ResponseHead& head) {
                    decision = decide({}, {}, {}, head);
                    retry_after_s = head.retry_after_s;
                    if (decision.step == Step::kDenied) throw_denied(what, head, options_);
                    if (decision.step == Step::kNotFound) throw_not_found(what, head);
                    return decision.step == Step::kRewrite;
                };
                handlers.on_body = [&](std::string_view bytes) {
                    if (bytes.size() > kMostListingBytes - json.size())
                        throw Error(ErrorKind::kProtocol, "the hub's list of files is larger than 8 MiB");
                    json += bytes;
                };
                http.get(url, {{"Accept", "application/json"}}, handlers);
                if (decision.step == Step::kRewrite) return parse_listing(json);
                if (decision.step != Step::kTryAgain) throw Error(ErrorKind::kProtocol, what + ": " + decision.reason);
                kind = ErrorKind::kServer;
                reason = what + ": " + decision.reason;
            } catch (const Error& error) {
                if (error.kind() != ErrorKind::kNetwork) throw;
                reason = what + ": " + error.what();
            }
            wait_for_retry(budget, 0, 1, retry_after_s, kind, reason, options_);
        }
    }

    FetchResult download(const HttpGetter& http, const std::string& repo, const std::string& commit,
                         const std::vector<RepoFile>& files) const {
        FetchResult result = {"", repo, commit, {}};
        ProgressMeter meter(options_);
        uint64_t total_bytes = 0;
        for (const RepoFile& file : files) total_bytes += file.size.value_or(0);
        meter.begin(0, total_bytes);
        for (const RepoFile& file : files) {
            DownloadTask task;
            task.what = repo + "/" + file.path;
            task.url = http.endpoint();
            task.url.target +=
                "/" + percent_encode(repo, true) + "/resolve/" + commit + "/" + percent_encode(file.path, true);
            task.file = file;
            task.target = own_.snapshot(repo, commit) / file.path;
            task.incomplete = own_.unfinished(repo, commit) / (file.path + ".incomplete");
            remove_if_wrong_size(task.target, file);
            meter.begin_file(file.path);
            result.files.push_back(
                download_file(http, task, options_, [&](uint64_t n_bytes, std::optional<uint64_t> size) {
                    meter.update(n_bytes, size && n_bytes == *size);
                }));
            meter.update(result.files.back().size, true);
        }
        remove_empty_folders(own_.unfinished(repo, commit), own_.repo_folder(repo));
        own_.store_commit(repo, options_.revision, commit);
        result.path = result.files.front().path;
        return result;
    }

    // A finished file was checked when it came; one of another size was changed since.
    void remove_if_wrong_size(const fs::path& target, const RepoFile& file) const {
        std::error_code error;
        const uint64_t size = fs::file_size(target, error);
        if (error || !file.size || size == *file.size) return;
        notice(target.string() + ": has been changed since it was downloaded; it is fetched again");
        fs::remove(target, error);
    }
    static void remove_empty_folders(fs::path folder, const fs::path& top) {
        std::error_code error;
        while (folder != top && folder.has_parent_path() && fs::remove(folder, error)) folder = folder.parent_path();
    }

    const Options& options_;
    const CacheLayout own_;
    const CacheLayout foreign_;
};

Wanted wanted_of(std::string_view spec, const Options& options) {
    const ModelSpec parsed = parse_spec(spec);
    if (options.file.empty()) return {parsed.repo, parsed.wanted, {}};
    if (!parsed.wanted.empty()) throw Error(ErrorKind::kUsage, in_quotes(spec) + " names a file already; give it once");
    if (!is_safe_path(options.file))
        throw Error(ErrorKind::kUsage, in_quotes(options.file) + " is no name of a file in a repository");
    // A GGUF file comes with its other parts.
    if (options.file.ends_with(".gguf")) return {parsed.repo, options.file, {}};
    return {parsed.repo, "", {options.file}};
}

}  // namespace

const char* error_kind_name(ErrorKind kind) {
    static const char* const kNames[] = {"usage",  "offline",  "network", "tls",  "access", "not_found",
                                         "server", "protocol", "corrupt", "disk", "busy",   "cancelled"};
    return kNames[static_cast<int>(kind)];
}

Options options_from_environment() {
    Options options;
    const std::string home = variable("HOME");
    if (const std::string endpoint = variable("HF_ENDPOINT"); !endpoint.empty()) options.endpoint = endpoint;
    options.token = variable("HF_TOKEN");
    options.offline = is_on(variable("BITNET_OFFLINE")) || is_on(variable("HF_HUB_OFFLINE"));
    const std::string xdg = variable("XDG_CACHE_HOME");
    const std::string base = !xdg.empty() ? xdg : home.empty() ? "" : home + "/.cache";
    options.cache_dir = variable("BITNET_CACHE");
    if (options.cache_dir.empty() && !base.empty()) options.cache_dir = base + "/bitnet";
    options.foreign_cache_dir = variable("HF_HUB_CACHE");
    const std::string hf_home = variable("HF_HOME");
    if (options.foreign_cache_dir.empty() && (!hf_home.empty() || !base.empty()))
        options.foreign_cache_dir = (hf_home.empty() ? base + "/huggingface" : hf_home) + "/hub";
    return options;
}

Client::Client(Options options) : options_(std::move(options)) {}

FetchResult Client::fetch(std::string_view spec) { return Session(options_).fetch(wanted_of(spec, options_)); }

FetchResult Client::fetch_files(const std::string& repo, const std::vector<std::string>& names) {
    if (!is_repo_name(repo)) throw Error(ErrorKind::kUsage, in_quotes(repo) + " is no name of a repository");
    if (names.empty() ||
        !std::all_of(names.begin(), names.end(), [](const std::string& name) { return is_safe_path(name); }))
        throw Error(ErrorKind::kUsage, repo + ": no files are named, or one by a name that no repository has");
    return Session(options_).fetch({repo, "", names});
}

std::optional<FetchResult> Client::find_cached(std::string_view spec) const {
    const Wanted wanted = wanted_of(spec, options_);
    try {
        return Session(options_).cached(wanted);
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::kNotFound) return std::nullopt;
        throw;
    }
}

std::vector<CachedRepo> Client::list() const { return CacheLayout(options_.cache_dir).list(); }

uint64_t Client::clear_cache(const std::string& repo) {
    if (!repo.empty() && !is_repo_name(repo))
        throw Error(ErrorKind::kUsage, in_quotes(repo) + " is no name of a repository");
    return CacheLayout(options_.cache_dir).clear(repo);
}

FetchResult fetch(std::string_view spec, const Options& options) { return Client(options).fetch(spec); }

}  // namespace hub
