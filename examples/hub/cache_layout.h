// Where files of the hub lie on this machine, in the layout that Hugging Face's own cache has, so that one reader reads both:
//   models--owner--name/refs/<revision>              the commit that a branch or tag meant when it was last asked
//   models--owner--name/snapshots/<commit>/<file>    finished files, checked
//   models--owner--name/unfinished/<commit>/<file>.incomplete (and .etag)   ours alone
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "hub.h"
#include "repo_listing.h"

namespace hub {

class CacheLayout {
public:
    explicit CacheLayout(std::filesystem::path root) : root_(std::move(root)) {}

    std::filesystem::path repo_folder(const std::string& repo) const;
    std::filesystem::path snapshot(const std::string& repo, const std::string& commit) const;
    std::filesystem::path unfinished(const std::string& repo, const std::string& commit) const;
    // The commit that a revision means here; a full hash means itself.
    std::optional<std::string> find_commit(const std::string& repo, const std::string& revision) const;
    void store_commit(const std::string& repo, const std::string& revision, const std::string& commit) const;
    // The finished files of a commit, names sorted. Follows links: Hugging Face's cache has its bytes elsewhere.
    std::vector<RepoFile> files_of(const std::string& repo, const std::string& commit) const;
    std::vector<CachedRepo> list() const;
    // One repository, or "" for all of this layout; other files in the folder stay, and what Hugging Face's tools made. Error(kBusy) while a download runs.
    uint64_t clear(const std::string& repo) const;

private:
    std::filesystem::path root_;
};

// Whether a process holds the file's lock, as a running download does.
bool is_locked(const std::filesystem::path& file);
// A whole small file; nothing where there is none or it is larger.
std::optional<std::string> read_small_file(const std::filesystem::path& path, size_t most);
// Beside it first, then renamed. Error(kDisk).
void write_small_file(const std::filesystem::path& path, const std::string& text);
// Error(kDisk) for a folder that cannot be made.
void make_folders(const std::filesystem::path& folder);
// "cannot be written: " and the reason, with advice where there is one. Error(kDisk).
[[noreturn]] void throw_disk_error(const std::filesystem::path& path, const std::string& what, int error);

}  // namespace hub
