// One accepted connection as bytes in and out, with a deadline on every wait. Plain here; with TLS in tls_transport.h.
#pragma once

#include <cstddef>
#include <string_view>

#include "server/core/http_message.h"

namespace serve {

class Transport {
public:
    enum class Result {
        kOk,
        kEnd,      // the peer sends no more
        kTimeout,  // the deadline passed
        kBroken
    };

    // Owns the socket, which becomes non-blocking.
    explicit Transport(int socket);
    virtual ~Transport();
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    int socket() const noexcept { return socket_; }
    // What has to be said before the first byte; nothing here.
    virtual Result handshake(SteadyTime) { return Result::kOk; }
    // At least one byte, at most capacity.
    Result read(char* bytes, size_t capacity, SteadyTime deadline, size_t& n_read);
    // All of them.
    Result write(std::string_view bytes, SteadyTime deadline);
    // True once the peer has closed, or we have shut the socket. Takes no byte away; any thread.
    bool peer_gone() const noexcept;
    // No more bytes from us; the peer may still send.
    virtual void end_writing() noexcept;

protected:
    enum class Attempt { kDone, kWantsRead, kWantsWrite, kEnd, kBroken };
    virtual Attempt try_read(char* bytes, size_t capacity, size_t& n_read);
    virtual Attempt try_write(const char* bytes, size_t size, size_t& n_written);
    // Waits for what an attempt wants.
    Result wait(Attempt wanted, SteadyTime deadline) const;

private:
    const int socket_;
};

}  // namespace serve
