// GET over cpp-httplib: the library writes requests and reads answers, over our own connections (net_connection.h), so that
// every answer has bounds in bytes and time, redirects follow redirect_rules.h, and the token goes where it belongs.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hub_url.h"
#include "net_connection.h"
#include "resume_rules.h"

namespace hub {

using HttpFields = std::vector<std::pair<std::string, std::string>>;

struct HttpHandlers {
    // The head of an answer that redirects.
    std::function<void(const ResponseHead&)> on_redirect;
    // The head of the last answer. False: its body is not wanted.
    std::function<bool(const ResponseHead&)> on_head;
    std::function<void(std::string_view)> on_body;
};

class HttpGetter {
public:
    HttpGetter(Url endpoint, std::string token, NetworkLimits limits);

    // Returns once the body was read to its end or was not wanted. Error(kNetwork) for what may go better when tried again.
    void get(const Url& url, const HttpFields& fields, const HttpHandlers& handlers) const;
    const Url& endpoint() const { return endpoint_; }
    const NetworkLimits& limits() const { return limits_; }

private:
    const Url endpoint_;
    const std::string token_;
    const NetworkLimits limits_;
};

}  // namespace hub
