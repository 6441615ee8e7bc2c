// See json_fields.h. Depth is bounded while parsing, so that a body of brackets costs nothing.
#include "server/core/json_fields.h"

#include <cmath>

namespace serve {

Json parse_object(std::string_view text) {
    const auto bounded = [](int depth, Json::parse_event_t, Json&) {
        if (depth > kMaxJsonDepth)
            throw ApiError(ErrorCode::kValidationFailed,
                           "the JSON is nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
        return true;
    };
    Json value;
    try {
        value = Json::parse(text.begin(), text.end(), bounded);
    } catch (const Json::parse_error& error) {
        // The library's text holds the byte and what was expected there, and quotes what was read.
        const std::string_view what = error.what();
        if (what.find("ill-formed UTF-8") != what.npos || what.find("invalid string: surrogate") != what.npos)
            throw ApiError(ErrorCode::kInvalidCharacters,
                           "the body is not valid UTF-8 at byte " + std::to_string(error.byte));
        throw ApiError(ErrorCode::kValidationFailed, "the body is not valid JSON at byte " + std::to_string(error.byte),
                       "", "Send one JSON object with the header Content-Type: application/json");
    } catch (const Json::exception& error) {  // a number that no double holds
        throw ApiError(ErrorCode::kValidationFailed, "the body's JSON has a number that is out of range");
    }
    if (!value.is_object()) throw ApiError(ErrorCode::kValidationFailed, "the body must be a JSON object");
    return value;
}

std::string to_text(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

HttpResponse json_response(const Json& body) {
    HttpResponse response;
    response.body = to_text(body);
    return response;
}

std::string place_at(const std::string& place, size_t index) { return place + "." + std::to_string(index); }
std::string place_at(const std::string& place, const char* name) { return place + "." + name; }

void refuse_field(const std::string& place, const std::string& what, const std::string& advice) {
    throw ApiError(ErrorCode::kValidationFailed, place + " " + what, place, advice);
}

JsonFields::JsonFields(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
    if (!object_.is_object()) throw ApiError(ErrorCode::kValidationFailed, path_ + " must be an object", path_);
}

std::string JsonFields::place(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

void JsonFields::fail(std::string_view name, const std::string& what) const {
    throw ApiError(ErrorCode::kValidationFailed, place(name) + " " + what, place(name));
}

const Json* JsonFields::find(const char* name) const {
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
}

bool JsonFields::has(const char* name) const { return find(name) != nullptr; }

std::optional<std::string> JsonFields::text(const char* name) const {
    const Json* value = find(name);
    if (!value) return std::nullopt;
    if (!value->is_string()) fail(name, "must be a string");
    return value->get<std::string>();
}

std::string JsonFields::required_text(const char* name) const {
    std::optional<std::string> value = text(name);
    if (!value) fail(name, "is required");
    return *std::move(value);
}

std::optional<int64_t> JsonFields::integer(const char* name, int64_t least, int64_t most) const {
    const Json* value = find(name);
    if (!value) return std::nullopt;
    const std::string range = "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most);
    if (value->is_number_unsigned()) {
        const uint64_t number = value->get<uint64_t>();
        if (number > static_cast<uint64_t>(INT64_MAX)) fail(name, range);
    } else if (!value->is_number_integer()) {
        fail(name, range);
    }
    const int64_t number = value->get<int64_t>();
    if (number < least || number > most) fail(name, range);
    return number;
}

std::optional<double> JsonFields::number(const char* name, double least, double most) const {
    const Json* value = find(name);
    if (!value) return std::nullopt;
    const double number = value->is_number() ? value->get<double>() : NAN;
    if (!(number >= least && number <= most)) {
        char range[96];
        std::snprintf(range, sizeof range, "must be a number from %g to %g", least, most);
        fail(name, range);
    }
    return number;
}

std::optional<bool> JsonFields::boolean(const char* name) const {
    const Json* value = find(name);
    if (!value) return std::nullopt;
    if (!value->is_boolean()) fail(name, "must be true or false");
    return value->get<bool>();
}

std::vector<std::string> JsonFields::texts(const char* name, size_t most, bool allow_one) const {
    const Json* value = find(name);
    if (!value) return {};
    if (allow_one && value->is_string()) return {value->get<std::string>()};
    if (!value->is_array())
        fail(name, allow_one ? "must be a string or an array of strings" : "must be an array of strings");
    if (value->size() > most) fail(name, "has more than " + std::to_string(most) + " entries");
    std::vector<std::string> texts;
    for (const Json& item : *value) {
        if (!item.is_string()) fail(name, "must hold strings only");
        texts.push_back(item.get<std::string>());
    }
    return texts;
}

const Json* JsonFields::object(const char* name) const {
    const Json* value = find(name);
    if (value && !value->is_object()) fail(name, "must be an object");
    return value;
}

const Json* JsonFields::array(const char* name, size_t most) const {
    const Json* value = find(name);
    if (!value) return nullptr;
    if (!value->is_array()) fail(name, "must be an array");
    if (value->size() > most) fail(name, "has more than " + std::to_string(most) + " entries");
    return value;
}

std::optional<size_t> JsonFields::choice(const char* name, const std::vector<std::string>& choices) const {
    const std::optional<std::string> value = text(name);
    if (!value) return std::nullopt;
    std::string known;
    for (size_t i = 0; i < choices.size(); i++) {
        if (*value == choices[i]) return i;
        known += (i ? ", " : "") + choices[i];
    }
    fail(name, "must be one of " + known);
}

}  // namespace serve
