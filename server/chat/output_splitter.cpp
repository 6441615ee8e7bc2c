// A small state machine over the text that is held back. Each character is looked at a bounded number of times: the search
// for tags begins anew only in what is held, and JSON is scanned where the last scan stopped.
#include "server/chat/output_splitter.h"

#include <algorithm>

#include "server/core/clock_text.h"

namespace serve {

namespace {

constexpr std::string_view kThink = "<think>", kThinkEnd = "</think>";
constexpr std::string_view kCall = "<tool_call>", kCallEnd = "</tool_call>";
constexpr std::string_view kSpace = " \t\r\n";
constexpr size_t kMaxCalls = 64;  // of one array

size_t leading_space(std::string_view text) { return std::min(text.find_first_not_of(kSpace), text.size()); }

// How much of text is certain not to belong to the tag or to white space in front of it.
size_t certain_before(std::string_view text, std::string_view tag) {
    size_t n = std::min(text.size(), tag.size() - 1);
    while (n > 0 && !text.ends_with(tag.substr(0, n))) n--;
    text.remove_suffix(n);
    const size_t last = text.find_last_not_of(kSpace);
    return last == text.npos ? 0 : last + 1;
}

bool may_become(std::string_view text, std::string_view tag) {
    return text.size() < tag.size() && tag.starts_with(text);
}

// False once it is clear that text, which begins with white space and a bracket, is no call: its first key is another one.
bool may_be_call(std::string_view text) {
    size_t at = leading_space(text);
    if (at < text.size() && text[at] == '[') at += 1 + leading_space(text.substr(at + 1));
    if (at == text.size()) return true;
    if (text[at] != '{') return false;
    at += 1 + leading_space(text.substr(at + 1));
    if (at >= text.size()) return true;
    for (const std::string_view key :
         {"\"name\"", "\"arguments\"", "\"parameters\"", "\"function\"", "\"type\"", "\"id\""}) {
        const std::string_view rest = text.substr(at);
        if (rest.starts_with(key) || may_become(rest, key)) return true;
    }
    return false;
}

// One call from its JSON; no name when it is none.
ToolCall read_call(const Json& json) {
    ToolCall call;
    if (!json.is_object()) return call;
    const Json* object = &json;
    if (const auto function = json.find("function"); function != json.end() && function->is_object())
        object = &*function;
    for (const char* key : {"name", "function"}) {
        const auto name = object->find(key);
        if (call.name.empty() && name != object->end() && name->is_string()) call.name = name->get<std::string>();
    }
    call.arguments = "{}";
    for (const char* key : {"arguments", "parameters"}) {
        const auto arguments = object->find(key);
        if (arguments == object->end() || arguments->is_null()) continue;
        if (arguments->is_object()) {
            call.arguments = to_text(*arguments);
        } else if (arguments->is_string()) {  // JSON in a string, as the protocols have it
            call.arguments = to_text(parse_object(arguments->get_ref<const std::string&>()));
        } else {
            call.name.clear();
        }
        break;
    }
    return call;
}

}  // namespace

OutputSplitter::OutputSplitter(SplitOptions options) : options_(std::move(options)) {
    if (options_.begins_in_reasoning && options_.reasoning) state_ = State::kReasoning;
    if (options_.tools == ToolSyntax::kWhole) enter_call(State::kBareCall);
}

std::vector<OutputPart> OutputSplitter::push(std::string_view piece) {
    held_ += piece;
    return run();
}

std::vector<OutputPart> OutputSplitter::finish() {
    at_end_ = true;
    return run();
}

OutputSplitter::Parts OutputSplitter::run() {
    Parts parts;
    while (step(parts)) {
    }
    return parts;
}

bool OutputSplitter::step(Parts& parts) {
    const bool open_tag = at_end_ && state_ == State::kTaggedCall;  // with nothing behind it
    if (held_.empty() && !open_tag) return false;
    switch (state_) {
        case State::kStart: return step_start();
        case State::kReasoning: return step_reasoning(parts);
        case State::kText: return step_text(parts);
        case State::kTaggedCall:
        case State::kBareCall: return step_call(parts);
        case State::kAfterTaggedCall: return step_after_tagged_call();
        case State::kAfterBareCall: return step_after_bare_call();
    }
    return false;
}

// The beginning of a reply, or of what follows the reasoning: a tag, a bare call or text.
bool OutputSplitter::step_start() {
    const size_t begin = leading_space(held_);
    const std::string_view text = std::string_view(held_).substr(begin);
    if (gave_reasoning_ && begin > 0) {
        held_.erase(0, begin);
        return true;
    }
    if (text.empty()) {
        if (at_end_) state_ = State::kText;
        return at_end_;
    }
    if (options_.reasoning && !gave_reasoning_) {
        if (text.starts_with(kThink)) {
            held_.erase(0, begin + kThink.size());
            state_ = State::kReasoning;
            return true;
        }
        if (may_become(text, kThink) && !at_end_) return false;
    }
    if (options_.tools == ToolSyntax::kDetect && (text[0] == '{' || text[0] == '['))
        enter_call(State::kBareCall);
    else
        state_ = State::kText;
    return true;
}

bool OutputSplitter::step_reasoning(Parts& parts) {
    if (!gave_reasoning_) held_.erase(0, leading_space(held_));
    const size_t tag = held_.find(kThinkEnd);
    if (tag == held_.npos && !at_end_) {
        give(parts, OutputPart::Kind::kReasoning, certain_before(held_, kThinkEnd));
        return false;
    }
    const std::string_view text = std::string_view(held_).substr(0, tag);
    const size_t last = text.find_last_not_of(kSpace);
    give(parts, OutputPart::Kind::kReasoning, last == text.npos ? 0 : last + 1);
    if (tag == std::string::npos) {
        held_.clear();
        return false;
    }
    held_.erase(0, held_.find(kThinkEnd) + kThinkEnd.size());
    gave_reasoning_ = true;
    state_ = State::kStart;
    return true;
}

bool OutputSplitter::step_text(Parts& parts) {
    if (options_.tools != ToolSyntax::kDetect) {
        give(parts, OutputPart::Kind::kText, held_.size());
        return false;
    }
    const size_t tag = held_.find(kCall);
    if (tag != held_.npos) {
        // White space between text and call, or between calls, is nobody's.
        const size_t last = std::string_view(held_).substr(0, tag).find_last_not_of(kSpace);
        const size_t n = last == held_.npos ? 0 : last + 1;
        give(parts, OutputPart::Kind::kText, n);
        space_ = held_.substr(0, tag - n);
        held_.erase(0, tag - n + kCall.size());
        enter_call(State::kTaggedCall);
        return true;
    }
    if (!at_end_) {
        give(parts, OutputPart::Kind::kText, certain_before(held_, kCall));
    } else if (gave_call_ && leading_space(held_) == held_.size()) {
        held_.clear();
    } else {
        give(parts, OutputPart::Kind::kText, held_.size());
    }
    return false;
}

void OutputSplitter::enter_call(State state) {
    state_ = state;
    scanned_ = 0;
    depth_ = 0;
    in_string_ = escaped_ = false;
}

bool OutputSplitter::step_call(Parts& parts) {
    const bool tagged = state_ == State::kTaggedCall;
    const size_t begin = leading_space(held_);
    const bool is_json = begin == held_.size() || held_[begin] == '{' || held_[begin] == '[';
    const bool detects = options_.tools == ToolSyntax::kDetect;
    const bool complete = is_json && (!detects || may_be_call(held_)) && scan_json();
    if (complete && give_calls(parts, std::string_view(held_).substr(0, scanned_))) {
        held_.erase(0, scanned_);
        gave_call_ = true;
        state_ = tagged ? State::kAfterTaggedCall : State::kAfterBareCall;
        return true;
    }
    if (!complete && is_json && (!detects || may_be_call(held_)) && !at_end_) return false;
    // It is no call after all. The tag goes out at once, so that it is not found again.
    if (tagged) parts.push_back({OutputPart::Kind::kText, space_ + std::string(kCall), {}});
    state_ = State::kText;
    return true;
}

bool OutputSplitter::step_after_tagged_call() {
    const size_t begin = leading_space(held_);
    const std::string_view text = std::string_view(held_).substr(begin);
    if (text.starts_with(kCallEnd))
        held_.erase(0, begin + kCallEnd.size());
    else if (may_become(text, kCallEnd) && !at_end_)
        return false;
    state_ = State::kText;
    return true;
}

bool OutputSplitter::step_after_bare_call() {
    const size_t begin = std::min(held_.find_first_not_of(" \t\r\n;,"), held_.size());
    if (begin == held_.size()) {
        if (at_end_) held_.clear();
        return false;
    }
    if (held_[begin] == '{' || held_[begin] == '[') {
        held_.erase(0, begin);
        enter_call(State::kBareCall);
    } else {
        state_ = State::kText;
    }
    return true;
}

// Moves scanned_ on; true when it stands behind a complete value.
bool OutputSplitter::scan_json() {
    while (scanned_ < held_.size()) {
        const char c = held_[scanned_++];
        if (in_string_) {
            if (escaped_)
                escaped_ = false;
            else if (c == '\\')
                escaped_ = true;
            else if (c == '"')
                in_string_ = false;
        } else if (c == '"') {
            in_string_ = true;
        } else if (c == '{' || c == '[') {
            depth_++;
        } else if (c == '}' || c == ']') {
            if (--depth_ == 0) return true;
        }
    }
    return false;
}

// False when the JSON holds anything but calls of known tools.
bool OutputSplitter::give_calls(Parts& parts, std::string_view json) {
    std::vector<ToolCall> calls;
    try {
        const Json wrapped = parse_object("{\"calls\":" + std::string(json) + "}");
        if (wrapped.size() != 1) return false;
        const Json& value = wrapped["calls"];
        if (value.is_array() && (value.empty() || value.size() > kMaxCalls)) return false;
        for (const Json& item : value.is_array() ? value : Json::array({value})) calls.push_back(read_call(item));
    } catch (const ApiError&) {
        return false;
    }
    const std::vector<std::string>& known = options_.tool_names;
    for (const ToolCall& call : calls)
        if (std::find(known.begin(), known.end(), call.name) == known.end()) return false;
    for (ToolCall& call : calls) {
        if (gave_call_ && !options_.parallel_calls) break;
        gave_call_ = true;
        call.id = random_id("call_");
        parts.push_back({OutputPart::Kind::kToolCall, "", std::move(call)});
    }
    return true;
}

void OutputSplitter::give(Parts& parts, OutputPart::Kind kind, size_t n_bytes) {
    if (n_bytes == 0) return;
    if (kind == OutputPart::Kind::kReasoning) gave_reasoning_ = true;
    parts.push_back({kind, held_.substr(0, n_bytes), {}});
    held_.erase(0, n_bytes);
}

void collect(Reply& reply, std::vector<OutputPart> parts) {
    for (OutputPart& part : parts) {
        switch (part.kind) {
            case OutputPart::Kind::kText: reply.text += part.text; break;
            case OutputPart::Kind::kReasoning: reply.reasoning += part.text; break;
            case OutputPart::Kind::kToolCall: reply.tool_calls.push_back(std::move(part.call)); break;
        }
    }
}

Reply split_reply(std::string_view text, const SplitOptions& options) {
    OutputSplitter splitter(options);
    Reply reply;
    collect(reply, splitter.push(text));
    collect(reply, splitter.finish());
    return reply;
}

}  // namespace serve
