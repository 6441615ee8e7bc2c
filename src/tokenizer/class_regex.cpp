// PCRE2 over bytes: compiled once, with its just-in-time compiler where the system allows one, matched with limits.
// A text that exceeds the small stack of compiled code is matched again by PCRE2's interpreter, which uses the heap.
#include "src/tokenizer/class_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <new>

#include "src/base/error.h"
#include "src/tokenizer/quote_text.h"

namespace bitnet {
namespace {

constexpr uint32_t kMatchSteps = 20'000'000;  // per match, beside 32 per byte of the subject
constexpr uint32_t kHeapLimitKib = 256 * 1024;

struct PcreDelete {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
    void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

std::string pcre_message(int code) {
    PCRE2_UCHAR text[160];
    if (pcre2_get_error_message(code, text, sizeof text) < 0) return "error " + std::to_string(code);
    return reinterpret_cast<const char*>(text);
}

}  // namespace

struct ClassRegex::Compiled {
    std::unique_ptr<pcre2_code, PcreDelete> code;
    bool has_jit = false;
};

ClassRegex::ClassRegex(std::string_view regex) : compiled_(std::make_unique<Compiled>()) {
    const std::string pattern = translate_regex(regex);
    int error = 0;
    PCRE2_SIZE offset = 0;
    compiled_->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                        PCRE2_NO_AUTO_CAPTURE, &error, &offset, nullptr));
    if (compiled_->code == nullptr) {
        throw Error(BITNET_E_TOKENIZER, "the pre-tokenizer's regular expression does not compile (" +
                                            pcre_message(error) + "): " + quote_text(regex, 120));
    }
    uint32_t may_match_empty = 0;
    pcre2_pattern_info(compiled_->code.get(), PCRE2_INFO_MATCHEMPTY, &may_match_empty);
    if (may_match_empty != 0) {
        throw Error(BITNET_E_TOKENIZER,
                    "the pre-tokenizer's regular expression can match nothing at all, which is not "
                    "supported: " +
                        quote_text(regex, 120));
    }
    compiled_->has_jit = pcre2_jit_compile(compiled_->code.get(), PCRE2_JIT_COMPLETE) == 0;
}

ClassRegex::~ClassRegex() = default;
ClassRegex::ClassRegex(ClassRegex&&) noexcept = default;
ClassRegex& ClassRegex::operator=(ClassRegex&&) noexcept = default;

struct RegexMatcher::State {
    const pcre2_code* code;
    bool has_jit;
    std::unique_ptr<pcre2_match_data, PcreDelete> data;
    std::unique_ptr<pcre2_match_context, PcreDelete> context;
    uint32_t match_limit = 0;
};

RegexMatcher::RegexMatcher(const ClassRegex& regex) : state_(std::make_unique<State>()) {
    state_->code = regex.compiled_->code.get();
    state_->has_jit = regex.compiled_->has_jit;
    state_->data.reset(pcre2_match_data_create(1, nullptr));
    state_->context.reset(pcre2_match_context_create(nullptr));
    if (state_->data == nullptr || state_->context == nullptr) throw std::bad_alloc();
    pcre2_set_heap_limit(state_->context.get(), kHeapLimitKib);
}

RegexMatcher::~RegexMatcher() = default;
RegexMatcher::RegexMatcher(RegexMatcher&&) noexcept = default;
RegexMatcher& RegexMatcher::operator=(RegexMatcher&&) noexcept = default;

bool RegexMatcher::find(std::string_view subject, size_t from, size_t& begin, size_t& end) {
    State& state = *state_;
    const uint64_t wanted = kMatchSteps + uint64_t{32} * subject.size();
    const uint32_t limit = static_cast<uint32_t>(std::min<uint64_t>(wanted, UINT32_MAX));
    if (limit > state.match_limit) {
        pcre2_set_match_limit(state.context.get(), limit);
        pcre2_set_depth_limit(state.context.get(), limit);
        state.match_limit = limit;
    }
    const auto* text = reinterpret_cast<PCRE2_SPTR>(subject.data());
    int rc = PCRE2_ERROR_JIT_STACKLIMIT;
    if (state.has_jit) {
        rc = pcre2_jit_match(state.code, text, subject.size(), from, 0, state.data.get(), state.context.get());
    }
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
        rc = pcre2_match(state.code, text, subject.size(), from, PCRE2_NO_JIT, state.data.get(), state.context.get());
    }
    if (rc == PCRE2_ERROR_NOMATCH) return false;
    if (rc == PCRE2_ERROR_NOMEMORY) throw std::bad_alloc();
    if (rc < 0) {
        throw Error(BITNET_E_TEXT, "the tokenizer's regular expression gave up on this text at character " +
                                       std::to_string(from) + " (" + pcre_message(rc) +
                                       "); encode it in smaller parts");
    }
    const PCRE2_SIZE* where = pcre2_get_ovector_pointer(state.data.get());
    begin = where[0];
    end = where[1];
    return true;
}

}  // namespace bitnet
