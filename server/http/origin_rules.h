// Which web pages may use this server (CORS, WHATWG Fetch 3.2), and which may not even send it something: a page of any site can
// make its visitor's browser post to 127.0.0.1, whether or not it may read the answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/core/http_message.h"
#include "server/http/request_head.h"

namespace serve {

class OriginRules {
public:
    // origins: "https://app.example", or "*" for all. guard_host: the Host field must name an address or localhost, so that a
    // site cannot make its own name stand for this machine and be its page (DNS rebinding); allowed_hosts may come besides.
    OriginRules(std::vector<std::string> origins, bool guard_host, std::vector<std::string> allowed_hosts);

    // Throws FORBIDDEN for a request that another site's page makes without leave.
    void check(const RequestHead& head) const;
    static bool is_preflight(const RequestHead& head);
    // The answer to a preflight request. Throws FORBIDDEN.
    HttpResponse answer_preflight(const RequestHead& head) const;
    // The fields that let the page read an answer; none for pages that may not.
    std::vector<std::pair<std::string, std::string>> answer_headers(const RequestHead& head) const;

private:
    bool allows(std::string_view origin) const;

    const std::vector<std::string> origins_;
    const bool guard_host_;
    const std::vector<std::string> allowed_hosts_;
};

}  // namespace serve
