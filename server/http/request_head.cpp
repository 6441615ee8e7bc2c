// Lines are gathered and read one at a time; what is wrong with one is said at its end, and at once for a forbidden byte.
#include "server/http/request_head.h"

#include <algorithm>

namespace serve {

namespace {

[[noreturn]] void bad(const std::string& what) { throw ApiError(ErrorCode::kValidationFailed, "bad request: " + what); }

bool is_token_char(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool same(std::string_view a, std::string_view b) { return !CaseLess()(a, b) && !CaseLess()(b, a); }

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// Fields of which a second one could be read by one program and overlooked by the next.
bool only_once(std::string_view name) {
    constexpr std::string_view kNames[] = {"content-length", "transfer-encoding", "host",          "authorization",
                                           "content-type",   "content-encoding",  "origin",        "expect",
                                           "x-api-key",      "x-request-id",      "x-goog-api-key"};
    return std::any_of(std::begin(kNames), std::end(kNames), [&](std::string_view known) { return same(known, name); });
}

bool known_method(std::string_view method) {
    constexpr std::string_view kMethods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"};
    return std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods);
}

// One member of a comma-separated list, without case.
bool lists(std::string_view list, std::string_view member) {
    while (!list.empty()) {
        const size_t end = std::min(list.find(','), list.size());
        if (same(trimmed(list.substr(0, end)), member)) return true;
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return false;
}

}  // namespace

bool is_token(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

std::string_view RequestHead::header(std::string_view name) const {
    const auto found = headers.find(std::string(name));
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

size_t HeadReader::feed(std::string_view bytes) {
    for (size_t i = 0; i < bytes.size(); i++) {
        if (++n_bytes_ > limits_.max_bytes)
            throw ApiError(ErrorCode::kHeadersTooLarge,
                           "the request's head is longer than " + std::to_string(limits_.max_bytes) + " bytes");
        const char c = bytes[i];
        if (after_cr_ != (c == '\n')) bad("a line ends in CR LF and in nothing else");
        if (c == '\r') {
            after_cr_ = true;
        } else if (c == '\n') {
            after_cr_ = false;
            end_line();
            if (complete_) return i + 1;
        } else {
            if (static_cast<unsigned char>(c) == 0x7f || (static_cast<unsigned char>(c) < 0x20 && c != '\t'))
                bad("a control character in the head");
            if (!have_request_line_ && line_.size() > limits_.max_target_bytes + 64)
                bad("the target is longer than " + std::to_string(limits_.max_target_bytes) + " bytes");
            line_ += c;
        }
    }
    return bytes.size();
}

void HeadReader::end_line() {
    if (!have_request_line_) {
        // Some clients end a body with a line break that nothing announced (RFC 9112, 2.2).
        if (line_.empty()) {
            if (++n_empty_lines_ > 2) bad("empty lines instead of a request");
            return;
        }
        have_request_line_ = true;
        read_request_line();
    } else if (line_.empty()) {
        finish();
        complete_ = true;
    } else {
        read_field();
    }
    line_.clear();
}

void HeadReader::read_request_line() {
    const std::string_view line = line_;
    const size_t first = line.find(' '), last = line.rfind(' ');
    if (first == line.npos || first == last) bad("the request line is not METHOD TARGET HTTP/1.1");
    const std::string_view method = line.substr(0, first), target = line.substr(first + 1, last - first - 1),
                           version = line.substr(last + 1);
    if (!is_token(method) || method.size() > 32) bad("the method is no token");
    head_.method = method;
    if (version != "HTTP/1.1" && version != "HTTP/1.0") bad("the version is neither HTTP/1.1 nor HTTP/1.0");
    head_.minor_version = version.back() - '0';
    read_target(target);
}

void HeadReader::read_target(std::string_view target) {
    if (target.size() > limits_.max_target_bytes)
        bad("the target is longer than " + std::to_string(limits_.max_target_bytes) + " bytes");
    for (size_t i = 0; i < target.size(); i++) {
        if (target[i] <= ' ' || target[i] == '#' || target[i] > '~') bad("the target has a forbidden character");
        if (target[i] != '%') continue;
        const int high = i + 1 < target.size() ? hex_value(target[i + 1]) : -1;
        const int low = i + 2 < target.size() ? hex_value(target[i + 2]) : -1;
        if (high < 0 || low < 0) bad("% in the target begins no escape");
        if (high * 16 + low < 0x20 || high * 16 + low == 0x7f) bad("the target has an escaped control character");
        i += 2;
    }
    // A client that takes us for a proxy names us in the target; which server it meant is not ours to judge.
    for (std::string_view scheme : {"http://", "https://"}) {
        if (target.size() < scheme.size() || !same(target.substr(0, scheme.size()), scheme)) continue;
        target.remove_prefix(scheme.size());
        const size_t path = target.find_first_of("/?");
        if (path == 0 || target.empty()) bad("the target names no host");
        target.remove_prefix(std::min(path, target.size()));
        head_.target = target.starts_with("/") ? std::string(target) : "/" + std::string(target);
        return;
    }
    if (!target.starts_with("/") && !(target == "*" && head_.method == "OPTIONS"))
        bad("the target does not begin with /");
    head_.target = target;
}

void HeadReader::read_field() {
    if (++n_fields_ > limits_.max_fields)
        throw ApiError(ErrorCode::kHeadersTooLarge,
                       "the request has more than " + std::to_string(limits_.max_fields) + " header fields");
    const size_t colon = line_.find(':');
    if (line_.front() == ' ' || line_.front() == '\t') bad("a header field continues on a second line");
    if (colon == line_.npos || !is_token(std::string_view(line_).substr(0, colon))) bad("a header field has no name");
    const std::string name = line_.substr(0, colon);
    const std::string_view value = trimmed(std::string_view(line_).substr(colon + 1));
    const auto [place, added] = head_.headers.emplace(name, value);
    if (added) return;
    if (only_once(name)) bad("the header field " + name + " is there twice");
    place->second.append(same(name, "Cookie") ? "; " : ", ").append(value);
}

void HeadReader::finish() {
    const bool has_length = head_.headers.contains("Content-Length");
    if (head_.headers.contains("Transfer-Encoding")) {
        if (has_length) bad("both Content-Length and Transfer-Encoding");
        if (head_.minor_version == 0 || !same(head_.header("Transfer-Encoding"), "chunked"))
            bad("a Transfer-Encoding other than chunked");
        head_.chunked = true;
    }
    if (has_length) {
        const std::string_view length = head_.header("Content-Length");
        const auto digit = [](char c) { return c >= '0' && c <= '9'; };
        if (length.empty() || length.size() > 18 || !std::all_of(length.begin(), length.end(), digit))
            bad("Content-Length is no number");
        for (char c : length) head_.content_length = head_.content_length * 10 + static_cast<uint64_t>(c - '0');
    }
    const std::string_view coding = head_.header("Content-Encoding");
    if (!coding.empty() && !same(coding, "identity"))
        bad("compressed bodies are not read; send it without Content-Encoding");
    const bool has_host = head_.headers.contains("Host");
    const std::string_view host = head_.header("Host");
    if ((!has_host && head_.minor_version == 1) || host.find_first_of(" \t/?#@\\,") != host.npos)
        bad("one Host field is required");
    const std::string_view connection = head_.header("Connection");
    head_.keep_alive = head_.minor_version == 1 ? !lists(connection, "close") : lists(connection, "keep-alive");
    if (head_.headers.contains("Expect")) {
        if (!same(head_.header("Expect"), "100-continue")) bad("Expect can only be 100-continue");
        head_.expects_continue = head_.minor_version == 1;
    }
    // Last, because all that is above makes the rest of the connection unreadable, and this does not.
    if (!known_method(head_.method))
        throw ApiError(ErrorCode::kMethodNotAllowed, "the method " + head_.method + " is not known");
}

}  // namespace serve
