// Reading goes event by event into our own values: an object's keys are found by hash, and depth is checked on the way.
#include "src/template/jinja_json.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include "src/base/utf8.h"

namespace bitnet::jinja {
namespace {

class Reader {
public:
    Value take() { return std::move(result_); }

    bool null() { return add(Value::none()); }
    bool boolean(bool value) { return add(Value::boolean(value)); }
    bool number_integer(int64_t value) { return add(Value::integer(value)); }
    bool number_unsigned(uint64_t value) {
        constexpr auto kLargest = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
        return add(value <= kLargest ? Value::integer(static_cast<int64_t>(value))
                                     : Value::real(static_cast<double>(value)));
    }
    bool number_float(double value, const std::string&) { return add(Value::real(value)); }
    bool string(std::string& value) { return add(Value::plain(std::move(value))); }
    bool binary(nlohmann::json::binary_t&) { return false; }
    bool start_object(size_t) { return open(true); }
    bool start_array(size_t) { return open(false); }
    bool key(std::string& name) {
        open_.back().key = std::move(name);
        return true;
    }
    bool end_object() { return close(); }
    bool end_array() { return close(); }
    bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) {
        throw Error(BITNET_E_ARGUMENT, "the conversation is not JSON: wrong at byte " + std::to_string(position))
            .with_offset(position);
    }

private:
    struct Open {
        bool is_object;
        std::string key;
        std::vector<Value> items;
        Dict dict;
    };

    bool open(bool is_object) {
        if (open_.size() >= kMaxNesting - 8) {
            throw Error(BITNET_E_SECURITY_INPUT, "the conversation's JSON is nested too deeply");
        }
        open_.push_back({is_object, {}, {}, {}});
        return true;
    }
    bool close() {
        Open done = std::move(open_.back());
        open_.pop_back();
        return add(done.is_object ? Value::dict(std::move(done.dict)) : Value::list(std::move(done.items)));
    }
    bool add(Value value) {
        if (open_.empty()) {
            result_ = std::move(value);
        } else if (open_.back().is_object) {
            open_.back().dict.set(open_.back().key, std::move(value));
        } else {
            open_.back().items.push_back(std::move(value));
        }
        return true;
    }

    std::vector<Open> open_;
    Value result_;
};

class Writer {
public:
    Writer(const JsonStyle& style, Budget& budget) : style_(style), budget_(budget) {}

    void write(const Value& value, size_t depth) {
        budget_.charge(kStepCost);
        switch (value.kind()) {
            case Kind::none: out_ += "null"; return;
            case Kind::boolean: out_ += value.integer() != 0 ? "true" : "false"; return;
            case Kind::integer: out_ += std::to_string(value.integer()); return;
            case Kind::real: out_ += number(value.real()); return;
            case Kind::text: quote(value.bytes()); return;
            case Kind::list: {
                const std::vector<Value>& items = value.list().items;
                open('[', depth, items.empty());
                for (size_t i = 0; i < items.size(); ++i) {
                    if (i != 0) separate(depth);
                    write(items[i], depth + 1);
                }
                close(']', depth, items.empty());
                return;
            }
            case Kind::dict: write_dict(value.dict(), depth); return;
            default:
                throw Error(BITNET_E_ARGUMENT,
                            std::string("tojson: a value of type ") + value.type_name() + " has no JSON form");
        }
    }
    std::string take() { return std::move(out_); }

private:
    static std::string number(double x) {
        if (std::isnan(x)) return "NaN";
        if (std::isinf(x)) return x < 0 ? "-Infinity" : "Infinity";
        return float_repr(x);
    }
    void write_dict(const Dict& dict, size_t depth) {
        std::vector<const std::pair<Value, Value>*> order;
        budget_.charge_elements(dict.items.size());
        for (const auto& item : dict.items) order.push_back(&item);
        if (style_.sort_keys) {
            std::stable_sort(order.begin(), order.end(),
                             [&](const auto* a, const auto* b) { return less(a->first, b->first, budget_); });
        }
        open('{', depth, order.empty());
        for (size_t i = 0; i < order.size(); ++i) {
            if (i != 0) separate(depth);
            key(order[i]->first);
            out_ += style_.key_separator;
            write(order[i]->second, depth + 1);
        }
        close('}', depth, order.empty());
    }
    void key(const Value& key) {
        switch (key.kind()) {
            case Kind::text: quote(key.bytes()); return;
            case Kind::none: out_ += "\"null\""; return;
            case Kind::boolean: out_ += key.integer() != 0 ? "\"true\"" : "\"false\""; return;
            case Kind::integer: quote(std::to_string(key.integer())); return;
            case Kind::real: quote(number(key.real())); return;
            default: throw Error(BITNET_E_ARGUMENT, "tojson: a key is not a text");
        }
    }
    void line(size_t depth) {
        if (!style_.has_indent) return;
        budget_.charge(1 + depth * style_.indent.size());
        out_.push_back('\n');
        for (size_t i = 0; i < depth; ++i) out_ += style_.indent;
    }
    void open(char bracket, size_t depth, bool is_empty) {
        out_.push_back(bracket);
        if (!is_empty) line(depth + 1);
    }
    void separate(size_t depth) {
        budget_.charge(style_.item_separator.size() + style_.key_separator.size());
        out_ += style_.item_separator;
        line(depth + 1);
    }
    void close(char bracket, size_t depth, bool is_empty) {
        if (!is_empty) line(depth);
        out_.push_back(bracket);
    }
    void escape(uint32_t unit) {
        out_ += "\\u";
        for (int shift = 12; shift >= 0; shift -= 4) out_.push_back("0123456789abcdef"[unit >> shift & 15]);
    }
    void quote(std::string_view text) {
        budget_.charge(2 * text.size());
        out_.push_back('"');
        while (!text.empty()) {
            const Utf8Char c = utf8_decode(text);
            const uint32_t code = c.code_point;
            switch (code) {
                case '"': out_ += "\\\""; break;
                case '\\': out_ += "\\\\"; break;
                case '\n': out_ += "\\n"; break;
                case '\r': out_ += "\\r"; break;
                case '\t': out_ += "\\t"; break;
                case '\f': out_ += "\\f"; break;
                case '\b': out_ += "\\b"; break;
                default:
                    if (code < 0x20) {
                        escape(code);
                    } else if (style_.ensure_ascii && code >= 0x7F && code != kInvalidCodePoint && code != 0x7F) {
                        if (code >= 0x10000) escape(0xD800 + ((code - 0x10000) >> 10));
                        escape(code >= 0x10000 ? 0xDC00 + ((code - 0x10000) & 0x3FF) : code);
                    } else {
                        out_ += text.substr(0, c.n_bytes);
                    }
            }
            text.remove_prefix(c.n_bytes);
        }
        out_.push_back('"');
    }

    const JsonStyle& style_;
    Budget& budget_;
    std::string out_;
};

}  // namespace

Value parse_json(std::string_view json) {
    if (json.size() > kMaxJsonBytes) {
        throw Error(BITNET_E_SECURITY_INPUT, "the conversation's JSON is larger than 64 MiB")
            .with_numbers(kMaxJsonBytes, json.size());
    }
    Reader reader;
    nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
    return reader.take();
}

std::string dump_json(const Value& value, const JsonStyle& style, Budget& budget) {
    Writer writer(style, budget);
    writer.write(value, 0);
    return writer.take();
}

}  // namespace bitnet::jinja
