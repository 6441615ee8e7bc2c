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
    enum class State { kStart, kReasoning, kAfterReasoning, kText, kTaggedCall, kBareCall, kAfterBareCall, kWholeCall };
    // Each does one step on held_ and returns false when it needs more of the reply.
    bool step(std::vector<OutputPart>& parts, bool at_end);
    bool step_start(bool at_end);
    bool step_reasoning(std::vector<OutputPart>& parts, bool at_end);
    bool step_text(std::vector<OutputPart>& parts, bool at_end);
    bool step_tagged_call(std::vector<OutputPart>& parts, bool at_end);
    bool step_bare_call(std::vector<OutputPart>& parts, bool at_end);
    void give(std::vector<OutputPart>& parts, OutputPart::Kind kind, std::string_view text);
    // Reads held_[0, n) as calls; false when it is none of a known tool.
    bool give_calls(std::vector<OutputPart>& parts, std::string_view json);
    size_t scan_json();

    SplitOptions options_;
    State state_ = State::kStart;
    std::string held_;    // not given out yet
    size_t scanned_ = 0;  // of held_, read by scan_json
    int depth_ = 0;       // of the JSON so far
    bool in_string_ = false, escaped_ = false;
    bool gave_text_ = false, gave_call_ = false;
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
