// Where a model file's bytes come from: a mapped file, a memory block, a descriptor range or read callbacks.
// Everything that reads a model goes through this, with 64-bit offsets and checked ranges.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "bitnet.h"

namespace bitnet {

class ByteSource {
public:
    virtual ~ByteSource() = default;
    ByteSource() = default;
    ByteSource(const ByteSource&) = delete;
    ByteSource& operator=(const ByteSource&) = delete;

    uint64_t size() const noexcept { return size_; }
    // For messages, and the beginning of those that come from here: the path, "memory", "descriptor 5", "reader".
    const std::string& name() const noexcept { return name_; }
    // The whole content in memory when it can be used in place for the life of this object; nullptr otherwise.
    virtual const uint8_t* mapped() const noexcept { return nullptr; }
    // Gives the memory of this range of mapped() back where that is a file's, which has the bytes still; else nothing.
    // The range must lie inside.
    virtual void give_back(uint64_t offset, uint64_t n) const noexcept { (void)offset, (void)n; }
    // False for what may only be read while the model loads.
    virtual bool lasts() const noexcept { return true; }
    // Copies [offset, offset + n) to dst. Throws BITNET_E_GGUF_TRUNCATED past the end, BITNET_E_IO when reading fails.
    void read(uint64_t offset, void* dst, uint64_t n) const;

protected:
    virtual void do_read(uint64_t offset, void* dst, uint64_t n) const = 0;
    uint64_t size_ = 0;
    std::string name_;
};

// path (UTF-8): mapped when use_mmap, else read through the descriptor. Only regular files are accepted, and opening
// one never waits. Throws BITNET_E_FILE_NOT_FOUND; _IO for a directory, pipe or device; _GGUF_TRUNCATED when it is
// empty; _GGUF_MAP.
std::unique_ptr<ByteSource> open_file_source(const std::string& path, bool use_mmap);
// data stays the caller's and must outlive the source. Throws BITNET_E_ARGUMENT for NULL.
std::unique_ptr<ByteSource> open_memory_source(const void* data, size_t size);
// length 0: to the end of the file; offset of any alignment. The descriptor is duplicated (or mapped), so the caller
// may close his, and its file position is neither used nor moved. Throws BITNET_E_ARGUMENT when fd is not open,
// _GGUF_TRUNCATED when the range leaves the file, and as open_file_source.
std::unique_ptr<ByteSource> open_fd_source(int fd, uint64_t offset, uint64_t length, bool use_mmap);
// The callback is called during reads only, on the reading thread. Throws BITNET_E_ARGUMENT when it is NULL.
std::unique_ptr<ByteSource> open_reader_source(const bitnet_reader& reader);

}  // namespace bitnet
