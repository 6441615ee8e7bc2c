// AtomicFile over the platform's descriptors. The few calls that differ are named once at the top.
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64  // NOLINT(bugprone-reserved-identifier): it is the C library's name
#endif

#include "src/gguf/atomic_file.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#ifdef _WIN32
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

#include <io.h>
#include <process.h>
#include <sys/stat.h>
#else
#include <unistd.h>
#endif

#include "src/base/error.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

#ifdef _WIN32
std::wstring wide(const std::string& text) {
    const int bytes = static_cast<int>(text.size());
    std::wstring out(static_cast<size_t>(std::max(0, MultiByteToWideChar(CP_UTF8, 0, text.data(), bytes, nullptr, 0))),
                     L'\0');
    MultiByteToWideChar(CP_UTF8, 0, text.data(), bytes, out.data(), static_cast<int>(out.size()));
    return out;
}
int create_new(const std::string& path) {
    return _wopen(wide(path).c_str(), _O_WRONLY | _O_CREAT | _O_EXCL | _O_BINARY | _O_NOINHERIT, _S_IREAD | _S_IWRITE);
}
long long write_some(int fd, const void* data, size_t n) { return _write(fd, data, static_cast<unsigned>(n)); }
bool flush_to_disk(int fd) { return _commit(fd) == 0; }
bool close_descriptor(int fd) { return _close(fd) == 0; }
void remove_file(const std::string& path) { _wunlink(wide(path).c_str()); }
bool replace(const std::string& from, const std::string& to) {
    const DWORD flags = MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH;
    if (MoveFileExW(wide(from).c_str(), wide(to).c_str(), flags)) return true;
    errno = EIO;
    return false;
}
int process_id() { return _getpid(); }
#else
int create_new(const std::string& path) {
    return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);  // the umask decides, as for any file
}
ssize_t write_some(int fd, const void* data, size_t n) { return ::write(fd, data, n); }
bool flush_to_disk(int fd) { return ::fsync(fd) == 0; }
bool close_descriptor(int fd) { return ::close(fd) == 0; }
void remove_file(const std::string& path) { ::unlink(path.c_str()); }
// The folder is flushed too, because the name lives there. Where a file system cannot do that, the file is still whole.
void flush_folder(const std::string& path) {
    const size_t slash = path.find_last_of('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const int fd = ::open(folder.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    (void)::fsync(fd);
    ::close(fd);
}
bool replace(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) return false;
    flush_folder(to);
    return true;
}
int process_id() { return static_cast<int>(::getpid()); }
#endif

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
    static std::atomic<unsigned> counter{0};
    for (int attempt = 0; attempt < 100; ++attempt) {
        temporary_ = path + ".tmp-" + std::to_string(process_id()) + "-" + std::to_string(counter.fetch_add(1));
        fd_ = create_new(temporary_);
        if (fd_ >= 0) return;
        if (errno != EEXIST && errno != EINTR) break;
    }
    fail("creating it");
}

AtomicFile::~AtomicFile() {
    if (fd_ >= 0) close_temporary();
}

void AtomicFile::close_temporary() noexcept {
    close_descriptor(fd_);
    fd_ = -1;
    remove_file(temporary_);
}

void AtomicFile::fail(const char* what) const {
    const int error = errno;
    const std::string name = for_message(path_, 1024);
    throw Error(BITNET_E_IO, name + ": " + what + " failed: " + std::generic_category().message(error) +
                                 "; check the folder's permissions and free space")
        .with_subject(name);
}

void AtomicFile::write(const void* data, size_t n) {
    constexpr size_t kChunk = size_t{1} << 30;  // every platform writes that much in one call
    const auto* bytes = static_cast<const unsigned char*>(data);
    while (n > 0) {
        const auto done = write_some(fd_, bytes, std::min(n, kChunk));
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) fail("writing it");
        bytes += done;
        n -= static_cast<size_t>(done);
    }
}

void AtomicFile::commit() {
    if (!flush_to_disk(fd_)) fail("writing it to the disk");
    const int fd = fd_;
    fd_ = -1;
    if (!close_descriptor(fd)) {
        const int error = errno;
        remove_file(temporary_);
        errno = error;
        fail("closing it");
    }
    if (!replace(temporary_, path_)) {
        const int error = errno;
        remove_file(temporary_);
        errno = error;
        fail("renaming the finished file");
    }
}

}  // namespace bitnet
