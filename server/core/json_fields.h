// Reading the JSON of a request strictly: a wrong type or a value out of range is VALIDATION_FAILED and names the field.
// null counts as absent everywhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "server/core/api_error.h"
#include "server/core/http_message.h"

namespace serve {

using Json = nlohmann::ordered_json;

// The largest depth of a request's JSON.
inline constexpr int kMaxJsonDepth = 64;

// Parses text as one JSON object. VALIDATION_FAILED for anything else, with the byte where it stops being one;
// INVALID_CHARACTERS where it is no UTF-8.
Json parse_object(std::string_view text);
// A JSON text on one line; bytes that are no UTF-8 become U+FFFD.
std::string to_text(const Json& value);
// The answer that is this value.
HttpResponse json_response(const Json& body);
// What in a request a message is about: "messages.0", "function.name".
std::string place_at(const std::string& place, size_t index);
std::string place_at(const std::string& place, const char* name);
// Throws VALIDATION_FAILED: "<place> <what>".
[[noreturn]] void refuse_field(const std::string& place, const std::string& what, const std::string& advice = "");

// The fields of one object. Keeps a reference to the object and the place of it in the request, for messages.
class JsonFields {
public:
    explicit JsonFields(const Json& object, std::string path = "");

    bool has(const char* name) const;
    // The member, or null where it is absent or null.
    const Json* find(const char* name) const;
    std::optional<std::string> text(const char* name) const;
    std::string required_text(const char* name) const;
    std::optional<int64_t> integer(const char* name, int64_t least, int64_t most) const;
    // Finite; a whole number is one, too.
    std::optional<double> number(const char* name, double least, double most) const;
    std::optional<bool> boolean(const char* name) const;
    // An array of at most `most` texts; one text alone counts as an array of one where allow_one.
    std::vector<std::string> texts(const char* name, size_t most, bool allow_one = false) const;
    // The member as an object or array; null where absent.
    const Json* object(const char* name) const;
    const Json* array(const char* name, size_t most) const;
    // One of the choices, as its index.
    std::optional<size_t> choice(const char* name, const std::vector<std::string>& choices) const;
    // "messages.0.content"
    std::string place(std::string_view name) const;
    [[noreturn]] void fail(std::string_view name, const std::string& what) const;

private:
    const Json& object_;
    std::string path_;
};

}  // namespace serve
