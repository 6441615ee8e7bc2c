// What the protocols of other servers share: a conversation submitted with a length that is a limit and no promise, its reply
// as blocks in the order in which the model wrote them, and streams that tell of failures in the protocol's own words.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/api/generation_request.h"
#include "server/chat/chat_prompt.h"
#include "server/chat/output_splitter.h"

namespace serve {

// submit_chat for protocols in which clients name the most tokens without knowing the context: what does not fit is no error,
// the text then ends with BITNET_FINISH_CONTEXT_FULL.
std::shared_ptr<RunningText> submit_conversation(ServerState& state, const HttpRequest& request,
                                                 const std::string& model_id, const ChatRequest& chat,
                                                 const GenerationSpec& spec, SplitOptions& split);
// The rule of it, for a prompt that is made otherwise.
void limit_to_context(const Engine& engine, GenerationSpec& spec);

// Texts of one kind that follow each other become one block; a call is one.
void append_part(std::vector<OutputPart>& blocks, OutputPart part);

// Runs a text to its end and hands out its parts. idle as in follow().
using PartHandler = std::function<bool(const OutputPart&)>;
TextEnd follow_parts(const ServerState& state, const RunningText& text, const SplitOptions& split,
                     const std::function<bool()>& client_gone, const PartHandler& on_part,
                     const std::function<bool()>& idle);
// All of them at once.
TextEnd read_blocks(const ServerState& state, const HttpRequest& request, const RunningText& text,
                    const SplitOptions& split, std::vector<OutputPart>& blocks);

// A call's arguments as an object.
Json call_arguments(const ToolCall& call);

// Runs write; what it throws is told as an ApiError.
void tell_failures(const std::function<void()>& write, const std::function<void(const ApiError&)>& tell);

}  // namespace serve
