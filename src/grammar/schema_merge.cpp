#include "src/grammar/schema_merge.h"

#include <algorithm>
#include <string_view>

#include "src/base/error.h"

namespace bitnet {
namespace {

constexpr int kMaxDepth = 128;
constexpr size_t kMaxMerges = 10000;  // allOf may repeat what it refers to; this many schemas are no honest one's

enum class Shape : uint8_t {
    any,
    text,
    flag,
    count,
    number,
    list,
    names,
    object,
    schema,
    schemas,
    schema_map,
    type,
    items
};

struct KeywordRow {
    std::string_view name;
    Shape shape;
    bool describes;  // says nothing about what is valid
};
constexpr KeywordRow kKeywords[] = {
    {"$ref", Shape::text, false},
    {"$defs", Shape::object, true},
    {"definitions", Shape::object, true},
    {"$schema", Shape::any, true},
    {"$id", Shape::any, true},
    {"$comment", Shape::any, true},
    {"title", Shape::any, true},
    {"description", Shape::any, true},
    {"default", Shape::any, true},
    {"examples", Shape::any, true},
    {"example", Shape::any, true},
    {"deprecated", Shape::any, true},
    {"readOnly", Shape::any, true},
    {"writeOnly", Shape::any, true},
    {"contentEncoding", Shape::any, true},
    {"contentMediaType", Shape::any, true},
    {"type", Shape::type, false},
    {"enum", Shape::list, false},
    {"const", Shape::any, false},
    {"anyOf", Shape::schemas, false},
    {"oneOf", Shape::schemas, false},
    {"allOf", Shape::schemas, false},
    {"properties", Shape::schema_map, false},
    {"required", Shape::names, false},
    {"additionalProperties", Shape::schema, false},
    {"items", Shape::items, false},
    {"prefixItems", Shape::schemas, false},
    {"minItems", Shape::count, false},
    {"maxItems", Shape::count, false},
    {"minLength", Shape::count, false},
    {"maxLength", Shape::count, false},
    {"pattern", Shape::text, false},
    {"format", Shape::text, false},
    {"minimum", Shape::number, false},
    {"maximum", Shape::number, false},
    {"exclusiveMinimum", Shape::number, false},
    {"exclusiveMaximum", Shape::number, false},
};

const KeywordRow* find_keyword(std::string_view name) {
    for (const KeywordRow& row : kKeywords) {
        if (row.name == name) return &row;
    }
    return nullptr;
}

bool is_schema(const Schema& value) { return value.is_object() || value.is_boolean(); }
template <typename Test>
bool is_list_of(const Schema& value, Test test) {
    return value.is_array() && std::all_of(value.begin(), value.end(), test);
}
bool is_type_name(const Schema& value) {
    static constexpr std::string_view kTypes[] = {"object", "array", "string", "number", "integer", "boolean", "null"};
    return value.is_string() &&
           std::find(std::begin(kTypes), std::end(kTypes), value.get_ref<const std::string&>()) != std::end(kTypes);
}

const char* wrong_shape(const Schema& value, Shape shape) {
    const auto is_text = [](const Schema& v) { return v.is_string(); };
    switch (shape) {
        case Shape::any: return nullptr;
        case Shape::text: return value.is_string() ? nullptr : "a string";
        case Shape::flag: return value.is_boolean() ? nullptr : "true or false";
        case Shape::count:
            return value.is_number_unsigned() && value.get<uint64_t>() <= 65535 ? nullptr
                                                                                : "a whole number from 0 to 65535";
        case Shape::number: return value.is_number() ? nullptr : "a number";
        case Shape::list: return value.is_array() && !value.empty() ? nullptr : "a list that is not empty";
        case Shape::names: return is_list_of(value, is_text) ? nullptr : "a list of strings";
        case Shape::object: return value.is_object() ? nullptr : "an object";
        case Shape::schema: return is_schema(value) ? nullptr : "a schema: an object, true or false";
        case Shape::schemas:
            return is_list_of(value, is_schema) && !value.empty() ? nullptr : "a list of schemas that is not empty";
        case Shape::schema_map:
            return value.is_object() && std::all_of(value.begin(), value.end(), is_schema) ? nullptr
                                                                                           : "an object of schemas";
        case Shape::type:
            return is_type_name(value) || (is_list_of(value, is_type_name) && !value.empty())
                       ? nullptr
                       : "object, array, string, number, integer, boolean, null, or a list of them";
        case Shape::items: return is_schema(value) || is_list_of(value, is_schema) ? nullptr : "a schema";
    }
    return nullptr;
}

Schema type_list(const Schema& type) { return type.is_array() ? type : Schema::array({type}); }

bool holds(const Schema& list, const Schema& value) { return std::find(list.begin(), list.end(), value) != list.end(); }

}  // namespace

void schema_error(const std::string& pointer, const std::string& what, bitnet_status status) {
    throw Error(status, "JSON schema at " + pointer + ": " + what).with_subject(pointer);
}

void check_keywords(const Schema& schema, const std::string& pointer) {
    for (const auto& [name, value] : schema.items()) {
        const KeywordRow* row = find_keyword(name);
        if (row == nullptr) {
            schema_error(pointer_part(pointer, name),
                         "the keyword is not supported; remove it, or write the grammar in GBNF");
        }
        if (const char* wanted = wrong_shape(value, row->shape)) {
            schema_error(pointer_part(pointer, name), std::string("this must be ") + wanted);
        }
    }
}

bool says_nothing(const Schema& schema) {
    for (const auto& [name, value] : schema.items()) {
        const KeywordRow* row = find_keyword(name);
        if (row == nullptr || !row->describes) return false;
    }
    return true;
}

std::string pointer_part(const std::string& pointer, const std::string& key) {
    std::string out = pointer + '/';
    for (const char c : key) {
        if (c == '~') {
            out += "~0";
        } else if (c == '/') {
            out += "~1";
        } else {
            // The pointer goes into messages of one line.
            out += static_cast<uint8_t>(c) < 0x20 ? '?' : c;
        }
    }
    return out;
}

const Schema& find_reference(const Schema& root, const std::string& reference, const std::string& pointer) {
    if (reference.empty() || reference[0] != '#') {
        schema_error(pointer, "only references into the schema itself are followed, such as #/$defs/name");
    }
    const Schema* at = &root;
    for (size_t begin = 1; begin < reference.size();) {
        if (reference[begin] != '/') schema_error(pointer, "the reference must be # or begin with #/");
        const size_t end = std::min(reference.find('/', begin + 1), reference.size());
        std::string key;
        for (size_t i = begin + 1; i < end; ++i) {
            if (reference[i] == '~' && i + 1 < end) {
                key += reference[++i] == '1' ? '/' : '~';
            } else {
                key += reference[i];
            }
        }
        begin = end;
        const bool is_index = at->is_array() && !key.empty() && key.size() < 7 &&
                              key.find_first_not_of("0123456789") == std::string::npos;
        if (is_index && std::stoul(key) < at->size()) {
            at = &(*at)[std::stoul(key)];
        } else if (at->is_object() && at->contains(key)) {
            at = &(*at)[key];
        } else {
            schema_error(pointer, "nothing stands where the reference points; define it under $defs");
        }
    }
    if (!is_schema(*at)) schema_error(pointer, "what the reference points to is no schema");
    return *at;
}

// Without $ref at its top.
Schema SchemaMerger::resolved(const Schema& schema, const std::string& pointer, int depth) {
    if (depth > kMaxDepth) {
        schema_error(pointer, "references or allOf go more than 128 deep, or in a circle", BITNET_E_SECURITY_INPUT);
    }
    if (++n_merges_ > kMaxMerges) {
        schema_error(pointer, "allOf and references repeat too much; at most 10000 schemas are joined",
                     BITNET_E_SECURITY_INPUT);
    }
    if (!schema.is_object()) return schema;
    check_keywords(schema, pointer);
    if (!schema.contains("$ref")) return schema;
    Schema rest = schema;
    rest.erase("$ref");
    return merge(find_reference(root_, schema["$ref"].get_ref<const std::string&>(), pointer), rest, pointer,
                 depth + 1);
}

// A property that only one side knows must obey what the other says of additional ones.
void SchemaMerger::merge_properties(Schema& out, const Schema& a, const Schema& b, const std::string& pointer,
                                    int depth) {
    const Schema none = Schema::object();
    const auto part = [&](const Schema& s, const char* key) -> const Schema& {
        return s.contains(key) ? s[key] : none;
    };
    const Schema& mine = part(a, "properties");
    const Schema& theirs = part(b, "properties");
    Schema merged = Schema::object();
    const auto take = [&](const std::string& name, const Schema& schema, const Schema& other) {
        merged[name] = says_nothing(other) && other.is_object()
                           ? schema
                           : merge(schema, other, pointer_part(pointer, name), depth + 1);
    };
    for (const auto& [name, schema] : mine.items()) {
        take(name, schema, theirs.contains(name) ? theirs[name] : part(b, "additionalProperties"));
    }
    for (const auto& [name, schema] : theirs.items()) {
        if (!mine.contains(name)) take(name, schema, part(a, "additionalProperties"));
    }
    if (!merged.empty()) out["properties"] = merged;
    if (a.contains("additionalProperties") && b.contains("additionalProperties")) {
        out["additionalProperties"] =
            merge(a["additionalProperties"], b["additionalProperties"], pointer + "/additionalProperties", depth + 1);
    } else if (a.contains("additionalProperties") || b.contains("additionalProperties")) {
        // The side that does not say so allows any.
        out["additionalProperties"] = (a.contains("additionalProperties") ? a : b)["additionalProperties"];
    }
}

Schema SchemaMerger::merge(const Schema& a_in, const Schema& b_in, const std::string& pointer, int depth) {
    const Schema a = resolved(a_in, pointer, depth);
    const Schema b = resolved(b_in, pointer, depth);
    if (a.is_boolean()) return a.get<bool>() ? b : a;
    if (b.is_boolean()) return b.get<bool>() ? a : b;
    Schema out = Schema::object();
    merge_properties(out, a, b, pointer, depth);
    const auto add = [&](const std::string& name, const Schema& x, const Schema& y) -> Schema {
        if (x == y) return x;
        if (name == "type") {
            Schema types = Schema::array();
            const Schema xs = type_list(x), ys = type_list(y);
            for (const Schema& type : xs) {
                if (holds(ys, type)) types.push_back(type);
                if (type == "number" && !holds(ys, type) && holds(ys, "integer")) types.push_back("integer");
                if (type == "integer" && !holds(ys, type) && holds(ys, "number")) types.push_back("integer");
            }
            if (types.empty()) schema_error(pointer, "two types that must both hold have nothing in common");
            return types;
        }
        if (name == "required") {
            Schema names = x;
            for (const Schema& entry : y) {
                if (!holds(names, entry)) names.push_back(entry);
            }
            return names;
        }
        if (name == "enum") {
            Schema values = Schema::array();
            for (const Schema& value : x) {
                if (holds(y, value)) values.push_back(value);
            }
            if (values.empty()) schema_error(pointer, "two enums that must both hold have nothing in common");
            return values;
        }
        if (name == "allOf") {
            Schema all = x;
            for (const Schema& schema : y) all.push_back(schema);
            return all;
        }
        if (name == "items" && is_schema(x) && is_schema(y)) return merge(x, y, pointer + "/items", depth + 1);
        if (name.starts_with("min") || name == "exclusiveMinimum") return std::max(x, y);
        if (name.starts_with("max") || name == "exclusiveMaximum") return std::min(x, y);
        schema_error(pointer_part(pointer, name),
                     "this stands twice where both must hold, and cannot be joined; write it once");
    };
    for (const auto& [name, value] : a.items()) {
        if (name == "properties" || name == "additionalProperties" || find_keyword(name)->describes) continue;
        out[name] = b.contains(name) ? add(name, value, b[name]) : value;
    }
    for (const auto& [name, value] : b.items()) {
        if (name == "properties" || name == "additionalProperties" || find_keyword(name)->describes) continue;
        if (!a.contains(name)) out[name] = value;
    }
    return out;
}

}  // namespace bitnet
