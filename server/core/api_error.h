// What goes wrong with a request: one code, one HTTP status, one sentence. Handlers throw ApiError; the router writes it in
// the shape that the route's clients expect (native, OpenAI, Anthropic, Ollama).
#pragma once

#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "bitnet.h"

namespace serve {

enum class ErrorCode {
    // The ten of the specification.
    kPromptTooLong,
    kTooManyTokens,
    kInvalidCharacters,
    kBlockedContent,
    kModelNotFound,
    kDeviceUnavailable,
    kQuantizationNotSupported,
    kRateLimitExceeded,
    kServerOverloaded,
    kValidationFailed,
    // What HTTP itself and a running server need besides.
    kNotFound,
    kMethodNotAllowed,
    kUnauthorized,
    kForbidden,
    kConflict,
    kPayloadTooLarge,
    kHeadersTooLarge,
    kRequestTimeout,
    kTimeout,
    kUnavailable,
    kInternal
};

// One row of the table of codes.
struct ErrorInfo {
    ErrorCode code;
    const char* name;  // "PROMPT_TOO_LONG"
    int http_status;
    const char* openai_type;     // "invalid_request_error"
    const char* anthropic_type;  // "invalid_request_error", "overloaded_error"
};
std::span<const ErrorInfo> error_table();
const ErrorInfo& error_info(ErrorCode code);

class ApiError : public std::exception {
public:
    // field: the request's field at fault ("messages.0.content"), or "". suggestion: what to do about it, or "".
    ApiError(ErrorCode error_code, std::string sentence, std::string at_field = "", std::string advice = "")
        : code(error_code), message(std::move(sentence)), field(std::move(at_field)), suggestion(std::move(advice)) {}
    const char* what() const noexcept override { return message.c_str(); }

    ErrorCode code;
    std::string message;
    std::string field;
    std::string suggestion;
    int retry_after_s = 0;  // for 429 and 503: the Retry-After header, where above 0
};

// The error that a failed call of the library means for a client, with bitnet_last_error(): call it before any other call
// on this thread.
ApiError error_from_status(bitnet_status status);
// Throws error_from_status for anything but BITNET_OK.
void check(bitnet_status status);

// Which clients a route serves decides how its errors look.
enum class ErrorStyle { kNative, kOpenAi, kAnthropic, kOllama };
// The body of an error; request_id as in the header X-Request-Id.
std::string error_body(const ApiError& error, ErrorStyle style, std::string_view request_id);

}  // namespace serve
