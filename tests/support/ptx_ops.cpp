// See ptx_ops.h. Integers, bits, predicates and choices; numbers with fractions are in ptx_float_ops.cpp.
#include "tests/support/ptx_ops.h"

#include <algorithm>
#include <limits>
#include <string>

#include "tests/support/ptx_lanes.h"
#include "tests/support/ptx_op_table.h"

namespace test {
namespace {

struct Add {
    template <class T>
    static T of(T a, T b) {
        return static_cast<T>(static_cast<Modular<T>>(a) + static_cast<Modular<T>>(b));
    }
};
struct Subtract {
    template <class T>
    static T of(T a, T b) {
        return static_cast<T>(static_cast<Modular<T>>(a) - static_cast<Modular<T>>(b));
    }
};
struct Multiply {
    template <class T>
    static T of(T a, T b) {
        return static_cast<T>(static_cast<Modular<T>>(a) * static_cast<Modular<T>>(b));
    }
};
struct MultiplyAdd {
    template <class T>
    static T of(T a, T b, T c) {
        return Add::of(Multiply::of(a, b), c);
    }
};
struct MultiplyHigh {
    template <class T>
    static T of(T a, T b) {
        using Wide = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
        return static_cast<T>((static_cast<Wide>(a) * static_cast<Wide>(b)) >> (8 * sizeof(T)));
    }
};
struct Smaller {
    template <class T>
    static T of(T a, T b) {
        return a < b ? a : b;
    }
};
struct Larger {
    template <class T>
    static T of(T a, T b) {
        return a > b ? a : b;
    }
};
struct Negate {
    template <class T>
    static T of(T a) {
        return static_cast<T>(0 - static_cast<Modular<T>>(a));
    }
};
struct Absolute {
    template <class T>
    static T of(T a) {
        return a < 0 ? Negate::of(a) : a;
    }
};
struct And {
    template <class T>
    static T of(T a, T b) {
        return static_cast<T>(a & b);
    }
};
struct Or {
    template <class T>
    static T of(T a, T b) {
        return static_cast<T>(a | b);
    }
};
struct Xor {
    template <class T>
    static T of(T a, T b) {
        return static_cast<T>(a ^ b);
    }
};
struct Not {
    template <class T>
    static T of(T a) {
        return static_cast<T>(~a);
    }
};
struct NotPredicate {
    static uint8_t of(uint8_t a) { return a ^ 1; }
};
struct Same {
    template <class T>
    static T of(T a) {
        return a;
    }
};

// Addresses of shared memory as addresses of any, and back.
struct ToGeneric {
    static uint64_t of(uint64_t a) { return a + kSharedWindow; }
};
struct ToShared {
    static uint64_t of(uint64_t a) { return a - kSharedWindow; }
};

struct Equal {
    template <class T>
    static bool of(T a, T b) {
        return a == b;
    }
};
struct Unequal {
    template <class T>
    static bool of(T a, T b) {
        return a != b;
    }
};
struct Less {
    template <class T>
    static bool of(T a, T b) {
        return a < b;
    }
};
struct LessOrEqual {
    template <class T>
    static bool of(T a, T b) {
        return a <= b;
    }
};
struct Greater {
    template <class T>
    static bool of(T a, T b) {
        return a > b;
    }
};
struct GreaterOrEqual {
    template <class T>
    static bool of(T a, T b) {
        return a >= b;
    }
};

// A count of 32 bits, where the width is the largest that counts.
template <class T, bool left>
void shift(PtxWarp& warp, const PtxInstruction& i) {
    constexpr uint32_t kWidth = 8 * sizeof(T);
    WordOf<T> results[kPtxLanes];
    const auto* a = warp.lanes<WordOf<T>>(i.operand[1]);
    const auto* n = warp.lanes<uint32_t>(i.operand[2]);
    for (unsigned l = 0; l < kPtxLanes; ++l) {
        const T value = lane_value<T>(a, l);
        if constexpr (left) {
            results[l] = static_cast<WordOf<T>>(n[l] >= kWidth ? 0 : static_cast<Modular<T>>(value) << n[l]);
        } else if constexpr (std::is_signed_v<T>) {
            results[l] = static_cast<WordOf<T>>(value >> std::min(n[l], kWidth - 1));
        } else {
            results[l] = static_cast<WordOf<T>>(n[l] >= kWidth ? 0 : value >> n[l]);
        }
    }
    keep(warp, i.operand[0], results);
}

template <class T, bool remainder>
void divide(PtxWarp& warp, const PtxInstruction& i) {
    auto* to = warp.lanes<WordOf<T>>(i.operand[0]);
    const auto* as = warp.lanes<WordOf<T>>(i.operand[1]);
    const auto* bs = warp.lanes<WordOf<T>>(i.operand[2]);
    for_each_lane(warp.active, [&](unsigned l) {
        const T a = lane_value<T>(as, l);
        const T b = lane_value<T>(bs, l);
        if (b == 0) throw PtxFault{"a division by zero, whose result nobody knows", 1u << l};
        if (std::is_signed_v<T> && b == static_cast<T>(-1)) {  // the least number overflows
            to[l] = static_cast<WordOf<T>>(remainder ? T{0} : Negate::of(a));
        } else {
            to[l] = static_cast<WordOf<T>>(remainder ? a % b : a / b);
        }
    });
}

template <class T>
void multiply_wide(PtxWarp& warp, const PtxInstruction& i) {
    using Word = PtxWord<2 * sizeof(T)>;
    using Wide = std::conditional_t<std::is_signed_v<T>, std::make_signed_t<Word>, Word>;
    Word results[kPtxLanes];
    const auto* a = warp.lanes<WordOf<T>>(i.operand[1]);
    const auto* b = warp.lanes<WordOf<T>>(i.operand[2]);
    for (unsigned l = 0; l < kPtxLanes; ++l) {
        results[l] = static_cast<Word>(
            Multiply::of(static_cast<Wide>(lane_value<T>(a, l)), static_cast<Wide>(lane_value<T>(b, l))));
    }
    keep(warp, i.operand[0], results);
}

template <class Word>
void select(PtxWarp& warp, const PtxInstruction& i) {
    Word results[kPtxLanes];
    const auto* a = warp.lanes<Word>(i.operand[1]);
    const auto* b = warp.lanes<Word>(i.operand[2]);
    const auto* p = warp.lanes<uint8_t>(i.operand[3]);
    for (unsigned l = 0; l < kPtxLanes; ++l) results[l] = p[l] != 0 ? a[l] : b[l];
    keep(warp, i.operand[0], results);
}

template <class A, class B>
void four_products(PtxWarp& warp, const PtxInstruction& i) {
    uint32_t results[kPtxLanes];
    const auto* a = warp.lanes<uint32_t>(i.operand[1]);
    const auto* b = warp.lanes<uint32_t>(i.operand[2]);
    const auto* c = warp.lanes<uint32_t>(i.operand[3]);
    for (unsigned l = 0; l < kPtxLanes; ++l) {
        int32_t sum = 0;
        for (unsigned k = 0; k < 32; k += 8) sum += static_cast<A>(a[l] >> k) * static_cast<B>(b[l] >> k);
        results[l] = c[l] + static_cast<uint32_t>(sum);
    }
    keep(warp, i.operand[0], results);
}

// Bytes of eight that a and b are, by four of a selector's digits; a digit's high bit asks for the byte's sign.
void permute(PtxWarp& warp, const PtxInstruction& i) {
    uint32_t results[kPtxLanes];
    const auto* a = warp.lanes<uint32_t>(i.operand[1]);
    const auto* b = warp.lanes<uint32_t>(i.operand[2]);
    const auto* c = warp.lanes<uint32_t>(i.operand[3]);
    for (unsigned l = 0; l < kPtxLanes; ++l) {
        const uint64_t bytes = a[l] | static_cast<uint64_t>(b[l]) << 32;
        results[l] = 0;
        for (unsigned k = 0; k < 4; ++k) {
            const uint32_t digit = c[l] >> (4 * k) & 15;
            auto byte = static_cast<uint32_t>(bytes >> (8 * (digit & 7)) & 255);
            if ((digit & 8) != 0) byte = (byte & 128) != 0 ? 255 : 0;
            results[l] |= byte << (8 * k);
        }
    }
    keep(warp, i.operand[0], results);
}

// The low bits of a at a place of b; place and length count as bytes and end with the word. Vector: the length.
template <class Word>
void insert_bits(PtxWarp& warp, const PtxInstruction& i) {
    constexpr uint32_t kWidth = 8 * sizeof(Word);
    Word results[kPtxLanes];
    const auto* a = warp.lanes<Word>(i.operand[1]);
    const auto* b = warp.lanes<Word>(i.operand[2]);
    const auto* places = warp.lanes<uint32_t>(i.operand[3]);
    const auto* lengths = warp.lanes<uint32_t>(warp.kernel->vectors[i.vector]);
    for (unsigned l = 0; l < kPtxLanes; ++l) {
        const uint32_t place = places[l] & 255;
        const uint32_t length = lengths[l] & 255;
        const Word ones = length >= kWidth ? static_cast<Word>(~Word{0}) : static_cast<Word>((Word{1} << length) - 1);
        const Word there = place >= kWidth ? Word{0} : static_cast<Word>(ones << place);
        const Word moved = place >= kWidth ? Word{0} : static_cast<Word>(a[l] << place);
        results[l] = (b[l] & ~there) | (moved & there);
    }
    keep(warp, i.operand[0], results);
}

template <class T>
void add_integer(PtxOpTable& table, const std::string& type) {
    static const std::string shapes = {kPtxShapeOf<T>, kPtxShapeOf<T>, kPtxShapeOf<T>, kPtxShapeOf<T>};
    static const std::string three = shapes.substr(0, 3), two = shapes.substr(0, 2), test = "p" + two;
    static const std::string by_count = two + "w";
    const auto add = [&](const char* name, PtxRun run, const std::string& shape) {
        table[name + type] = {run, shape.c_str()};
    };
    add("add.", ptx_binary<T, Add>, three);
    add("sub.", ptx_binary<T, Subtract>, three);
    add("mul.lo.", ptx_binary<T, Multiply>, three);
    add("mad.lo.", ptx_ternary<T, MultiplyAdd>, shapes);
    add("min.", ptx_binary<T, Smaller>, three);
    add("max.", ptx_binary<T, Larger>, three);
    add("div.", divide<T, false>, three);
    add("rem.", divide<T, true>, three);
    add("shr.", shift<T, false>, by_count);
    add("setp.eq.", ptx_compare<T, Equal>, test);
    add("setp.ne.", ptx_compare<T, Unequal>, test);
    add("setp.lt.", ptx_compare<T, Less>, test);
    add("setp.le.", ptx_compare<T, LessOrEqual>, test);
    add("setp.gt.", ptx_compare<T, Greater>, test);
    add("setp.ge.", ptx_compare<T, GreaterOrEqual>, test);
    if constexpr (std::is_signed_v<T>) {
        add("neg.", ptx_unary<T, Negate>, two);
        add("abs.", ptx_unary<T, Absolute>, two);
    }
    if constexpr (sizeof(T) < 8) {
        static const std::string wide = std::string(1, sizeof(T) == 2 ? 'w' : 'd') + two;
        add("mul.wide.", multiply_wide<T>, wide);
        add("mul.hi.", ptx_binary<T, MultiplyHigh>, three);
    }
}

// By bits alone: b16 and so on.
template <class Word>
void add_bits(PtxOpTable& table, const std::string& type) {
    static const std::string three = {kPtxShapeOf<Word>, kPtxShapeOf<Word>, kPtxShapeOf<Word>};
    static const std::string two = three.substr(0, 2), by_count = two + "w", test = "p" + two;
    const auto add = [&](const char* name, PtxRun run, const std::string& shape) {
        table[name + type] = {run, shape.c_str()};
    };
    add("and.", ptx_binary<Word, And>, three);
    add("or.", ptx_binary<Word, Or>, three);
    add("xor.", ptx_binary<Word, Xor>, three);
    add("not.", ptx_unary<Word, Not>, two);
    add("shl.", shift<Word, true>, by_count);
    add("shr.", shift<Word, false>, by_count);
    add("setp.eq.", ptx_compare<Word, Equal>, test);
    add("setp.ne.", ptx_compare<Word, Unequal>, test);
    if constexpr (sizeof(Word) > 2) {
        static const std::string insert = three + "ww";
        add("bfi.", insert_bits<Word>, insert);
    }
}

// Moved and chosen without a look at what they are, by each type of a width.
template <class Word>
void add_moves(PtxOpTable& table, const char* digits) {
    static const std::string two = {kPtxShapeOf<Word>, kPtxShapeOf<Word>};
    static const std::string choice = two + kPtxShapeOf<Word> + "p";
    for (const char kind : {'b', 'u', 's', 'f'}) {
        if (kind == 'f' && sizeof(Word) == 2) continue;
        const std::string type = kind + std::string(digits);
        table["mov." + type] = {ptx_unary<Word, Same>, two.c_str()};
        table["selp." + type] = {select<Word>, choice.c_str()};
    }
}

}  // namespace

void add_integer_ops(PtxOpTable& table) {
    add_integer<int16_t>(table, "s16");
    add_integer<uint16_t>(table, "u16");
    add_integer<int32_t>(table, "s32");
    add_integer<uint32_t>(table, "u32");
    add_integer<int64_t>(table, "s64");
    add_integer<uint64_t>(table, "u64");
    add_bits<uint16_t>(table, "b16");
    add_bits<uint32_t>(table, "b32");
    add_bits<uint64_t>(table, "b64");
    add_moves<uint16_t>(table, "16");
    add_moves<uint32_t>(table, "32");
    add_moves<uint64_t>(table, "64");
    table["and.pred"] = {ptx_binary<uint8_t, And>, "ppp"};
    table["or.pred"] = {ptx_binary<uint8_t, Or>, "ppp"};
    table["xor.pred"] = {ptx_binary<uint8_t, Xor>, "ppp"};
    table["not.pred"] = {ptx_unary<uint8_t, NotPredicate>, "pp"};
    table["mov.pred"] = {ptx_unary<uint8_t, Same>, "pp"};
    table["dp4a.s32.s32"] = {four_products<int8_t, int8_t>, "wwww"};
    table["dp4a.u32.u32"] = {four_products<uint8_t, uint8_t>, "wwww"};
    table["dp4a.s32.u32"] = {four_products<int8_t, uint8_t>, "wwww"};
    table["dp4a.u32.s32"] = {four_products<uint8_t, int8_t>, "wwww"};
    table["cvta.global.u64"] = table["cvta.to.global.u64"] = {ptx_unary<uint64_t, Same>, "dd"};
    table["cvta.shared.u64"] = {ptx_unary<uint64_t, ToGeneric>, "dd"};
    table["cvta.to.shared.u64"] = {ptx_unary<uint64_t, ToShared>, "dd"};
    table["prmt.b32"] = {permute, "wwww"};
}

const PtxOp* find_ptx_op(std::string_view name) {
    static const PtxOpTable table = [] {
        PtxOpTable all;
        add_integer_ops(all);
        add_float_ops(all);
        return all;
    }();
    const auto found = table.find(name);
    return found == table.end() ? nullptr : &found->second;
}

}  // namespace test
