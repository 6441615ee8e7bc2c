// What may neither be asked for nor answered: a list of phrases, a function of a shared library, or both. Off by default.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/engine/job.h"

namespace serve {

class ContentFilter {
public:
    virtual ~ContentFilter() = default;
    // True when the text must not pass. is_output: the model wrote it. Any thread.
    virtual bool blocks(std::string_view text, bool is_output) const = 0;
    // Bytes at the end of a text that could still become a blocked phrase with what comes next.
    virtual size_t undecided_bytes(std::string_view text) const = 0;
    // How much of a text's end it has to see together with what comes next.
    virtual size_t window_bytes() const = 0;
};

// list: a file with a phrase on each line; library: a shared library as content_filter_plugin.h says. "" for none. Null where
// both are. Throws ApiError for a file that cannot be used.
std::shared_ptr<const ContentFilter> make_content_filter(const std::string& list, const std::string& library);

// The filter over a text that grows. One per text.
class OutputFilter {
public:
    explicit OutputFilter(const ContentFilter* filter) : filter_(filter) {}
    // Replaces step.text by what may be shown of the text so far; the last step (one with a finish reason) gives out all
    // that was held back. True when the text is blocked: show nothing more, cancel the job.
    bool apply(Step& step);

private:
    const ContentFilter* filter_;
    std::string seen_;   // the end of the text, as long as the filter may need
    size_t n_held_ = 0;  // bytes at the end of seen_ that were not shown yet
};

}  // namespace serve
