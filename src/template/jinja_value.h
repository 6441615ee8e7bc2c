// The values that templates compute with: Python's, as far as templates can tell. Values never change once made (as in the
// sandbox that chat templates run in elsewhere), but for namespaces, so a value cannot hold itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "src/template/jinja_budget.h"
#include "src/template/marked_text.h"

namespace bitnet::jinja {

class Value;
struct Namespace;
struct LoopState;
struct MacroNode;
struct Function;

enum class Kind : uint8_t {
    undefined,
    none,
    boolean,
    integer,
    real,
    text,
    list,
    dict,
    name_space,
    loop,
    macro,
    method,
    function
};

struct List {
    std::vector<Value> items;
    bool is_tuple = false;
    bool is_generator = false;  // what map and select give: always true, without a length
    uint32_t nesting = 1;
};

// In the order of insertion; keys are compared as Python does (1 == 1.0 == True).
struct Dict {
    std::vector<std::pair<Value, Value>> items;
    std::unordered_map<std::string, size_t> index;
    uint32_t nesting = 1;

    const Value* find(const Value& key) const;
    const Value* find(std::string_view key) const;
    void set(const Value& key, Value value);
    void set(std::string_view key, Value value);
};

// A method before it is called: "text".strip
struct Method;

class Value {
public:
    Value() = default;  // undefined
    static Value undefined(std::string_view what);
    static Value none();
    static Value boolean(bool value);
    static Value integer(int64_t value);
    static Value real(double value);
    static Value text(MarkedText text);
    static Value plain(std::string text) { return Value::text(MarkedText::plain(std::move(text))); }
    static Value list(std::vector<Value> items, bool is_tuple = false);
    static Value generator(std::vector<Value> items);
    static Value dict(Dict items);
    static Value name_space(Namespace* target);
    static Value loop(LoopState* state);
    static Value macro(const MacroNode* macro);
    static Value function(const Function* function);
    static Value method(Value self, std::string_view name);

    Kind kind() const noexcept { return kind_; }
    bool is(Kind kind) const noexcept { return kind_ == kind; }
    bool is_number() const noexcept { return is(Kind::integer) || is(Kind::real) || is(Kind::boolean); }
    bool is_integral() const noexcept { return is(Kind::integer) || is(Kind::boolean); }

    int64_t integer() const noexcept { return kind_ == Kind::boolean ? int64_t{scalar_.boolean} : scalar_.integer; }
    double real() const noexcept { return kind_ == Kind::real ? scalar_.real : static_cast<double>(integer()); }
    const MarkedText& text() const noexcept { return *static_cast<const MarkedText*>(shared_.get()); }
    const std::string& bytes() const noexcept { return text().bytes(); }
    const List& list() const noexcept { return *static_cast<const List*>(shared_.get()); }
    const Dict& dict() const noexcept { return *static_cast<const Dict*>(shared_.get()); }
    const Method& method() const noexcept { return *static_cast<const Method*>(shared_.get()); }
    Namespace* name_space() const noexcept { return scalar_.name_space; }
    LoopState* loop() const noexcept { return scalar_.loop; }
    const MacroNode* macro() const noexcept { return scalar_.macro; }
    const Function* function() const noexcept { return scalar_.function; }
    // What an undefined value is called in messages.
    std::string undefined_name() const;

    bool is_true() const noexcept;
    uint32_t nesting() const noexcept;
    // Python's name of the type, for messages.
    const char* type_name() const noexcept;

private:
    explicit Value(List list);

    Kind kind_ = Kind::undefined;
    union {
        bool boolean;
        int64_t integer;
        double real;
        Namespace* name_space;
        LoopState* loop;
        const MacroNode* macro;
        const Function* function;
    } scalar_ = {};
    std::shared_ptr<const void> shared_;
};

struct Method {
    Value self;
    std::string name;
};

// Lives as long as the evaluation; values point to it, so a namespace in itself is no cycle of ownership.
struct Namespace {
    Dict attributes;
};

// ---- what Python's built-in functions do ----

bool equal(const Value& a, const Value& b, Budget& budget);
// a < b. Throws BITNET_E_ARGUMENT for what has no order.
bool less(const Value& a, const Value& b, Budget& budget);
// str(value): of a text itself with its marks; of anything else untrusted.
MarkedText to_text(const Value& value, Budget& budget);
// repr(value).
void append_repr(std::string& out, const Value& value, Budget& budget);
// 1.0, 0.1, 1e+16: as Python writes a float.
std::string float_repr(double value);

}  // namespace bitnet::jinja
