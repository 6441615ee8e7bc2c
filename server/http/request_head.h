// A strict reader of request heads (RFC 9112, 2-3 and 6): the request line and the header fields, byte by byte as they come.
// It refuses whatever two HTTP programs could understand in two ways, so that what stands behind it never sees such a thing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "server/core/api_error.h"
#include "server/core/http_message.h"

namespace serve {

struct HeadLimits {
    size_t max_bytes = 32u << 10;  // of the head; beyond it 431
    size_t max_target_bytes = 8000;
    size_t max_fields = 100;
};

struct RequestHead {
    std::string method;
    std::string target;     // "/path?query"; of an absolute URI the part behind the authority; "*"
    int minor_version = 1;  // of HTTP/1
    std::map<std::string, std::string, CaseLess> headers;
    // How the body is delimited: chunked, or by its length (0 where nothing is said).
    bool chunked = false;
    uint64_t content_length = 0;
    bool keep_alive = true;
    bool expects_continue = false;

    std::string_view header(std::string_view name) const;
    // The target without its query, as the client wrote it.
    std::string_view raw_path() const { return std::string_view(target).substr(0, target.find('?')); }
};

class HeadReader {
public:
    explicit HeadReader(const HeadLimits& limits) : limits_(limits) {}

    // Takes bytes up to the end of the head and returns how many it took. Throws ApiError as soon as the head can only be
    // wrong; the connection cannot be used any more then.
    size_t feed(std::string_view bytes);
    bool complete() const noexcept { return complete_; }
    // Nothing but empty lines was seen.
    bool empty() const noexcept { return !have_request_line_ && line_.empty(); }
    // Valid once complete; before that what is known so far, for the error's body.
    RequestHead& head() noexcept { return head_; }

private:
    void end_line();
    void read_request_line();
    void read_target(std::string_view target);
    void read_field();
    void finish();

    const HeadLimits limits_;
    RequestHead head_;
    std::string line_;
    size_t n_bytes_ = 0;
    size_t n_fields_ = 0;
    size_t n_empty_lines_ = 0;
    bool have_request_line_ = false;
    bool after_cr_ = false;
    bool complete_ = false;
};

// True for a name or value made of the characters of a token (RFC 9110, 5.6.2).
bool is_token(std::string_view text) noexcept;

}  // namespace serve
