// Try first, wait in poll only where the socket has nothing: a kept connection under load needs one call per direction.
#include "server/http/transport.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace serve {

namespace {

Transport::Result result_of_failure(bool end) { return end ? Transport::Result::kEnd : Transport::Result::kBroken; }

}  // namespace

Transport::Transport(int socket) : socket_(socket) { fcntl(socket_, F_SETFL, fcntl(socket_, F_GETFL) | O_NONBLOCK); }

Transport::~Transport() { close(socket_); }

Transport::Result Transport::read(char* bytes, size_t capacity, SteadyTime deadline, size_t& n_read) {
    while (true) {
        const Attempt attempt = try_read(bytes, capacity, n_read);
        if (attempt == Attempt::kDone) return Result::kOk;
        if (attempt == Attempt::kEnd || attempt == Attempt::kBroken) return result_of_failure(attempt == Attempt::kEnd);
        if (const Result waited = wait(attempt, deadline); waited != Result::kOk) return waited;
    }
}

Transport::Result Transport::write(std::string_view bytes, SteadyTime deadline) {
    while (!bytes.empty()) {
        size_t n = 0;
        const Attempt attempt = try_write(bytes.data(), bytes.size(), n);
        if (attempt == Attempt::kDone) {
            bytes.remove_prefix(n);
            continue;
        }
        if (attempt == Attempt::kEnd || attempt == Attempt::kBroken) return result_of_failure(attempt == Attempt::kEnd);
        if (const Result waited = wait(attempt, deadline); waited != Result::kOk) return waited;
    }
    return Result::kOk;
}

bool Transport::peer_gone() const noexcept {
    pollfd entry = {socket_, POLLRDHUP, 0};
    return poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

void Transport::end_writing() noexcept { shutdown(socket_, SHUT_WR); }

Transport::Attempt Transport::try_read(char* bytes, size_t capacity, size_t& n_read) {
    const ssize_t n = recv(socket_, bytes, capacity, 0);
    if (n > 0) {
        n_read = static_cast<size_t>(n);
        return Attempt::kDone;
    }
    if (n == 0) return Attempt::kEnd;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? Attempt::kWantsRead : Attempt::kBroken;
}

Transport::Attempt Transport::try_write(const char* bytes, size_t size, size_t& n_written) {
    const ssize_t n = send(socket_, bytes, size, MSG_NOSIGNAL);
    if (n >= 0) {
        n_written = static_cast<size_t>(n);
        return Attempt::kDone;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? Attempt::kWantsWrite : Attempt::kBroken;
}

Transport::Result Transport::wait(Attempt wanted, SteadyTime deadline) const {
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) return Result::kTimeout;
        pollfd entry = {socket_, static_cast<short>(wanted == Attempt::kWantsWrite ? POLLOUT : POLLIN), 0};
        const int most = static_cast<int>(std::min<std::chrono::milliseconds::rep>(left.count(), 60'000));
        const int n = poll(&entry, 1, most);
        if (n > 0) return Result::kOk;  // also for an error: the next attempt meets it
        if (n < 0 && errno != EINTR) return Result::kBroken;
    }
}

}  // namespace serve
