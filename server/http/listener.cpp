// bind, listen, and what can be wrong with them said in one line.
#include "server/http/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include "server/core/api_error.h"

namespace serve {

namespace {

// As many as may connect between two turns of the accepting thread; the system's own limit may be lower.
constexpr int kBacklog = 1024;

[[noreturn]] void fail(const std::string& address, const std::string& why) {
    throw ApiError(ErrorCode::kUnavailable, "cannot listen on " + address + ": " + why);
}

std::string errno_text() { return std::generic_category().message(errno); }

std::string numeric_host(const sockaddr* address, socklen_t size) {
    char host[NI_MAXHOST] = "";
    if (getnameinfo(address, size, host, sizeof host, nullptr, 0, NI_NUMERICHOST) != 0) return "?";
    // A client over IPv4 at a socket for both protocols.
    const std::string_view text = host;
    return std::string(text.starts_with("::ffff:") && text.find('.') != text.npos ? text.substr(7) : text);
}

bool is_loopback(const sockaddr* address) {
    if (address->sa_family == AF_INET) {
        const auto* in = reinterpret_cast<const sockaddr_in*>(address);
        return (ntohl(in->sin_addr.s_addr) >> 24) == 127;
    }
    const auto* in = reinterpret_cast<const sockaddr_in6*>(address);
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in->sin6_addr);
}

int port_of(int socket) {
    sockaddr_storage address = {};
    socklen_t size = sizeof address;
    getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                                               : reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

}  // namespace

Listener::Listener(const std::string& hosts, int port) {
    try {
        for (size_t begin = 0; begin <= hosts.size();) {
            const size_t end = std::min(hosts.find(',', begin), hosts.size());
            listen_on_host(hosts.substr(begin, end - begin), port, begin == 0 && end == hosts.size());
            begin = end + 1;
        }
    } catch (...) {
        close_all();
        throw;
    }
}

void Listener::listen_on_host(const std::string& host, int& port, bool only_host) {
    const std::string place = host + ":" + std::to_string(port);
    if (host.empty()) fail(place, "no host is named");
    addrinfo hints = {};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    if (const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found)) fail(place, gai_strerror(error));
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
    size_t n_bound = 0;
    std::string why;
    for (const addrinfo* entry = found; entry; entry = entry->ai_next) {
        if (entry->ai_family != AF_INET && entry->ai_family != AF_INET6) continue;
        const int socket = ::socket(entry->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (socket < 0) {
            why = errno_text();  // a machine without IPv6 is no mistake as long as IPv4 works
            continue;
        }
        const int on = 1, off = 0;
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        // "::" alone means everything; beside other addresses it must leave them theirs.
        if (entry->ai_family == AF_INET6)
            setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, only_host && !found->ai_next ? &off : &on, sizeof on);
        if (entry->ai_family == AF_INET6)
            reinterpret_cast<sockaddr_in6*>(entry->ai_addr)->sin6_port = htons(static_cast<uint16_t>(port));
        else
            reinterpret_cast<sockaddr_in*>(entry->ai_addr)->sin_port = htons(static_cast<uint16_t>(port));
        if (bind(socket, entry->ai_addr, entry->ai_addrlen) != 0 || listen(socket, kBacklog) != 0) {
            why = errno_text();
            const bool missing = errno == EADDRNOTAVAIL;  // IPv6 is there and has no address
            close(socket);
            if (missing) continue;
            fail(place, why);
        }
        sockets_.push_back(socket);
        n_bound++;
        if (port == 0) port = port_of(socket);
        if (!is_loopback(entry->ai_addr)) local_only_ = false;
        if (address_.empty()) {
            const std::string name = numeric_host(entry->ai_addr, entry->ai_addrlen);
            address_ = (entry->ai_family == AF_INET6 ? "[" + name + "]" : name) + ":" + std::to_string(port);
        }
    }
    if (n_bound == 0) fail(place, why.empty() ? "it has no address" : why);
}

Listener::Listener(const std::string& path) : address_("unix:" + path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        fail(address_, "the path is empty or longer than " + std::to_string(sizeof address.sun_path - 1) + " bytes");
    std::memcpy(address.sun_path, path.data(), path.size());
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    struct stat entry = {};
    if (lstat(path.c_str(), &entry) == 0) {
        if (!S_ISSOCK(entry.st_mode)) fail(address_, "a file is there that is no socket");
        const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const bool answered = probe >= 0 && connect(probe, generic, sizeof address) == 0;
        if (probe >= 0) close(probe);
        if (answered) fail(address_, "another program listens there");
        unlink(path.c_str());  // left behind by one that was killed
    }
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket < 0) fail(address_, errno_text());
    if (bind(socket, generic, sizeof address) != 0 || listen(socket, kBacklog) != 0) {
        const std::string why = errno_text();
        close(socket);
        fail(address_, why);
    }
    sockets_.push_back(socket);
    path_ = path;
}

Listener::~Listener() { close_all(); }

void Listener::close_all() noexcept {
    for (int socket : sockets_) close(socket);
    sockets_.clear();
    if (!path_.empty()) unlink(path_.c_str());
    path_.clear();
}

std::string peer_address(int socket) {
    sockaddr_storage address = {};
    socklen_t size = sizeof address;
    if (getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "?";
    return address.ss_family == AF_UNIX ? "unix" : numeric_host(reinterpret_cast<const sockaddr*>(&address), size);
}

}  // namespace serve
