// The table of error codes, what the library's statuses mean in it, and the four shapes of an error body.
#include "server/core/api_error.h"

#include <iterator>

#include <nlohmann/json.hpp>

namespace serve {

namespace {

constexpr ErrorInfo kErrors[] = {
    {ErrorCode::kPromptTooLong, "PROMPT_TOO_LONG", 400, "invalid_request_error", "invalid_request_error"},
    {ErrorCode::kTooManyTokens, "TOO_MANY_TOKENS", 400, "invalid_request_error", "invalid_request_error"},
    {ErrorCode::kInvalidCharacters, "INVALID_CHARACTERS", 400, "invalid_request_error", "invalid_request_error"},
    {ErrorCode::kBlockedContent, "BLOCKED_CONTENT", 400, "invalid_request_error", "invalid_request_error"},
    {ErrorCode::kModelNotFound, "MODEL_NOT_FOUND", 404, "invalid_request_error", "not_found_error"},
    {ErrorCode::kDeviceUnavailable, "DEVICE_UNAVAILABLE", 400, "invalid_request_error", "invalid_request_error"},
    {ErrorCode::kQuantizationNotSupported, "QUANTIZATION_NOT_SUPPORTED", 400, "invalid_request_error",
     "invalid_request_error"},
    {ErrorCode::kRateLimitExceeded, "RATE_LIMIT_EXCEEDED", 429, "rate_limit_error", "rate_limit_error"},
    {ErrorCode::kServerOverloaded, "SERVER_OVERLOADED", 429, "rate_limit_error", "overloaded_error"},
    {ErrorCode::kValidationFailed, "VALIDATION_FAILED", 400, "invalid_request_error", "invalid_request_error"},
    {ErrorCode::kNotFound, "NOT_FOUND", 404, "invalid_request_error", "not_found_error"},
    {ErrorCode::kMethodNotAllowed, "METHOD_NOT_ALLOWED", 405, "invalid_request_error", "invalid_request_error"},
    {ErrorCode::kUnauthorized, "UNAUTHORIZED", 401, "authentication_error", "authentication_error"},
    {ErrorCode::kForbidden, "FORBIDDEN", 403, "permission_error", "permission_error"},
    {ErrorCode::kConflict, "CONFLICT", 409, "invalid_request_error", "invalid_request_error"},
    {ErrorCode::kPayloadTooLarge, "PAYLOAD_TOO_LARGE", 413, "invalid_request_error", "request_too_large"},
    {ErrorCode::kHeadersTooLarge, "HEADERS_TOO_LARGE", 431, "invalid_request_error", "request_too_large"},
    {ErrorCode::kRequestTimeout, "REQUEST_TIMEOUT", 408, "invalid_request_error", "invalid_request_error"},
    {ErrorCode::kTimeout, "TIMEOUT", 504, "server_error", "api_error"},
    {ErrorCode::kUnavailable, "SERVICE_UNAVAILABLE", 503, "server_error", "overloaded_error"},
    {ErrorCode::kInternal, "INTERNAL_ERROR", 500, "server_error", "api_error"},
};

// Families of the library's statuses; what is not here is a failure of ours.
ErrorCode code_from_status(bitnet_status status) {
    switch (status) {
        case BITNET_E_KV_FULL: return ErrorCode::kPromptTooLong;
        case BITNET_E_TIMEOUT: return ErrorCode::kTimeout;
        case BITNET_E_CANCELLED: return ErrorCode::kUnavailable;
        case BITNET_E_OUT_OF_MEMORY:
        case BITNET_E_SECURITY_MEMORY:
        case BITNET_E_DEVICE_MEMORY: return ErrorCode::kUnavailable;
        case BITNET_E_TEXT: return ErrorCode::kInvalidCharacters;
        case BITNET_E_FILE_NOT_FOUND: return ErrorCode::kModelNotFound;
        case BITNET_E_DEVICE:
        case BITNET_E_DEVICE_NOT_AVAILABLE:
        case BITNET_E_DEVICE_CAPABILITY: return ErrorCode::kDeviceUnavailable;
        case BITNET_E_QUANT_FORMAT: return ErrorCode::kQuantizationNotSupported;
        default: break;
    }
    switch (bitnet_status_get_family(status)) {
        case BITNET_FAMILY_INTERNAL:
        case BITNET_FAMILY_MEMORY:
        case BITNET_FAMILY_NONE: return ErrorCode::kInternal;
        default: return ErrorCode::kValidationFailed;
    }
}

}  // namespace

std::span<const ErrorInfo> error_table() { return kErrors; }

const ErrorInfo& error_info(ErrorCode code) {
    for (const ErrorInfo& info : kErrors)
        if (info.code == code) return info;
    return kErrors[std::size(kErrors) - 1];
}

ApiError error_from_status(bitnet_status status) { return ApiError(code_from_status(status), bitnet_last_error()); }

void check(bitnet_status status) {
    if (status != BITNET_OK) throw error_from_status(status);
}

std::string error_body(const ApiError& error, ErrorStyle style, std::string_view request_id) {
    const ErrorInfo& info = error_info(error.code);
    nlohmann::ordered_json body;
    switch (style) {
        case ErrorStyle::kNative: {
            body["error"] = error.message;
            body["error_code"] = info.name;
            body["request_id"] = request_id;
            auto& details = body["details"] = nlohmann::ordered_json::object();
            if (!error.field.empty()) details["field"] = error.field;
            if (!error.suggestion.empty()) details["suggestion"] = error.suggestion;
            break;
        }
        case ErrorStyle::kOpenAi: {
            auto& inner = body["error"];
            inner["message"] = error.suggestion.empty() ? error.message : error.message + ". " + error.suggestion;
            inner["type"] = info.openai_type;
            inner["param"] = error.field.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(error.field);
            inner["code"] = info.name;
            break;
        }
        case ErrorStyle::kAnthropic:
            body["type"] = "error";
            body["error"]["type"] = info.anthropic_type;
            body["error"]["message"] = error.message;
            body["request_id"] = request_id;
            break;
        case ErrorStyle::kOllama: body["error"] = error.message; break;
    }
    // What a client sent may be quoted in a message: bytes that are no UTF-8 become U+FFFD.
    return body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace serve
