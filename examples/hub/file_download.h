// One file of a repository onto the disk: locked, resumed, retried, checked, and renamed into its place when it is whole.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "http_get.h"
#include "hub.h"
#include "repo_listing.h"
#include "resume_rules.h"

namespace hub {

struct DownloadTask {
    std::string what;  // for messages: owner/name/file
    Url url;
    RepoFile file;
    std::filesystem::path target;      // exists only whole
    std::filesystem::path incomplete;  // what is there so far; carries the lock
};

// The bytes that a task has on disk after a step of it; for progress.
using BytesCallback = std::function<void(uint64_t n_bytes, std::optional<uint64_t> size)>;

// Returns size and hash. Where the target exists already, or another process finishes it meanwhile, that is it.
StoredFile download_file(const HttpGetter& http, const DownloadTask& task, const Options& options,
                         const BytesCallback& on_bytes);

// Waits in short turns. Error(kCancelled).
void wait_seconds(double seconds, const std::function<bool()>& is_cancelled);
// Says that and when it is tried again, and waits; throws Error(kind, reason) where the budget is used up.
void wait_for_retry(RetryBudget& budget, uint64_t n_new_bytes, uint64_t n_all_bytes, double retry_after_s,
                    ErrorKind kind, const std::string& reason, const Options& options);
// 401, 403 and 404 in words. What says which repository or file.
[[noreturn]] void throw_denied(const std::string& what, const ResponseHead& head, const Options& options);
[[noreturn]] void throw_not_found(const std::string& what, const ResponseHead& head);

}  // namespace hub
