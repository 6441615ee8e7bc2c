// openat2 lets the kernel refuse links and ways out; where it is missing (before Linux 5.6, or behind a filter of calls) each
// folder is opened by itself, without following links.
#include "server/engine/model_folder.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/core/api_error.h"

namespace serve {

namespace {

constexpr int kFileFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;  // a pipe must not block
constexpr int kMostDepth = 4;

// As <linux/openat2.h> has it; older systems lack that header.
struct OpenHow {
    uint64_t flags = 0, mode = 0, resolve = 0;
};
constexpr uint64_t kNoMagicLinks = 2, kNoSymlinks = 4, kBeneath = 8;

int open_by_kernel([[maybe_unused]] int folder, [[maybe_unused]] const std::string& name) {
#ifdef SYS_openat2
    OpenHow how;
    how.flags = static_cast<uint64_t>(kFileFlags);
    how.resolve = kNoMagicLinks | kNoSymlinks | kBeneath;
    return static_cast<int>(syscall(SYS_openat2, folder, name.c_str(), &how, sizeof how));
#else
    errno = ENOSYS;
    return -1;
#endif
}

int open_by_steps(int folder, const std::vector<std::string>& parts) {
    FileHandle at;
    for (size_t i = 0; i < parts.size(); i++) {
        const int from = at ? at.get() : folder;
        const int flags = i + 1 == parts.size() ? kFileFlags : O_RDONLY | O_DIRECTORY | O_CLOEXEC;
        const int fd = openat(from, parts[i].c_str(), flags | O_NOFOLLOW);
        if (fd < 0) {
            // A link where a folder should be is reported as that.
            struct stat info;
            const int reason = errno;
            const bool link = fstatat(from, parts[i].c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
            errno = link ? ELOOP : reason;
            return -1;
        }
        at = FileHandle(fd);
    }
    return at ? dup(at.get()) : -1;
}

std::vector<std::string> parts_of(std::string_view path) {
    std::vector<std::string> parts;
    while (!path.empty()) {
        const size_t end = std::min(path.find('/'), path.size());
        if (end > 0 && path.substr(0, end) != ".") parts.emplace_back(path.substr(0, end));
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return parts;
}

// Names go into JSON and URLs.
bool is_plain(std::string_view name) {
    return !name.empty() && name[0] != '.' &&
           std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 127; });
}

// "name-00001-of-00003": its other parts could not be opened as safely as the first.
bool is_split(std::string_view stem) {
    if (stem.size() < 15) return false;
    const std::string_view tail = stem.substr(stem.size() - 15);
    return tail[0] == '-' && tail.substr(6, 4) == "-of-";
}

void collect(int folder, const std::string& prefix, int depth, std::vector<std::string>& names) {
    const int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0) return;
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(fdopendir(copy), closedir);
    if (!entries) {
        close(copy);
        return;
    }
    while (const dirent* entry = readdir(entries.get())) {
        const std::string name = entry->d_name;
        struct stat info;
        if (names.size() >= ModelFolder::kMostListed) return;
        if (!is_plain(name) || fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (S_ISREG(info.st_mode) && name.ends_with(".gguf") &&
            !is_split(std::string_view(name).substr(0, name.size() - 5)))
            names.push_back(prefix + name);
        if (!S_ISDIR(info.st_mode) || depth >= kMostDepth) continue;
        const FileHandle inner(openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (inner) collect(inner.get(), prefix + name + "/", depth + 1, names);
    }
}

}  // namespace

FileHandle& FileHandle::operator=(FileHandle&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

FileHandle::~FileHandle() {
    if (fd_ >= 0) close(fd_);
}

ModelFolder::ModelFolder(const std::string& path) : path_(path) {
    if (path.empty()) return;
    while (path_.size() > 1 && path_.ends_with("/")) path_.pop_back();
    folder_ = FileHandle(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::unique_ptr<char, void (*)(void*)> real(realpath(path_.c_str(), nullptr), free);
    if (!folder_ || !real)
        throw ApiError(ErrorCode::kUnavailable,
                       "cannot open the folder of models " + path_ + ": " + std::strerror(errno));
    real_path_ = real.get();
}

ModelFolder::Opened ModelFolder::open(const std::string& path, const char* field) const {
    if (path.empty() || path.size() > 4096 || path.find('\0') != path.npos)
        throw ApiError(ErrorCode::kValidationFailed, "this is no path of a file", field);
    if (!folder_)
        throw ApiError(ErrorCode::kForbidden, "this server loads no models by request", field,
                       "Start it with --models-dir");
    const ApiError forbidden(ErrorCode::kForbidden, "the path does not lie in the server's folder of models", field,
                             "Give it relative to that folder, without links and ..");
    std::string_view below = path;
    if (below[0] == '/') {
        const auto inside = [&](const std::string& root) { return below.starts_with(root + (root == "/" ? "" : "/")); };
        if (inside(path_))
            below.remove_prefix(path_.size());
        else if (inside(real_path_))
            below.remove_prefix(real_path_.size());
        else
            throw forbidden;
    }
    const std::vector<std::string> parts = parts_of(below);
    if (parts.empty() || std::count(parts.begin(), parts.end(), "..") > 0) throw forbidden;
    Opened opened;
    for (const std::string& part : parts) opened.name += (opened.name.empty() ? "" : "/") + part;
    opened.path = real_path_ + "/" + opened.name;
    int fd = open_by_kernel(folder_.get(), opened.name);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EINVAL || errno == E2BIG))
        fd = open_by_steps(folder_.get(), parts);
    if (fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG)
            throw ApiError(ErrorCode::kModelNotFound, "there is no file '" + opened.name + "' in the folder of models",
                           field);
        throw forbidden;
    }
    opened.file = FileHandle(fd);
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) throw forbidden;
    return opened;
}

std::vector<ModelFolder::Listed> ModelFolder::list() const {
    std::vector<std::string> names;
    if (folder_) collect(folder_.get(), "", 0, names);
    std::sort(names.begin(), names.end());
    std::vector<Listed> listed;
    std::set<std::string> taken;
    for (const std::string& name : names) {
        const std::string stem = id_from_file(name);
        std::string id = stem;
        for (int i = 2; !taken.insert(id).second; i++) id = stem + "-" + std::to_string(i);
        listed.push_back({id, name});
    }
    return listed;
}

std::string id_from_file(std::string_view name) {
    if (name.ends_with(".gguf")) name.remove_suffix(5);
    std::string id(name);
    std::replace(id.begin(), id.end(), '/', '_');
    return id.empty() ? "model" : id;
}

}  // namespace serve
