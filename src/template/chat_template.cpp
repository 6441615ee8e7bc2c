// Which template a model gets, the variables that every template sees, and its text as tokens.
#include "src/template/chat_template.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "src/base/error.h"
#include "src/template/jinja_evaluator.h"
#include "src/template/jinja_json.h"
#include "src/template/jinja_parser.h"
#include "src/tokenizer/chat_format.h"

namespace bitnet {
namespace {

using jinja::Dict;
using jinja::Kind;
using jinja::Value;

constexpr std::string_view kJinja = "jinja";
// A role is no free text: these words may stand inside a mark that the template builds, as in '<|' + message.role + '|>'.
constexpr std::string_view kRoles[] = {"system",  "user",  "assistant", "tool",        "developer",  "function",
                                       "ipython", "model", "chatbot",   "environment", "observation"};
constexpr double kLatest = 253402300799.0;  // the end of the year 9999

Value parse_conversation(std::string_view json) {
    Value conversation = jinja::parse_json(json);
    if (!conversation.is(Kind::dict)) throw Error(BITNET_E_ARGUMENT, "the conversation is not a JSON object");
    const Value* messages = conversation.dict().find("messages");
    if (messages == nullptr || !messages->is(Kind::list)) {
        throw Error(BITNET_E_ARGUMENT, "the conversation has no list of messages").with_subject("messages");
    }
    for (const Value& message : messages->list().items) {
        if (message.is(Kind::dict)) continue;
        throw Error(BITNET_E_ARGUMENT, "a message is not a JSON object").with_subject("messages");
    }
    return conversation;
}

Value with_trusted_role(const Value& message) {
    const Value* role = message.dict().find("role");
    if (role == nullptr || !role->is(Kind::text)) return message;
    if (std::find(std::begin(kRoles), std::end(kRoles), role->bytes()) == std::end(kRoles)) return message;
    Dict out = message.dict();
    out.set("role", Value::text(MarkedText::trusted(role->bytes())));
    return Value::dict(std::move(out));
}

double read_now(const Dict& variables) {
    const Value* now = variables.find("now");
    if (now == nullptr || !now->is_number()) {
        return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    }
    const double seconds = now->real();
    if (!(seconds >= -kLatest && seconds <= kLatest)) {
        throw Error(BITNET_E_ARGUMENT, "now is not a time between the years -5000 and 9999").with_subject("now");
    }
    return seconds;
}

std::string text_of(const Value& content) {
    if (content.is(Kind::text)) return content.bytes();
    if (content.is(Kind::none)) return {};
    std::string out;
    if (content.is(Kind::list)) {
        for (const Value& part : content.list().items) {
            const Value* text = part.is(Kind::dict) ? part.dict().find("text") : nullptr;
            if (text == nullptr || !text->is(Kind::text)) {
                throw Error(BITNET_E_UNSUPPORTED, "a part of a message's content is not text");
            }
            out += text->bytes();
        }
        return out;
    }
    throw Error(BITNET_E_ARGUMENT, "a message's content is neither text nor a list of parts");
}

}  // namespace

ChatTemplate::ChatTemplate(std::shared_ptr<const Tokenizer> tokenizer, std::string_view format,
                           std::optional<std::string_view> source)
    : tokenizer_(std::move(tokenizer)) {
    if (source) {
        compile(*source);
        return;
    }
    const bool use_file = format.empty() && !tokenizer_->chat_template().empty() && !has_wrong_template(*tokenizer_);
    if (use_file) {
        compile(tokenizer_->chat_template());
        return;
    }
    name_ = format.empty() ? detect_chat_format(*tokenizer_) : format;
    if (name_.empty())
        throw Error(BITNET_E_NOT_FOUND, "the model has no chat template; name one of " + known_chat_formats());
    encode_chat(*tokenizer_, name_, {}, false);  // an unknown name, or a mark that the vocabulary lacks
}

void ChatTemplate::compile(std::string_view source) {
    name_ = kJinja;
    source_ = source;
    program_ = jinja::parse_template(source);
}

MarkedText ChatTemplate::evaluate(std::string_view json) const {
    const Value conversation = parse_conversation(json);
    Dict variables = conversation.dict();
    std::vector<Value> messages;
    for (const Value& message : variables.find("messages")->list().items)
        messages.push_back(with_trusted_role(message));
    variables.set("messages", Value::list(std::move(messages)));
    // What transformers sets where the caller says nothing; templates ask whether these are none.
    for (const char* name : {"tools", "documents"}) {
        if (variables.find(name) == nullptr) variables.set(name, Value::none());
    }
    if (variables.find("add_generation_prompt") == nullptr)
        variables.set("add_generation_prompt", Value::boolean(false));
    const TokenizerInfo& info = tokenizer_->info();
    for (const auto& [name, id] : {std::pair("bos_token", info.bos), std::pair("eos_token", info.eos),
                                   std::pair("pad_token", info.pad), std::pair("unk_token", info.unk)}) {
        if (id >= 0) variables.set(name, Value::text(MarkedText::trusted(std::string(tokenizer_->piece(id)))));
    }
    const double now = read_now(variables);
    jinja::Budget budget(json.size());
    return jinja::Evaluator(*program_, std::move(variables), now, budget).run();
}

std::vector<bitnet_token> ChatTemplate::encode_built_in(std::string_view json) const {
    const Value conversation = parse_conversation(json);
    const Value* tools = conversation.dict().find("tools");
    if (tools != nullptr && tools->is_true()) {
        throw Error(BITNET_E_UNSUPPORTED, "the chat format " + name_ + " knows no tools").with_subject("tools");
    }
    const std::vector<Value>& messages = conversation.dict().find("messages")->list().items;
    std::vector<std::pair<std::string, std::string>> texts;
    for (const Value& message : messages) {
        const Value* role = message.dict().find("role");
        const Value* content = message.dict().find("content");
        if (role == nullptr || !role->is(Kind::text))
            throw Error(BITNET_E_ARGUMENT, "a message has no role").with_subject("role");
        if (content == nullptr) throw Error(BITNET_E_ARGUMENT, "a message has no content").with_subject("content");
        texts.emplace_back(role->bytes(), text_of(*content));
    }
    std::vector<ChatMessage> views;
    for (const auto& [role, content] : texts) views.push_back({role, content});
    const Value* adds_header = conversation.dict().find("add_generation_prompt");
    return encode_chat(*tokenizer_, name_, views, adds_header != nullptr && adds_header->is_true());
}

std::vector<bitnet_token> ChatTemplate::encode(std::string_view json) const {
    if (!program_) return encode_built_in(json);
    const MarkedText text = evaluate(json);
    std::vector<Tokenizer::Range> trusted;
    for (const MarkedText::Run& run : text.trusted_runs()) trusted.push_back({run.begin, run.end});
    return tokenizer_->encode_marked(text.bytes(), trusted);
}

std::string ChatTemplate::render(std::string_view json) const {
    if (!program_) return tokenizer_->decode(encode_built_in(json), BITNET_DECODE_SPECIAL);
    return evaluate(json).bytes();
}

}  // namespace bitnet
