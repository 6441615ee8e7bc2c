// How a download goes on: what the next request asks for, what an answer means for the bytes that are there, when to try
// again. Pure: no clock, no file, no socket.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hub {

// What of an answer's head matters here.
struct ResponseHead {
    int status = 0;
    std::optional<uint64_t> content_length;
    std::string content_range;
    std::string etag;
    std::optional<uint64_t> linked_size;  // X-Linked-Size: of the file behind a redirect
    std::string linked_etag;              // X-Linked-Etag: its SHA-256
    std::string error_code;               // X-Error-Code, the hub's own word
    double retry_after_s = 0;
    bool is_encoded = false;  // Content-Encoding: not the file's own bytes
};

// What the finished file must be.
struct FileGoal {
    std::optional<uint64_t> size;
    std::string sha256;    // "" where nobody says
    std::string git_hash;  // of files outside of large file storage
};

// What is there of it.
struct PartialFile {
    uint64_t n_bytes = 0;
    std::string etag;  // of the answer that these bytes came with; "" for none that could be compared
};

struct RangeRequest {
    uint64_t offset = 0;   // 0: the whole file
    std::string if_range;  // "" for none
};
// Bytes are only kept where something tells that they still belong to the file: an ETag or a hash at the end.
RangeRequest next_request(const FileGoal& goal, const PartialFile& partial);

enum class Step {
    kAppend,     // the body goes on where the file ends
    kRewrite,    // the body is the whole file: what is there is dropped first
    kStartOver,  // drop what is there, and ask again
    kComplete,   // all bytes are there: check them
    kTryAgain,   // the server may do better later
    kDenied,     // 401, 403
    kNotFound,   // 404, 410
    kFail,       // asking again would not help
};
struct Decision {
    Step step = Step::kFail;
    std::string reason;  // for messages, where the step is not one of progress
};
Decision decide(const FileGoal& goal, const PartialFile& partial, const RangeRequest& request,
                const ResponseHead& head);

// Takes over what a redirect told of the file. Error(kCorrupt) where that contradicts what is known.
void merge_linked_facts(FileGoal& goal, const ResponseHead& head, std::string_view name);

// "bytes 100-199/200", strictly; the total may be "*".
struct ContentRange {
    uint64_t first = 0;
    uint64_t last = 0;
    std::optional<uint64_t> total;
};
std::optional<ContentRange> parse_content_range(std::string_view text);
// Digits alone.
std::optional<uint64_t> parse_number(std::string_view text);

// Whether and when to try again. Attempts that brought something new start the count anew; since each of them brings at
// least a hundredth of the file or a mebibyte, there is an end to it.
class RetryBudget {
public:
    RetryBudget(int max_retries, double first_wait_s) : max_retries_(max_retries), first_wait_s_(first_wait_s) {}
    // An attempt failed after so many new bytes of so many in all. The seconds to wait, or nothing: give up.
    std::optional<double> after_failure(uint64_t n_new_bytes, uint64_t n_all_bytes, double retry_after_s);
    int n_failures() const { return n_failures_; }
    int max_retries() const { return max_retries_; }

private:
    const int max_retries_;
    const double first_wait_s_;
    int n_failures_ = 0;
};

}  // namespace hub
