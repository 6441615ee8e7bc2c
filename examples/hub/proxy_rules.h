// Which proxy a request goes through: HTTPS_PROXY, http_proxy, ALL_PROXY and NO_PROXY, as curl reads them. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "hub_url.h"

namespace hub {

struct Proxy {
    std::string host;
    int port = 0;
    std::string authorization;  // value of Proxy-Authorization; ""
};

// variable(name) is the environment. HTTP_PROXY in capitals does not count: web servers put a client's field there.
// Throws Error(kUsage) for a proxy that is no http:// address.
std::optional<Proxy> find_proxy(const Url& url, const std::function<std::string(const char*)>& variable);

std::string base64(std::string_view bytes);

}  // namespace hub
