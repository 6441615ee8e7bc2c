// The listening side: connections in, requests to a router, answers out.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "server/core/server_options.h"
#include "server/http/router.h"

namespace serve {

class HttpServer {
public:
    virtual ~HttpServer() = default;
    // "127.0.0.1:8080" or "unix:" and the path of the socket; known after construction.
    virtual std::string address() const = 0;
    // Serves until stop(). Blocks.
    virtual void run() = 0;
    // From now on requests that make work are answered with 503, and every answer ends its connection.
    virtual void begin_drain() = 0;
    // No new connections; those there are may finish their request within grace, then are cut. Any thread; returns at once.
    // May be called again with another grace.
    virtual void stop(std::chrono::milliseconds grace) = 0;
    // Reads certificate and key again. Throws ApiError and keeps what it has where they are wrong.
    virtual void reload_tls() = 0;
    // Removes the file of a listening socket, for a program that ends without run() returning.
    virtual void remove_socket_file() = 0;
    // Only programs of this machine can connect.
    virtual bool local_only() const = 0;
    virtual int n_connections() const = 0;
    // Requests that are being read or answered.
    virtual int n_requests() const = 0;
};

// Binds. Throws ApiError (UNAVAILABLE) when the address cannot be used. Options and router must outlive it.
std::unique_ptr<HttpServer> make_http_server(const ServerOptions& options, const Router& router);

}  // namespace serve
