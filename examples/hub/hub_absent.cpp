// hub.h for a build without the network (BITNET_HUB=OFF): every fetch says so, the cache is empty.
#include "hub.h"

namespace hub {
namespace {

[[noreturn]] void refuse(const std::string& what) {
    throw Error(
        ErrorKind::kOffline,
        what + ": this build has no downloads (BITNET_HUB=OFF); fetch the file with a browser and give its path");
}

}  // namespace

const char* error_kind_name(ErrorKind) { return "offline"; }

Options options_from_environment() { return {}; }

Client::Client(Options options) : options_(std::move(options)) {}
FetchResult Client::fetch(std::string_view spec) { refuse(std::string(spec)); }
FetchResult Client::fetch_files(const std::string& repo, const std::vector<std::string>&) { refuse(repo); }
std::optional<FetchResult> Client::find_cached(std::string_view) const { return std::nullopt; }
std::vector<CachedRepo> Client::list() const { return {}; }
uint64_t Client::clear_cache(const std::string&) { return 0; }

FetchResult fetch(std::string_view spec, const Options& options) { return Client(options).fetch(spec); }

}  // namespace hub
