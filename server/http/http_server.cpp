// One thread accepts; each connection has a thread of its own, within a limit. Beyond the limit a client gets an answer at once,
// from the accepting thread, which never waits for anybody.
#include "server/http/http_server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>

#include "server/core/clock_text.h"
#include "server/core/server_log.h"
#include "server/http/connection.h"
#include "server/http/listener.h"
#include "server/http/tls_transport.h"

namespace serve {

namespace {

using Clock = std::chrono::steady_clock;

// Sanitizers' frames are several times as large.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kStackBytes = 32u << 20;
#else
constexpr size_t kStackBytes = 4u << 20;  // address space, memory only where it is touched: chat templates nest deeply
#endif
constexpr int kSendBufferBytes = 256 << 10;  // what a client that reads nothing can make the system hold
constexpr int kSpareDescriptors = 64;        // models, logs, the listening sockets
constexpr size_t kMaxRefused = 64;
constexpr std::chrono::seconds kRefusedLinger{2};

void raise_descriptor_limit(int max_connections) {
    rlimit limit = {};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    const rlim_t wanted = static_cast<rlim_t>(max_connections) + kSpareDescriptors;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = std::min(wanted, limit.rlim_max);
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur < wanted)
        log_line(LogLevel::kWarning, "the limit of open files is below max-connections",
                 {{"limit", static_cast<uint64_t>(limit.rlim_cur)}, {"max_connections", max_connections}});
}

// A message that many clients could cause, at most every ten seconds.
class RareWarning {
public:
    explicit RareWarning(const char* message) : message_(message) {}
    void tell(const std::string& detail) {
        n_++;
        if (Clock::now() < next_) return;
        next_ = Clock::now() + std::chrono::seconds(10);
        log_line(LogLevel::kWarning, message_, {{"detail", detail}, {"times", n_}});
        n_ = 0;
    }

private:
    const char* const message_;
    uint64_t n_ = 0;
    Clock::time_point next_ = {};
};

class Server final : public HttpServer {
public:
    Server(const ServerOptions& options, const Router& router)
        : options_(options),
          listener_(options.unix_socket.empty() ? std::make_unique<Listener>(options.host, options.port)
                                                : std::make_unique<Listener>(options.unix_socket)),
          address_(listener_->address()),
          plan_(options, router, OriginRules(options.cors_origins, guard_host(), options.allowed_hosts)) {
        if (!options.tls_cert.empty()) tls_ = std::make_unique<TlsContext>(options.tls_cert, options.tls_key);
        if (pipe2(wake_, O_CLOEXEC | O_NONBLOCK) != 0) throw ApiError(ErrorCode::kUnavailable, "no pipe is left");
        spare_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
        raise_descriptor_limit(options.max_connections);
        if (!listener_->local_only() && !has_credentials())
            log_line(LogLevel::kWarning, "everyone who reaches this address may use the server; see --api-key-file",
                     {{"address", address_}});
        if (!listener_->local_only() && has_credentials() && !tls_)
            log_line(LogLevel::kWarning, "keys pass this address unencrypted; see --tls-cert", {{"address", address_}});
    }
    ~Server() override {
        close(wake_[0]);
        close(wake_[1]);
        if (spare_ >= 0) close(spare_);
    }

    std::string address() const override { return address_; }
    void run() override;
    void begin_drain() override { plan_.draining = true; }
    void stop(std::chrono::milliseconds grace) override {
        const std::lock_guard lock(mutex_);
        plan_.draining = true;
        plan_.stopping = true;
        grace_end_ = Clock::now() + grace;
        const ssize_t n = write(wake_[1], "x", 1);
        static_cast<void>(n);  // full means that it was told already
        changed_.notify_all();
    }
    void reload_tls() override {
        if (tls_) tls_->reload();
    }
    void remove_socket_file() override {
        if (!options_.unix_socket.empty()) unlink(options_.unix_socket.c_str());
    }
    bool local_only() const override { return listener_->local_only(); }
    int n_connections() const override { return n_connections_; }
    int n_requests() const override { return plan_.n_requests; }

private:
    struct Entry {
        Server* server;
        std::list<Entry>::iterator self;
        std::unique_ptr<Connection> connection;  // null once it has ended
        pthread_t thread = {};
    };
    // A client that was turned away and may not have read it yet.
    struct Refused {
        int socket;
        Clock::time_point until;
    };

    bool has_credentials() const { return !options_.api_key_file.empty() || !options_.jwt_key_file.empty(); }
    bool guard_host() const { return options_.unix_socket.empty() && listener_->local_only() && !has_credentials(); }
    void accept_from(int listening);
    void start(int socket);
    void turn_away(int socket);
    void drop_refused(bool all);
    void join_ended();
    void end_connections();
    static void* run_entry(void* entry);

    const ServerOptions& options_;
    const std::unique_ptr<Listener> listener_;
    const std::string address_;
    ConnectionPlan plan_;
    std::unique_ptr<TlsContext> tls_;
    int wake_[2] = {-1, -1};
    int spare_ = -1;  // given up to accept, and so to turn away, when no descriptor is left
    std::deque<Refused> refused_;
    RareWarning full_{"connections are turned away: there are as many as allowed"};
    RareWarning exhausted_{"connections cannot be accepted"};

    std::mutex mutex_;
    std::condition_variable changed_;
    std::list<Entry> entries_, ended_;
    Clock::time_point grace_end_ = {};
    std::atomic<int> n_connections_ = 0;
};

void Server::run() {
    std::vector<pollfd> polled = {{wake_[0], POLLIN, 0}};
    for (int socket : listener_->sockets()) polled.push_back({socket, POLLIN, 0});
    while (!plan_.stopping) {
        const int n = poll(polled.data(), polled.size(), 500);
        join_ended();
        drop_refused(false);
        if (n <= 0) continue;
        for (size_t i = 1; i < polled.size() && !plan_.stopping; i++)
            if (polled[i].revents) accept_from(polled[i].fd);
    }
    listener_->close_all();
    end_connections();
    join_ended();
    drop_refused(true);
}

void Server::accept_from(int listening) {
    for (int i = 0; i < 64 && !plan_.stopping; i++) {
        const int socket = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (socket >= 0) {
            if (n_connections_ >= options_.max_connections)
                turn_away(socket);
            else
                start(socket);
            continue;
        }
        const int error = errno;
        if (error == EINTR || error == ECONNABORTED) continue;
        if (error == EMFILE || error == ENFILE) {
            exhausted_.tell("no file descriptor is left");
            // The backlog would wake this thread for ever: take one, turn it away.
            drop_refused(true);
            if (spare_ >= 0) close(spare_);
            const int victim = accept(listening, nullptr, nullptr);
            if (victim >= 0) close(victim);
            spare_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
            if (victim < 0) poll(nullptr, 0, 10);
            return;
        }
        if (error == ENOBUFS || error == ENOMEM) {
            exhausted_.tell("out of memory");
            poll(nullptr, 0, 10);
        }
        return;
    }
}

void Server::start(int socket) {
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof kSendBufferBytes);
    std::unique_ptr<Transport> transport = tls_ ? tls_->accept(socket) : std::make_unique<Transport>(socket);
    if (!transport) return;
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_.emplace_back();
    entry.server = this;
    entry.self = std::prev(entries_.end());
    entry.connection = std::make_unique<Connection>(plan_, std::move(transport), peer_address(socket));
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kStackBytes);
    n_connections_++;
    if (pthread_create(&entry.thread, &attributes, run_entry, &entry) != 0) {
        exhausted_.tell("no thread can be started");
        n_connections_--;
        entries_.pop_back();  // closes it
    }
    pthread_attr_destroy(&attributes);
}

void* Server::run_entry(void* argument) {
    Entry& entry = *static_cast<Entry*>(argument);
    Server& server = *entry.server;
    entry.connection->run();
    const std::lock_guard lock(server.mutex_);
    entry.connection.reset();  // under the lock: the thread that stops must not meet a socket that is another's by now
    server.n_connections_--;
    server.ended_.splice(server.ended_.end(), server.entries_, entry.self);
    server.changed_.notify_all();
    return nullptr;
}

void Server::turn_away(int socket) {
    full_.tell(std::to_string(options_.max_connections));
    if (tls_) {  // saying it would need a handshake
        close(socket);
        return;
    }
    HttpRequest request;
    request.request_id = random_id("req_");
    request.received = Clock::now();
    ApiError error(ErrorCode::kUnavailable, "the server has as many connections as it allows");
    error.retry_after_s = 1;
    const HttpResponse response = plan_.router.refuse(request, error);
    std::string text = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: application/json\r\n";
    for (const auto& [name, value] : response.headers) text.append(name).append(": ").append(value).append("\r\n");
    text += "X-Request-Id: " + request.request_id + "\r\nContent-Length: " + std::to_string(response.body.size()) +
            "\r\n\r\n" + response.body;
    const ssize_t n = send(socket, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    static_cast<void>(n);  // an empty send buffer takes it whole
    shutdown(socket, SHUT_WR);
    plan_.router.report(request, nullptr, response.status, response.body.size());
    if (refused_.size() >= kMaxRefused) {
        close(refused_.front().socket);
        refused_.pop_front();
    }
    refused_.push_back({socket, Clock::now() + kRefusedLinger});
}

void Server::drop_refused(bool all) {
    char bytes[4096];
    std::erase_if(refused_, [&](const Refused& entry) {
        const ssize_t n = recv(entry.socket, bytes, sizeof bytes, MSG_DONTWAIT);
        const bool open = n > 0 || (n < 0 && errno == EAGAIN);
        if (open && !all && Clock::now() < entry.until) return false;
        close(entry.socket);
        return true;
    });
}

void Server::join_ended() {
    std::list<Entry> ended;
    {
        const std::lock_guard lock(mutex_);
        ended.swap(ended_);
    }
    for (const Entry& entry : ended) pthread_join(entry.thread, nullptr);
}

void Server::end_connections() {
    std::unique_lock lock(mutex_);
    for (const Entry& entry : entries_)
        if (entry.connection->idle()) entry.connection->cut(true);
    bool cut = false;
    while (!entries_.empty()) {
        if (!cut && Clock::now() >= grace_end_) {
            for (const Entry& entry : entries_) entry.connection->cut(false);
            cut = true;
        }
        if (cut)
            changed_.wait(lock);
        else
            changed_.wait_until(lock, grace_end_);
    }
}

}  // namespace

std::unique_ptr<HttpServer> make_http_server(const ServerOptions& options, const Router& router) {
    return std::make_unique<Server>(options, router);
}

}  // namespace serve
