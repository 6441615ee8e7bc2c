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
    require_model_path(options.path);
    bitnet_tokenizer* loaded = nullptr;
    check(bitnet_tokenizer_load(options.path.c_str(), &loaded));
    const TokenizerHandle tokenizer(loaded);

    const std::string text = options.text == "-" ? read_text("-") : options.text;
    uint32_t flags = options.no_bos ? 0 : BITNET_ENCODE_ADD_DEFAULT;
    if (options.special) flags |= BITNET_ENCODE_PARSE_SPECIAL;
    const std::vector<bitnet_token> ids = encode(tokenizer.get(), text, flags);

    if (options.json) {
        auto pieces = nlohmann::ordered_json::array();
        for (const bitnet_token id : ids) pieces.push_back(get_piece(tokenizer.get(), id));
        write_out(dump({{"ids", ids}, {"pieces", pieces}, {"n", ids.size()}}) + "\n");
        return kExitOk;
    }
    for (const bitnet_token id : ids)
        write_out(std::to_string(id) + "\t" + printable(get_piece(tokenizer.get(), id), false) + "\n");
    return kExitOk;
}

}  // namespace

Command add_tokenize_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("tokenize", "Turn text into token ids: one line per token, id and piece");
    auto options = std::make_shared<TokenizeOptions>();
    command->add_option("-m,--model", options->path, "GGUF file, tokenizer.json or tokenizer.model")->type_name("FILE");
    command->add_flag("--no-bos", options->no_bos, "add no BOS or EOS; without this, what the model file says");
    command->add_flag("--special", options->special, "read control tokens such as <|eot_id|> as one token each");
    command->add_flag("--json", options->json, "print {\"ids\", \"pieces\", \"n\"}");
    command->add_option("text", options->text, "text, or - for standard input; put -- before a text that starts with -")
        ->required()
        ->type_name("TEXT");
    return {command, [options] { return run_tokenize(*options); }};
}

}  // namespace cli
