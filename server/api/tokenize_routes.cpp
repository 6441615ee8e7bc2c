// /tokenize, /detokenize and /apply-template, as llama-server has them, each also telling how many tokens there are.
#include "server/api/chat_text.h"

namespace serve {

namespace {

constexpr size_t kMaxDetokenized = 1 << 20;

// A token's bytes as text, or as numbers where they are part of a character.
Json piece_json(const Engine& engine, bitnet_token token) {
    const std::string bytes = decode_tokens(engine.tokenizer(), {token}, BITNET_DECODE_SPECIAL);
    try {
        return Json::parse(Json(bytes).dump());
    } catch (const Json::type_error&) {  // not UTF-8
        Json list = Json::array();
        for (const char c : bytes) list.push_back(static_cast<unsigned char>(c));
        return list;
    }
}

// content (llama-server) or prompt (vLLM) or messages; add_special, parse_special, with_pieces.
HttpResponse tokenize(ServerState& state, const HttpRequest& request) {
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    const std::shared_ptr<Engine> engine = state.models->find(fields.text("model").value_or(""));
    std::vector<bitnet_token> tokens;
    if (fields.has("messages")) {
        const ChatRequest chat = read_chat_request(fields);
        check_chat(state, chat);
        tokens = encode_chat(*engine, chat).tokens;
    } else {
        const char* name = fields.has("prompt") ? "prompt" : "content";
        const std::string text = fields.required_text(name);
        uint32_t flags = 0;
        if (fields.boolean("add_special").value_or(false)) flags |= BITNET_ENCODE_ADD_DEFAULT;
        if (fields.boolean("parse_special").value_or(true)) flags |= BITNET_ENCODE_PARSE_SPECIAL;
        check_prompt_text(state, text, name);
        tokens = encode_text(engine->tokenizer(), text, flags);
    }
    Json list = Json::array();
    const bool pieces = fields.boolean("with_pieces").value_or(false);
    for (const bitnet_token token : tokens)
        list.push_back(pieces ? Json{{"id", token}, {"piece", piece_json(*engine, token)}} : Json(token));
    return json_response({{"tokens", list}, {"count", tokens.size()}, {"max_model_len", engine->facts().n_ctx}});
}

HttpResponse detokenize(ServerState& state, const HttpRequest& request) {
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    const std::shared_ptr<Engine> engine = state.models->find(fields.text("model").value_or(""));
    const Json* array = fields.array("tokens", kMaxDetokenized);
    if (!array) fields.fail("tokens", "is required");
    std::vector<bitnet_token> tokens;
    for (const Json& item : *array) {
        if (!item.is_number_unsigned() || item.get<uint64_t>() >= static_cast<uint64_t>(engine->facts().n_vocab))
            fields.fail("tokens", "must hold token ids below " + std::to_string(engine->facts().n_vocab));
        tokens.push_back(item.get<bitnet_token>());
    }
    const std::string text = decode_tokens(engine->tokenizer(), tokens, BITNET_DECODE_SPECIAL | BITNET_DECODE_START);
    return json_response({{"content", text}, {"prompt", text}, {"count", tokens.size()}});
}

HttpResponse apply_template(ServerState& state, const HttpRequest& request) {
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    const std::shared_ptr<Engine> engine = state.models->find(fields.text("model").value_or(""));
    ChatRequest chat = read_chat_request(fields);
    chat.add_reply_header = fields.boolean("add_generation_prompt").value_or(true);
    check_chat(state, chat);
    return json_response({{"prompt", chat_text(*engine, chat)},
                          {"count", encode_chat(*engine, chat).tokens.size()},
                          {"format", chat_format_name(*engine)}});
}

}  // namespace

void add_tokenize_routes(ServerState& state) {
    const auto add = [&state](const char* path, HttpResponse (*handler)(ServerState&, const HttpRequest&)) {
        state.router.add({"POST", path, Access::kUser, ErrorStyle::kOpenAi,
                          [&state, handler](const HttpRequest& request) { return handler(state, request); }});
    };
    add("/tokenize", tokenize);
    add("/detokenize", detokenize);
    add("/apply-template", apply_template);
}

}  // namespace serve
