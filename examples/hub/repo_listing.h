// What a repository holds, from the JSON of the hub's API; and which of its files a model is. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hub {

struct RepoFile {
    std::string path;
    std::optional<uint64_t> size;
    std::string sha256;    // of files in large file storage; lower case, "" where it is not said
    std::string git_hash;  // of all others: what git calls the blob; ""
};

struct RepoListing {
    std::string commit;  // 40 or 64 hexadecimal digits
    std::vector<RepoFile> files;
};

constexpr size_t kMostListingBytes = 8u << 20;

// Of GET /api/models/{repo}/revision/{revision}?blobs=true. The server is not trusted: Error(kProtocol) for what is no such
// answer, and for any name that could leave the folder it is put in.
RepoListing parse_listing(std::string_view json);

// A relative path of ordinary names: nothing absolute, no "..", no control characters, nothing overlong.
bool is_safe_path(std::string_view path);

// The files of one model in their order: the GGUF file that wanted names (a path, or a part of the name such as a
// quantisation; any case), or without it the only one, or that in the format which runs best. Error(kNotFound) or
// Error(kUsage) with the names there are; where says whose they are.
std::vector<RepoFile> choose_model(const std::vector<RepoFile>& files, std::string_view wanted,
                                   const std::string& where);
// These files exactly; Error(kNotFound).
std::vector<RepoFile> choose_exactly(const std::vector<RepoFile>& files, const std::vector<std::string>& names,
                                     const std::string& where);

}  // namespace hub
