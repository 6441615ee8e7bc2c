// Specs, names of repositories, revisions.
#include "model_spec.h"

#include <algorithm>

#include "hub.h"
#include "hub_url.h"
#include "repo_listing.h"

namespace hub {
namespace {

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_name(std::string_view name) {
    if (name.empty() || name.size() > 96 || !is_alphanumeric(name.front()) || name.back() == '.' || name.back() == '-')
        return false;
    if (name.find("--") != name.npos || name.find("..") != name.npos) return false;
    return std::all_of(name.begin(), name.end(),
                       [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

}  // namespace

bool is_repo_name(std::string_view text) {
    const size_t slash = text.find('/');
    if (slash == text.npos) return is_name(text);
    return is_name(text.substr(0, slash)) && is_name(text.substr(slash + 1));
}

ModelSpec parse_spec(std::string_view text) {
    const size_t colon = text.find(':');
    const std::string_view repo = text.substr(0, colon);
    if (repo.find('/') == repo.npos || !is_repo_name(repo))
        throw Error(ErrorKind::kUsage, in_quotes(text) + " is no model of a hub; write owner/name or owner/name:FILE");
    if (colon == text.npos) return {std::string(repo), ""};
    const std::string_view wanted = text.substr(colon + 1);
    if (!is_safe_path(wanted))
        throw Error(ErrorKind::kUsage, in_quotes(text) +
                                           ": behind the colon stands the path of a file in the repository or a "
                                           "part of its name, such as i2_s");
    return {std::string(repo), std::string(wanted)};
}

void require_revision(std::string_view text) {
    const bool good = is_safe_path(text) && text.size() <= 200 && text.front() != '-' && text.find("..") == text.npos &&
                      std::all_of(text.begin(), text.end(), [](char c) {
                          return is_alphanumeric(c) || c == '-' || c == '_' || c == '.' || c == '/' || c == '+';
                      });
    if (!good) throw Error(ErrorKind::kUsage, "revision " + in_quotes(text) + " is no branch, tag or commit");
}

bool is_commit(std::string_view text) {
    return (text.size() == 40 || text.size() == 64) && text.find_first_not_of("0123456789abcdef") == text.npos;
}

}  // namespace hub
