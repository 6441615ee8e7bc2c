// bitnet tokenize: text to token ids, with the vocabulary's own spelling of each.
#include "cli_common.h"

namespace cli {
namespace {

struct TokenizeOptions {
    std::string path;
    std::string text;
    bool no_bos = false;
    bool special = false;
    bool json = false;
};

int run_tokenize(const TokenizeOptions& options) {
    // A file may be a tokenizer alone; the one of the default model lives in the model.
    TokenizerHandle loaded;
    ModelHandle model;
    const bitnet_tokenizer* tokenizer = nullptr;
    if (options.path.empty()) {
        bitnet_model_params params = bitnet_model_default_params();
        params.vocab_only = 1;
        bitnet_model* default_model = nullptr;
        check(load_model("", params, &default_model));
        model.reset(default_model);
        tokenizer = require_tokenizer(default_model, "");
    } else {
        bitnet_tokenizer* from_file = nullptr;
        check(bitnet_tokenizer_load(options.path.c_str(), &from_file));
        loaded.reset(from_file);
        tokenizer = from_file;
    }

    const std::string text = options.text == "-" ? read_text("-") : options.text;
    uint32_t flags = options.no_bos ? 0 : BITNET_ENCODE_ADD_DEFAULT;
    if (options.special) flags |= BITNET_ENCODE_PARSE_SPECIAL;
    const std::vector<bitnet_token> ids = encode(tokenizer, text, flags);

    if (options.json) {
        auto pieces = nlohmann::ordered_json::array();
        for (const bitnet_token id : ids) pieces.push_back(get_piece(tokenizer, id));
        write_out(dump({{"ids", ids}, {"pieces", pieces}, {"n", ids.size()}}) + "\n");
        return kExitOk;
    }
    for (const bitnet_token id : ids)
        write_out(std::to_string(id) + "\t" + printable(get_piece(tokenizer, id), false) + "\n");
    return kExitOk;
}

}  // namespace

Command add_tokenize_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("tokenize", "Turn text into token ids: one line per token, id and piece");
    auto options = std::make_shared<TokenizeOptions>();
    command
        ->add_option("-m,--model", options->path,
                     "GGUF file, tokenizer.json or tokenizer.model; without it, the default model")
        ->type_name("FILE");
    command->add_flag("--no-bos", options->no_bos, "add no BOS or EOS; without this, what the model file says");
    command->add_flag("--special", options->special, "read control tokens such as <|eot_id|> as one token each");
    command->add_flag("--json", options->json, "print {\"ids\", \"pieces\", \"n\"}");
    command->add_option("text", options->text, "text, or - for standard input; put -- before a text that starts with -")
        ->required()
        ->type_name("TEXT");
    return {command, [options] { return run_tokenize(*options); }};
}

}  // namespace cli
