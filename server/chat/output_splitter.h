// Takes a reply apart while it comes: text, reasoning between <think> and </think>, and calls of tools. Any split of the
// reply into pieces gives the same parts; what may be the beginning of a tag is held back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/chat/chat_request.h"

namespace serve {

enum class ToolSyntax {
    kNone,    // everything is text
    kDetect,  // <tool_call>{..}</tool_call>, anywhere; a reply that is nothing but {"name", "arguments" or "parameters"}
    kWhole    // the reply is one call as JSON, or several in an array; a grammar sees to it
};

struct SplitOptions {
    bool reasoning = true;             // a reply may begin with <think>
    bool begins_in_reasoning = false;  // the prompt ended with <think>
    ToolSyntax tools = ToolSyntax::kNone;
    std::vector<std::string> tool_names;  // a call of another name is text
    bool parallel_calls = true;           // false: calls after the first are left out
};

struct OutputPart {
    enum class Kind { kText, kReasoning, kToolCall };
    Kind kind = Kind::kText;
    std::string text;  // of kText and kReasoning: what is new
    ToolCall call;     // of kToolCall: complete, with a fresh id
};

class OutputSplitter {
public:
    explicit OutputSplitter(SplitOptions options);

    // Takes the next piece of the reply; whole UTF-8 characters. Returns what is certain, in order.
    std::vector<OutputPart> push(std::string_view piece);
    // The reply has ended: what was held back. A call that is not complete is text.
    std::vector<OutputPart> finish();

private:
    using Parts = std::vector<OutputPart>;
    enum class State { kStart, kReasoning, kText, kTaggedCall, kAfterTaggedCall, kBareCall, kAfterBareCall };
    // One step on held_; false when it needs more of the reply, or there is nothing more to do.
    bool step(Parts& parts);
    bool step_start();
    bool step_reasoning(Parts& parts);
    bool step_text(Parts& parts);
    bool step_call(Parts& parts);
    bool step_after_tagged_call();
    bool step_after_bare_call();
    Parts run();
    void enter_call(State state);
    void give(Parts& parts, OutputPart::Kind kind, size_t n_bytes);
    bool give_calls(Parts& parts, std::string_view json);
    bool scan_json();

    SplitOptions options_;
    State state_ = State::kStart;
    bool at_end_ = false;
    std::string held_;   // not given out yet
    std::string space_;  // in front of the tag of the call that is being read
    // Of the JSON in held_, read by scan_json so far; scanning goes on where it stopped.
    size_t scanned_ = 0;
    int depth_ = 0;
    bool in_string_ = false, escaped_ = false;
    bool gave_reasoning_ = false, gave_call_ = false;
};

// A whole reply at once.
struct Reply {
    std::string text;
    std::string reasoning;
    std::vector<ToolCall> tool_calls;
};
// Adds parts to a reply.
void collect(Reply& reply, std::vector<OutputPart> parts);
Reply split_reply(std::string_view text, const SplitOptions& options);

}  // namespace serve
