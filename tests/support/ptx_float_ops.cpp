// See ptx_ops.h. Floating point as the ISA has it: IEEE, rounded to nearest even, denormals as they are; a result that is not
// a number is the canonical one whatever went in. Conversions, from and to integers too.
#include <cmath>
#include <limits>
#include <string>

#include "tests/support/ptx_lanes.h"
#include "tests/support/ptx_op_table.h"

namespace test {
namespace {

template <class T>
T canonical(T value) {
    constexpr auto kNan = static_cast<WordOf<T>>(sizeof(T) == 4 ? 0x7fffffffu : 0x7fffffffffffffffu);
    return value == value ? value : std::bit_cast<T>(kNan);
}

struct Add {
    template <class T>
    static T of(T a, T b) {
        return canonical(a + b);
    }
};
struct Subtract {
    template <class T>
    static T of(T a, T b) {
        return canonical(a - b);
    }
};
struct Multiply {
    template <class T>
    static T of(T a, T b) {
        return canonical(a * b);
    }
};
struct Divide {
    template <class T>
    static T of(T a, T b) {
        return canonical(a / b);
    }
};
struct Reciprocal {
    template <class T>
    static T of(T a) {
        return canonical(T{1} / a);
    }
};
struct Root {
    template <class T>
    static T of(T a) {
        return canonical(std::sqrt(a));
    }
};
// Of one number and one that is none the number; +0 is above -0.
struct Smaller {
    template <class T>
    static T of(T a, T b) {
        if (a != a) return canonical(b);
        if (b != b) return a;
        if (a == b) return std::signbit(a) ? a : b;
        return a < b ? a : b;
    }
};
struct Larger {
    template <class T>
    static T of(T a, T b) {
        if (a != a) return canonical(b);
        if (b != b) return a;
        if (a == b) return std::signbit(a) ? b : a;
        return a > b ? a : b;
    }
};
// What is not a number stays none; of which bits, the ISA does not say.
struct Negate {
    template <class T>
    static T of(T a) {
        return canonical(-a);
    }
};
struct Absolute {
    template <class T>
    static T of(T a) {
        return canonical(std::fabs(a));
    }
};

enum class Relation { eq, ne, lt, le, gt, ge };

template <Relation relation>
struct Ordered {
    template <class T>
    static bool of(T a, T b) {
        switch (relation) {
            case Relation::eq: return a == b;
            case Relation::ne: return a < b || a > b;
            case Relation::lt: return a < b;
            case Relation::le: return a <= b;
            case Relation::gt: return a > b;
            case Relation::ge: return a >= b;
        }
        return false;
    }
};
struct BothNumbers {
    template <class T>
    static bool of(T a, T b) {
        return a == a && b == b;
    }
};
struct OneIsNone {
    template <class T>
    static bool of(T a, T b) {
        return a != a || b != b;
    }
};
template <Relation relation>
struct OrUnordered {
    template <class T>
    static bool of(T a, T b) {
        return OneIsNone::of(a, b) || Ordered<relation>::of(a, b);
    }
};

template <class T>
void add_float(PtxOpTable& table, const std::string& type) {
    static const std::string three = {kPtxShapeOf<T>, kPtxShapeOf<T>, kPtxShapeOf<T>};
    static const std::string two = three.substr(0, 2), test = "p" + two;
    const auto add = [&](const char* name, PtxRun run, const std::string& shape) {
        table[name + type] = {run, shape.c_str()};
    };
    add("add.rn.", ptx_binary<T, Add>, three);
    add("sub.rn.", ptx_binary<T, Subtract>, three);
    add("mul.rn.", ptx_binary<T, Multiply>, three);
    add("div.rn.", ptx_binary<T, Divide>, three);
    add("rcp.rn.", ptx_unary<T, Reciprocal>, two);
    add("sqrt.rn.", ptx_unary<T, Root>, two);
    add("min.", ptx_binary<T, Smaller>, three);
    add("max.", ptx_binary<T, Larger>, three);
    add("neg.", ptx_unary<T, Negate>, two);
    add("abs.", ptx_unary<T, Absolute>, two);
    add("setp.eq.", ptx_compare<T, Ordered<Relation::eq>>, test);
    add("setp.ne.", ptx_compare<T, Ordered<Relation::ne>>, test);
    add("setp.lt.", ptx_compare<T, Ordered<Relation::lt>>, test);
    add("setp.le.", ptx_compare<T, Ordered<Relation::le>>, test);
    add("setp.gt.", ptx_compare<T, Ordered<Relation::gt>>, test);
    add("setp.ge.", ptx_compare<T, Ordered<Relation::ge>>, test);
    add("setp.equ.", ptx_compare<T, OrUnordered<Relation::eq>>, test);
    add("setp.neu.", ptx_compare<T, OrUnordered<Relation::ne>>, test);
    add("setp.ltu.", ptx_compare<T, OrUnordered<Relation::lt>>, test);
    add("setp.leu.", ptx_compare<T, OrUnordered<Relation::le>>, test);
    add("setp.gtu.", ptx_compare<T, OrUnordered<Relation::gt>>, test);
    add("setp.geu.", ptx_compare<T, OrUnordered<Relation::ge>>, test);
    add("setp.num.", ptx_compare<T, BothNumbers>, test);
    add("setp.nan.", ptx_compare<T, OneIsNone>, test);
}

// From a register of Source's words to one of Result's.
template <class Result, class Source, class F>
void convert(PtxWarp& warp, const PtxInstruction& i) {
    Result results[kPtxLanes];
    const auto* a = warp.lanes<Source>(i.operand[1]);
    for (unsigned l = 0; l < kPtxLanes; ++l) results[l] = F::of(a[l]);
    keep(warp, i.operand[0], results);
}

// 8 bits live in 16.
template <class T>
using RegisterOf = PtxWord<sizeof(T) == 1 ? 2 : sizeof(T)>;

template <class To, class From>
struct Whole {
    template <class Word>
    static RegisterOf<To> of(Word word) {
        return static_cast<RegisterOf<To>>(static_cast<To>(static_cast<From>(word)));
    }
};
template <class To, class From>
struct FromWhole {
    template <class Word>
    static WordOf<To> of(Word word) {
        return std::bit_cast<WordOf<To>>(static_cast<To>(static_cast<From>(word)));
    }
};
// Towards zero, the nearest of what fits.
template <class To, class From>
struct ToWhole {
    static WordOf<To> of(WordOf<From> word) {
        const From x = std::bit_cast<From>(word);
        constexpr int kBits = 8 * sizeof(To) - (std::is_signed_v<To> ? 1 : 0);
        const From above = std::ldexp(From{1}, kBits);
        if (x != x) {
            const bool zero = sizeof(To) <= 4 && sizeof(From) <= 4;
            return zero ? WordOf<To>{0} : static_cast<WordOf<To>>(WordOf<To>{1} << (8 * sizeof(To) - 1));
        }
        if (x >= above) return static_cast<WordOf<To>>(std::numeric_limits<To>::max());
        if (x <= (std::is_signed_v<To> ? -above : From{0}))
            return static_cast<WordOf<To>>(std::numeric_limits<To>::min());
        return static_cast<WordOf<To>>(static_cast<To>(x));
    }
};
template <class To, class From>
struct OtherFloat {
    static WordOf<To> of(WordOf<From> word) {
        return std::bit_cast<WordOf<To>>(canonical(static_cast<To>(std::bit_cast<From>(word))));
    }
};
struct HalfToFloat {
    static uint32_t of(uint16_t half) {
        const uint32_t bits = static_cast<uint32_t>(half & 0x7fff) << 13;
        const uint32_t number = std::bit_cast<uint32_t>(std::bit_cast<float>(bits) * 0x1p112f);  // exact
        const uint32_t magnitude = bits > 0x0f800000u ? 0x7fffffffu : bits == 0x0f800000u ? 0x7f800000u : number;
        return bits > 0x0f800000u ? magnitude : magnitude | static_cast<uint32_t>(half & 0x8000) << 16;
    }
};
struct FloatToHalf {
    static uint16_t of(uint32_t word) {
        const auto sign = static_cast<uint16_t>(word >> 16 & 0x8000);
        const double x = std::fabs(static_cast<double>(std::bit_cast<float>(word)));
        if (x != x) return 0x7fff;
        if (x >= 65520) return sign | 0x7c00;
        const int exponent = x < 0x1p-14 ? -14 : std::ilogb(x);
        const auto steps =
            static_cast<int>(std::nearbyint(std::ldexp(x, 10 - exponent)));  // a carry goes where it belongs
        return static_cast<uint16_t>(sign | (steps + (exponent + 14) * 1024));
    }
};

struct Conversion {
    PtxRun run = nullptr;
    unsigned source_bytes = 0, result_bytes = 0;
};
// A name may have several, by the source's register.
using Conversions = std::multimap<std::string, Conversion, std::less<>>;

template <class To, class From>
void add_whole(Conversions& all, const std::string& name) {
    const auto add = [&]<class Word>(Word) {
        if constexpr (sizeof(Word) >= sizeof(From)) {
            all.insert({name, {convert<RegisterOf<To>, Word, Whole<To, From>>, sizeof(Word), sizeof(RegisterOf<To>)}});
        }
    };
    add(uint16_t{});
    add(uint32_t{});
    add(uint64_t{});
}

template <class From>
void add_from(Conversions& all, const std::string& from) {
    add_whole<int8_t, From>(all, "cvt.s8." + from);
    add_whole<uint8_t, From>(all, "cvt.u8." + from);
    add_whole<int16_t, From>(all, "cvt.s16." + from);
    add_whole<uint16_t, From>(all, "cvt.u16." + from);
    add_whole<int32_t, From>(all, "cvt.s32." + from);
    add_whole<uint32_t, From>(all, "cvt.u32." + from);
    add_whole<int64_t, From>(all, "cvt.s64." + from);
    add_whole<uint64_t, From>(all, "cvt.u64." + from);
    constexpr unsigned kBytes = sizeof(RegisterOf<From>);
    all.insert({"cvt.rn.f32." + from, {convert<uint32_t, RegisterOf<From>, FromWhole<float, From>>, kBytes, 4}});
    all.insert({"cvt.rn.f64." + from, {convert<uint64_t, RegisterOf<From>, FromWhole<double, From>>, kBytes, 8}});
    if constexpr (sizeof(From) >= 4) {
        all.insert(
            {"cvt.rzi." + from + ".f32", {convert<WordOf<From>, uint32_t, ToWhole<From, float>>, 4, sizeof(From)}});
        all.insert(
            {"cvt.rzi." + from + ".f64", {convert<WordOf<From>, uint64_t, ToWhole<From, double>>, 8, sizeof(From)}});
    }
}

const Conversions& conversions() {
    static const Conversions all = [] {
        Conversions made;
        add_from<int8_t>(made, "s8");
        add_from<uint8_t>(made, "u8");
        add_from<int16_t>(made, "s16");
        add_from<uint16_t>(made, "u16");
        add_from<int32_t>(made, "s32");
        add_from<uint32_t>(made, "u32");
        add_from<int64_t>(made, "s64");
        add_from<uint64_t>(made, "u64");
        made.insert({"cvt.f64.f32", {convert<uint64_t, uint32_t, OtherFloat<double, float>>, 4, 8}});
        made.insert({"cvt.rn.f32.f64", {convert<uint32_t, uint64_t, OtherFloat<float, double>>, 8, 4}});
        made.insert({"cvt.f32.f16", {convert<uint32_t, uint16_t, HalfToFloat>, 2, 4}});
        made.insert({"cvt.rn.f16.f32", {convert<uint16_t, uint32_t, FloatToHalf>, 4, 2}});
        return made;
    }();
    return all;
}

}  // namespace

void add_float_ops(PtxOpTable& table) {
    add_float<float>(table, "f32");
    add_float<double>(table, "f64");
}

PtxRun find_ptx_conversion(std::string_view name, unsigned source_bytes, unsigned* result_bytes) {
    const auto [begin, end] = conversions().equal_range(name);
    for (auto each = begin; each != end; ++each) {
        if (each->second.source_bytes != source_bytes) continue;
        *result_bytes = each->second.result_bytes;
        return each->second.run;
    }
    return nullptr;
}

}  // namespace test
