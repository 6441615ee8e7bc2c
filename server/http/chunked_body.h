// Takes the chunked coding off a body (RFC 9112, 7.1), strictly and within limits, as the bytes come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "server/core/api_error.h"

namespace serve {

class ChunkedBody {
public:
    explicit ChunkedBody(size_t max_body_bytes) : max_body_bytes_(max_body_bytes) {}

    // Takes bytes up to the end of the body, appends what they carry to body, returns how many it took. Throws ApiError:
    // VALIDATION_FAILED for a wrong coding, PAYLOAD_TOO_LARGE as soon as a chunk's size says that it will be too much.
    size_t feed(std::string_view bytes, std::string& body);
    bool complete() const noexcept { return state_ == State::kDone; }

private:
    enum class State { kSize, kExtension, kSizeEnd, kData, kDataCr, kDataLf, kTrailer, kTrailerEnd, kDone };
    void end_size(size_t n_body);

    const size_t max_body_bytes_;
    State state_ = State::kSize;
    uint64_t left_ = 0;  // of the chunk
    int n_digits_ = 0;
    size_t n_trailer_line_ = 0;
    uint64_t n_overhead_ = 0;  // bytes that are not data
};

}  // namespace serve
