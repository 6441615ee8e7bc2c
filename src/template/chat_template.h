// A model's chat template, or a built-in format in its place: a conversation in JSON -> text or tokens.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet.h"
#include "src/template/marked_text.h"
#include "src/tokenizer/tokenizer.h"

namespace bitnet {

namespace jinja {
struct Program;
}

// Never changes after it is made.
class ChatTemplate {
public:
    // format: a built-in format's name, or ""; source: Jinja text. Neither: the model's own. The statuses are in bitnet.h.
    ChatTemplate(std::shared_ptr<const Tokenizer> tokenizer, std::string_view format,
                 std::optional<std::string_view> source);

    std::vector<bitnet_token> encode(std::string_view json) const;
    std::string render(std::string_view json) const;

    const std::string& name() const noexcept { return name_; }
    const std::string& source() const noexcept { return source_; }

private:
    void compile(std::string_view source);
    std::vector<bitnet_token> encode_built_in(std::string_view json) const;
    MarkedText evaluate(std::string_view json) const;

    std::shared_ptr<const Tokenizer> tokenizer_;
    std::string name_;    // of the built-in format, or "jinja"
    std::string source_;  // "" for a built-in format
    std::shared_ptr<const jinja::Program> program_;
};

}  // namespace bitnet
