// A regular file opened for reading, and read-only mappings of it. The platform's file calls stay behind this header:
// mapped_file_posix.cpp and mapped_file_win32.cpp. Nothing here ever waits on a pipe, a terminal or a device, because
// only regular files are accepted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace bitnet {

class ReadableFile {
public:
    // path is UTF-8; name stands for the file in messages.
    // Throws BITNET_E_FILE_NOT_FOUND, or BITNET_E_IO for a directory, pipe, device or failing call.
    static ReadableFile open(const std::string& path, const std::string& name);
    // A second handle on a descriptor of the caller. Throws BITNET_E_ARGUMENT if fd is not open, else as open.
    static ReadableFile duplicate(int fd, const std::string& name);

    ReadableFile(ReadableFile&& other) noexcept;
    ReadableFile& operator=(ReadableFile&&) = delete;
    ~ReadableFile();

    uint64_t size() const noexcept { return size_; }
    const std::string& name() const noexcept { return name_; }
    // Reads exactly n bytes without moving any file position, so threads may share the file. Throws BITNET_E_IO.
    void read(uint64_t offset, void* dst, uint64_t n) const;

private:
    friend class MappedRange;
    ReadableFile(intptr_t handle, std::string name);  // takes the handle, then checks kind and size

    intptr_t handle_;  // descriptor, or HANDLE on Windows
    uint64_t size_ = 0;
    std::string name_;
};

// [offset, offset + length) of a file in memory, length >= 1, offset of any alignment. The file may be closed
// afterwards.
class MappedRange {
public:
    // Throws BITNET_E_GGUF_MAP.
    MappedRange(const ReadableFile& file, uint64_t offset, uint64_t length);
    ~MappedRange();
    MappedRange(const MappedRange&) = delete;
    MappedRange& operator=(const MappedRange&) = delete;

    const uint8_t* data() const noexcept { return data_; }
    size_t size() const noexcept { return size_; }
    // Gives the memory of the whole pages in [offset, offset + n) back: whoever touches them again gets them from the file.
    // The range must lie inside. Does nothing to pages that are locked, and nothing where the system has no such call.
    void give_back(size_t offset, size_t n) const noexcept;

private:
    void* base_ = nullptr;  // the page-aligned start that the system knows
    size_t base_size_ = 0;
    const uint8_t* data_ = nullptr;
    size_t size_ = 0;
};

}  // namespace bitnet
