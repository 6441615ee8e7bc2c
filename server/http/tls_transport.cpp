// OpenSSL over a non-blocking socket: what it wants to wait for, Transport waits for.
#include "server/http/tls_transport.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include "server/core/api_error.h"

namespace serve {

namespace {

[[noreturn]] void fail(const std::string& what) {
    char reason[160] = "";
    ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
    ERR_clear_error();
    throw ApiError(ErrorCode::kUnavailable, what + ": " + reason);
}

// A key with a passphrase must not stop a server for someone to type it.
int no_passphrase(char*, int, int, void*) { return 0; }

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                    unsigned int in_size, void*) {
    static const unsigned char kHttp[] = "\x08http/1.1";
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, out_size, kHttp, sizeof kHttp - 1, in, in_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

std::shared_ptr<SSL_CTX> read_context(const std::string& certificate_file, const std::string& key_file) {
    const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    if (!context) fail("TLS");
    SSL_CTX* raw = context.get();
    SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
    SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(raw,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_default_passwd_cb(raw, no_passphrase);
    SSL_CTX_set_alpn_select_cb(raw, choose_protocol, nullptr);
    if (SSL_CTX_use_certificate_chain_file(raw, certificate_file.c_str()) != 1)
        fail("cannot use the certificate " + certificate_file);
    if (SSL_CTX_use_PrivateKey_file(raw, key_file.c_str(), SSL_FILETYPE_PEM) != 1)
        fail("cannot use the key " + key_file);
    if (SSL_CTX_check_private_key(raw) != 1) fail("the key " + key_file + " does not belong to " + certificate_file);
    return context;
}

class TlsTransport final : public Transport {
public:
    TlsTransport(int socket, SSL* ssl) : Transport(socket), ssl_(ssl) {}
    ~TlsTransport() override { SSL_free(ssl_); }

    Result handshake(SteadyTime deadline) override {
        while (true) {
            ERR_clear_error();
            const int done = SSL_accept(ssl_);
            if (done == 1) return Result::kOk;
            const Attempt attempt = attempt_of(done);
            if (attempt == Attempt::kEnd) return Result::kEnd;
            if (attempt == Attempt::kBroken) return Result::kBroken;
            if (const Result waited = wait(attempt, deadline); waited != Result::kOk) return waited;
        }
    }
    void end_writing() noexcept override {
        ERR_clear_error();
        if (SSL_is_init_finished(ssl_) && !broken_) SSL_shutdown(ssl_);
        Transport::end_writing();
    }

protected:
    Attempt try_read(char* bytes, size_t capacity, size_t& n_read) override {
        ERR_clear_error();
        const int done = SSL_read_ex(ssl_, bytes, capacity, &n_read);
        return done == 1 ? Attempt::kDone : attempt_of(done);
    }
    Attempt try_write(const char* bytes, size_t size, size_t& n_written) override {
        ERR_clear_error();
        const int done = SSL_write_ex(ssl_, bytes, size, &n_written);
        return done == 1 ? Attempt::kDone : attempt_of(done);
    }

private:
    Attempt attempt_of(int done) {
        switch (SSL_get_error(ssl_, done)) {
            case SSL_ERROR_WANT_READ: return Attempt::kWantsRead;
            case SSL_ERROR_WANT_WRITE: return Attempt::kWantsWrite;
            case SSL_ERROR_ZERO_RETURN: return Attempt::kEnd;
            default: broken_ = true; return Attempt::kBroken;  // after it not even SSL_shutdown may be called
        }
    }

    SSL* const ssl_;
    bool broken_ = false;
};

}  // namespace

TlsContext::TlsContext(std::string certificate_file, std::string key_file)
    : certificate_file_(std::move(certificate_file)), key_file_(std::move(key_file)) {
    reload();
}

void TlsContext::reload() {
    std::shared_ptr<SSL_CTX> context = read_context(certificate_file_, key_file_);
    const std::lock_guard lock(mutex_);
    context_ = std::move(context);
}

std::unique_ptr<Transport> TlsContext::accept(int socket) const {
    std::shared_ptr<SSL_CTX> context;
    {
        const std::lock_guard lock(mutex_);
        context = context_;
    }
    SSL* ssl = SSL_new(context.get());
    if (!ssl || SSL_set_fd(ssl, socket) != 1) {
        SSL_free(ssl);
        close(socket);
        return nullptr;
    }
    return std::make_unique<TlsTransport>(socket, ssl);
}

}  // namespace serve
