// A compiled grammar and the tokenizer that it is for; the C interface's bitnet_grammar is one of these. Never changes.
#pragma once

#include <memory>
#include <string_view>

#include "src/grammar/grammar_program.h"
#include "src/tokenizer/tokenizer.h"

namespace bitnet {

class Grammar {
public:
    // Throws what parse_gbnf and compile_grammar throw.
    Grammar(std::shared_ptr<const Tokenizer> tokenizer, std::string_view gbnf, std::string_view root);

    const Tokenizer& tokenizer() const noexcept { return *tokenizer_; }
    const GrammarProgram& program() const noexcept { return program_; }

private:
    std::shared_ptr<const Tokenizer> tokenizer_;
    GrammarProgram program_;
};

}  // namespace bitnet
