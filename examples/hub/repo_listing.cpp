// The listing of a repository and the choice among its GGUF files.
#include "repo_listing.h"

#include <algorithm>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "hub.h"
#include "hub_url.h"

namespace hub {
namespace {

constexpr int kDeepestJson = 32;
constexpr size_t kMostFiles = 100'000;
constexpr uint64_t kLargestFile = uint64_t{1} << 50;
constexpr size_t kLongestPath = 1024;
constexpr size_t kLongestName = 200;  // file systems have 255 bytes, and ours get a suffix
constexpr int kMostParts = 1000;

// Formats by how well they run here: the first that a repository has is taken. "i2s" is how some write it.
constexpr std::string_view kPreference[] = {"i2_s", "i2s",  "tq2_0", "tq1_0", "tl2",    "tl1",  "iq2_bn", "iq1_bn",
                                            "q2_0", "q1_0", "q4_0",  "q8_0",  "q4_k_m", "q6_k", "bf16",   "f16"};

[[noreturn]] void refuse(const std::string& why) {
    throw Error(ErrorKind::kProtocol, "the hub's list of files " + why);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) c = lower(c);
    return result;
}

bool is_hexadecimal(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == text.npos; }

std::string text_of(const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<uint64_t> size_of(const nlohmann::json& object, const std::string& path) {
    const auto found = object.find("size");
    if (found == object.end() || found->is_null()) return std::nullopt;
    if (!found->is_number_unsigned() || found->get<uint64_t>() > kLargestFile)
        refuse("gives " + in_quotes(path) + " a size that is none");
    return found->get<uint64_t>();
}

RepoFile parse_file(const nlohmann::json& item) {
    RepoFile file;
    if (!item.is_object()) refuse("has an entry that is no object");
    file.path = text_of(item, "rfilename");
    if (!is_safe_path(file.path))
        refuse("names " + in_quotes(file.path) + ", which is not safe to write; nothing was fetched");
    file.size = size_of(item, file.path);
    const auto lfs = item.find("lfs");
    if (lfs != item.end() && lfs->is_object()) {
        file.sha256 = lower(text_of(*lfs, "sha256"));
        if (file.sha256.empty()) file.sha256 = lower(text_of(*lfs, "oid"));
        if (file.sha256.starts_with("sha256:")) file.sha256.erase(0, 7);
        if (const auto size = size_of(*lfs, file.path)) {
            if (file.size && *file.size != *size) refuse("gives " + in_quotes(file.path) + " two sizes");
            file.size = size;
        }
        if (file.sha256.size() != 64 || !is_hexadecimal(file.sha256))
            refuse("gives " + in_quotes(file.path) + " a SHA-256 that is none");
    } else {
        file.git_hash = lower(text_of(item, "blobId"));
        if (!file.git_hash.empty() && (file.git_hash.size() != 40 || !is_hexadecimal(file.git_hash)))
            refuse("gives " + in_quotes(file.path) + " a git hash that is none");
    }
    return file;
}

// name-00001-of-00003.gguf: its stem and numbers.
struct SplitName {
    std::string stem;
    int part = 0;
    int n_parts = 0;
};

std::optional<SplitName> split_name(const std::string& path) {
    constexpr size_t kSuffix = std::string_view("-00001-of-00003.gguf").size();
    if (path.size() <= kSuffix) return std::nullopt;
    const std::string suffix = lower(std::string_view(path).substr(path.size() - kSuffix));
    const auto number = [&](size_t at) {
        int value = 0;
        for (size_t i = at; i < at + 5; ++i) {
            if (suffix[i] < '0' || suffix[i] > '9') return -1;
            value = value * 10 + (suffix[i] - '0');
        }
        return value;
    };
    if (suffix[0] != '-' || suffix.substr(6, 4) != "-of-" || suffix.substr(15) != ".gguf") return std::nullopt;
    const SplitName name = {path.substr(0, path.size() - kSuffix), number(1), number(10)};
    if (name.part < 1 || name.n_parts < 1 || name.part > name.n_parts || name.n_parts > kMostParts) return std::nullopt;
    return name;
}

// A model of the repository: one file, or all parts of a split one by their numbers.
struct Candidate {
    std::string name;  // of the file, or of the first part
    int n_parts = 1;
    std::map<int, RepoFile> parts;
};

std::vector<Candidate> find_candidates(const std::vector<RepoFile>& files) {
    std::map<std::string, Candidate> found;  // sorted, so that messages are too
    for (const RepoFile& file : files) {
        if (!lower(file.path).ends_with(".gguf")) continue;
        const auto split = split_name(file.path);
        const std::string key = split ? split->stem + "/" + std::to_string(split->n_parts) : file.path;
        Candidate& candidate = found[key];
        if (split) candidate.n_parts = split->n_parts;
        candidate.parts.emplace(split ? split->part : 1, file);
        candidate.name = candidate.parts.begin()->second.path;
    }
    std::vector<Candidate> candidates;
    for (auto& [key, candidate] : found) candidates.push_back(std::move(candidate));
    return candidates;
}

// Whether tag is in the file's name with no letter or digit beside it, so that q4_0 is not found in iq4_0.
bool has_tag(std::string_view path, std::string_view tag) {
    const std::string name = lower(path.substr(path.rfind('/') + 1));
    const auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    for (size_t at = name.find(tag); at != name.npos; at = name.find(tag, at + 1)) {
        const bool begins = at == 0 || !is_word(name[at - 1]);
        const size_t end = at + tag.size();
        if (begins && (end == name.size() || !is_word(name[end]))) return true;
    }
    return false;
}

// Projectors of images and importance matrices are GGUF files too, but nothing that generates text.
bool is_side_file(const Candidate& candidate) {
    return has_tag(candidate.name, "mmproj") || has_tag(candidate.name, "imatrix");
}

std::string names_of(const std::vector<Candidate>& candidates) {
    constexpr size_t kMost = 12;
    std::string names;
    for (size_t i = 0; i < candidates.size() && i < kMost; ++i) names += (i ? ", " : "") + candidates[i].name;
    return candidates.size() > kMost ? names + " and " + std::to_string(candidates.size() - kMost) + " more" : names;
}

std::vector<RepoFile> parts_of(const Candidate& candidate, const std::string& where) {
    std::vector<RepoFile> files;
    for (int part = 1; part <= candidate.n_parts; ++part) {
        const auto found = candidate.parts.find(part);
        if (found == candidate.parts.end())
            throw Error(ErrorKind::kNotFound, where + ": part " + std::to_string(part) + " of " +
                                                  std::to_string(candidate.n_parts) + " of " + candidate.name +
                                                  " is missing");
        files.push_back(found->second);
    }
    return files;
}

bool names_file(const Candidate& candidate, std::string_view wanted) {
    return std::any_of(candidate.parts.begin(), candidate.parts.end(),
                       [&](const auto& part) { return part.second.path == wanted; });
}

}  // namespace

bool is_safe_path(std::string_view path) {
    if (path.empty() || path.size() > kLongestPath) return false;
    for (char c : path)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') return false;
    for (size_t begin = 0; begin <= path.size();) {
        const size_t end = std::min(path.find('/', begin), path.size());
        const std::string_view name = path.substr(begin, end - begin);
        if (name.empty() || name == "." || name == ".." || name.size() > kLongestName) return false;
        begin = end + 1;
    }
    return true;
}

RepoListing parse_listing(std::string_view json) {
    if (json.size() > kMostListingBytes) refuse("is larger than 8 MiB");
    const auto limit_depth = [](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
        if (depth > kDeepestJson) refuse("is nested too deeply");
        return true;
    };
    nlohmann::json document;
    try {
        document = nlohmann::json::parse(json, limit_depth);
    } catch (const nlohmann::json::exception&) {
        refuse("is no JSON; is HF_ENDPOINT a hub?");
    }
    RepoListing listing;
    if (!document.is_object()) refuse("is no object; is HF_ENDPOINT a hub?");
    listing.commit = lower(text_of(document, "sha"));
    if ((listing.commit.size() != 40 && listing.commit.size() != 64) || !is_hexadecimal(listing.commit))
        refuse("names no commit");
    const auto files = document.find("siblings");
    if (files == document.end() || !files->is_array()) refuse("has no array 'siblings'");
    if (files->size() > kMostFiles) refuse("has more than 100000 entries");
    std::set<std::string> names;
    for (const auto& item : *files) {
        listing.files.push_back(parse_file(item));
        if (!names.insert(listing.files.back().path).second)
            refuse("names " + in_quotes(listing.files.back().path) + " twice");
    }
    return listing;
}

std::vector<RepoFile> choose_model(const std::vector<RepoFile>& files, std::string_view wanted,
                                   const std::string& where) {
    const std::vector<Candidate> all = find_candidates(files);
    if (!wanted.empty()) {
        std::vector<Candidate> matches;
        for (const Candidate& candidate : all) {
            if (names_file(candidate, wanted)) return parts_of(candidate, where);
            if (has_tag(candidate.name, lower(wanted)) && !is_side_file(candidate)) matches.push_back(candidate);
        }
        if (matches.size() == 1) return parts_of(matches[0], where);
        if (matches.empty())
            throw Error(ErrorKind::kNotFound, where + ": no GGUF file " + in_quotes(wanted) + "; there " +
                                                  (all.empty() ? "is none at all" : "are: " + names_of(all)));
        throw Error(ErrorKind::kUsage,
                    where + ": " + in_quotes(wanted) + " is not one file; name one of: " + names_of(matches));
    }
    std::vector<Candidate> models;
    for (const Candidate& candidate : all)
        if (!is_side_file(candidate)) models.push_back(candidate);
    if (models.empty())
        throw Error(ErrorKind::kNotFound,
                    where +
                        ": no GGUF file; choose a repository that has one (often its name ends in "
                        "-gguf), or convert the model");
    if (models.size() == 1) return parts_of(models[0], where);
    for (std::string_view type : kPreference) {
        const auto has_type = [&](const Candidate& candidate) { return has_tag(candidate.name, type); };
        const auto n_matches = std::count_if(models.begin(), models.end(), has_type);
        if (n_matches == 1) return parts_of(*std::find_if(models.begin(), models.end(), has_type), where);
        if (n_matches > 1) break;
    }
    throw Error(ErrorKind::kUsage,
                where + ": several GGUF files; name one behind a colon, as in owner/name:FILE: " + names_of(models));
}

std::vector<RepoFile> choose_exactly(const std::vector<RepoFile>& files, const std::vector<std::string>& names,
                                     const std::string& where) {
    std::vector<RepoFile> chosen;
    for (const std::string& name : names) {
        const auto found = std::find_if(files.begin(), files.end(), [&](const RepoFile& f) { return f.path == name; });
        if (found == files.end()) throw Error(ErrorKind::kNotFound, where + ": has no file " + in_quotes(name));
        chosen.push_back(*found);
    }
    return chosen;
}

}  // namespace hub
