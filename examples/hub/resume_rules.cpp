// The decisions of a download.
#include "resume_rules.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "hub.h"
#include "hub_url.h"

namespace hub {
namespace {

// A weak ETag says "about the same", which is not enough to glue bytes together.
bool is_strong(std::string_view etag) { return etag.size() >= 2 && etag.front() == '"' && etag.back() == '"'; }

Decision decide_on_part(const FileGoal& goal, const PartialFile& partial, const RangeRequest& request,
                        const ResponseHead& head) {
    const auto range = parse_content_range(head.content_range);
    if (request.offset == 0 || !range || range->first != request.offset)
        return {Step::kStartOver, "the server sent another part of the file than was asked for"};
    if (!partial.etag.empty() && !head.etag.empty() && partial.etag != head.etag)
        return {Step::kStartOver, "the file has changed on the server"};
    if (goal.size && range->total && *range->total != *goal.size)
        return {Step::kTryAgain,
                "the server's file has " + std::to_string(*range->total) + " bytes, not " + std::to_string(*goal.size)};
    if (head.content_length && *head.content_length != range->last - range->first + 1)
        return {Step::kTryAgain, "the server's answer has two lengths"};
    return {Step::kAppend, ""};
}

}  // namespace

RangeRequest next_request(const FileGoal& goal, const PartialFile& partial) {
    if (partial.n_bytes == 0) return {};
    // git's hash begins with the size.
    const bool can_be_checked = !goal.sha256.empty() || (!goal.git_hash.empty() && goal.size);
    if (is_strong(partial.etag)) return {partial.n_bytes, partial.etag};
    return {can_be_checked ? partial.n_bytes : 0, ""};
}

Decision decide(const FileGoal& goal, const PartialFile& partial, const RangeRequest& request,
                const ResponseHead& head) {
    const int status = head.status;
    if ((status == 200 || status == 206) && head.is_encoded)
        return {Step::kFail, "the server sent the file in another encoding than was asked for"};
    if (status == 206) return decide_on_part(goal, partial, request, head);
    if (status == 200) {
        if (goal.size && head.content_length && *head.content_length != *goal.size)
            return {Step::kTryAgain, "the server sends " + std::to_string(*head.content_length) + " bytes instead of " +
                                         std::to_string(*goal.size)};
        return {Step::kRewrite, ""};
    }
    if (status == 416) {  // nothing is left behind the offset, or what is there is too long
        if (goal.size && partial.n_bytes == *goal.size) return {Step::kComplete, ""};
        return request.offset != 0 ? Decision{Step::kStartOver, "the server has no such part of the file"}
                                   : Decision{Step::kFail, "the server answered 416 to a request for the whole file"};
    }
    const std::string answered = "the server answered " + std::to_string(status);
    if (status == 401 || status == 403) return {Step::kDenied, answered};
    if (status == 404 || status == 410) return {Step::kNotFound, answered};
    if (status == 408 || status == 425 || status == 429 || status >= 500) return {Step::kTryAgain, answered};
    return {Step::kFail, answered};
}

void merge_linked_facts(FileGoal& goal, const ResponseHead& head, std::string_view name) {
    if (head.linked_size) {
        if (goal.size && *goal.size != *head.linked_size)
            throw Error(ErrorKind::kCorrupt, in_quotes(name) + " has " + std::to_string(*head.linked_size) +
                                                 " bytes by its link and " + std::to_string(*goal.size) +
                                                 " by the list of files");
        goal.size = head.linked_size;
    }
    std::string hash = head.linked_etag;
    std::erase(hash, '"');
    const bool is_sha256 = hash.size() == 64 && hash.find_first_not_of("0123456789abcdef") == hash.npos;
    if (!is_sha256) return;  // of a file outside of large file storage: git's hash, which the list has, too
    if (!goal.sha256.empty() && goal.sha256 != hash)
        throw Error(ErrorKind::kCorrupt,
                    in_quotes(name) + " has one SHA-256 by its link and another by the list of files");
    goal.sha256 = hash;
}

std::optional<uint64_t> parse_number(std::string_view text) {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<ContentRange> parse_content_range(std::string_view text) {
    constexpr std::string_view kUnit = "bytes ";
    if (!text.starts_with(kUnit)) return std::nullopt;
    text.remove_prefix(kUnit.size());
    const size_t dash = text.find('-');
    const size_t slash = text.find('/');
    if (dash == text.npos || slash == text.npos || slash < dash) return std::nullopt;
    const auto first = parse_number(text.substr(0, dash));
    const auto last = parse_number(text.substr(dash + 1, slash - dash - 1));
    const auto total = parse_number(text.substr(slash + 1));
    if (!first || !last || *last < *first || (!total && text.substr(slash + 1) != "*")) return std::nullopt;
    if (total && *last >= *total) return std::nullopt;
    return ContentRange{*first, *last, total};
}

std::optional<double> RetryBudget::after_failure(uint64_t n_new_bytes, uint64_t n_all_bytes, double retry_after_s) {
    constexpr uint64_t kMebibyte = 1u << 20;
    constexpr double kMostDoubling = 30;
    constexpr double kLongestRetryAfter = 120;
    if (n_new_bytes >= std::max<uint64_t>(1, std::min(n_all_bytes / 100, kMebibyte))) n_failures_ = 0;
    if (n_failures_ >= max_retries_) return std::nullopt;
    const double wait = first_wait_s_ * std::min(std::exp2(n_failures_), kMostDoubling);
    ++n_failures_;
    return std::max(wait, std::min(retry_after_s, kLongestRetryAfter));
}

}  // namespace hub
