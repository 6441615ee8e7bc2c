// The parser's callback sees every key as it comes, so a second one of the same name cannot silently replace the first.
#include "src/safetensors/strict_json.h"

#include <set>
#include <vector>

#include "src/base/error.h"
#include "src/gguf/byte_source.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 64;

}  // namespace

std::string json_reason(const std::exception& error) { return for_message(error.what(), 160); }

json parse_strict_json(std::string_view text, const std::string& name, bitnet_status status) {
    std::vector<std::set<std::string>> keys;  // of the objects that are open
    const auto watch = [&](int depth, json::parse_event_t event, json& value) {
        if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
            if (depth >= kMaxDepth) {
                throw Error(BITNET_E_SECURITY_INPUT, name + ": nested more than " + std::to_string(kMaxDepth) +
                                                         " deep; no model is described like that, do not trust it")
                    .with_numbers(kMaxDepth, static_cast<uint64_t>(depth) + 1)
                    .with_subject(name);
            }
        }
        if (event == json::parse_event_t::object_start) keys.emplace_back();
        if (event == json::parse_event_t::object_end) keys.pop_back();
        if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second) {
            const std::string key = for_message(value.get_ref<const std::string&>());
            throw Error(status, name + ": the key '" + key + "' is there twice; download the file again")
                .with_subject(key);
        }
        return true;
    };
    json root;
    try {
        root = json::parse(text, watch);
    } catch (const json::exception& error) {
        throw Error(status, name + ": not valid JSON: " + json_reason(error) + "; download the file again")
            .with_subject(name);
    }
    if (!root.is_object())
        throw Error(status, name + ": not a JSON object; download the file again").with_subject(name);
    return root;
}

std::string read_text_file(const std::string& path, uint64_t max_bytes) {
    const std::unique_ptr<ByteSource> source = open_file_source(path, false);
    if (source->size() > max_bytes) {
        throw Error(BITNET_E_SECURITY_INPUT, source->name() + ": " + std::to_string(source->size()) +
                                                 " bytes; the limit for such a file is " + std::to_string(max_bytes) +
                                                 "; it is not what its name says")
            .with_numbers(max_bytes, source->size())
            .with_subject(source->name());
    }
    std::string text(static_cast<size_t>(source->size()), '\0');
    source->read(0, text.data(), text.size());
    return text;
}

}  // namespace bitnet
