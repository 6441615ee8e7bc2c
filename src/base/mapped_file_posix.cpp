// ReadableFile and MappedRange over POSIX descriptors. The file is opened without blocking, so that a FIFO put where a
// model should be is reported instead of waited for.
#ifndef _WIN32

#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64  // NOLINT(bugprone-reserved-identifier): it is the C library's name
#endif

#include "src/base/mapped_file.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/checked_math.h"
#include "src/base/error.h"

namespace bitnet {
namespace {

std::string reason(int error) { return std::generic_category().message(error); }

// What stat calls it; nullptr for a regular file.
const char* irregular_kind(mode_t mode) {
    if (S_ISREG(mode)) return nullptr;
    if (S_ISDIR(mode)) return "a directory";
    if (S_ISFIFO(mode)) return "a pipe";
    if (S_ISSOCK(mode)) return "a socket";
    return "a device";
}

}  // namespace

ReadableFile::ReadableFile(intptr_t handle, std::string name) : handle_(handle), name_(std::move(name)) {
    struct stat info {};
    const int fd = static_cast<int>(handle_);
    const bool known = ::fstat(fd, &info) == 0;
    const char* kind = known ? irregular_kind(info.st_mode) : nullptr;
    if (known && kind == nullptr) {
        size_ = static_cast<uint64_t>(info.st_size);
        return;
    }
    const std::string text = known ? name_ + ": this is " + kind + "; give the path of a regular file"
                                   : name_ + ": the file's size cannot be read: " + reason(errno);
    ::close(fd);
    throw Error(BITNET_E_IO, text).with_subject(name_);
}

ReadableFile ReadableFile::open(const std::string& path, const std::string& name) {
    if (path.find('\0') != std::string::npos)
        throw Error(BITNET_E_ARGUMENT, name + ": the path contains a NUL byte").with_subject(name);
    int fd = -1;
    do {
        fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        const int error = errno;
        const bool absent = error == ENOENT || error == ENOTDIR || error == EACCES || error == EPERM ||
                            error == ELOOP || error == ENAMETOOLONG;
        throw Error(absent ? BITNET_E_FILE_NOT_FOUND : BITNET_E_IO,
                    name + ": the file cannot be opened: " + reason(error) +
                        (absent ? "; check the path and its permissions" : ""))
            .with_subject(name);
    }
    return ReadableFile(fd, name);
}

ReadableFile ReadableFile::duplicate(int fd, const std::string& name) {
    const int copy = fd < 0 ? -1 : ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        const int error = fd < 0 ? EBADF : errno;
        throw Error(error == EBADF ? BITNET_E_ARGUMENT : BITNET_E_IO,
                    name + ": the descriptor cannot be used: " + reason(error))
            .with_subject(name);
    }
    return ReadableFile(copy, name);
}

ReadableFile::ReadableFile(ReadableFile&& other) noexcept
    : handle_(std::exchange(other.handle_, -1)), size_(other.size_), name_(std::move(other.name_)) {}

ReadableFile::~ReadableFile() {
    if (handle_ >= 0) ::close(static_cast<int>(handle_));
}

void ReadableFile::read(uint64_t offset, void* dst, uint64_t n) const {
    constexpr uint64_t kChunk = uint64_t{1} << 30;  // Linux moves at most 2 GiB - 4 KiB per call
    auto* out = static_cast<unsigned char*>(dst);
    while (n > 0) {
        const ssize_t got = ::pread(static_cast<int>(handle_), out, static_cast<size_t>(std::min(n, kChunk)),
                                    static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            const std::string why = got < 0 ? reason(errno) : "it became shorter while it was being read";
            throw Error(BITNET_E_IO, name_ + ": reading " + std::to_string(n) + " bytes at " + std::to_string(offset) +
                                         " failed: " + why)
                .with_offset(offset)
                .with_subject(name_);
        }
        out += got;
        offset += static_cast<uint64_t>(got);
        n -= static_cast<uint64_t>(got);
    }
}

MappedRange::MappedRange(const ReadableFile& file, uint64_t offset, uint64_t length) {
    const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    const uint64_t lead = offset % page;
    uint64_t total = 0;
    std::string why;
    if (!checked_add(length, lead, &total) || total > std::numeric_limits<size_t>::max()) {
        why = "it is larger than this process's address space";
    } else {
        void* base = ::mmap(nullptr, static_cast<size_t>(total), PROT_READ, MAP_PRIVATE, static_cast<int>(file.handle_),
                            static_cast<off_t>(offset - lead));
        if (base == MAP_FAILED)
            why = reason(errno);
        else
            base_ = base;
    }
    if (base_ == nullptr) {
        throw Error(BITNET_E_GGUF_MAP, file.name() + ": mapping " + std::to_string(length) + " bytes failed: " + why +
                                           "; set use_mmap to 0 to read the file instead")
            .with_numbers(length, 0)
            .with_offset(offset)
            .with_subject(file.name());
    }
    base_size_ = static_cast<size_t>(total);
    data_ = static_cast<const uint8_t*>(base_) + lead;
    size_ = static_cast<size_t>(length);
}

MappedRange::~MappedRange() {
    if (base_ != nullptr) ::munmap(base_, base_size_);
}

// Nobody can have written to these pages, so none is worth keeping. Emscripten's mappings are copies on the heap; and
// posix_madvise, where that is all there is, does nothing in common C libraries.
void MappedRange::give_back(size_t offset, size_t n) const noexcept {
#if defined(MADV_DONTNEED) && !defined(__EMSCRIPTEN__)
    const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    const size_t lead = static_cast<size_t>(data_ - static_cast<const uint8_t*>(base_));
    const size_t begin = (lead + offset + page - 1) / page * page, end = (lead + offset + n) / page * page;
    if (begin < end) (void)::madvise(static_cast<uint8_t*>(base_) + begin, end - begin, MADV_DONTNEED);
#else
    (void)offset, (void)n;
#endif
}

}  // namespace bitnet

#endif  // !_WIN32
