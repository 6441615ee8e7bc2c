// The download of one file. What to do with an answer is decided in resume_rules.cpp; here it is done.
#include "file_download.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <thread>

#include "cache_layout.h"
#include "file_digest.h"

namespace hub {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostEtag = 1024;

// The unfinished file, open and locked; its bytes so far, and their digest.
class UnfinishedFile {
public:
    UnfinishedFile(const DownloadTask& task, const Options& options) : task_(task), options_(options) {}
    ~UnfinishedFile() {
        if (file_ >= 0) close(file_);  // gives the lock back
    }
    UnfinishedFile(const UnfinishedFile&) = delete;
    UnfinishedFile& operator=(const UnfinishedFile&) = delete;

    // False: the file is there, maybe since another process finished it while this one waited.
    bool open_locked() {
        using Clock = std::chrono::steady_clock;
        const Clock::time_point start = Clock::now();
        bool told = false;
        for (;;) {
            if (fs::exists(task_.target)) return false;
            make_folders(task_.incomplete.parent_path());
            file_ = open(task_.incomplete.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
            if (file_ < 0 && errno == ENOENT) continue;  // who finished has removed the folder
            if (file_ < 0) throw_disk_error(task_.incomplete, "cannot be written", errno);
            const int error = flock(file_, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
            // The name may have gone to the target, or to nothing, between open and flock.
            struct stat here = {}, named = {};
            const bool same = fstat(file_, &here) == 0 && stat(task_.incomplete.c_str(), &named) == 0 &&
                              here.st_ino == named.st_ino && here.st_dev == named.st_dev;
            if (error == 0 && same) {
                if (!fs::exists(task_.target)) return true;
                unlink(task_.incomplete.c_str());  // a new and empty one
                return false;
            }
            close(file_);
            file_ = -1;
            if (error == EINTR || error == 0) continue;
            if (error != EWOULDBLOCK) throw_disk_error(task_.incomplete, "cannot be locked", error);
            const double waited = std::chrono::duration<double>(Clock::now() - start).count();
            if (options_.lock_wait_s >= 0 && waited >= options_.lock_wait_s)
                throw Error(ErrorKind::kBusy, task_.what + ": another process is downloading it; try again later");
            if (!told && options_.on_notice)
                options_.on_notice(task_.what + ": another process is downloading it; waiting");
            told = true;
            wait_seconds(0.05, options_.is_cancelled);
        }
    }

    // Takes over what is there from before.
    void read_back(const std::function<void(uint64_t)>& on_bytes) {
        const auto etag = read_small_file(etag_path(), kMostEtag);
        partial_.etag = etag.value_or("");
        restart_digest();
        std::string buffer(1u << 20, '\0');
        for (;;) {
            require_not_cancelled(options_.is_cancelled);
            const ssize_t n = pread(file_, buffer.data(), buffer.size(), static_cast<off_t>(partial_.n_bytes));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) throw_disk_error(task_.incomplete, "cannot be read", errno);
            if (n == 0) break;
            digest_->update(std::string_view(buffer.data(), static_cast<size_t>(n)));
            partial_.n_bytes += static_cast<uint64_t>(n);
            on_bytes(partial_.n_bytes);
        }
    }
    void truncate() {
        if (ftruncate(file_, 0) != 0) throw_disk_error(task_.incomplete, "cannot be written", errno);
        unlink(etag_path().c_str());
        partial_ = {};
        restart_digest();
    }
    // Before the first byte, so that no byte is ever there with another answer's tag.
    void set_etag(const std::string& etag) {
        if (etag.empty() || etag.size() > kMostEtag) return;
        write_small_file(etag_path(), etag);
        partial_.etag = etag;
    }
    void append(std::string_view bytes) {
        digest_->update(bytes);
        while (!bytes.empty()) {
            const ssize_t n = pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(partial_.n_bytes));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) throw_disk_error(task_.incomplete, "cannot be written", errno);
            bytes.remove_prefix(static_cast<size_t>(n));
            partial_.n_bytes += static_cast<uint64_t>(n);
        }
    }
    // Size for git's hash, once known.
    void set_size(std::optional<uint64_t> size) { size_ = size; }
    FileDigest::Result finish_digest() { return digest_->finish(); }
    // Everything on the disk, then the name: after a crash the target is whole or absent.
    void move_to_target() {
        make_folders(task_.target.parent_path());
        if (fsync(file_) != 0) throw_disk_error(task_.incomplete, "cannot be written", errno);
        if (rename(task_.incomplete.c_str(), task_.target.c_str()) != 0)
            throw_disk_error(task_.target, "cannot be written", errno);
        unlink(etag_path().c_str());
        const int folder = open(task_.target.parent_path().c_str(), O_RDONLY | O_CLOEXEC);
        if (folder < 0) return;
        fsync(folder);
        close(folder);
    }
    const PartialFile& partial() const { return partial_; }

private:
    fs::path etag_path() const { return task_.incomplete.string() + ".etag"; }
    void restart_digest() { digest_.emplace(task_.file.git_hash.empty() ? std::nullopt : size_); }

    const DownloadTask& task_;
    const Options& options_;
    int file_ = -1;
    PartialFile partial_;
    std::optional<uint64_t> size_;
    std::optional<FileDigest> digest_;
};

void require_disk_space(const DownloadTask& task, uint64_t n_needed) {
    constexpr uint64_t kSpare = 16u << 20;
    std::error_code error;
    const fs::space_info space = fs::space(task.incomplete.parent_path(), error);
    if (error || n_needed <= space.available - std::min<uintmax_t>(space.available, kSpare)) return;
    throw Error(ErrorKind::kDisk, task.what + ": " + std::to_string(n_needed >> 20) + " MiB are still needed and " +
                                      std::to_string(space.available >> 20) + " MiB free in " +
                                      task.incomplete.parent_path().string() +
                                      "; free some space or set BITNET_CACHE to another disk");
}

// More came than the file has; thrown out of the middle of an answer.
struct Surplus {};

class Download {
public:
    Download(const HttpGetter& http, const DownloadTask& task, const Options& options, const BytesCallback& on_bytes)
        : http_(http), task_(task), options_(options), on_bytes_(on_bytes), file_(task, options),
          budget_(options.max_retries, options.retry_wait_s), goal_{task.file.size, task.file.sha256,
                                                                    task.file.git_hash} {}

    StoredFile run() {
        StoredFile stored = {task_.file.path, task_.target.string(), 0, task_.file.sha256, true};
        if (file_.open_locked()) {
            fetch();
            file_.move_to_target();
            stored.was_cached = false;
            stored.sha256 = digest_.sha256;
        }
        stored.size = fs::file_size(task_.target);
        return stored;
    }

private:
    void fetch() {
        file_.set_size(goal_.size);
        file_.read_back([&](uint64_t n_bytes) { on_bytes_(n_bytes, goal_.size); });
        if (goal_.size && file_.partial().n_bytes > *goal_.size) file_.truncate();
        n_best_ = file_.partial().n_bytes;
        for (;;) {
            const bool has_all = goal_.size && file_.partial().n_bytes == *goal_.size;
            if ((has_all || attempt()) && is_right()) return;
        }
    }

    // True: all bytes are there. Waits where it makes sense to try again, else throws.
    bool attempt() {
        ErrorKind kind = ErrorKind::kNetwork;
        std::string reason;
        double retry_after_s = 0;
        try {
            const RangeRequest request = next_request(goal_, file_.partial());
            if (request.offset == 0 && file_.partial().n_bytes != 0) file_.truncate();
            const Decision decision = exchange(request, retry_after_s);
            switch (decision.step) {
                case Step::kAppend:
                case Step::kRewrite:
                    if (!goal_.size || file_.partial().n_bytes == *goal_.size) return true;
                    reason = "the answer ended after " + std::to_string(file_.partial().n_bytes) + " of " +
                             std::to_string(*goal_.size) + " bytes";
                    break;
                case Step::kComplete: return true;
                case Step::kStartOver:
                    file_.truncate();
                    reason = decision.reason;
                    break;
                default: kind = ErrorKind::kServer; reason = decision.reason;
            }
        } catch (const Surplus&) {
            file_.truncate();
            kind = ErrorKind::kCorrupt;
            reason = "the server sends more than the file's " + std::to_string(goal_.size.value_or(0)) + " bytes";
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::kNetwork) throw;
            reason = error.what();
        }
        const uint64_t n_bytes = file_.partial().n_bytes;
        const uint64_t n_new = n_bytes > n_best_ ? n_bytes - n_best_ : 0;
        n_best_ = std::max(n_best_, n_bytes);
        wait_for_retry(budget_, n_new, goal_.size.value_or(UINT64_MAX), retry_after_s, kind, task_.what + ": " + reason,
                       options_);
        return false;
    }

    Decision exchange(const RangeRequest& request, double& retry_after_s) {
        HttpFields fields;
        if (request.offset != 0) fields.emplace_back("Range", "bytes=" + std::to_string(request.offset) + "-");
        if (!request.if_range.empty()) fields.emplace_back("If-Range", request.if_range);
        Decision decision;
        HttpHandlers handlers;
        handlers.on_redirect = [&](const ResponseHead& head) { learn(head); };
        handlers.on_head = [&](const ResponseHead& head) {
            if (head.status == 200 || head.status == 206) learn(head);
            retry_after_s = head.retry_after_s;
            decision = decide(goal_, file_.partial(), request, head);
            if (decision.step == Step::kDenied) throw_denied(task_.what, head, options_);
            if (decision.step == Step::kNotFound) throw_not_found(task_.what, head);
            if (decision.step == Step::kFail) throw Error(ErrorKind::kProtocol, task_.what + ": " + decision.reason);
            if (decision.step != Step::kAppend && decision.step != Step::kRewrite) return false;
            if (decision.step == Step::kRewrite) {
                if (!goal_.size) goal_.size = head.content_length;
                file_.set_size(goal_.size);
                file_.truncate();
                file_.set_etag(head.etag);
            }
            if (goal_.size) require_disk_space(task_, *goal_.size - file_.partial().n_bytes);
            return true;
        };
        handlers.on_body = [&](std::string_view bytes) {
            if (goal_.size && bytes.size() > *goal_.size - file_.partial().n_bytes) throw Surplus{};
            file_.append(bytes);
            on_bytes_(file_.partial().n_bytes, goal_.size);
            require_not_cancelled(options_.is_cancelled);
        };
        http_.get(task_.url, fields, handlers);
        return decision;
    }

    void learn(const ResponseHead& head) { merge_linked_facts(goal_, head, task_.what); }

    // A wrong file is gone, and fetched once more: the bytes of an old attempt may have been at fault.
    bool is_right() {
        digest_ = file_.finish_digest();
        std::string wrong;
        if (!goal_.sha256.empty() && digest_.sha256 != goal_.sha256)
            wrong = "its SHA-256 is " + digest_.sha256 + ", the hub says " + goal_.sha256;
        else if (goal_.sha256.empty() && !digest_.git_hash.empty() && digest_.git_hash != goal_.git_hash)
            wrong = "its git hash is " + digest_.git_hash + ", the hub says " + goal_.git_hash;
        if (wrong.empty()) return true;
        file_.truncate();
        if (was_wrong_)
            throw Error(ErrorKind::kCorrupt, task_.what + ": " + wrong +
                                                 ", twice; the download was deleted, try again later "
                                                 "or from another endpoint");
        was_wrong_ = true;
        if (options_.on_notice) options_.on_notice(task_.what + ": " + wrong + "; downloading it once more");
        return false;
    }

    const HttpGetter& http_;
    const DownloadTask& task_;
    const Options& options_;
    const BytesCallback& on_bytes_;
    UnfinishedFile file_;
    RetryBudget budget_;
    FileGoal goal_;
    FileDigest::Result digest_;
    uint64_t n_best_ = 0;  // the most bytes there ever were: less is no progress
    bool was_wrong_ = false;
};

}  // namespace

void wait_seconds(double seconds, const std::function<bool()>& is_cancelled) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    for (;;) {
        require_not_cancelled(is_cancelled);
        const auto left = end - Clock::now();
        if (left <= Clock::duration::zero()) return;
        std::this_thread::sleep_for(std::min<Clock::duration>(left, std::chrono::milliseconds(50)));
    }
}

void wait_for_retry(RetryBudget& budget, uint64_t n_new_bytes, uint64_t n_all_bytes, double retry_after_s,
                    ErrorKind kind, const std::string& reason, const Options& options) {
    const auto wait = budget.after_failure(n_new_bytes, n_all_bytes, retry_after_s);
    const std::string n_retries = std::to_string(budget.max_retries());
    if (!wait)
        throw Error(kind, reason + (budget.max_retries() > 0 ? "; gave up after " + n_retries + " retries" : ""));
    if (options.on_notice) {
        char when[64];
        std::snprintf(when, sizeof when, "; trying again in %.3g s (%d of ", *wait, budget.n_failures());
        options.on_notice(reason + when + n_retries + ")");
    }
    wait_seconds(*wait, options.is_cancelled);
}

void throw_denied(const std::string& what, const ResponseHead& head, const Options& options) {
    std::string message = what + ": the hub denies access (" + std::to_string(head.status);
    if (!head.error_code.empty()) message += ", " + in_quotes(head.error_code);
    message += "); ";
    if (options.token.empty())
        message += "check the name; if it is private or asks for consent, set HF_TOKEN to a token that may read it";
    else
        message += "check the name, that HF_TOKEN may read it, and on its page whether it asks for consent";
    throw Error(ErrorKind::kAccess, message);
}

void throw_not_found(const std::string& what, const ResponseHead& head) {
    std::string message = what + ": is not there (" + std::to_string(head.status);
    if (!head.error_code.empty()) message += ", " + in_quotes(head.error_code);
    throw Error(ErrorKind::kNotFound, message + "); check the name and the revision");
}

StoredFile download_file(const HttpGetter& http, const DownloadTask& task, const Options& options,
                         const BytesCallback& on_bytes) {
    return Download(http, task, options, on_bytes).run();
}

}  // namespace hub
