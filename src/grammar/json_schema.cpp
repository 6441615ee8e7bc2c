// Each schema that is referred to becomes a rule, and so does each object and array; what is small is written in place. Rules
// wait in a list, so that references may go in circles and deep without recursion.
#include "src/grammar/json_schema.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "src/base/error.h"
#include "src/base/utf8.h"
#include "src/grammar/gbnf_parser.h"
#include "src/grammar/grammar_program.h"
#include "src/grammar/schema_merge.h"
#include "src/grammar/schema_text.h"

namespace bitnet {
namespace {

constexpr int kMaxDepth = 128;
constexpr const char* kAny = "json-value";
constexpr const char* kGap = " json-space ";
constexpr const char* kComma = "json-space \",\" json-space ";

class SchemaWriter {
public:
    explicit SchemaWriter(const Schema& root) : root_(root), merger_(root) {}

    std::string write() {
        names_.insert("root");
        refs_["#"] = "root";
        todo_.push_back({"root", "#", &root_});
        for (size_t i = 0; i < todo_.size(); ++i) {
            const Waiting next = todo_[i];
            add_rule(next.rule, value(*next.schema, next.pointer, 0));
        }
        // The standard rules that are named, and those that they name.
        for (size_t i = 0; i < standard_.size(); ++i) {
            const std::string name = standard_[i];  // a copy: named() adds to the list
            add_rule(name, named(gbnf_json_rule(name)));
        }
        return std::move(out_);
    }

private:
    struct Waiting {
        std::string rule;
        std::string pointer;
        const Schema* schema;
    };

    void add_rule(const std::string& name, const std::string& body) {
        out_ += name + " ::= " + body + "\n";
        if (out_.size() > GrammarLimits::kMaxTextBytes) {
            schema_error("#", "its grammar is larger than 1 MiB; make it smaller", BITNET_E_SECURITY_INPUT);
        }
    }
    // A rule name that tells where it comes from.
    std::string new_name(const std::string& pointer) {
        std::string name;
        for (const char c : pointer.substr(pointer.size() > 40 ? pointer.size() - 40 : 0)) {
            const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
            if (fits) {
                name += c;
            } else if (!name.empty() && name.back() != '-') {
                name += '-';
            }
        }
        if (name.empty()) name = "rule";
        if (name.starts_with("json")) name = "x-" + name;
        std::string unique = name;
        for (size_t& n = n_named_[name]; !names_.insert(unique).second;) unique = name + "-" + std::to_string(++n);
        return unique;
    }
    std::string rule(const std::string& pointer, const std::string& body) {
        std::string name = new_name(pointer);
        add_rule(name, body);
        return name;
    }
    // Sees to it that the standard rules that the text names are there, and gives the text.
    std::string named(const std::string& text) {
        for (size_t at = text.find("json-"); at != std::string::npos; at = text.find("json-", at + 1)) {
            const size_t end = std::min(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", at), text.size());
            const std::string name = text.substr(at, end - at);
            if (const char* body = gbnf_json_rule(name); body != nullptr && names_.insert(name).second) {
                standard_.push_back(name);
            }
        }
        return text;
    }

    void check_depth(const std::string& pointer, int depth) {
        if (depth > kMaxDepth) schema_error(pointer, "it is nested more than 128 deep", BITNET_E_SECURITY_INPUT);
    }

    // An expression, which may have alternatives only inside of parentheses.
    std::string value(const Schema& schema, const std::string& pointer, int depth) {
        check_depth(pointer, depth);
        if (schema.is_boolean()) {
            if (!schema.get<bool>()) schema_error(pointer, "false allows no value here; leave it out");
            return named(kAny);
        }
        if (!schema.is_object()) schema_error(pointer, "a schema must be an object, true or false");
        check_keywords(schema, pointer);
        if (schema.contains("$ref")) return reference(schema, pointer, depth);
        if (schema.contains("allOf")) {
            Schema merged = without(schema, "allOf");
            for (size_t i = 0; i < schema["allOf"].size(); ++i) {
                merged = merger_.merge(merged, schema["allOf"][i], pointer + "/allOf/" + std::to_string(i));
            }
            return value(merged, pointer, depth + 1);
        }
        for (const char* key : {"anyOf", "oneOf"}) {
            if (schema.contains(key)) return alternatives(schema, key, pointer, depth);
        }
        if (schema.contains("const") || schema.contains("enum")) return constants(schema, pointer);
        return typed(schema, pointer, depth);
    }

    static Schema without(const Schema& schema, const char* key) {
        Schema rest = schema;
        rest.erase(key);
        return rest;
    }

    std::string reference(const Schema& schema, const std::string& pointer, int depth) {
        const std::string& to = schema["$ref"].get_ref<const std::string&>();
        const Schema& target = find_reference(root_, to, pointer + "/$ref");
        if (!says_nothing(without(schema, "$ref"))) {
            return value(merger_.merge(target, without(schema, "$ref"), pointer), pointer, depth + 1);
        }
        const auto [entry, is_new] = refs_.try_emplace(to == "#/" ? "#/" : to);
        if (is_new) {
            entry->second = new_name(to);
            todo_.push_back({entry->second, to, &target});
        }
        return entry->second;
    }

    std::string alternatives(const Schema& schema, const char* key, const std::string& pointer, int depth) {
        const Schema base = without(schema, key);
        const bool alone = says_nothing(base);
        std::vector<std::string> out;
        for (size_t i = 0; i < schema[key].size(); ++i) {
            const std::string at = pointer + "/" + key + "/" + std::to_string(i);
            const Schema& branch = schema[key][i];
            if (branch == false) continue;
            out.push_back(alone ? value(branch, at, depth + 1) : value(merger_.merge(base, branch, at), at, depth + 1));
        }
        if (out.empty()) schema_error(pointer + "/" + key, "no alternative allows a value");
        return join(out);
    }

    static std::string join(std::vector<std::string> parts) {
        std::string out;
        std::set<std::string> seen;
        for (const std::string& part : parts) {
            if (!seen.insert(part).second) continue;
            if (!out.empty()) out += " | ";
            out += part;
        }
        return seen.size() == 1 ? out : "(" + out + ")";
    }

    static bool has_type(const Schema& value, const Schema& types) {
        const auto is = [&](const char* name) { return std::find(types.begin(), types.end(), name) != types.end(); };
        if (value.is_number()) {
            const bool whole =
                value.is_number_integer() ||
                (value.get<double>() ==
                 static_cast<double>(static_cast<int64_t>(std::clamp(value.get<double>(), -1e15, 1e15))));
            return is("number") || (whole && is("integer"));
        }
        return is(value.type_name());
    }

    std::string constants(const Schema& schema, const std::string& pointer) {
        for (const auto& [name, part] : schema.items()) {
            if (name == "const" || name == "enum" || name == "type") continue;
            if (Schema one = {{name, part}}; !says_nothing(one)) {
                schema_error(pointer_part(pointer, name),
                             "this cannot stand beside enum or const; leave the values out that "
                             "it forbids, and then itself");
            }
        }
        Schema values = schema.contains("enum") ? schema["enum"] : Schema::array({schema["const"]});
        std::vector<std::string> out;
        for (const Schema& entry : values) {
            if (schema.contains("const") && entry != schema["const"]) continue;
            if (schema.contains("type") && !has_type(entry, type_list(schema["type"]))) continue;
            out.push_back(gbnf_literal(entry.dump()));
        }
        if (out.empty()) schema_error(pointer, "no value of enum or const has the type, or is in both");
        return join(out);
    }

    static Schema type_list(const Schema& type) { return type.is_array() ? type : Schema::array({type}); }

    // Keywords speak of one type each; without "type" they are taken to say it.
    static std::vector<std::string> types_of(const Schema& schema) {
        if (schema.contains("type")) {
            std::vector<std::string> out;
            for (const Schema& type : type_list(schema["type"])) out.push_back(type.get<std::string>());
            return out;
        }
        static constexpr std::pair<const char*, const char*> kSays[] = {
            {"properties", "object"}, {"required", "object"},         {"additionalProperties", "object"},
            {"items", "array"},       {"prefixItems", "array"},       {"minItems", "array"},
            {"maxItems", "array"},    {"minLength", "string"},        {"maxLength", "string"},
            {"pattern", "string"},    {"format", "string"},           {"minimum", "number"},
            {"maximum", "number"},    {"exclusiveMinimum", "number"}, {"exclusiveMaximum", "number"},
        };
        std::vector<std::string> out;
        for (const auto& [key, type] : kSays) {
            if (schema.contains(key) && std::find(out.begin(), out.end(), type) == out.end()) out.emplace_back(type);
        }
        return out;
    }

    std::string typed(const Schema& schema, const std::string& pointer, int depth) {
        const std::vector<std::string> types = types_of(schema);
        if (types.empty()) return named(kAny);
        std::vector<std::string> out;
        for (const std::string& type : types) {
            if (type == "object") {
                out.push_back(object(schema, pointer, depth));
            } else if (type == "array") {
                out.push_back(array(schema, pointer, depth));
            } else if (type == "string") {
                out.push_back(string(schema, pointer));
            } else if (type == "integer" || type == "number") {
                out.push_back(number(schema, pointer, type == "integer"));
            } else {
                out.push_back(named("json-" + type));
            }
        }
        return join(out);
    }

    std::string string(const Schema& schema, const std::string& pointer) {
        const bool has_length = schema.contains("minLength") || schema.contains("maxLength");
        if (schema.contains("pattern")) {
            if (has_length || schema.contains("format")) {
                schema_error(pointer + "/pattern",
                             "a pattern cannot stand beside a length or format; put all into the pattern");
            }
            return "(\"\\\"\" (" + gbnf_pattern(schema["pattern"].get_ref<const std::string&>(), pointer + "/pattern") +
                   ") \"\\\"\")";
        }
        if (schema.contains("format")) {
            const std::string& format = schema["format"].get_ref<const std::string&>();
            const char* text = gbnf_format(format);
            if (text == nullptr) {
                schema_error(pointer + "/format",
                             "the format is not supported (date, time, date-time and uuid are); "
                             "write a pattern, or remove it");
            }
            if (has_length) schema_error(pointer + "/format", "a format cannot stand beside a length; remove one");
            return std::string("(\"\\\"\" ") + text + " \"\\\"\")";
        }
        if (!has_length) return named("json-string");
        return named("(\"\\\"\" json-char" + counts(schema, "minLength", "maxLength", pointer) + " \"\\\"\")");
    }

    static std::optional<uint64_t> count(const Schema& schema, const char* key) {
        return schema.contains(key) ? std::optional(schema[key].get<uint64_t>()) : std::nullopt;
    }
    static std::string braces(uint64_t least, std::optional<uint64_t> most) {
        return "{" + std::to_string(least) + "," + (most ? std::to_string(*most) : "") + "}";
    }
    static std::string counts(const Schema& schema, const char* least_key, const char* most_key,
                              const std::string& pointer) {
        const uint64_t least = count(schema, least_key).value_or(0);
        const std::optional<uint64_t> most = count(schema, most_key);
        if (most && *most < least) schema_error(pointer + "/" + most_key, "this is below " + std::string(least_key));
        return braces(least, most);
    }

    // A bound as a whole number that is itself allowed.
    static std::optional<int64_t> bound(const Schema& schema, const char* key, const std::string& pointer,
                                        bool integer) {
        if (!schema.contains(key)) return std::nullopt;
        const Schema& value = schema[key];
        const bool lower = std::string_view(key).ends_with("inimum");
        const bool exclusive = key[0] == 'e';
        int64_t n = 0;
        bool cut = false;  // the bound itself is between two whole numbers
        if (value.is_number_integer()) {
            if (value.is_number_unsigned() && value.get<uint64_t>() > kMostBound) {
                schema_error(pointer + "/" + key, "the bound is too large; at most 1000000000000000000 is possible");
            }
            n = value.get<int64_t>();
        } else {
            const double x = value.get<double>();
            if (!(x >= -1e15 && x <= 1e15)) schema_error(pointer + "/" + key, "the bound is too large for a fraction");
            n = static_cast<int64_t>(x);
            cut = static_cast<double>(n) != x;
            if (cut && lower == (x > 0)) n += lower ? 1 : -1;  // towards the allowed side, away from zero
        }
        if (n > static_cast<int64_t>(kMostBound) || n < -static_cast<int64_t>(kMostBound)) {
            schema_error(pointer + "/" + key, "the bound is too large; at most 1000000000000000000 is possible");
        }
        if (!integer && (cut || exclusive)) {
            schema_error(pointer + "/" + key,
                         "for the type number only whole bounds that are allowed themselves are "
                         "supported; use integer, or minimum and maximum");
        }
        if (exclusive && !cut) n += lower ? 1 : -1;
        return n;
    }

    std::string number(const Schema& schema, const std::string& pointer, bool integer) {
        std::optional<int64_t> lo = bound(schema, "minimum", pointer, integer);
        std::optional<int64_t> hi = bound(schema, "maximum", pointer, integer);
        if (const auto above = bound(schema, "exclusiveMinimum", pointer, integer))
            lo = std::max(lo.value_or(*above), *above);
        if (const auto below = bound(schema, "exclusiveMaximum", pointer, integer))
            hi = std::min(hi.value_or(*below), *below);
        if (!lo && !hi) return named(integer ? "json-integer" : "json-number");
        if (lo && hi && *hi < *lo) schema_error(pointer, "no number lies between its bounds");
        return integer ? gbnf_integer(lo, hi) : gbnf_number(lo, hi);
    }

    std::string array(const Schema& schema, const std::string& pointer, int depth) {
        const bool is_tuple = schema.contains("items") && schema["items"].is_array();  // as before draft 2020-12
        const char* prefix_key = is_tuple ? "items" : "prefixItems";
        std::vector<std::string> prefix;
        const uint64_t least = count(schema, "minItems").value_or(0);
        const std::optional<uint64_t> most = count(schema, "maxItems");
        counts(schema, "minItems", "maxItems", pointer);
        if (schema.contains(prefix_key)) {
            for (size_t i = 0; i < schema[prefix_key].size() && i < most.value_or(i + 1); ++i) {
                prefix.push_back(
                    value(schema[prefix_key][i], pointer + "/" + prefix_key + "/" + std::to_string(i), depth + 1));
            }
        }
        const bool says_items = schema.contains("items") && !is_tuple;
        const bool no_items = says_items ? schema["items"] == false : !prefix.empty() || schema.contains(prefix_key);
        if (no_items && least > prefix.size()) schema_error(pointer + "/minItems", "there cannot be so many items");
        std::string inside;
        for (const std::string& part : prefix) inside += (inside.empty() ? "" : std::string(" ") + kComma) + part;
        std::optional<uint64_t> more = most;
        if (more) *more -= prefix.size();
        if (!no_items && more.value_or(1) != 0) {
            const std::string item = says_items ? value(schema["items"], pointer + "/items", depth + 1) : named(kAny);
            const uint64_t missing = least - std::min<uint64_t>(least, prefix.size());
            if (!prefix.empty()) {
                inside += " (" + (kComma + item) + ")" + braces(missing, more);
            } else {
                std::optional<uint64_t> others = more;
                if (others) --*others;
                const std::string list =
                    item + " (" + kComma + item + ")" + braces(missing - std::min<uint64_t>(missing, 1), others);
                inside = missing == 0 ? "(" + list + " json-space)?" : list + " json-space";
                return rule(pointer, named("\"[\" json-space " + inside + " \"]\""));
            }
        }
        if (!inside.empty()) inside += " json-space";
        return rule(pointer, named("\"[\" json-space " + inside + " \"]\""));
    }

    struct Property {
        std::string member;  // name, colon and value
        bool required;
    };

    std::string object(const Schema& schema, const std::string& pointer, int depth) {
        const bool says_more = schema.contains("additionalProperties");
        std::set<std::string> required;
        if (schema.contains("required")) {
            for (const Schema& name : schema["required"]) required.insert(name.get<std::string>());
        }
        std::set<std::string> names;
        std::vector<Property> properties;
        const auto add = [&](const std::string& name, const Schema& of, const std::string& at) {
            names.insert(name);
            const bool needed = required.count(name) != 0;
            if (of == false) {
                if (needed) schema_error(at, "the property is required, but nothing is allowed for it");
                return;
            }
            properties.push_back(
                {gbnf_literal(Schema(name).dump()) + kGap + "\":\"" + kGap + value(of, at, depth + 1), needed});
        };
        if (schema.contains("properties")) {
            for (const auto& [name, of] : schema["properties"].items()) {
                add(name, of, pointer_part(pointer + "/properties", name));
            }
        }
        const Schema more = says_more ? schema["additionalProperties"] : Schema(true);
        if (schema.contains("required")) {
            for (const Schema& name : schema["required"]) {
                if (names.count(name.get_ref<const std::string&>()) == 0)
                    add(name.get<std::string>(), more, pointer + "/required");
            }
        }
        std::string extra;
        if (says_more ? more != false : names.empty()) {
            extra = other_name(names, pointer) + kGap + "\":\"" + kGap +
                    value(more, pointer + "/additionalProperties", depth + 1);
            if (names.empty() && extra == "json-string json-space \":\" json-space json-value")
                return named("json-object");
        }
        return rule(pointer, named("\"{\" json-space " + members(properties, extra, pointer) + " \"}\""));
    }

    // Members in their order, with commas between those that are there. rest[i]: what may follow, from member i on, when
    // something stands before it.
    std::string members(const std::vector<Property>& properties, const std::string& extra, const std::string& pointer) {
        std::string rest = (extra.empty() ? "" : "(" + (kComma + extra) + ")* ") + "json-space";
        std::vector<std::string> firsts;  // alternatives: which property comes first
        bool may_be_empty = true;
        if (!extra.empty()) firsts.push_back(extra + " " + rest);
        for (size_t i = properties.size(); i-- > 0;) {
            const Property& p = properties[i];
            if (p.required) {
                firsts.clear();
                may_be_empty = false;
            }
            if (rest.size() > 60) rest = rule(pointer + "/rest", named(rest));
            const std::string member = p.member.size() > 200 ? rule(pointer + "/member", named(p.member)) : p.member;
            firsts.push_back(member + " " + rest);
            rest = p.required ? kComma + member + " " + rest : "(" + (kComma + member) + ")? " + rest;
        }
        if (firsts.empty()) return "";
        std::reverse(firsts.begin(), firsts.end());
        const std::string choice = firsts.size() == 1 && !may_be_empty ? firsts[0] : join(firsts);
        if (!may_be_empty) return choice;
        return firsts.size() == 1 ? "(" + choice + ")?" : choice + "?";
    }

    // A string that is none of the names. It has no escapes where there are names, so that none can be written in disguise.
    std::string other_name(const std::set<std::string>& names, const std::string& pointer) {
        if (names.empty()) return named("json-string");
        struct Node {
            std::map<uint32_t, size_t> children;
            bool is_name = false;
        };
        std::vector<Node> nodes(1);
        for (const std::string& name : names) {
            size_t at = 0;
            for (size_t i = 0; i < name.size();) {
                const Utf8Char c = utf8_decode(std::string_view(name).substr(i));
                i += c.n_bytes;
                const auto [child, is_new] = nodes[at].children.try_emplace(c.code_point, nodes.size());
                const size_t next = child->second;
                if (is_new) nodes.emplace_back();
                at = next;
            }
            nodes[at].is_name = true;
        }
        CodePointSet plain;
        plain.add(0x20, 0x21);
        plain.add(0x23, 0x5B);
        plain.add(0x5D, kMaxCodePoint);
        const std::string any = gbnf_json_character(plain);
        // Children stand behind their parents, so their rules are there when the parent's is written.
        std::vector<std::string> rules(nodes.size());
        for (size_t i = nodes.size(); i-- > 0;) {
            CodePointSet taken;
            std::string body;
            for (const auto& [c, child] : nodes[i].children) {
                taken.add(c, c);
                if (!plain.contains(c)) continue;  // cannot be written without an escape
                std::string text;
                utf8_append(text, c);
                body += gbnf_literal(text) + " " + rules[child] + " | ";
            }
            body += gbnf_json_character(plain.intersected(taken.inverted())) + " " + any + "*";
            if (!nodes[i].is_name) body += " | \"\"";
            rules[i] = rule(pointer + "/other", body);
        }
        return "\"\\\"\" " + rules[0] + " \"\\\"\"";
    }

    const Schema& root_;
    SchemaMerger merger_;
    std::string out_;
    std::set<std::string> names_;              // of rules
    std::map<std::string, size_t> n_named_;    // names given so far that begin alike
    std::map<std::string, std::string> refs_;  // reference -> rule
    std::vector<Waiting> todo_;
    std::vector<std::string> standard_;
    static constexpr uint64_t kMostBound = 1000000000000000000;
};

Schema read_schema(std::string_view text) {
    if (text.size() > GrammarLimits::kMaxTextBytes) {
        throw Error(BITNET_E_SECURITY_INPUT, "the JSON schema has " + std::to_string(text.size()) +
                                                 " bytes; at most 1048576 are read, so make it smaller")
            .with_numbers(GrammarLimits::kMaxTextBytes, text.size());
    }
    const auto check_depth = [](int depth, Schema::parse_event_t, Schema&) {
        if (depth > kMaxDepth) schema_error("#", "it is nested more than 128 deep", BITNET_E_SECURITY_INPUT);
        return true;
    };
    try {
        return Schema::parse(text, check_depth);
    } catch (const Schema::exception& error) {
        std::string why = error.what();
        std::replace(why.begin(), why.end(), '\n', ' ');
        throw Error(BITNET_E_CONFIG, "the JSON schema is not JSON: " + why).with_subject("#");
    }
}

}  // namespace

std::string json_schema_to_gbnf(std::string_view schema) {
    const Schema root = read_schema(schema);
    std::string gbnf = SchemaWriter(root).write();
    // A schema that needs itself without end, or is too large once written out, is found here.
    try {
        compile_grammar(parse_gbnf(gbnf), "root");
    } catch (Error& error) {
        error.prefix("the JSON schema cannot be made a grammar");
        throw;
    }
    return gbnf;
}

}  // namespace bitnet
