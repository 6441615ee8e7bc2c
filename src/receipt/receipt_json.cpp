#include "src/receipt/receipt_json.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include "src/gguf/gguf_text.h"
#include "src/receipt/receipt_error.h"

namespace bitnet {
namespace {

using nlohmann::json;

constexpr size_t kMaxDepth = 16;
constexpr size_t kMaxValues = size_t{1} << 20;  // a value takes up to a hundred bytes of memory for two of text

[[noreturn]] void refuse(const std::string& message) { throw ReceiptError(BITNET_RECEIPT_CHECK_FORMAT, message); }

// Watches the parser: refuses what is too deep or too much before it is built, and a key that comes twice, which one reader
// would take for the first and another for the second.
class Guard {
public:
    bool operator()(int, json::parse_event_t event, json& parsed) {
        using Event = json::parse_event_t;
        switch (event) {
            case Event::object_start:
            case Event::array_start:
                if (keys_.size() >= kMaxDepth) refuse("it is nested more than " + std::to_string(kMaxDepth) + " deep");
                keys_.emplace_back();
                count();
                break;
            case Event::object_end:
            case Event::array_end: keys_.pop_back(); break;
            case Event::key:
                if (!keys_.back().insert(parsed.get_ref<const std::string&>()).second) {
                    refuse("the key '" + for_message(parsed.get_ref<const std::string&>()) + "' is there twice");
                }
                break;
            case Event::value: count(); break;
        }
        return true;
    }

private:
    void count() {
        if (++n_values_ > kMaxValues) refuse("it has more than " + std::to_string(kMaxValues) + " values");
    }

    std::vector<std::set<std::string>> keys_;  // of the objects that are open
    size_t n_values_ = 0;
};

const json& member(const json& object, const char* key, const char* path) {
    const auto at = object.find(key);
    if (at == object.end()) refuse(std::string("'") + path + key + "' is missing");
    return *at;
}

[[noreturn]] void wrong_type(const char* path, const char* key, const char* wanted) {
    refuse(std::string("'") + path + key + "' is not " + wanted);
}

float receipt_float(const json& object, const char* key) {
    const double value = receipt_number(object, key, "sampler.");
    // Beyond this a conversion to float would be undefined.
    if (std::abs(value) > static_cast<double>(std::numeric_limits<float>::max())) {
        wrong_type("sampler.", key, "a 32-bit number");
    }
    return static_cast<float>(value);
}

int32_t receipt_int(const json& object, const char* key) {
    const json& value = member(object, key, "sampler.");
    if (!value.is_number_integer()) wrong_type("sampler.", key, "an integer");
    const bool fits =
        value.is_number_unsigned() ? value.get<uint64_t>() <= INT32_MAX : value.get<int64_t>() >= INT32_MIN;
    if (!fits) wrong_type("sampler.", key, "a 32-bit integer");
    return static_cast<int32_t>(value.get<int64_t>());
}

// As a double a float shows digits it never had: 0.7 would read 0.699999988079071. The shortest decimal that reads back as
// the float is the same number for every reader.
double shortest(float value) {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value);
    double number = 0;
    std::from_chars(text, end.ptr, number);
    return static_cast<float>(number) == value ? number : static_cast<double>(value);
}

// The parameters of the steps that came after schema 1.0.0. A receipt names those that are not at their defaults, so that
// it reads as before where none is in use.
void for_each_later_field(auto& config, auto visit) {
    visit("xtc_probability", config.xtc_probability);
    visit("xtc_threshold", config.xtc_threshold);
    visit("dry_multiplier", config.dry.multiplier);
    visit("dry_base", config.dry.base);
    visit("dry_allowed_length", config.dry.allowed_length);
    visit("dry_penalty_last_n", config.dry.last_n);
    visit("dry_breakers", config.dry.breakers);
    visit("dynatemp_range", config.dynatemp_range);
    visit("dynatemp_exponent", config.dynatemp_exponent);
    visit("top_n_sigma", config.top_n_sigma);
    visit("mirostat", config.mirostat.algorithm);
    visit("mirostat_tau", config.mirostat.tau);
    visit("mirostat_eta", config.mirostat.eta);
}

nlohmann::ordered_json later_fields(const SamplerConfig& config) {
    struct Writer {
        nlohmann::ordered_json& out;
        void operator()(const char* key, float value) const { out[key] = shortest(value); }
        void operator()(const char* key, int32_t value) const { out[key] = value; }
        void operator()(const char* key, const std::vector<bitnet_token>& value) const { out[key] = value; }
    };
    nlohmann::ordered_json out = nlohmann::ordered_json::object();
    for_each_later_field(config, Writer{out});
    return out;
}

struct LaterFieldReader {
    const json& object;
    void operator()(const char* key, float& value) const {
        if (object.contains(key)) value = receipt_float(object, key);
    }
    void operator()(const char* key, int32_t& value) const {
        if (object.contains(key)) value = receipt_int(object, key);
    }
    void operator()(const char* key, std::vector<bitnet_token>& value) const {
        if (!object.contains(key)) return;
        value.clear();
        for (const json& token : receipt_array(object, key, "sampler.")) {
            if (!token.is_number_unsigned() || token.get<uint64_t>() > INT32_MAX) {
                wrong_type("sampler.", key, "an array of token ids");
            }
            value.push_back(static_cast<bitnet_token>(token.get<uint64_t>()));
        }
    }
};

}  // namespace

json parse_receipt_json(std::string_view text) {
    try {
        json value = json::parse(text, Guard());
        if (!value.is_object()) refuse("it is not a JSON object");
        return value;
    } catch (const json::exception& error) {
        // The parser quotes the text it stumbled over, whatever that holds.
        refuse("it is not valid JSON: " + for_message(error.what(), 160));
    }
}

std::string canonical_text(const json& value) { return value.dump(); }

const json& receipt_object(const json& object, const char* key) {
    const json& value = member(object, key, "");
    if (!value.is_object()) wrong_type("", key, "an object");
    return value;
}

std::string receipt_string(const json& object, const char* key, const char* path) {
    const json& value = member(object, key, path);
    if (!value.is_string()) wrong_type(path, key, "a text");
    return value.get<std::string>();
}

uint64_t receipt_uint(const json& object, const char* key, const char* path) {
    const json& value = member(object, key, path);
    if (!value.is_number_unsigned()) wrong_type(path, key, "an integer of at least 0");
    return value.get<uint64_t>();
}

double receipt_number(const json& object, const char* key, const char* path) {
    const json& value = member(object, key, path);
    if (!value.is_number() || !std::isfinite(value.get<double>())) wrong_type(path, key, "a number");
    return value.get<double>();
}

const json& receipt_array(const json& object, const char* key, const char* path) {
    const json& value = member(object, key, path);
    if (!value.is_array()) wrong_type(path, key, "an array");
    return value;
}

std::vector<bitnet_token> receipt_tokens(const json& object, const char* key) {
    const json& array = receipt_array(object, key);
    if (array.empty()) refuse(std::string("'") + key + "' is empty; there is nothing to check");
    std::vector<bitnet_token> tokens;
    tokens.reserve(array.size());
    for (const json& value : array) {
        if (!value.is_number_unsigned() || value.get<uint64_t>() > INT32_MAX) {
            refuse(std::string("'") + key + "' holds something that is not a token id");
        }
        tokens.push_back(static_cast<bitnet_token>(value.get<uint64_t>()));
    }
    return tokens;
}

nlohmann::ordered_json sampler_to_json(const SamplerConfig& config) {
    nlohmann::ordered_json bias = nlohmann::ordered_json::array();
    for (const bitnet_logit_bias& entry : config.logit_bias) {
        if (std::isfinite(entry.bias)) {
            bias.push_back({{"token", entry.token}, {"bias", shortest(entry.bias)}});
        } else {
            bias.push_back({{"token", entry.token}, {"forbidden", true}});  // JSON has no infinity
        }
    }
    nlohmann::ordered_json out = {{"temperature", shortest(config.temperature)},
                                  {"top_k", config.top_k},
                                  {"top_p", shortest(config.top_p)},
                                  {"min_p", shortest(config.min_p)},
                                  {"typical_p", shortest(config.typical_p)},
                                  {"repetition_penalty", shortest(config.repetition_penalty)},
                                  {"frequency_penalty", shortest(config.frequency_penalty)},
                                  {"presence_penalty", shortest(config.presence_penalty)},
                                  {"penalty_last_n", config.penalty_last_n},
                                  {"logit_bias", bias}};
    const nlohmann::ordered_json defaults = later_fields(SamplerConfig()), later = later_fields(config);
    for (const auto& [key, value] : later.items()) {
        if (value != defaults[key]) out[key] = value;
    }
    return out;
}

SamplerConfig sampler_from_json(const json& object) {
    SamplerConfig config;
    config.temperature = receipt_float(object, "temperature");
    config.top_k = receipt_int(object, "top_k");
    config.top_p = receipt_float(object, "top_p");
    config.min_p = receipt_float(object, "min_p");
    config.typical_p = receipt_float(object, "typical_p");
    config.repetition_penalty = receipt_float(object, "repetition_penalty");
    config.frequency_penalty = receipt_float(object, "frequency_penalty");
    config.presence_penalty = receipt_float(object, "presence_penalty");
    config.penalty_last_n = receipt_int(object, "penalty_last_n");
    for (const json& entry : receipt_array(object, "logit_bias", "sampler.")) {
        if (!entry.is_object()) wrong_type("sampler.", "logit_bias", "an array of objects");
        const uint64_t token = receipt_uint(entry, "token", "sampler.logit_bias.");
        if (token > INT32_MAX) wrong_type("sampler.logit_bias.", "token", "a token id");
        const bool forbidden = entry.contains("forbidden");
        config.logit_bias.push_back({static_cast<bitnet_token>(token), forbidden
                                                                           ? -std::numeric_limits<float>::infinity()
                                                                           : receipt_float(entry, "bias")});
    }
    for_each_later_field(config, LaterFieldReader{object});
    try {
        check_sampler_config(config);
    } catch (const Error& error) {
        if (error.status() != BITNET_E_CONFIG) throw;
        refuse(error.message());
    }
    return config;
}

}  // namespace bitnet
