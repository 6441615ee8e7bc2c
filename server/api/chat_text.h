// From a conversation to a text at work: what every chat protocol does between reading its body and writing its answer.
//
//     ChatRequest chat = ...;  GenerationSpec spec = ...;  SplitOptions split;
//     check_chat(state, chat);
//     const auto text = submit_chat(state, request, model_id, chat, spec, split);
//     OutputSplitter splitter(split);
//     const TextEnd end = follow_text(state, *text, request.client_gone, on_step, idle);
#pragma once

#include <memory>
#include <string>

#include "server/api/generation_request.h"
#include "server/chat/chat_prompt.h"

namespace serve {

// Every text of the conversation and its tools through check_prompt_text, with its place in the request.
void check_chat(const ServerState& state, const ChatRequest& chat);

// What only a model knows of a specification: ids of logit_bias inside its vocabulary, max_tokens no more than its context
// holds beside the prompt, -1 all that it holds. A client that asks for more than fits gets what fits and finish reason
// "length", as others do it.
void fit_to_model(const Engine& engine, GenerationSpec& spec);

// Submits the conversation with spec's sampler, stops and limits; its prompt and, where the chat asks for one, its grammar
// are set here. split is how to take the reply apart. spec.max_tokens of -1 means as long as the context allows. Of the
// stop sequences that come up, those from spec.stop.size() on are the format's own: tell them as the natural end.
std::shared_ptr<RunningText> submit_chat(ServerState& state, const HttpRequest& request, const std::string& model_id,
                                         const ChatRequest& chat, const GenerationSpec& spec, SplitOptions& split);
// The number of tokens of the prompt that submit_chat would use.
size_t count_chat_tokens(ServerState& state, const std::string& model_id, const ChatRequest& chat);

}  // namespace serve
