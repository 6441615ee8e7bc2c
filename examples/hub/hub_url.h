// URLs as far as the hub needs them: http and https, no names and passwords inside, no fragment. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace hub {

struct Url {
    std::string scheme;  // "http" or "https"
    std::string host;    // lower case; an IPv6 address without brackets
    int port = 0;
    std::string target;  // path and query, begins with a slash

    bool is_tls() const { return scheme == "https"; }
    // host, or host:port where the port is not the scheme's own.
    std::string authority() const;
    std::string origin() const { return scheme + "://" + authority(); }
    std::string text() const { return origin() + target; }
};

// Throws Error(kProtocol) with what is wrong; what says whose URL it is, "the endpoint" or so.
Url parse_url(std::string_view text, std::string_view what);
// A Location field, which may be relative, seen from base.
Url resolve_location(const Url& base, std::string_view location);
// This machine, so that nothing between can listen.
bool is_loopback(const std::string& host);

// Percent-encodes all but unreserved characters; keep_slashes leaves slashes, for paths.
std::string percent_encode(std::string_view text, bool keep_slashes);

// Text of a server or a file, made safe for a message: control characters and what is longer than most people read are gone.
std::string in_quotes(std::string_view text);

}  // namespace hub
