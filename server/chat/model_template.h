// The chat template of each model, made once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/core/json_fields.h"
#include "server/engine/engine.h"

namespace serve {

class ModelTemplate {
public:
    // "jinja", or a built-in format's name.
    const std::string& name() const { return name_; }
    // It writes tools, calls and their answers itself.
    bool knows_tools() const { return knows_tools_; }
    // Tokens of a conversation; variables as bitnet_chat_template_encode has them. The ApiError of one that
    // the template refuses names field.
    std::vector<bitnet_token> encode(const Json& variables, const std::string& field) const;

private:
    friend std::shared_ptr<const ModelTemplate> make_model_template(const Engine& engine);
    std::shared_ptr<const bitnet_chat_template> handle_;
    std::string name_;
    bool knows_tools_ = false;
};

// Null for a model without a chat format. Throws where its template cannot be used.
std::shared_ptr<const ModelTemplate> model_template(const Engine& engine);

}  // namespace serve
