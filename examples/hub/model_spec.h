// What a person writes for a model of the hub: owner/name[:file-or-quantisation]. Pure.
#pragma once

#include <string>
#include <string_view>

namespace hub {

struct ModelSpec {
    std::string repo;    // owner/name
    std::string wanted;  // behind the colon; ""
};

// Throws Error(kUsage).
ModelSpec parse_spec(std::string_view text);
// owner/name as the hub allows it: letters, digits, and - . _ between; no "--", which separates the two in the cache. Old
// repositories have no owner; those pass, too.
bool is_repo_name(std::string_view text);
// Throws Error(kUsage) for what cannot be a branch, tag or commit.
void require_revision(std::string_view text);
// A commit by its full hash, which always means the same files.
bool is_commit(std::string_view text);

}  // namespace hub
