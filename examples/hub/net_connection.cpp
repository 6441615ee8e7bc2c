// Sockets and TLS. The socket never blocks; poll does, in short turns.
#include "net_connection.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "hub.h"

namespace hub {
namespace {

constexpr size_t kLeastWindowBytes = 1024;
constexpr int kTurnMs = 100;

std::chrono::steady_clock::duration seconds(double s) {
    return std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(s));
}

std::string short_seconds(double s) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3g s", s);
    return text;
}

[[noreturn]] void fail(const Url& url, const std::string& what) {
    throw Error(ErrorKind::kNetwork, url.authority() + ": " + what);
}

struct AddressFreer {
    void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

bool is_address(const std::string& host) {
    return host.find(':') != host.npos || host.find_first_not_of("0123456789.") == host.npos;
}

}  // namespace

struct NetConnection::Tls {
    SSL_CTX* context = nullptr;
    SSL* session = nullptr;
    ~Tls() {
        SSL_free(session);
        SSL_CTX_free(context);
    }
};

void require_not_cancelled(const std::function<bool()>& is_cancelled) {
    if (is_cancelled && is_cancelled()) throw Error(ErrorKind::kCancelled, "the download was cancelled");
}

NetConnection::NetConnection(const Url& url, const std::optional<Proxy>& proxy, const NetworkLimits& limits)
    : url_(url), limits_(limits) {
    try {
        if (proxy)
            connect_to(proxy->host, proxy->port);
        else
            connect_to(url_.host, url_.port);
        window_start_ = Clock::now();
        if (proxy && url_.is_tls()) open_tunnel(*proxy);
        if (url_.is_tls()) start_tls();
    } catch (...) {
        tls_.reset();
        if (socket_ >= 0) close(socket_);
        throw;
    }
}

NetConnection::~NetConnection() {
    tls_.reset();
    if (socket_ >= 0) close(socket_);
}

void NetConnection::connect_to(const std::string& host, int port) {
    addrinfo hints = {};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
    if (is_address(host)) hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    const std::unique_ptr<addrinfo, AddressFreer> addresses(found);
    const std::string whom = host == url_.host ? "" : "proxy " + host + ": ";
    if (error != 0) fail(url_, whom + "no address is found for this name: " + gai_strerror(error));
    std::string reason = "has no address";
    for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
        require_not_cancelled(limits_.is_cancelled);
        socket_ = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
        if (socket_ < 0) continue;
        fcntl(socket_, F_SETFD, FD_CLOEXEC);
        fcntl(socket_, F_SETFL, fcntl(socket_, F_GETFL) | O_NONBLOCK);
        int result = connect(socket_, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
        if (result == EINPROGRESS || result == EINTR) {
            try {
                wait_for(POLLOUT, Clock::now() + seconds(limits_.connect_timeout_s), "no connection in time");
                socklen_t size = sizeof result;
                getsockopt(socket_, SOL_SOCKET, SO_ERROR, &result, &size);
            } catch (const Error& timeout) {
                if (timeout.kind() != ErrorKind::kNetwork) throw;
                result = ETIMEDOUT;
            }
        }
        if (result == 0) {
            const int on = 1;
            setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            return;
        }
        reason = std::strerror(result);
        close(socket_);
        socket_ = -1;
    }
    fail(url_, whom + "no connection: " + reason);
}

void NetConnection::open_tunnel(const Proxy& proxy) {
    const std::string target =
        (url_.host.find(':') == url_.host.npos ? url_.host : "[" + url_.host + "]") + ":" + std::to_string(url_.port);
    std::string request = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
    if (!proxy.authorization.empty()) request += "Proxy-Authorization: " + proxy.authorization + "\r\n";
    write(request + "\r\n");
    // Byte by byte, for what comes behind the head belongs to TLS.
    constexpr size_t kLongestHead = 8192;
    std::string head;
    while (!head.ends_with("\r\n\r\n")) {
        char byte = 0;
        if (head.size() >= kLongestHead || read(&byte, 1) == 0) fail(url_, "the proxy's answer is no HTTP");
        head += byte;
    }
    const std::string status = head.substr(0, head.find('\r'));
    if (!status.starts_with("HTTP/1.") || status.size() < 12 || status.substr(8, 2) != " 2")
        fail(url_, "the proxy refuses: " + in_quotes(status));
}

void NetConnection::fail_tls(const char* doing) const {
    const long verified = SSL_get_verify_result(tls_->session);
    if (verified != X509_V_OK)
        throw Error(ErrorKind::kTls,
                    url_.authority() +
                        ": the server's certificate is not accepted: " + X509_verify_cert_error_string(verified) +
                        "; SSL_CERT_FILE names a file of certificates to trust instead of the system's");
    const unsigned long error = ERR_peek_last_error();
    const char* reason = error != 0 ? ERR_reason_error_string(error) : nullptr;
    const bool cut = error == 0 || (reason != nullptr && std::strstr(reason, "unexpected eof") != nullptr);
    if (cut) fail(url_, std::string("the connection was cut while ") + doing);
    throw Error(ErrorKind::kTls, url_.authority() + ": TLS fails while " + doing + ": " +
                                     (reason != nullptr ? reason : "no reason given"));
}

void NetConnection::start_tls() {
    tls_ = std::make_unique<Tls>();
    ERR_clear_error();
    tls_->context = SSL_CTX_new(TLS_client_method());
    bool good = tls_->context != nullptr && SSL_CTX_set_min_proto_version(tls_->context, TLS1_2_VERSION) == 1 &&
                SSL_CTX_set_default_verify_paths(tls_->context) == 1;
    if (good) {
        SSL_CTX_set_verify(tls_->context, SSL_VERIFY_PEER, nullptr);
        tls_->session = SSL_new(tls_->context);
        good = tls_->session != nullptr && SSL_set_fd(tls_->session, socket_) == 1;
    }
    if (good && is_address(url_.host)) {
        good = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_->session), url_.host.c_str()) == 1;
    } else if (good) {
        SSL_set_hostflags(tls_->session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        good = SSL_set_tlsext_host_name(tls_->session, url_.host.c_str()) == 1 &&
               SSL_set1_host(tls_->session, url_.host.c_str()) == 1;
    }
    if (!good) throw Error(ErrorKind::kTls, url_.authority() + ": OpenSSL cannot begin; is its installation whole?");
    const Clock::time_point deadline = Clock::now() + seconds(limits_.connect_timeout_s);
    for (;;) {
        ERR_clear_error();
        const int result = SSL_connect(tls_->session);
        if (result == 1) return;
        const int error = SSL_get_error(tls_->session, result);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) fail_tls("shaking hands");
        wait_for(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline, "no TLS handshake in time");
    }
}

void NetConnection::wait_for(short events, Clock::time_point deadline, const char* what) {
    for (;;) {
        require_not_cancelled(limits_.is_cancelled);
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) fail(url_, what);
        pollfd ready = {socket_, events, 0};
        const int n = poll(&ready, 1, static_cast<int>(std::min<long long>(left + 1, kTurnMs)));
        if (n > 0) return;
        if (n < 0 && errno != EINTR) fail(url_, std::string("poll: ") + std::strerror(errno));
    }
}

// Called with the bytes that came, which may be none yet.
void NetConnection::require_progress(size_t n_bytes) {
    n_window_bytes_ += n_bytes;
    const Clock::time_point now = Clock::now();
    if (n_window_bytes_ >= kLeastWindowBytes) {
        n_window_bytes_ = 0;
        window_start_ = now;
    } else if (now - window_start_ >= seconds(limits_.stall_timeout_s)) {
        fail(url_, "stalled: less than a kilobyte within " + short_seconds(limits_.stall_timeout_s));
    }
}

size_t NetConnection::read(char* bytes, size_t size) {
    for (;;) {
        short events = POLLIN;
        ERR_clear_error();
        if (tls_) {
            size_t n = 0;
            const int result = SSL_read_ex(tls_->session, bytes, size, &n);
            if (result == 1) {
                require_progress(n);
                return n;
            }
            const int error = SSL_get_error(tls_->session, result);
            if (error == SSL_ERROR_ZERO_RETURN) return 0;
            if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) fail_tls("reading");
            if (error == SSL_ERROR_WANT_WRITE) events = POLLOUT;
        } else {
            const ssize_t n = recv(socket_, bytes, size, 0);
            if (n > 0) require_progress(static_cast<size_t>(n));
            if (n >= 0) return static_cast<size_t>(n);
            if (errno == EINTR) continue;
            if (errno != EAGAIN) fail(url_, std::string("the connection was cut: ") + std::strerror(errno));
        }
        require_not_cancelled(limits_.is_cancelled);
        require_progress(0);
        pollfd ready = {socket_, events, 0};
        const auto left = window_start_ + seconds(limits_.stall_timeout_s) - Clock::now();
        const auto left_ms = std::chrono::duration_cast<std::chrono::milliseconds>(left).count() + 1;
        poll(&ready, 1, static_cast<int>(std::clamp<long long>(left_ms, 1, kTurnMs)));
    }
}

void NetConnection::write(std::string_view bytes) {
    const Clock::time_point deadline = Clock::now() + seconds(limits_.stall_timeout_s);
    while (!bytes.empty()) {
        short events = POLLOUT;
        ERR_clear_error();
        if (tls_) {
            size_t n = 0;
            const int result = SSL_write_ex(tls_->session, bytes.data(), bytes.size(), &n);
            bytes.remove_prefix(result == 1 ? n : 0);
            if (result == 1) continue;
            const int error = SSL_get_error(tls_->session, result);
            if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) fail_tls("writing");
            if (error == SSL_ERROR_WANT_READ) events = POLLIN;
        } else {
            const ssize_t n = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            bytes.remove_prefix(n > 0 ? static_cast<size_t>(n) : 0);
            if (n >= 0 || errno == EINTR) continue;
            if (errno != EAGAIN) fail(url_, std::string("the connection was cut: ") + std::strerror(errno));
        }
        wait_for(events, deadline, "the request is not taken in time");
    }
    window_start_ = Clock::now();
    n_window_bytes_ = 0;
}

}  // namespace hub
