// Models from a hub of repositories (Hugging Face and servers that speak like it): fetched once, checked, kept in a cache.
// The library itself has no network; the programs link this. It sees bitnet.h only.
//
//   hub::Options options = hub::options_from_environment();
//   std::string path = hub::Client(options).fetch("microsoft/bitnet-b1.58-2B-4T-gguf").path;
//
// Every failure is a hub::Error whose text is one line. A Client serves one thread at a time; several processes may share a
// cache: who comes second waits.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hub {

enum class ErrorKind {
    kUsage,      // what was asked for is wrong or not unique
    kOffline,    // the network would be needed, and offline mode forbids it
    kNetwork,    // no connection, cut or stalled more often than was retried
    kTls,        // the other side is not who it should be, or speaks no safe TLS
    kAccess,     // 401, 403: a token is missing, wrong, or has no right
    kNotFound,   // no such repository, revision or file
    kServer,     // the server failed or refused (429, 5xx) more often than was retried
    kProtocol,   // the server's answer makes no sense or is not safe to follow
    kCorrupt,    // size or hash are not what the repository says
    kDisk,       // the cache cannot be written: no space, no right
    kBusy,       // another process holds the file for longer than was waited
    kCancelled,  // Options::is_cancelled said so
};
// "offline", "not_found" and so on, for programs.
const char* error_kind_name(ErrorKind kind);

class Error : public std::runtime_error {
public:
    Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
    ErrorKind kind() const { return kind_; }

private:
    ErrorKind kind_;
};

struct Progress {
    std::string file;          // the one that is downloaded now
    uint64_t done_bytes = 0;   // of all files of this call
    uint64_t total_bytes = 0;  // 0: not known
    double bytes_per_second = 0;
    double eta_s = -1;  // negative: not known
};

struct Options {
    std::string endpoint = "https://huggingface.co";
    std::string token;      // goes to the endpoint's host alone, over TLS (or to this machine), and into no message
    std::string cache_dir;  // where files are kept
    std::string foreign_cache_dir;  // Hugging Face's own cache, which is read only; "": none
    std::string revision = "main";  // branch, tag or commit
    std::string file;               // of the repository; "": the spec or the preference decides
    bool offline = false;
    double connect_timeout_s = 15;
    double stall_timeout_s = 30;  // less than a kilobyte within so long is a stall
    int max_retries = 5;          // in a row without progress
    double retry_wait_s = 1;      // before the first one; doubles up to 30 times as much
    double lock_wait_s = -1;      // for another process that has the file; negative: as long as it takes
    std::function<void(const Progress&)> on_progress;   // several times a second
    std::function<void(const std::string&)> on_notice;  // one line for a person
    std::function<bool()> is_cancelled;                 // asked about ten times a second
};

// HF_ENDPOINT, HF_TOKEN, BITNET_OFFLINE (HF_HUB_OFFLINE too), BITNET_CACHE, HF_HOME, HF_HUB_CACHE.
Options options_from_environment();

struct StoredFile {
    std::string name;  // in the repository
    std::string path;  // on this machine
    uint64_t size = 0;
    std::string sha256;  // "" where the repository does not say
    bool was_cached = false;
};

struct FetchResult {
    std::string path;  // of the first file: what a model is loaded from
    std::string repo;
    std::string commit;
    std::vector<StoredFile> files;  // one, or the parts of a split model in order
};

struct CachedRepo {
    std::string repo;
    std::string commit;  // "" for one of which only unfinished files are there
    std::vector<StoredFile> files;
    uint64_t n_unfinished_bytes = 0;  // of the repository, told with its first commit
};

class Client {
public:
    explicit Client(Options options);

    // owner/name[:file-or-quantisation], a GGUF file of that repository with all its parts: the one asked for, or the only
    // one, or the one in the ternary format that runs best. Downloads what is not in the cache.
    FetchResult fetch(std::string_view spec);
    // These files of a repository, side by side; names are exact. The first one's path is the result's.
    FetchResult fetch_files(const std::string& repo, const std::vector<std::string>& names);
    // The same without network: nothing where not all of it is there.
    std::optional<FetchResult> find_cached(std::string_view spec) const;
    // What the cache holds, by repository.
    std::vector<CachedRepo> list() const;
    // Removes a repository ("owner/name") or, with "", all; returns the bytes. Error kBusy while one is being downloaded.
    uint64_t clear_cache(const std::string& repo);

private:
    Options options_;
};

FetchResult fetch(std::string_view spec, const Options& options);

}  // namespace hub
