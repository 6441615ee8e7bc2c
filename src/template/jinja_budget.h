// What a template may cost. Every step, every copied byte and every element is charged before it happens, so a template bomb
// ends after a bounded time and with bounded memory, whatever it is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "src/base/error.h"

namespace bitnet::jinja {

inline constexpr size_t kMaxSourceBytes = size_t{256} << 10;
inline constexpr size_t kMaxJsonBytes = size_t{64} << 20;
inline constexpr size_t kMaxOutputBytes = size_t{64} << 20;
inline constexpr uint32_t kMaxNesting = 128;             // of values: lists in lists, objects in JSON
inline constexpr uint32_t kMaxParseDepth = 96;           // of blocks and brackets
inline constexpr uint32_t kMaxTreeDepth = 256;           // of expressions, also of long chains
inline constexpr uint32_t kMaxCallDepth = 400;           // of expressions and blocks inside each other while running
inline constexpr int64_t kMaxRange = 100000;             // elements of range()
inline constexpr size_t kStepCost = 64;                  // one node of the tree, in bytes copied
inline constexpr size_t kElementCost = 48;               // one element of a list or object
inline constexpr size_t kBaseBudget = size_t{64} << 20;  // about a million steps
inline constexpr size_t kBudgetPerJsonByte = 24;

class Budget {
public:
    explicit Budget(size_t n_json_bytes) : left_(kBaseBudget + kBudgetPerJsonByte * n_json_bytes) {}

    void charge(size_t cost) {
        if (cost > left_) exhausted("it does too much work");
        left_ -= cost;
    }
    void charge_elements(size_t n) {
        if (n > left_ / kElementCost) exhausted("its lists are too long");
        left_ -= n * kElementCost;
    }
    [[noreturn]] static void exhausted(const char* why) {
        throw Error(BITNET_E_SECURITY_EXHAUSTION, std::string("the chat template was stopped: ") + why);
    }

private:
    size_t left_;
};

}  // namespace bitnet::jinja
