#include "cli_grammar.h"

namespace cli {

void add_grammar_options(CLI::App& app, GrammarOptions& options) {
    CLI::Option* file = app.add_option("--grammar", options.gbnf_file,
                                       "write only what this grammar in GBNF allows; - for standard input");
    file->type_name("GRAMMARFILE");
    CLI::Option* text = app.add_option("--grammar-text", options.gbnf_text, "the same with the grammar itself");
    text->type_name("GBNF")->excludes(file);
    app.add_option("--json-schema", options.schema_file, "write only JSON that obeys this schema; - for standard input")
        ->type_name("SCHEMAFILE")
        ->excludes(file)
        ->excludes(text);
}

GrammarHandle create_grammar(const GrammarOptions& options, const bitnet_tokenizer* tokenizer) {
    bitnet_grammar* grammar = nullptr;
    if (!options.schema_file.empty()) {
        const std::string schema = read_text(options.schema_file);
        check(bitnet_grammar_create_from_json_schema(tokenizer, schema.data(), schema.size(), &grammar));
    } else if (!options.gbnf_file.empty() || !options.gbnf_text.empty()) {
        const std::string text = options.gbnf_file.empty() ? options.gbnf_text : read_text(options.gbnf_file);
        check(bitnet_grammar_create_from_gbnf(tokenizer, text.data(), text.size(), nullptr, &grammar));
    }
    return GrammarHandle(grammar);
}

}  // namespace cli
