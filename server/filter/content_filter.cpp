// Both kinds of filter behind one interface; a blocked phrase never goes out in parts because its beginning is held back.
#include "server/filter/content_filter.h"

#include <dlfcn.h>

#include <algorithm>
#include <fstream>
#include <optional>

#include "server/filter/phrase_list.h"

namespace serve {

namespace {

constexpr size_t kMaxListBytes = 16u << 20, kMaxPhraseBytes = 1024;
constexpr size_t kPluginWindowBytes = 4096;

std::vector<std::string> read_phrases(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw ApiError(ErrorCode::kNotFound, "cannot read the block list " + path);
    std::vector<std::string> phrases;
    std::string line;
    size_t n_bytes = 0;
    while (std::getline(file, line)) {
        n_bytes += line.size() + 1;
        if (n_bytes > kMaxListBytes)
            throw ApiError(ErrorCode::kValidationFailed, "the block list " + path + " has more than 16 MiB");
        while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.pop_back();
        line.erase(0, std::min(line.find_first_not_of(" \t"), line.size()));
        if (line.empty() || line[0] == '#') continue;
        if (line.size() > kMaxPhraseBytes)
            throw ApiError(ErrorCode::kValidationFailed, "the block list " + path + " has a phrase of " +
                                                             std::to_string(line.size()) + " bytes; the most is 1024");
        phrases.push_back(line);
    }
    if (file.bad()) throw ApiError(ErrorCode::kNotFound, "cannot read the block list " + path);
    return phrases;
}

class Filter final : public ContentFilter {
public:
    Filter(const std::string& list, const std::string& library) {
        if (!list.empty()) phrases_.emplace(read_phrases(list));
        if (library.empty()) return;
        // Never closed: answers may still ask it while the process ends.
        void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
        const char* problem = handle ? nullptr : dlerror();
        if (!handle)
            throw ApiError(ErrorCode::kNotFound,
                           std::string("cannot load the filter: ") + (problem ? problem : library));
        judge_ = reinterpret_cast<Judge>(dlsym(handle, "bitnet_content_filter"));
        if (!judge_)
            throw ApiError(ErrorCode::kNotFound, library + " does not define bitnet_content_filter", "",
                           "See server/filter/content_filter_plugin.h");
    }
    bool blocks(std::string_view text, bool is_output) const override {
        if (phrases_ && phrases_->contains_one(text)) return true;
        return judge_ && judge_(text.data(), text.size(), is_output ? 1 : 0) != 0;
    }
    size_t undecided_bytes(std::string_view text) const override { return phrases_ ? phrases_->open_bytes(text) : 0; }
    size_t window_bytes() const override {
        return std::max(phrases_ ? phrases_->longest() : 0, judge_ ? kPluginWindowBytes : 0);
    }

private:
    using Judge = int (*)(const char*, size_t, int);
    std::optional<PhraseList> phrases_;
    Judge judge_ = nullptr;
};

}  // namespace

std::shared_ptr<const ContentFilter> make_content_filter(const std::string& list, const std::string& library) {
    if (list.empty() && library.empty()) return nullptr;
    return std::make_shared<Filter>(list, library);
}

bool OutputFilter::apply(Step& step) {
    if (!filter_) return false;
    seen_ += step.text;
    if (!step.text.empty() && filter_->blocks(seen_, true)) {
        step.text.clear();
        return true;
    }
    const size_t n_unshown = n_held_ + step.text.size();
    const bool is_last = step.finish != BITNET_FINISH_NONE;
    n_held_ = is_last ? 0 : std::min(filter_->undecided_bytes(seen_), n_unshown);
    step.text = seen_.substr(seen_.size() - n_unshown, n_unshown - n_held_);
    // What the next step needs of the past, from the beginning of a character on.
    size_t n_kept = std::min(std::max(filter_->window_bytes(), n_held_), seen_.size());
    while (n_kept > n_held_ && (static_cast<unsigned char>(seen_[seen_.size() - n_kept]) & 0xC0) == 0x80) n_kept--;
    seen_.erase(0, seen_.size() - n_kept);
    return false;
}

}  // namespace serve
