// URLs: strict reading, no guessing.
#include "hub_url.h"

#include <algorithm>
#include <charconv>

#include "hub.h"

namespace hub {
namespace {

constexpr size_t kLongestUrl = 16384;

[[noreturn]] void refuse(std::string_view what, std::string_view text, const char* why) {
    throw Error(ErrorKind::kProtocol, std::string(what) + " " + in_quotes(text) + ": " + why);
}

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return result;
}

// Bytes beyond ASCII are percent-encoded, as browsers do; spaces and control characters were refused before.
std::string ascii_only(std::string_view target) {
    std::string result;
    for (char c : target) {
        if (static_cast<unsigned char>(c) < 0x80)
            result += c;
        else
            result += percent_encode(std::string_view(&c, 1), false);
    }
    return result;
}

}  // namespace

std::string Url::authority() const {
    const std::string name = host.find(':') == host.npos ? host : "[" + host + "]";
    return port == (is_tls() ? 443 : 80) ? name : name + ":" + std::to_string(port);
}

Url parse_url(std::string_view text, std::string_view what) {
    if (text.size() > kLongestUrl) refuse(what, text, "longer than 16384 bytes");
    for (char c : text)
        if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) refuse(what, text, "has spaces or control characters");
    Url url;
    const size_t scheme_end = text.find("://");
    if (scheme_end != text.npos) url.scheme = lower(text.substr(0, scheme_end));
    if (url.scheme != "https" && url.scheme != "http") refuse(what, text, "is no https:// or http:// address");
    std::string_view rest = text.substr(scheme_end + 3);
    rest = rest.substr(0, rest.find('#'));
    const size_t authority_end = std::min(rest.find_first_of("/?\\"), rest.size());
    std::string_view authority = rest.substr(0, authority_end);
    url.target = ascii_only(rest.substr(authority_end));
    if (url.target.empty() || url.target[0] != '/') url.target.insert(0, "/");
    if (url.target.find('\\') != url.target.npos) refuse(what, text, "has a backslash");
    if (authority.find('@') != authority.npos) refuse(what, text, "names a user, which is not sent to anyone");

    std::string_view port;
    if (!authority.empty() && authority[0] == '[') {
        const size_t end = authority.find(']');
        if (end == authority.npos) refuse(what, text, "has a bracket that never closes");
        url.host = lower(authority.substr(1, end - 1));
        if (url.host.find_first_not_of("0123456789abcdef:.") != url.host.npos || url.host.find(':') == url.host.npos)
            refuse(what, text, "has no IPv6 address between its brackets");
        authority.remove_prefix(end + 1);
        if (!authority.empty() && authority[0] != ':') refuse(what, text, "has something behind its address");
        port = authority.empty() ? authority : authority.substr(1);
    } else {
        const size_t colon = authority.find(':');
        url.host = lower(authority.substr(0, colon));
        if (colon != authority.npos) port = authority.substr(colon + 1);
        const auto may_be_in_name = [](char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '_'; };
        if (url.host.empty() || url.host.size() > 253 || !std::all_of(url.host.begin(), url.host.end(), may_be_in_name))
            refuse(what, text, "names no host");
    }
    url.port = url.is_tls() ? 443 : 80;
    if (!port.empty()) {
        const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
        if (error != std::errc() || end != port.data() + port.size() || url.port < 1 || url.port > 65535)
            refuse(what, text, "has a port that is none");
    }
    return url;
}

Url resolve_location(const Url& base, std::string_view location) {
    constexpr std::string_view kWhat = "a redirect to";
    if (location.empty()) refuse(kWhat, location, "goes nowhere");
    const size_t first = location.find_first_of(":/?#");
    const bool is_absolute = first != location.npos && location[first] == ':';
    if (is_absolute) return parse_url(location, kWhat);
    if (location.substr(0, 2) == "//") return parse_url(base.scheme + ":" + std::string(location), kWhat);
    const std::string path = base.target.substr(0, base.target.find('?'));
    std::string target;
    if (location[0] == '/')
        target = location;
    else if (location[0] == '?')
        target = path + std::string(location);
    else
        target = path.substr(0, path.rfind('/') + 1) + std::string(location);
    return parse_url(base.origin() + target, kWhat);
}

bool is_loopback(const std::string& host) {
    if (host == "localhost" || host == "::1") return true;
    return host.starts_with("127.") && host.find_first_not_of("0123456789.") == host.npos;
}

std::string percent_encode(std::string_view text, bool keep_slashes) {
    static const char kDigits[] = "0123456789ABCDEF";
    std::string result;
    for (char c : text) {
        if (is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~' || (keep_slashes && c == '/')) {
            result += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        result += '%';
        result += kDigits[byte >> 4];
        result += kDigits[byte & 15];
    }
    return result;
}

std::string in_quotes(std::string_view text) {
    constexpr size_t kMost = 120;
    std::string result = "'";
    for (char c : text.substr(0, kMost)) {
        const auto byte = static_cast<unsigned char>(c);
        result += byte < 0x20 || byte >= 0x7f ? '?' : c;
    }
    return result + (text.size() > kMost ? "...'" : "'");
}

}  // namespace hub
