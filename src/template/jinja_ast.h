// The tree of a template. It never changes once parsed, so threads may evaluate it at the same time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/template/jinja_value.h"

namespace bitnet::jinja {

enum class Op : uint8_t {
    literal,
    name,
    tuple,
    list,
    dict,       // args: key, value, key, value ...
    attribute,  // args[0].name
    item,       // args[0][args[1]]
    slice,      // args[0][args[1] : args[2] : args[3]], each of the last three may be null
    call,       // args[0](args[1] ..., named ...)
    filter,     // args[0] | name(args[1] ..., named ...); args[0] is null where a block is filtered
    test,       // args[0] is name(args[1] ..., named ...)
    negate,
    plus,
    logical_not,
    logical_and,
    logical_or,
    add,
    subtract,
    multiply,
    divide,
    floor_divide,
    modulo,
    power,
    concat,
    compare,     // args[0] comparisons[0] args[1] comparisons[1] args[2] ...
    conditional  // args[1] if args[0] else args[2]; args[2] may be null
};

enum class Comparison : uint8_t { eq, ne, lt, le, gt, ge, in, not_in };

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Expr {
    Op op;
    uint32_t line;
    uint32_t depth = 1;  // of the tree below
    std::string name;
    Value literal;
    std::vector<ExprPtr> args;
    std::vector<std::pair<std::string, ExprPtr>> named;
    std::vector<Comparison> comparisons;
};

// What a value is assigned to: a name, an attribute of a namespace, or a tuple of targets.
struct Target {
    std::string name;
    std::string attribute;
    std::vector<Target> parts;
    bool is_tuple = false;
};

struct Stmt;
using Body = std::vector<std::unique_ptr<Stmt>>;

struct MacroNode {
    std::string name;
    std::vector<std::string> parameters;
    std::vector<ExprPtr> defaults;  // of the last parameters
    Body body;
};

enum class StmtKind : uint8_t {
    data,          // value
    output,        // exprs[0]
    branch,        // exprs[i] decides whether bodies[i] runs; one more body is the else
    loop,          // for target in exprs[0] if exprs[1] (may be null): bodies[0], else bodies[1]
    assign,        // target = exprs[0]
    assign_block,  // target = text of bodies[0], through the filters exprs[0] (may be null)
    macro,
    stop_loop,
    next_loop,
    group,  // bodies[0], with a scope of its own where has_scope; targets get exprs first
    filter  // text of bodies[0] through exprs[0]
};

struct Stmt {
    StmtKind kind;
    uint32_t line;
    bool has_scope = false;
    Value value;
    std::vector<ExprPtr> exprs;
    std::vector<Target> targets;
    std::vector<Body> bodies;
    MacroNode macro;
};

struct Program {
    Body body;
};

}  // namespace bitnet::jinja
