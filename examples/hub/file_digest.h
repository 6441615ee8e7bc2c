// SHA-256 of a file that comes in pieces, and what git calls it, by OpenSSL.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hub {

class FileDigest {
public:
    // With the file's size, git's name of the blob is computed as well; that needs it beforehand.
    explicit FileDigest(std::optional<uint64_t> size_for_git);
    ~FileDigest();
    FileDigest(FileDigest&&) noexcept;
    FileDigest& operator=(FileDigest&&) noexcept;
    void update(std::string_view bytes);
    struct Result {
        std::string sha256;
        std::string git_hash;  // "" without a size
    };
    // Once, at the end. Lower-case hexadecimal digits.
    Result finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace hub
