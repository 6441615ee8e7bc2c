// A file that appears whole or not at all: written under a temporary name in the target's folder, flushed to the disk,
// then renamed over the target. Destroyed before commit, it leaves nothing behind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace bitnet {

class AtomicFile {
public:
    // path is UTF-8. Throws BITNET_E_IO, here and in the calls below.
    explicit AtomicFile(const std::string& path);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(const void* data, size_t n);
    // Makes the file durable and gives it its name, replacing what was there.
    void commit();

private:
    [[noreturn]] void fail(const char* what) const;
    void close_temporary() noexcept;

    std::string path_;
    std::string temporary_;
    int fd_ = -1;
};

}  // namespace bitnet
