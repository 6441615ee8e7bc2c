// Compiled grammars of the last requests: agents send the same schema with every message, and compiling one for a large
// vocabulary costs more than a token. Any thread.
#pragma once

#include <memory>
#include <string>

#include "server/engine/engine.h"

namespace serve {

// One loading of a model: what is made for its vocabulary is kept under this.
std::string engine_key(const Engine& engine);

// The grammar of a JSON schema's text (JSON on one line, see grammar_cache.cpp), or of GBNF. The error of one that cannot be compiled names field.
std::shared_ptr<const bitnet_grammar> cached_json_grammar(const Engine& engine, const std::string& schema,
                                                          const std::string& field);
std::shared_ptr<const bitnet_grammar> cached_gbnf_grammar(const Engine& engine, const std::string& text,
                                                          const std::string& field);

}  // namespace serve
