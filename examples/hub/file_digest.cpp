// Digests by OpenSSL's EVP.
#include "file_digest.h"

#include <openssl/evp.h>

#include "hub.h"

namespace hub {
namespace {

struct ContextFreer {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, ContextFreer>;

void require(int result) {
    if (result != 1) throw Error(ErrorKind::kDisk, "OpenSSL cannot compute a hash; is its installation whole?");
}

Context begin(const EVP_MD* algorithm) {
    Context context(EVP_MD_CTX_new());
    require(context != nullptr && EVP_DigestInit_ex(context.get(), algorithm, nullptr) == 1 ? 1 : 0);
    return context;
}

std::string finish_hex(EVP_MD_CTX* context) {
    static const char kDigits[] = "0123456789abcdef";
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned n_bytes = 0;
    require(EVP_DigestFinal_ex(context, bytes, &n_bytes));
    std::string text;
    for (unsigned i = 0; i < n_bytes; ++i) {
        text += kDigits[bytes[i] >> 4];
        text += kDigits[bytes[i] & 15];
    }
    return text;
}

}  // namespace

struct FileDigest::State {
    Context sha256 = begin(EVP_sha256());
    Context git;
};

FileDigest::FileDigest(std::optional<uint64_t> size_for_git) : state_(std::make_unique<State>()) {
    if (!size_for_git) return;
    state_->git = begin(EVP_sha1());
    // git hashes this head before the bytes, its NUL included.
    const std::string head = "blob " + std::to_string(*size_for_git);
    require(EVP_DigestUpdate(state_->git.get(), head.c_str(), head.size() + 1));
}

FileDigest::~FileDigest() = default;
FileDigest::FileDigest(FileDigest&&) noexcept = default;
FileDigest& FileDigest::operator=(FileDigest&&) noexcept = default;

void FileDigest::update(std::string_view bytes) {
    require(EVP_DigestUpdate(state_->sha256.get(), bytes.data(), bytes.size()));
    if (state_->git) require(EVP_DigestUpdate(state_->git.get(), bytes.data(), bytes.size()));
}

FileDigest::Result FileDigest::finish() {
    return {finish_hex(state_->sha256.get()), state_->git ? finish_hex(state_->git.get()) : ""};
}

}  // namespace hub
