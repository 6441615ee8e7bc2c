// Where a request may be sent on to, and who gets the token. Pure.
#pragma once

#include <string>
#include <string_view>

#include "hub_url.h"

namespace hub {

constexpr int kMostRedirects = 10;

// The next address of a request that was sent to `from` and got this Location; n_before redirects were followed already.
// Throws Error(kProtocol): too many, to another scheme, from https to http.
Url follow_redirect(const Url& from, std::string_view location, int n_before);

// The token belongs to the endpoint: same scheme, host and port.
bool may_have_token(const Url& url, const Url& endpoint);
// Throws Error(kUsage) where a token would cross a network in the clear.
void require_safe_token(const Url& endpoint, const std::string& token);

}  // namespace hub
