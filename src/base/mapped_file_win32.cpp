// ReadableFile and MappedRange over Windows handles. Paths are UTF-8 outside and UTF-16 here; a mapping must start at
// the allocation granularity, so a little more than asked for is mapped.
#ifdef _WIN32

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

#include "src/base/mapped_file.h"

#include <io.h>
#include <stdlib.h>

#include <algorithm>
#include <limits>
#include <system_error>
#include <utility>

#include "src/base/checked_math.h"
#include "src/base/error.h"

#if defined(__MINGW32__) && defined(_UCRT)
// The universal C runtime has it, MinGW's stdlib.h does not name it.
extern "C" _CRTIMP _invalid_parameter_handler __cdecl _set_thread_local_invalid_parameter_handler(
    _invalid_parameter_handler handler);
#endif

namespace bitnet {
namespace {

HANDLE as_handle(intptr_t value) { return reinterpret_cast<HANDLE>(value); }

// The system ends its texts with ".\r\n"; ours are one line.
std::string reason(DWORD error) {
    std::string text = std::system_category().message(static_cast<int>(error));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == '.')) text.pop_back();
    return text;
}

// Microsoft's C runtime ends the program when it is asked about a descriptor that is not open; here that is an error to
// report. Other runtimes just return -1.
#if defined(_MSC_VER) || defined(_UCRT)
class QuietRuntime {
public:
    QuietRuntime() : previous_(_set_thread_local_invalid_parameter_handler(&ignore)) {}
    ~QuietRuntime() { _set_thread_local_invalid_parameter_handler(previous_); }
    QuietRuntime(const QuietRuntime&) = delete;
    QuietRuntime& operator=(const QuietRuntime&) = delete;

private:
    static void ignore(const wchar_t*, const wchar_t*, const wchar_t*, unsigned, uintptr_t) {}
    _invalid_parameter_handler previous_;
};
#endif

bool to_utf16(const std::string& text, std::wstring* out) {
    if (text.empty() || text.size() > 32767) return false;
    const int bytes = static_cast<int>(text.size());
    const int units = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(), bytes, nullptr, 0);
    if (units <= 0) return false;
    out->resize(static_cast<size_t>(units));
    return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(), bytes, out->data(), units) == units;
}

}  // namespace

ReadableFile::ReadableFile(intptr_t handle, std::string name) : handle_(handle), name_(std::move(name)) {
    LARGE_INTEGER size{};
    std::string why;
    if (GetFileType(as_handle(handle_)) != FILE_TYPE_DISK)
        why = "this is a pipe or a device; give the path of a regular file";
    else if (!GetFileSizeEx(as_handle(handle_), &size))
        why = "the file's size cannot be read: " + reason(GetLastError());
    if (why.empty()) {
        size_ = static_cast<uint64_t>(size.QuadPart);
        return;
    }
    CloseHandle(as_handle(handle_));
    throw Error(BITNET_E_IO, name_ + ": " + why).with_subject(name_);
}

ReadableFile ReadableFile::open(const std::string& path, const std::string& name) {
    std::wstring wide;
    if (path.find('\0') != std::string::npos || !to_utf16(path, &wide))
        throw Error(BITNET_E_FILE_NOT_FOUND, name + ": the path is empty, too long or not UTF-8").with_subject(name);
    const DWORD attributes = GetFileAttributesW(wide.c_str());
    if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0)
        throw Error(BITNET_E_IO, name + ": this is a directory; give the path of a regular file").with_subject(name);
    HANDLE handle = CreateFileW(wide.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
    if (handle == INVALID_HANDLE_VALUE) {
        const DWORD error = GetLastError();
        const bool absent = error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND ||
                            error == ERROR_ACCESS_DENIED || error == ERROR_INVALID_NAME || error == ERROR_BAD_PATHNAME;
        throw Error(absent ? BITNET_E_FILE_NOT_FOUND : BITNET_E_IO,
                    name + ": the file cannot be opened: " + reason(error) +
                        (absent ? "; check the path and its permissions" : ""))
            .with_subject(name);
    }
    return ReadableFile(reinterpret_cast<intptr_t>(handle), name);
}

ReadableFile ReadableFile::duplicate(int fd, const std::string& name) {
#if defined(_MSC_VER) || defined(_UCRT)
    const QuietRuntime quiet;
#endif
    const intptr_t original = fd < 0 ? -1 : _get_osfhandle(fd);
    HANDLE copy = nullptr;
    if (original == -1 || !DuplicateHandle(GetCurrentProcess(), as_handle(original), GetCurrentProcess(), &copy, 0,
                                           FALSE, DUPLICATE_SAME_ACCESS))
        throw Error(BITNET_E_ARGUMENT, name + ": the descriptor cannot be used").with_subject(name);
    return ReadableFile(reinterpret_cast<intptr_t>(copy), name);
}

ReadableFile::ReadableFile(ReadableFile&& other) noexcept
    : handle_(std::exchange(other.handle_, reinterpret_cast<intptr_t>(INVALID_HANDLE_VALUE))), size_(other.size_),
      name_(std::move(other.name_)) {}

ReadableFile::~ReadableFile() {
    if (as_handle(handle_) != INVALID_HANDLE_VALUE) CloseHandle(as_handle(handle_));
}

void ReadableFile::read(uint64_t offset, void* dst, uint64_t n) const {
    constexpr uint64_t kChunk = uint64_t{1} << 30;
    auto* out = static_cast<unsigned char*>(dst);
    while (n > 0) {
        OVERLAPPED position{};
        position.Offset = static_cast<DWORD>(offset);
        position.OffsetHigh = static_cast<DWORD>(offset >> 32);
        DWORD got = 0;
        const BOOL ok = ReadFile(as_handle(handle_), out, static_cast<DWORD>(std::min(n, kChunk)), &got, &position);
        if (!ok || got == 0) {
            const DWORD error = ok ? ERROR_HANDLE_EOF : GetLastError();
            throw Error(BITNET_E_IO, name_ + ": reading " + std::to_string(n) + " bytes at " + std::to_string(offset) +
                                         " failed: " + reason(error))
                .with_offset(offset)
                .with_subject(name_);
        }
        out += got;
        offset += got;
        n -= got;
    }
}

MappedRange::MappedRange(const ReadableFile& file, uint64_t offset, uint64_t length) {
    SYSTEM_INFO system{};
    GetSystemInfo(&system);
    const uint64_t lead = offset % system.dwAllocationGranularity;
    const uint64_t start = offset - lead;
    uint64_t total = 0;
    std::string why;
    if (!checked_add(length, lead, &total) || total > std::numeric_limits<size_t>::max()) {
        why = "it is larger than this process's address space";
    } else if (HANDLE mapping = CreateFileMappingW(as_handle(file.handle_), nullptr, PAGE_READONLY, 0, 0, nullptr)) {
        base_ = MapViewOfFile(mapping, FILE_MAP_READ, static_cast<DWORD>(start >> 32), static_cast<DWORD>(start),
                              static_cast<size_t>(total));
        if (base_ == nullptr) why = reason(GetLastError());
        CloseHandle(mapping);  // the view keeps the mapping alive
    } else {
        why = reason(GetLastError());
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
    if (base_ != nullptr) UnmapViewOfFile(base_);
}

// VirtualUnlock would take them from the working set, but would also unlock what the host has locked. The system takes
// unmodified pages of a view by itself when it needs memory.
void MappedRange::give_back(size_t, size_t) const noexcept {}

}  // namespace bitnet

#endif  // _WIN32
