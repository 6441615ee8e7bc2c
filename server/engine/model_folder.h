// The folder that models may be loaded from by request (--models-dir). A path reaches a file only by real folders below it: no
// "..", no symbolic link anywhere, and what is opened is what is checked, so nothing can be exchanged in between.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace serve {

// An open file that closes itself.
class FileHandle {
public:
    FileHandle() = default;
    explicit FileHandle(int fd) : fd_(fd) {}
    FileHandle(FileHandle&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    FileHandle& operator=(FileHandle&& other) noexcept;
    ~FileHandle();
    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    // A path to the open file itself, whatever its name means by now.
    std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

private:
    int fd_ = -1;
};

class ModelFolder {
public:
    // "" for none. Throws UNAVAILABLE when it cannot be opened.
    explicit ModelFolder(const std::string& path);
    bool exists() const { return static_cast<bool>(folder_); }

    struct Opened {
        FileHandle file;
        std::string path;  // absolute, for display
        std::string name;  // below the folder
    };
    // Opens a regular file, by a path relative to the folder or absolute. Throws FORBIDDEN for what lies elsewhere or goes
    // over a link, also where nothing is there; MODEL_NOT_FOUND; VALIDATION_FAILED for what is no path. field: the request's.
    Opened open(const std::string& path, const char* field) const;

    struct Listed {
        std::string id;
        std::string name;
    };
    // The .gguf files in it and its folders, at most kMostListed, sorted; each with an id of its own.
    std::vector<Listed> list() const;

    static constexpr size_t kMostListed = 1000;

private:
    std::string path_, real_path_;
    FileHandle folder_;
};

// An id for a file: its name without ".gguf", folders joined by "_".
std::string id_from_file(std::string_view name);

}  // namespace serve
