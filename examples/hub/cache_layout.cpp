// The cache's folders.
#include "cache_layout.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <system_error>

#include "hub_url.h"
#include "model_spec.h"

namespace hub {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "models--";
constexpr size_t kMostListed = 100'000;

// "models--owner--name" to "owner/name"; "" for a folder of another kind.
std::string repo_of(const std::string& folder) {
    if (!folder.starts_with(kPrefix)) return "";
    std::string repo = folder.substr(kPrefix.size());
    if (const size_t dashes = repo.find("--"); dashes != repo.npos) repo.replace(dashes, 2, "/");
    return is_repo_name(repo) ? repo : "";
}

// Every file below folder with its size; errors on the way end the walk, for a listing may be incomplete.
template <typename Visit>
void walk(const fs::path& folder, Visit visit) {
    std::error_code error;
    size_t n = 0;
    for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end && n < kMostListed; ++n) {
        std::error_code of_file;
        const auto size = it->is_regular_file(of_file) ? it->file_size(of_file) : 0;
        if (!of_file && it->is_regular_file(of_file)) visit(it->path(), static_cast<uint64_t>(size));
        it.increment(error);
    }
}

std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
        names.push_back(it->path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace

void throw_disk_error(const fs::path& path, const std::string& what, int error) {
    std::string message = path.string() + ": " + what + ": " + std::strerror(error);
    if (error == ENOSPC || error == EDQUOT || error == EFBIG)
        message += "; free some space or set BITNET_CACHE to another disk, and what is there will be used";
    else if (error == EACCES || error == EROFS || error == EPERM)
        message += "; set BITNET_CACHE to a folder that can be written";
    throw Error(ErrorKind::kDisk, message);
}

void make_folders(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) throw_disk_error(folder, "the folder cannot be made", error.value());
}

std::optional<std::string> read_small_file(const fs::path& path, size_t most) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    std::string text(most + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(file.gcount()));
    if (text.size() > most || file.bad()) return std::nullopt;
    return text;
}

void write_small_file(const fs::path& path, const std::string& text) {
    make_folders(path.parent_path());
    const fs::path part = path.string() + "." + std::to_string(getpid()) + ".part";
    const int file = open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file < 0) throw_disk_error(path, "cannot be written", errno);
    const ssize_t n = write(file, text.data(), text.size());
    int error = n == static_cast<ssize_t>(text.size()) ? 0 : n < 0 ? errno : ENOSPC;
    if (close(file) != 0 && error == 0) error = errno;
    if (error == 0 && rename(part.c_str(), path.c_str()) != 0) error = errno;
    if (error == 0) return;
    unlink(part.c_str());
    throw_disk_error(path, "cannot be written", error);
}

bool is_locked(const fs::path& path) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) return false;
    const bool locked = flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(file);
    return locked;
}

fs::path CacheLayout::repo_folder(const std::string& repo) const {
    std::string name(kPrefix);
    for (char c : repo) name += c == '/' ? "--" : std::string(1, c);
    return root_ / name;
}

fs::path CacheLayout::snapshot(const std::string& repo, const std::string& commit) const {
    return repo_folder(repo) / "snapshots" / commit;
}

fs::path CacheLayout::unfinished(const std::string& repo, const std::string& commit) const {
    return repo_folder(repo) / "unfinished" / commit;
}

std::optional<std::string> CacheLayout::find_commit(const std::string& repo, const std::string& revision) const {
    if (is_commit(revision)) return revision;
    auto text = read_small_file(repo_folder(repo) / "refs" / revision, 128);
    while (text && !text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    return text && is_commit(*text) ? text : std::nullopt;
}

void CacheLayout::store_commit(const std::string& repo, const std::string& revision, const std::string& commit) const {
    if (is_commit(revision) || find_commit(repo, revision) == commit) return;
    write_small_file(repo_folder(repo) / "refs" / revision, commit);
}

std::vector<RepoFile> CacheLayout::files_of(const std::string& repo, const std::string& commit) const {
    const fs::path folder = snapshot(repo, commit);
    std::vector<RepoFile> files;
    walk(folder, [&](const fs::path& path, uint64_t size) {
        std::string name = path.lexically_relative(folder).generic_string();
        if (is_safe_path(name)) files.push_back({std::move(name), size, "", ""});
    });
    std::sort(files.begin(), files.end(), [](const RepoFile& a, const RepoFile& b) { return a.path < b.path; });
    return files;
}

std::vector<CachedRepo> CacheLayout::list() const {
    std::vector<CachedRepo> all;
    for (const std::string& folder : names_in(root_)) {
        const std::string repo = repo_of(folder);
        if (repo.empty()) continue;
        uint64_t n_unfinished_bytes = 0;
        walk(root_ / folder / "unfinished", [&](const fs::path&, uint64_t size) { n_unfinished_bytes += size; });
        const size_t n_before = all.size();
        for (const std::string& commit : names_in(root_ / folder / "snapshots")) {
            if (!is_commit(commit)) continue;
            CachedRepo cached = {repo, commit, {}, 0};
            for (const RepoFile& file : files_of(repo, commit))
                cached.files.push_back(
                    {file.path, (snapshot(repo, commit) / file.path).string(), *file.size, "", true});
            if (!cached.files.empty()) all.push_back(std::move(cached));
        }
        if (all.size() == n_before && n_unfinished_bytes != 0) all.push_back({repo, "", {}, 0});
        if (all.size() > n_before) all[n_before].n_unfinished_bytes = n_unfinished_bytes;
    }
    return all;
}

uint64_t CacheLayout::clear(const std::string& repo) const {
    std::vector<fs::path> folders;
    for (const std::string& folder : names_in(root_)) {
        const std::string found = repo_of(folder);
        if (found.empty() || (!repo.empty() && found != repo)) continue;
        // What Hugging Face's tools have put here, where both caches are one folder.
        const bool is_foreign = fs::exists(root_ / folder / "blobs");
        if (is_foreign && !repo.empty())
            throw Error(ErrorKind::kUsage,
                        (root_ / folder).string() + ": was made by Hugging Face's tools; remove it with those");
        if (!is_foreign) folders.push_back(root_ / folder);
    }
    if (!repo.empty() && folders.empty())
        throw Error(ErrorKind::kNotFound, in_quotes(repo) + " is not in the cache " + root_.string());
    uint64_t n_bytes = 0;
    for (const fs::path& folder : folders) {
        walk(folder / "unfinished", [&](const fs::path& path, uint64_t) {
            if (is_locked(path))
                throw Error(ErrorKind::kBusy, path.string() + ": is being downloaded; wait for it or end that process");
        });
        walk(folder, [&](const fs::path&, uint64_t size) { n_bytes += size; });
    }
    for (const fs::path& folder : folders) {
        std::error_code error;
        fs::remove_all(folder, error);
        if (error) throw_disk_error(folder, "cannot be removed", error.value());
    }
    return n_bytes;
}

}  // namespace hub
