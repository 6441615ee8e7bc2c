// One request and its answer over cpp-httplib. The library gets a request line that request_head.h has accepted and nothing
// else: no field and no body of the client reaches it, so that neither its limits nor what it does with ranges, codings and
// forms decide anything here. It takes the target apart, and writes the answer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/core/http_message.h"
#include "server/http/transport.h"

namespace serve {

struct Exchange {
    HttpRequest request;  // complete but for path and query
    std::string target = "/";
    int minor_version = 1;
    bool close = false;  // say that the connection ends here
    std::chrono::seconds write_timeout{30};
    std::vector<std::pair<std::string, std::string>> more_headers;  // of the answer, whatever it is
    std::function<HttpResponse(HttpRequest)> answer;
};

class ExchangeServer {
public:
    virtual ~ExchangeServer() = default;
    // Calls exchange.answer and writes what it gives. False where the client did not take it all, or the answer broke off:
    // the connection is of no use any more. Any thread.
    virtual bool run(Exchange& exchange, Transport& transport) = 0;
};

std::unique_ptr<ExchangeServer> make_exchange_server();

}  // namespace serve
