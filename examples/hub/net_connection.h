// A connection to a server: sockets, a proxy's tunnel, TLS by OpenSSL with the system's certificates (SSL_CERT_FILE and
// SSL_CERT_DIR are honoured). Every wait has an end and asks whether to stop; every failure is an Error.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "hub_url.h"
#include "proxy_rules.h"

namespace hub {

struct NetworkLimits {
    double connect_timeout_s = 15;
    double stall_timeout_s = 30;
    std::function<bool()> is_cancelled;
};

// Error(kCancelled) when it says so.
void require_not_cancelled(const std::function<bool()>& is_cancelled);

class NetConnection {
public:
    // Resolves, connects, shakes hands.
    NetConnection(const Url& url, const std::optional<Proxy>& proxy, const NetworkLimits& limits);
    ~NetConnection();
    NetConnection(const NetConnection&) = delete;
    NetConnection& operator=(const NetConnection&) = delete;

    // At least one byte, or 0 at the end.
    size_t read(char* bytes, size_t size);
    void write(std::string_view bytes);

private:
    struct Tls;
    using Clock = std::chrono::steady_clock;

    void connect_to(const std::string& host, int port);
    void open_tunnel(const Proxy& proxy);
    void start_tls();
    void wait_for(short events, Clock::time_point deadline, const char* what);
    void require_progress(size_t n_bytes);
    [[noreturn]] void fail_tls(const char* doing) const;

    const Url url_;
    const NetworkLimits limits_;
    int socket_ = -1;
    std::unique_ptr<Tls> tls_;
    Clock::time_point window_start_;  // in which at least a kilobyte must come
    size_t n_window_bytes_ = 0;
};

}  // namespace hub
