// Listening sockets: TCP over IPv4 and IPv6, and sockets in the file system.
#pragma once

#include <string>
#include <vector>

namespace serve {

class Listener {
public:
    // hosts: names or addresses separated by commas; each is bound with every address it has. port 0: the system chooses one,
    // the same for all. Throws ApiError (UNAVAILABLE).
    Listener(const std::string& hosts, int port);
    // A socket in the file system; one that nobody listens on any more is replaced. Throws ApiError (UNAVAILABLE).
    explicit Listener(const std::string& path);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    const std::vector<int>& sockets() const noexcept { return sockets_; }
    // "127.0.0.1:8080", "[::1]:8080" (the first of several), "unix:/run/bitnet.sock".
    const std::string& address() const noexcept { return address_; }
    // Only programs of this machine reach it.
    bool local_only() const noexcept { return local_only_; }
    // No more connections; removes the file of a socket.
    void close_all() noexcept;

private:
    void listen_on_host(const std::string& host, int& port, bool only_host);

    std::vector<int> sockets_;
    std::string address_;
    std::string path_;  // to remove at the end
    bool local_only_ = true;
};

// Address of an accepted connection's peer: "127.0.0.1", "::1", "unix".
std::string peer_address(int socket);

}  // namespace serve
