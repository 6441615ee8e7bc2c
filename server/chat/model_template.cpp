// Templates are programs of a few kilobytes; parsing one for every request would cost more than running it.
#include "server/chat/model_template.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <string_view>

#include "server/chat/grammar_cache.h"

namespace serve {

std::shared_ptr<const ModelTemplate> make_model_template(const Engine& engine) {
    bitnet_chat_template* handle = nullptr;
    const bitnet_status status = bitnet_chat_template_create(engine.tokenizer(), nullptr, nullptr, 0, &handle);
    if (status == BITNET_E_NOT_FOUND) return nullptr;
    check(status);
    auto made = std::make_shared<ModelTemplate>();
    made->handle_.reset(handle, bitnet_chat_template_free);
    made->name_ = bitnet_chat_template_get_name(handle);
    made->knows_tools_ =
        std::string_view(bitnet_chat_template_get_source(handle)).find("tools") != std::string_view::npos;
    return made;
}

std::shared_ptr<const ModelTemplate> model_template(const Engine& engine) {
    struct Entry {
        std::string key;
        std::shared_ptr<const ModelTemplate> value;
    };
    constexpr size_t kMaxEntries = 16;
    static std::mutex mutex;
    static std::list<Entry> entries;
    const std::string key = engine_key(engine);
    const std::lock_guard lock(mutex);
    for (const Entry& entry : entries)
        if (entry.key == key) return entry.value;
    entries.push_front({key, make_model_template(engine)});
    if (entries.size() > kMaxEntries) entries.pop_back();
    return entries.front().value;
}

std::vector<bitnet_token> ModelTemplate::encode(const Json& variables, const std::string& field) const {
    const std::string json = to_text(variables);
    std::vector<bitnet_token> tokens(json.size() / 2 + 64);
    size_t n = 0;
    const auto attempt = [&] {
        return bitnet_chat_template_encode(handle_.get(), json.data(), json.size(), tokens.data(), tokens.size(), &n);
    };
    bitnet_status status = attempt();
    if (status == BITNET_E_BUFFER_TOO_SMALL) {
        tokens.resize(n);
        status = attempt();
    }
    if (status != BITNET_OK) {
        ApiError error = error_from_status(status);
        error.field = field;
        throw error;
    }
    tokens.resize(n);
    return tokens;
}

}  // namespace serve
