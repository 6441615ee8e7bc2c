// A state per part of the coding. Extensions and trailers are skipped, but count: a body of one-byte chunks with long
// extensions must not cost a thousand times what it carries.
#include "server/http/chunked_body.h"

#include <algorithm>

namespace serve {

namespace {

// What the coding may add to a body: generous for small chunks (six bytes around one), far from a bomb.
constexpr uint64_t kFreeOverhead = 16u << 10;
constexpr uint64_t kOverheadPerByte = 8;

[[noreturn]] void bad(const char* what) {
    throw ApiError(ErrorCode::kValidationFailed, std::string("bad chunked body: ") + what);
}

bool allowed_in_line(char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); }

}  // namespace

void ChunkedBody::end_size(size_t n_body) {
    if (n_digits_ == 0) bad("a chunk has no size");
    if (left_ > max_body_bytes_ || n_body > max_body_bytes_ - left_)
        throw ApiError(ErrorCode::kPayloadTooLarge,
                       "the body is longer than " + std::to_string(max_body_bytes_) + " bytes");
    state_ = left_ ? State::kData : State::kTrailer;
    n_digits_ = 0;
}

size_t ChunkedBody::feed(std::string_view bytes, std::string& body) {
    size_t i = 0;
    while (i < bytes.size() && state_ != State::kDone) {
        if (state_ == State::kData) {
            const size_t n = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size() - i));
            body.append(bytes.substr(i, n));
            i += n;
            left_ -= n;
            if (left_ == 0) state_ = State::kDataCr;
            continue;
        }
        const char c = bytes[i++];
        if (++n_overhead_ > kFreeOverhead + kOverheadPerByte * body.size()) bad("more coding than content");
        switch (state_) {
            case State::kSize: {
                const int digit = c >= '0' && c <= '9'   ? c - '0'
                                  : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                         : -1;
                if (digit >= 0) {
                    if (++n_digits_ > 15) bad("a chunk's size has too many digits");
                    left_ = left_ * 16 + static_cast<uint64_t>(digit);
                } else if (c == '\r') {
                    state_ = State::kSizeEnd;
                } else if (c == ';' && n_digits_ > 0) {
                    state_ = State::kExtension;
                } else {
                    bad("a chunk's size is no hexadecimal number");
                }
                break;
            }
            case State::kExtension:
                if (c == '\r')
                    state_ = State::kSizeEnd;
                else if (!allowed_in_line(c))
                    bad("a control character in a chunk's extension");
                break;
            case State::kSizeEnd:
                if (c != '\n') bad("CR without LF");
                end_size(body.size());
                break;
            case State::kDataCr:
                if (c != '\r') bad("a chunk is longer than its size says");
                state_ = State::kDataLf;
                break;
            case State::kDataLf:
                if (c != '\n') bad("CR without LF");
                state_ = State::kSize;
                break;
            case State::kTrailer:
                if (c == '\r')
                    state_ = State::kTrailerEnd;
                else if (!allowed_in_line(c))
                    bad("a control character in a trailer");
                else
                    n_trailer_line_++;
                break;
            case State::kTrailerEnd:
                if (c != '\n') bad("CR without LF");
                state_ = n_trailer_line_ == 0 ? State::kDone : State::kTrailer;
                n_trailer_line_ = 0;
                break;
            case State::kData:
            case State::kDone: break;
        }
    }
    return i;
}

}  // namespace serve
