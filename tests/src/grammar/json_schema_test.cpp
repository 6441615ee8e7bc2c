// JSON schemas as grammars: tables of what fits, random schemas against a validator that is written here, and random walks
// through grammars, whose texts must be JSON that obeys the schema.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "src/grammar/json_schema.h"
#include "src/sampler/rng.h"
#include "tests/src/grammar/grammar_fixture.h"

using namespace bitnet;
using Json = nlohmann::ordered_json;

namespace {

std::shared_ptr<const Grammar> grammar_of(const Json& schema) { return test::gbnf(json_schema_to_gbnf(schema.dump())); }

// The keywords that random_schema uses, as the specification defines them.
bool is_valid(const Json& schema, const Json& value) {
    if (schema.is_boolean()) return schema.get<bool>();
    if (schema.contains("enum") &&
        std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end())
        return false;
    if (schema.contains("anyOf")) {
        bool any = false;
        for (const Json& branch : schema["anyOf"]) any = any || is_valid(branch, value);
        if (!any) return false;
    }
    if (schema.contains("allOf")) {
        for (const Json& part : schema["allOf"]) {
            if (!is_valid(part, value)) return false;
        }
    }
    if (schema.contains("type")) {
        const std::string type = schema["type"];
        const bool fits = type == "integer"  ? value.is_number_integer()
                          : type == "number" ? value.is_number()
                                             : value.type_name() == type;
        if (!fits) return false;
    }
    if (value.is_number()) {
        if (schema.contains("minimum") && value < schema["minimum"]) return false;
        if (schema.contains("maximum") && value > schema["maximum"]) return false;
    }
    if (value.is_string()) {
        size_t n = 0;
        for (const char c : value.get_ref<const std::string&>()) n += (c & 0xC0) != 0x80 ? 1 : 0;
        if (n < schema.value("minLength", size_t{0}) || n > schema.value("maxLength", SIZE_MAX)) return false;
    }
    if (value.is_array()) {
        if (value.size() < schema.value("minItems", size_t{0}) || value.size() > schema.value("maxItems", SIZE_MAX))
            return false;
        if (schema.contains("items")) {
            for (const Json& item : value) {
                if (!is_valid(schema["items"], item)) return false;
            }
        }
    }
    if (value.is_object()) {
        if (schema.contains("required")) {
            for (const Json& name : schema["required"]) {
                if (!value.contains(name.get<std::string>())) return false;
            }
        }
        for (const auto& [name, member] : value.items()) {
            const bool known = schema.contains("properties") && schema["properties"].contains(name);
            if (known && !is_valid(schema["properties"][name], member)) return false;
            if (!known && schema.contains("additionalProperties") && !is_valid(schema["additionalProperties"], member))
                return false;
        }
    }
    return true;
}

class Random {
public:
    explicit Random(uint64_t seed) : rng_(seed) {}
    uint32_t below(uint32_t n) { return rng_.next_u32() % n; }

    Json schema(int depth) {
        static constexpr const char* kNames[] = {"a", "ab", "b", "\xC3\xA9\"", "abc"};
        switch (below(depth > 2 ? 5 : 8)) {
            case 0: return {{"type", "boolean"}};
            case 1: {
                Json out = {{"type", "integer"}};
                const int64_t lo = static_cast<int64_t>(below(300)) - 150;
                if (below(3) != 0) out["minimum"] = lo;
                if (below(3) != 0) out["maximum"] = lo + below(150);
                return out;
            }
            case 2: {
                Json out = {{"type", "string"}};
                if (below(2) != 0) out["minLength"] = below(3);
                if (below(2) != 0) out["maxLength"] = 2 + below(3);
                return out;
            }
            case 3: return {{"enum", {"x", 1, nullptr, "a\"b", Json::array({1, "y"})}}};
            case 4: {
                Json out = {{"type", "number"}};
                const int64_t lo = static_cast<int64_t>(below(40)) - 20;
                if (below(2) != 0) out["minimum"] = lo;
                if (below(2) != 0) out["maximum"] = lo + below(30);
                return out;
            }
            case 5: {
                Json out = {{"type", "array"}, {"items", schema(depth + 1)}};
                if (below(2) != 0) out["minItems"] = below(3);
                if (below(2) != 0) out["maxItems"] = 2 + below(2);
                return out;
            }
            case 6: return {{"anyOf", {schema(depth + 1), schema(depth + 1)}}};
            default: {
                Json properties = Json::object(), required = Json::array();
                for (const char* name : kNames) {
                    if (below(2) != 0) continue;
                    properties[name] = schema(depth + 1);
                    if (below(2) != 0) required.push_back(name);
                }
                Json out = {{"type", "object"}, {"properties", properties}, {"required", required}};
                out["additionalProperties"] = below(2) != 0 ? Json(false) : schema(depth + 1);
                return out;
            }
        }
    }

    Json any() {
        switch (below(7)) {
            case 0: return nullptr;
            case 1: return below(2) != 0;
            case 2: return static_cast<int64_t>(below(400)) - 200;
            case 3: return (static_cast<double>(below(400)) - 200) / 8;
            case 4: return text();
            case 5: return Json::array({1, "y"});
            default: return Json{{"zz", 1}};
        }
    }

    // Mostly valid.
    Json value(const Json& schema) {
        if (below(20) == 0 || schema.is_boolean()) return any();
        if (schema.contains("enum")) return schema["enum"][below(static_cast<uint32_t>(schema["enum"].size()))];
        if (schema.contains("anyOf")) return value(schema["anyOf"][below(2)]);
        const std::string type = schema["type"];
        if (type == "boolean") return below(2) != 0;
        if (type == "string") return text();
        if (type == "integer" || type == "number") {
            const int64_t lo = schema.value("minimum", schema.value("maximum", int64_t{0}) - 50) - 2;
            const int64_t n = lo + below(static_cast<uint32_t>(schema.value("maximum", lo + 60) - lo + 3));
            return type == "number" && below(2) != 0 ? Json(static_cast<double>(n) + 0.25 * below(4)) : Json(n);
        }
        if (type == "array") {
            Json out = Json::array();
            for (uint32_t n = below(5); n > 0; --n) out.push_back(value(schema["items"]));
            return out;
        }
        Json out = Json::object();
        for (const auto& [name, property] : schema["properties"].items()) {
            const bool needed =
                std::find(schema["required"].begin(), schema["required"].end(), name) != schema["required"].end();
            if (below(20) != 0 && (needed || below(2) != 0)) out[name] = value(property);
        }
        if (below(3) == 0) out[below(2) != 0 ? "abd" : ""] = value(schema["additionalProperties"]);
        return out;
    }

    // A text of the grammar; "" when it got too long.
    std::string walk(const Grammar& grammar) {
        StackStore store(grammar.program());
        StackStore::SetId set = store.start();
        std::string out;
        while (out.size() < 2000) {
            if (store.accepts(set) && (!store.goes_on(set) || below(4) == 0)) return out;
            std::string choices;
            for (const char c : std::string("\"]},:")) {
                if (store.step(set, static_cast<uint8_t>(c)) != StackStore::kDead) choices += c;
            }
            if (choices.empty() || below(3) != 0) {
                choices.clear();
                for (int c = 0; c < 256; ++c) {
                    if (store.step(set, static_cast<uint8_t>(c)) != StackStore::kDead) choices += static_cast<char>(c);
                }
            }
            out += choices[below(static_cast<uint32_t>(choices.size()))];
            set = store.step(set, static_cast<uint8_t>(out.back()));
        }
        return "";
    }

private:
    std::string text() {
        std::string out;
        static constexpr const char* kParts[] = {"a", "\xC3\xA9", "\"", "\n", "\xF0\x9F\x98\x80"};
        for (uint32_t n = below(5); n > 0; --n) out += kParts[below(5)];
        return out;
    }
    Pcg32 rng_;
};

}  // namespace

TEST_CASE("each keyword allows what it should and nothing else") {
    struct Row {
        const char* schema;
        std::vector<std::string> fits, fits_not;
    };
    const Row rows[] = {
        {"{}",
         {"1", "null", "[1, {\"a\": [\"\\u00e9\\n\"]}]", "-0.5e+10", "{}", "[ ]"},
         {"", "01", "[1,]", "\"\n\"", "nul", "\"\\ud800\""}},
        {"true", {"true"}, {"True"}},
        {"{\"type\": [\"string\", \"null\"]}", {"\"a\"", "null"}, {"1", "true"}},
        {"{\"const\": {\"a\": [1.5, \"\\u20ac\\\"\"]}}", {"{\"a\":[1.5,\"\xE2\x82\xAC\\\"\"]}"}, {"{}"}},
        {"{\"enum\": [1, \"b\", false], \"type\": [\"string\", \"integer\"]}", {"1", "\"b\""}, {"false", "\"c\""}},
        {"{\"type\": \"object\"}", {"{}", "{\"a\":1}"}, {"[]"}},
        {"{\"properties\": {\"a\": {\"type\": \"null\"}, \"b\": {}, \"c\": false}, \"required\": [\"b\"]}",
         {"{\"b\":1}", "{\"a\":null,\"b\":[]}", "{ \"a\" : null ,\n  \"b\" : 1 }"},
         {"{}", "{\"a\":null}", "{\"a\":1,\"b\":1}", "{\"b\":1,\"c\":1}", "{\"b\":1,}", "{,\"b\":1}"}},
        {"{\"properties\": {\"a\": {}, \"ab\": {}}, \"additionalProperties\": {\"type\": \"integer\"}}",
         {"{}", "{\"a\":null,\"b\":1,\"c\":2}", "{\"abc\":1}", "{\"\":1}", "{\"ab\":null}"},
         {"{\"b\":null}", "{\"\\u0061\":1}", "{\"abc\":true}"}},
        {"{\"required\": [\"x\"], \"additionalProperties\": {\"type\": \"null\"}}",
         {"{\"x\":null}"},
         {"{}", "{\"x\":1}"}},
        {"{\"items\": {\"type\": \"integer\"}, \"minItems\": 1, \"maxItems\": 2}",
         {"[1]", "[1, 2]"},
         {"[]", "[1,2,3]", "[null]"}},
        {"{\"prefixItems\": [{\"type\": \"null\"}, {\"type\": \"boolean\"}], \"items\": {\"type\": \"integer\"}}",
         {"[null,true]", "[null,true,1,2]"},
         {"[true,null]", "[null,true,null]"}},
        {"{\"prefixItems\": [{}, {}], \"maxItems\": 1}", {"[1]"}, {"[1,2]"}},
        {"{\"type\": \"array\", \"maxItems\": 0}", {"[]"}, {"[1]"}},
        {"{\"minLength\": 2, \"maxLength\": 3}",
         {"\"ab\"", "\"\\n\xC3\xA9\"", "\"\xF0\x9F\x98\x80\\u00e9x\""},
         {"\"a\"", "\"abcd\""}},
        {"{\"pattern\": \"^[a-c]{2}(x|\\\\d+)?\\\\.$\", \"type\": \"string\"}",
         {"\"ab.\"", "\"cax.\"", "\"bb12.\""},
         {"\"a.\"", "\"abx\"", "\"abxx.\""}},
        {"{\"pattern\": \"^[^\\\"]\\\\w\\\\\\\\.$\"}",
         {"\"-_\\\\\xC3\xA9\"", "\"\\na\\\\\\\"\""},
         {"\"\\\"a\\\\b\"", "\"a\"b\\\\c\""}},
        {"{\"format\": \"date\"}",
         {"\"2024-02-28\"", "\"1999-12-31\""},
         {"\"2024-02-30\"", "\"2024-13-01\"", "\"2024-04-31\""}},
        {"{\"format\": \"date-time\"}",
         {"\"2024-01-01T23:59:59Z\"", "\"2024-01-01T00:00:00.123+02:00\""},
         {"\"2024-01-01\"", "\"2024-01-01T24:00:00Z\""}},
        {"{\"format\": \"time\"}", {"\"12:00:00Z\""}, {"\"12:00\""}},
        {"{\"format\": \"uuid\"}", {"\"123e4567-e89b-12d3-a456-426614174000\""}, {"\"123e4567\""}},
        {"{\"type\": \"integer\", \"exclusiveMinimum\": 0, \"exclusiveMaximum\": 2.5}", {"1", "2"}, {"0", "3"}},
        {"{\"type\": \"integer\", \"minimum\": -1.5}", {"-1", "0", "77"}, {"-2"}},
        {"{\"type\": \"number\", \"minimum\": 0, \"maximum\": 1}", {"0", "0.75", "1", "1.0"}, {"-0.1", "1.01", "2"}},
        {"{\"anyOf\": [{\"minimum\": 5}, {\"const\": 1}], \"type\": \"integer\"}", {"5", "1", "100"}, {"4", "1.5"}},
        {"{\"oneOf\": [{\"type\": \"null\"}, false]}", {"null"}, {"1"}},
        {"{\"allOf\": [{\"$ref\": \"#/$defs/a\"}, {\"properties\": {\"y\": {\"minimum\": 3}}, \"required\": [\"y\"]}], "
         "\"$defs\": {\"a\": "
         "{\"properties\": {\"x\": {\"type\": \"null\"}, \"y\": {\"type\": \"integer\"}}, \"required\": [\"x\"]}}}",
         {"{\"x\":null,\"y\":3}"},
         {"{\"x\":null}", "{\"x\":null,\"y\":2}", "{\"y\":3}"}},
        {"{\"type\": \"object\", \"properties\": {\"next\": {\"anyOf\": [{\"$ref\": \"#\"}, {\"type\": \"null\"}]}}, "
         "\"required\": [\"next\"]}",
         {"{\"next\":{\"next\":null}}"},
         {"{\"next\":{}}"}},
        {"{\"$ref\": \"#/definitions/a~1b\", \"definitions\": {\"a/b\": {\"type\": \"null\"}}}", {"null"}, {"1"}},
    };
    for (const Row& row : rows) {
        CAPTURE(row.schema);
        const auto grammar = test::gbnf(json_schema_to_gbnf(row.schema));
        for (const std::string& text : row.fits) {
            CAPTURE(text);
            CHECK(test::accepts(grammar, text));
        }
        for (const std::string& text : row.fits_not) {
            CAPTURE(text);
            CHECK_FALSE(test::accepts(grammar, text));
        }
    }
}

TEST_CASE("whole numbers between two bounds are written exactly") {
    Random random(3);
    for (int round = 0; round < 40; ++round) {
        const int64_t lo = static_cast<int64_t>(random.below(2600)) - 1300,
                      hi = lo + random.below(round % 2 == 0 ? 30 : 2000);
        const auto grammar = grammar_of({{"type", "integer"}, {"minimum", lo}, {"maximum", hi}});
        CAPTURE(lo);
        CAPTURE(hi);
        bool right = true;
        for (int64_t n = -1400; n < 3500; ++n)
            right = right && test::accepts(grammar, std::to_string(n)) == (n >= lo && n <= hi);
        CHECK(right);
    }
}

TEST_CASE("random schemas allow exactly the values that a validator allows") {
    Random random(11);
    size_t n_valid = 0, n_invalid = 0;
    for (int round = 0; round < 150; ++round) {
        const Json schema = random.schema(0);
        CAPTURE(schema.dump());
        std::shared_ptr<const Grammar> grammar = grammar_of(schema);
        for (int i = 0; i < 20; ++i) {
            const Json value = random.value(schema);
            CAPTURE(value.dump());
            const bool valid = is_valid(schema, value);
            CHECK(test::accepts(grammar, value.dump()) == valid);
            ++(valid ? n_valid : n_invalid);
        }
    }
    CHECK(n_valid > 300);
    CHECK(n_invalid > 300);
}

TEST_CASE("random walks through a schema's grammar are JSON that obeys it") {
    Random random(5);
    size_t n_walks = 0;
    for (int round = 0; round < 150; ++round) {
        const Json schema = random.schema(0);
        CAPTURE(schema.dump());
        const auto grammar = grammar_of(schema);
        for (int i = 0; i < 5; ++i) {
            const std::string text = random.walk(*grammar);
            if (text.empty()) continue;
            ++n_walks;
            CAPTURE(text);
            const Json value = Json::parse(text, nullptr, false);
            REQUIRE_FALSE(value.is_discarded());
            CHECK(is_valid(schema, value));
        }
    }
    CHECK(n_walks > 400);
}

TEST_CASE("what a schema says that a grammar cannot is refused with keyword and JSON pointer") {
    const struct {
        const char* schema;
        const char* message;
    } rows[] = {
        {"{\"type\": \"object\", \"properties\": {\"a/b\": {\"multipleOf\": 3}}}",
         "at #/properties/a~1b/multipleOf: the keyword is not supported"},
        {"{\"not\": {}}", "at #/not: the keyword is not supported"},
        {"{\"items\": {\"uniqueItems\": true}}", "at #/items/uniqueItems: the keyword is not supported"},
        {"{\"type\": \"text\"}", "at #/type: this must be object, array"},
        {"{\"type\": []}", "at #/type: this must be"},
        {"{\"minLength\": -1}", "at #/minLength: this must be a whole number from 0 to 65535"},
        {"{\"maxItems\": 1e9}", "at #/maxItems: this must be"},
        {"{\"minItems\": 3, \"maxItems\": 2}", "at #/maxItems: this is below minItems"},
        {"{\"anyOf\": []}", "at #/anyOf: this must be a list of schemas"},
        {"{\"enum\": []}", "at #/enum: this must be a list that is not empty"},
        {"{\"enum\": [1], \"type\": \"string\"}", "no value of enum or const has the type"},
        {"{\"const\": \"a\", \"minLength\": 2}", "at #/minLength: this cannot stand beside enum or const"},
        {"{\"format\": \"email\"}", "at #/format: the format is not supported"},
        {"{\"pattern\": \"a\"}", "at #/pattern: the pattern cannot be used, at byte 0: it must begin with ^"},
        {"{\"pattern\": \"^a\"}", "it must end with $"},
        {"{\"pattern\": \"^a|b$\"}", "put alternatives in a group"},
        {"{\"pattern\": \"^(?=a)$\"}", "look-around"},
        {"{\"pattern\": \"^(a)\\\\1$\"}", "the escape \\1 is not supported"},
        {"{\"pattern\": \"^(a$\"}", "the pattern cannot be used"},
        {"{\"pattern\": \"^a$\", \"maxLength\": 1}", "cannot stand beside a length"},
        {"{\"type\": \"number\", \"exclusiveMinimum\": 0}", "at #/exclusiveMinimum: for the type number"},
        {"{\"type\": \"integer\", \"minimum\": 3, \"maximum\": 2}", "no number lies between"},
        {"{\"type\": \"integer\", \"maximum\": 18446744073709551615}", "at #/maximum: the bound is too large"},
        {"{\"$ref\": \"#/nowhere\"}", "at #/$ref: nothing stands where the reference points"},
        {"{\"$ref\": \"other.json\"}", "only references into the schema itself"},
        {"{\"$ref\": \"#\"}", "can never end"},
        {"{\"anyOf\": [{\"$ref\": \"#\"}, {\"type\": \"null\"}]}", "begins with itself"},
        {"{\"allOf\": [{\"type\": \"string\"}, {\"type\": \"null\"}]}", "nothing in common"},
        {"{\"allOf\": [{\"pattern\": \"^a$\"}, {\"pattern\": \"^b$\"}]}", "at #/allOf/1/pattern: this stands twice"},
        {"{\"properties\": {\"a\": false}, \"required\": [\"a\"]}", "at #/properties/a: the property is required"},
        {"false", "at #: false allows no value"},
        {"3", "at #: a schema must be an object"},
        {"{\"a\": ", "the JSON schema is not JSON"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.schema);
        const std::string error = test::error_of([&] { json_schema_to_gbnf(row.schema); });
        CAPTURE(error);
        CHECK(error.starts_with("BITNET_E_CONFIG: "));
        CHECK(error.find(row.message) != std::string::npos);
        CHECK(error.find('\n') == std::string::npos);
    }
}

TEST_CASE("schemas that are too large, too deep or repeat themselves without bound are refused") {
    std::string deep(300, '[');
    std::string nested = "{}";
    for (int i = 0; i < 100; ++i) nested = "{\"items\":" + nested + "}";
    std::string doubling = "{\"$ref\":\"#/$defs/d0\",\"$defs\":{\"d30\":{\"type\":\"null\"}";
    for (int i = 0; i < 30; ++i) {
        const std::string next = "{\"allOf\":[{\"$ref\":\"#/$defs/d" + std::to_string(i + 1) + "\"}]}";
        doubling += ",\"d" + std::to_string(i) + "\":{\"properties\":{\"a\":" + next + ",\"b\":" + next + "}}";
    }
    doubling += "}}";
    const std::string schemas[] = {
        deep,
        doubling,
        "{\"allOf\":[{\"$ref\":\"#\"}]}",
        "{\"$ref\":\"#\",\"type\":\"null\"}",
        "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"maxItems\":60000},\"maxItems\":60000,\"minItems\":59999,"
        "\"prefixItems\":[{\"maxLength\":65000,\"pattern\":\"^((a{60000}){60000}){60000}$\"}]}",
        std::string((size_t{1} << 20) + 1, ' '),
    };
    for (const std::string& schema : schemas) {
        CAPTURE(schema.substr(0, 80));
        const std::string error = test::error_of([&] { json_schema_to_gbnf(schema); });
        CAPTURE(error);
        CHECK(!error.empty());
        CHECK(error.find('\n') == std::string::npos);
    }
    CHECK(test::error_of([&] { json_schema_to_gbnf(deep); }).starts_with("BITNET_E_SECURITY_INPUT: "));
    CHECK(test::error_of([&] { json_schema_to_gbnf(doubling); }).starts_with("BITNET_E_SECURITY_INPUT: "));
    CHECK(test::error_of([&] { json_schema_to_gbnf(nested); }) == "");
}
