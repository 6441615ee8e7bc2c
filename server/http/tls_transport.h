// TLS 1.2 and later with OpenSSL over accepted connections. Certificate and key can be read anew while connections live.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "server/http/transport.h"

struct ssl_ctx_st;

namespace serve {

class TlsContext {
public:
    // PEM files: the certificate with its chain, its key without a passphrase. Throws ApiError (UNAVAILABLE).
    TlsContext(std::string certificate_file, std::string key_file);

    // Reads the files again, for connections from now on; throws and keeps what it has where they are wrong.
    void reload();
    // Takes the socket in any case; null where OpenSSL cannot serve it.
    std::unique_ptr<Transport> accept(int socket) const;

private:
    const std::string certificate_file_, key_file_;
    mutable std::mutex mutex_;
    std::shared_ptr<ssl_ctx_st> context_;
};

}  // namespace serve
