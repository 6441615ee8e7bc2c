// The listening side: connections in, requests to a router, answers out.
#pragma once

#include <memory>
#include <string>

#include "server/core/server_options.h"
#include "server/http/router.h"

namespace serve {

class HttpServer {
public:
    virtual ~HttpServer() = default;
    // "127.0.0.1:8080" or the path of the socket; known after construction.
    virtual std::string address() const = 0;
    // Serves until stop(). Blocks.
    virtual void run() = 0;
    // No new connections; those there are may finish their request within the drain timeout, then are cut. Any thread, also
    // from a signal handler's helper; returns at once.
    virtual void stop() = 0;
    virtual int n_connections() const = 0;
};

// Binds. Throws ApiError (UNAVAILABLE) when the address cannot be used. The router must outlive it.
std::unique_ptr<HttpServer> make_http_server(const ServerOptions& options, const Router& router);

}  // namespace serve
