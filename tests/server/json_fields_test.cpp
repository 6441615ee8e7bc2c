// Requests' JSON: depth, types and ranges are refused with the field's name.
#include "server/core/json_fields.h"

#include <string>

#include <doctest/doctest.h>

using namespace serve;

namespace {

// What reading does with a body: "" or the field at fault.
template <typename Read>
std::string fault(const char* body, Read read) {
    try {
        const Json json = parse_object(body);
        read(JsonFields(json));
        return "";
    } catch (const ApiError& error) {
        return std::string(error_info(error.code).name) + " " + error.field;
    }
}

}  // namespace

TEST_CASE("a request's JSON is refused where it is deeper, longer or other than an object") {
    const auto nothing = [](const JsonFields&) {};
    CHECK(fault("{}", nothing) == "");
    CHECK(fault("[]", nothing) == "VALIDATION_FAILED ");
    CHECK(fault("", nothing) == "VALIDATION_FAILED ");
    CHECK(fault("{\"a\":1}x", nothing) == "VALIDATION_FAILED ");
    CHECK(fault("{\"a\":\"\xff\"}", nothing) == "INVALID_CHARACTERS ");
    CHECK(fault("{\"a\":1e999}", nothing) == "VALIDATION_FAILED ");
    const std::string deep = "{\"a\":" + std::string(100000, '[');
    CHECK(fault(deep.c_str(), nothing) == "VALIDATION_FAILED ");
}

TEST_CASE("a field of the wrong type or out of range is named") {
    const auto whole = [](const JsonFields& fields) { fields.integer("n", 0, 10); };
    CHECK(fault("{\"n\":10}", whole) == "");
    CHECK(fault("{\"n\":null}", whole) == "");
    for (const char* body : {"{\"n\":11}", "{\"n\":-1}", "{\"n\":1.5}", "{\"n\":\"1\"}", "{\"n\":true}",
                             "{\"n\":18446744073709551615}", "{\"n\":[]}"})
        CHECK(fault(body, whole) == "VALIDATION_FAILED n");
    const auto real = [](const JsonFields& fields) { fields.number("x", 0, 2); };
    CHECK(fault("{\"x\":2}", real) == "");
    for (const char* body : {"{\"x\":2.01}", "{\"x\":\"1\"}", "{\"x\":-0.5}"})
        CHECK(fault(body, real) == "VALIDATION_FAILED x");
    const auto texts = [](const JsonFields& fields) { fields.texts("stop", 2); };
    CHECK(fault("{\"stop\":[\"a\",\"b\"]}", texts) == "");
    CHECK(fault("{\"stop\":[\"a\",\"b\",\"c\"]}", texts) == "VALIDATION_FAILED stop");
    CHECK(fault("{\"stop\":[1]}", texts) == "VALIDATION_FAILED stop");
    CHECK(fault("{}", [](const JsonFields& fields) { fields.required_text("prompt"); }) == "VALIDATION_FAILED prompt");
}
