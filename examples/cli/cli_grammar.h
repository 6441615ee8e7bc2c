// --grammar, --grammar-text and --json-schema: what generated text must obey.
#pragma once

#include <memory>
#include <string>

#include "cli_common.h"

namespace cli {

struct GrammarOptions {
    std::string gbnf_file;
    std::string gbnf_text;
    std::string schema_file;
};
using GrammarHandle = std::unique_ptr<bitnet_grammar, Freer<bitnet_grammar_free>>;

// At most one of the options may be given.
void add_grammar_options(CLI::App& app, GrammarOptions& options);
// Null when no option was given. Throws Failure for a file or a grammar that cannot be used.
GrammarHandle create_grammar(const GrammarOptions& options, const bitnet_tokenizer* tokenizer);

}  // namespace cli
