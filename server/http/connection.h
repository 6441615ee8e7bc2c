// One connection from its first byte to its last: heads and bodies in within limits and deadlines, refusals, one exchange after
// the other. Runs on a thread of its own.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "server/core/server_options.h"
#include "server/http/http_exchange.h"
#include "server/http/origin_rules.h"
#include "server/http/router.h"
#include "server/http/transport.h"

namespace serve {

// What all connections of a server share.
struct ConnectionPlan {
    ConnectionPlan(const ServerOptions& given, const Router& to, OriginRules rules)
        : options(given), router(to), origins(std::move(rules)), exchanges(make_exchange_server()) {}

    const ServerOptions& options;
    const Router& router;
    const OriginRules origins;
    const std::unique_ptr<ExchangeServer> exchanges;
    std::atomic<bool> draining = false;        // new work is refused, every answer ends its connection
    std::atomic<bool> stopping = false;        // connections without a request end
    std::atomic<int> n_requests = 0;           // being read or answered
    std::atomic<uint64_t> buffered_bytes = 0;  // of bodies, over all connections
};

class Connection {
public:
    Connection(ConnectionPlan& plan, std::unique_ptr<Transport> transport, std::string peer)
        : plan_(plan), transport_(std::move(transport)), peer_(std::move(peer)) {}

    // To the end of the connection. Never throws.
    void run() noexcept;
    // For the thread that stops the server. True while it waits for a request.
    bool idle() const noexcept { return idle_; }
    // Ends what waits on the socket: its reading, or all.
    void cut(bool reading_only) const noexcept;

private:
    // False at the connection's end.
    bool serve_one();
    bool wait_for_request();
    bool read_head(HeadReader& reader, SteadyTime deadline);
    // The body, or an error; false where the client is gone.
    bool read_body(const RequestHead& head, std::string& body, SteadyTime began);
    Transport::Result read_more(SteadyTime deadline);
    // Answers what cannot become a request, and ends the connection.
    void refuse(RequestHead& head, const std::string& request_id, SteadyTime received, const ApiError& error);
    HttpResponse answer(HttpRequest request, const RequestHead& head) const;
    HttpRequest begin_request(RequestHead& head, const std::string& request_id, SteadyTime received) const;
    // Waits a little for the client to close first: closing with unread bytes would take the answer away from it.
    void linger() noexcept;

    ConnectionPlan& plan_;
    const std::unique_ptr<Transport> transport_;
    const std::string peer_;
    std::string input_;  // read and not yet used: the rest may be the next request
    bool first_ = true;
    std::atomic<bool> idle_ = true;
};

// The id of a request: the client's own where it is short and harmless, else a random one.
std::string request_id_for(const RequestHead& head);

}  // namespace serve
