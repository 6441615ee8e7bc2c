// One pass over both tensors counts, and collects what rounding, scales and codes have done. Orders of bytes, rows and
// columns are tested afterwards, each on a few rows first and on all where those agree.
#include "weight_diff.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>

#include "half_float.h"

namespace cli {
namespace {

constexpr int64_t kChunkValues = int64_t{1} << 20;  // read at once
constexpr int64_t kLargestOrder = int64_t{1}
                                  << 26;  // values of a tensor whose order is tested: both are in memory then
constexpr int64_t kQuickRows = 32;

std::string number_text(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.6g", value);
    return text;
}

// What one tensor's values have in common.
struct Profile {
    float scale = 0;  // the magnitude of the first value that is not 0
    bool ternary = true;
    int64_t n_values = 0, n_nonzero = 0, n_odd = 0;  // odd: NaN or infinite
    double magnitudes = 0;

    void add(float value) {
        ++n_values;
        const float size = std::fabs(value);
        if (!std::isfinite(value)) {
            ++n_odd;
            ternary = false;
            return;
        }
        magnitudes += static_cast<double>(size);
        if (size == 0) return;
        ++n_nonzero;
        if (scale == 0) scale = size;
        ternary = ternary && size == scale;
    }
    double share() const { return static_cast<double>(n_nonzero) / static_cast<double>(n_values); }
};

int sign_of(float value) { return (value > 0) - (value < 0); }

uint64_t hash_row(const float* values, int64_t n) {
    uint64_t hash = 14695981039346656037ull;
    for (int64_t i = 0; i < n; ++i) hash = (hash ^ std::bit_cast<uint32_t>(values[i] + 0.0f)) * 1099511628211ull;
    return hash;
}

bool equal(float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }

// The pass over both tensors.
struct Comparison {
    WeightDiff diff;
    Profile a, b;
    bool half_of_a = true, half_of_b = true, bf16_of_a = true, bf16_of_b = true;  // B is A rounded; A is B rounded
    int64_t signs[3][3] = {};                                                     // [sign in A + 1][sign in B + 1]
    double squares = 0, difference_squares = 0;
    std::vector<uint64_t> hashes_a, hashes_b;
    std::vector<int64_t> rows;  // the first that differ

    void add_row(int64_t row, const float* va, const float* vb, int64_t n) {
        bool differs = false;
        for (int64_t i = 0; i < n; ++i) {
            a.add(va[i]);
            b.add(vb[i]);
            ++signs[sign_of(va[i]) + 1][sign_of(vb[i]) + 1];
            squares += static_cast<double>(va[i]) * static_cast<double>(va[i]);
            if (equal(va[i], vb[i])) continue;
            differs = true;
            note(row, i, va[i], vb[i]);
            half_of_a = half_of_a && vb[i] == rounded_to_half(va[i]);
            half_of_b = half_of_b && va[i] == rounded_to_half(vb[i]);
            bf16_of_a = bf16_of_a && vb[i] == rounded_to_bf16(va[i]);
            bf16_of_b = bf16_of_b && va[i] == rounded_to_bf16(vb[i]);
        }
        if (!differs) return;
        ++diff.n_rows;
        if (rows.size() < 8) rows.push_back(row);
    }

private:
    void note(int64_t row, int64_t column, float va, float vb) {
        if (diff.same) {
            diff.same = false;
            diff.row = row;
            diff.column = column;
            diff.a = va;
            diff.b = vb;
        }
        ++diff.n_values;
        const double distance = std::fabs(static_cast<double>(va) - static_cast<double>(vb));
        difference_squares += distance * distance;
        if (distance > diff.largest || std::isnan(distance)) {
            diff.largest = distance;
            diff.largest_row = row;
            diff.largest_column = column;
        }
    }
};

void compare_rows(const TensorRows& a, const TensorRows& b, int64_t step, Comparison& out) {
    const int64_t width = a.width(), n_rows = a.n_rows();
    const int64_t n_at_once = step > 1 ? 1 : std::max<int64_t>(kChunkValues / std::max<int64_t>(width, 1), 1);
    std::vector<float> va(static_cast<size_t>(n_at_once * width)), vb(va.size());
    for (int64_t row = 0; row < n_rows; row += std::max(step, n_at_once)) {
        const int64_t n = std::min(n_at_once, n_rows - row);
        a.read(row, n, va.data());
        b.read(row, n, vb.data());
        for (int64_t i = 0; i < n; ++i) {
            out.add_row(row + i, va.data() + i * width, vb.data() + i * width, width);
            if (step > 1) continue;
            out.hashes_a.push_back(hash_row(va.data() + i * width, width));
            out.hashes_b.push_back(hash_row(vb.data() + i * width, width));
        }
    }
    out.diff.relative_rms = out.squares > 0 ? std::sqrt(out.difference_squares / out.squares) : 0;
}

// ---- Orders --------------------------------------------------------------------------------------------------------

struct Place {
    int64_t row, column;
};
struct BlockShape {
    int64_t width, n_rows, head_dim;
};

// The bytes of an I2_S tensor, 4 weights each; shift 0 is bits 7:6. Where x86 files have a weight's code, from its place.
struct Code {
    int64_t byte, shift;
};
Code code_of(const BlockShape& s, Place p) {
    const int64_t flat = p.row * s.width + p.column;
    return {flat / 128 * 32 + flat % 32, flat % 128 / 32};
}

// An order: where the value that stands at a place in the odd file stands in the right one.
struct Order {
    const char* kind;
    const char* text;  // % is the odd file, & the other one
    bool (*applies)(const BlockShape& s, bool ternary);
    Place (*origin)(const BlockShape& s, Place p);
};
bool in_blocks(const BlockShape& s, bool ternary) { return ternary && s.width % 128 == 0; }
bool in_fours(const BlockShape& s, bool ternary) { return in_blocks(s, ternary) && s.n_rows % 4 == 0; }
bool rows_in_fours(const BlockShape& s, bool ternary) { return ternary && s.n_rows % 4 == 0; }

constexpr Order kOrders[] = {
    {"i2s_arm_order",
     "the I2_S bytes of % are in the ARM order (64 weights in 16 bytes), those of & in the order of published "
     "files (128 in 32); bitnet_model_params.i2s_order reads such files",
     in_blocks,
     [](const BlockShape& s, Place p) -> Place {
         const Code c = code_of(s, p);
         const int64_t flat = c.byte / 16 * 64 + c.shift * 16 + c.byte % 16;
         return {flat / s.width, flat % s.width};
     }},
    {"i2s_four_rows",
     "the I2_S bytes of % hold four rows each (a bitnet.cpp built for x86 without ACT_PARALLEL), those of & "
     "are in the order of published files",
     in_fours,
     [](const BlockShape& s, Place p) -> Place {
         const Code c = code_of(s, p);
         return {c.byte / s.width * 4 + c.shift, c.byte % s.width};
     }},
    {"packed_bytes_copied",
     "% has the packed bytes of the Hugging Face checkpoint (rows out/4 apart in a byte) copied as if "
     "they were I2_S",
     in_fours,
     [](const BlockShape& s, Place p) -> Place {
         const Code c = code_of(s, p);
         return {(3 - c.shift) * (s.n_rows / 4) + c.byte / s.width, c.byte % s.width};
     }},
    {"packed_rows_as_neighbours",
     "packed rows out/4 apart were read as neighbours: row 4 r + i of % is row i out/4 + r of &", rows_in_fours,
     [](const BlockShape& s, Place p) -> Place {
         return {p.row % 4 * (s.n_rows / 4) + p.row / 4, p.column};
     }},
    {"packed_rows_reversed",
     "the four rows of each packed byte were read from the wrong end: the quarters of the rows of % "
     "are those of & backwards",
     rows_in_fours,
     [](const BlockShape& s, Place p) -> Place {
         const int64_t quarter = s.n_rows / 4;
         return {(3 - p.row / quarter) * quarter + p.row % quarter, p.column};
     }},
    {"packed_rows_as_columns", "the four rows of each packed byte were read as four neighbours within one row in %",
     rows_in_fours,
     [](const BlockShape& s, Place p) -> Place {
         const int64_t flat = p.row * s.width + p.column, byte = flat / 4;
         return {flat % 4 * (s.n_rows / 4) + byte / s.width, byte % s.width};
     }},
    {"rope_permuted",
     "the rows of % are in the order for RoPE with pairs (2i, 2i+1), those of & for halves (i, i + d/2): "
     "right for llama and wrong for bitnet* is the former",
     [](const BlockShape& s, bool) { return s.head_dim > 0 && s.head_dim % 2 == 0 && s.n_rows % s.head_dim == 0; },
     [](const BlockShape& s, Place p) -> Place {
         const int64_t in_head = p.row % s.head_dim;
         return {p.row - in_head + in_head % 2 * (s.head_dim / 2) + in_head / 2, p.column};
     }},
    {"transposed", "% is & transposed", [](const BlockShape& s, bool) { return s.width == s.n_rows && s.width > 1; },
     [](const BlockShape&, Place p) -> Place {
         return {p.column, p.row};
     }},
};

// All values of a tensor; of ternary ones only the signs, so that scales do not matter here.
std::vector<float> read_all(const TensorRows& rows, bool signs) {
    std::vector<float> values(static_cast<size_t>(rows.n_values()));
    rows.read(0, rows.n_rows(), values.data());
    if (signs)
        for (float& value : values) value = static_cast<float>(sign_of(value));
    return values;
}

bool explains(const Order& order, const BlockShape& shape, const std::vector<float>& right, const std::vector<float>& odd) {
    const auto row_fits = [&](int64_t row) {
        for (int64_t column = 0; column < shape.width; ++column) {
            const Place from = order.origin(shape, {row, column});
            if (!equal(odd[static_cast<size_t>(row * shape.width + column)],
                       right[static_cast<size_t>(from.row * shape.width + from.column)]))
                return false;
        }
        return true;
    };
    for (int64_t i = 0; i < 4; ++i)
        if (!row_fits(shape.n_rows * i / 4)) return false;
    for (int64_t row = 0; row < shape.n_rows; ++row)
        if (!row_fits(row)) return false;
    return true;
}

std::string with_files(const char* text, const char* odd, const char* right) {
    std::string out;
    for (; *text != '\0'; ++text) {
        if (*text == '%') {
            out += odd;
        } else if (*text == '&') {
            out += right;
        } else {
            out += *text;
        }
    }
    return out;
}

// An order that turns one tensor into the other, if there is one.
bool find_order(const TensorRows& a, const TensorRows& b, bool ternary, const std::vector<int64_t>& head_dims,
                std::vector<Cause>& causes) {
    if (a.n_values() > kLargestOrder) return false;
    const std::vector<float> va = read_all(a, ternary), vb = read_all(b, ternary);
    std::vector<int64_t> dims = head_dims;
    if (dims.empty()) dims.push_back(0);
    for (const Order& order : kOrders) {
        for (const int64_t head_dim : dims) {
            const BlockShape shape{a.width(), a.n_rows(), head_dim};
            if (!order.applies(shape, ternary)) continue;
            const bool b_is_odd = explains(order, shape, va, vb);
            if (!b_is_odd && !explains(order, shape, vb, va)) continue;
            causes.push_back({order.kind, with_files(order.text, b_is_odd ? "B" : "A", b_is_odd ? "A" : "B")});
            return true;
        }
    }
    return false;
}

// ---- Scales and codes -----------------------------------------------------------------------------------------------

bool near(double a, double b, double tolerance) { return std::fabs(a - b) <= tolerance * std::fabs(b); }

void explain_scales(const Profile& a, const Profile& b, std::vector<Cause>& causes) {
    const double sa = static_cast<double>(a.scale), sb = static_cast<double>(b.scale);
    if (sa == sb || sa == 0 || sb == 0) return;
    constexpr double kHalf = 1.0 / 1024, kBf16 = 1.0 / 128;  // scales are also stored rounded
    const std::string scales = "A " + number_text(sa) + ", B " + number_text(sb);
    if (near(sb, sa, kBf16)) {
        const bool half = near(sb, sa, kHalf);
        causes.push_back({"scale_rounded",
                          std::string("the scale was rounded to ") + (half ? "f16 or finer: " : "bf16: ") + scales});
    } else if (near(sa * sb, 1, kBf16)) {
        causes.push_back(
            {"scale_inverted", "the scale is inverted, multiplied with where it should be divided by: " + scales});
    } else if (near(sb, sa * a.share(), kBf16)) {
        causes.push_back({"absmean_twice",
                          "absmean was applied to B's weights once more after they were ternary: its scale is A's "
                          "times the share of weights that are not 0, " +
                              number_text(a.share()) + ": " + scales});
    } else if (near(sa, sb * b.share(), kBf16)) {
        causes.push_back({"absmean_twice",
                          "absmean was applied to A's weights once more after they were ternary: its scale is B's "
                          "times the share of weights that are not 0, " +
                              number_text(b.share()) + ": " + scales});
    } else {
        causes.push_back({"scale_factor", "the scale of B is that of A times " + number_text(sb / sa) + ": " + scales});
    }
}

// Codes of A that mean one other code each in B.
bool explain_codes(const int64_t signs[3][3], std::vector<Cause>& causes) {
    static const char* const kCodes[] = {"-1", "0", "+1"};
    std::string text;
    bool different = false;
    for (int from = 0; from < 3; ++from) {
        int n_targets = 0, target = from;
        for (int to = 0; to < 3; ++to) {
            if (signs[from][to] == 0) continue;
            ++n_targets;
            target = to;
        }
        if (n_targets > 1) return false;
        if (n_targets == 0) continue;
        different = different || target != from;
        text += std::string(text.empty() ? "" : ", ") + kCodes[from] + " -> " + kCodes[target];
    }
    if (!different) return true;
    const bool negated = signs[0][2] + signs[2][0] > 0 &&
                         signs[1][1] + signs[0][2] + signs[2][0] == signs[0][0] + signs[0][1] + signs[0][2] +
                                                                        signs[1][0] + signs[1][1] + signs[1][2] +
                                                                        signs[2][0] + signs[2][1] + signs[2][2];
    causes.push_back(negated ? Cause{"sign_flipped", "every weight has the other sign"}
                             : Cause{"codes_mapped", "the codes mean other weights, A -> B: " + text});
    return true;
}

// One is ternary: does it come from the other by absmean?
bool explain_absmean(const TensorRows& masters, const Profile& of_masters, const TensorRows& ternary,
                     const char* name_of_masters, const char* name_of_ternary, std::vector<Cause>& causes) {
    const double scale = std::max(of_masters.magnitudes / static_cast<double>(of_masters.n_values), 1e-5);
    std::vector<float> m(static_cast<size_t>(masters.width())), t(m.size());
    int64_t n_wrong = 0;
    for (int64_t row = 0; row < masters.n_rows(); ++row) {
        masters.read(row, 1, m.data());
        ternary.read(row, 1, t.data());
        for (size_t i = 0; i < m.size(); ++i)
            n_wrong += sign_of(t[i]) !=
                       static_cast<int>(std::clamp(std::nearbyint(static_cast<double>(m[i]) / scale), -1.0, 1.0));
    }
    // Masters that were rounded since, or a mean that was summed in another order, move what lies on a border.
    if (n_wrong * 1000 > masters.n_values()) return false;
    causes.push_back({"ternarised", std::string(name_of_ternary) + " is " + name_of_masters +
                                        " made ternary by absmean; " + name_of_masters + " holds master weights"});
    return true;
}

bool explain_rounding(const Comparison& c, const TensorRows& a, const TensorRows& b, std::vector<Cause>& causes) {
    const auto add = [&](const char* type, bool b_is_rounded) {
        causes.push_back({"rounding", std::string(b_is_rounded ? "B is A" : "A is B") + " rounded to " + type +
                                          ", relative error " + number_text(c.diff.relative_rms)});
        return true;
    };
    if (c.half_of_a) return add("f16", true);
    if (c.half_of_b) return add("f16", false);
    if (c.bf16_of_a) return add("bf16", true);
    if (c.bf16_of_b) return add("bf16", false);
    // The root mean square error that a type has at most on weights that are roughly normal.
    struct Bound {
        const char* type;
        double error;
    };
    constexpr Bound kBounds[] = {{"q8_0", 0.01}, {"q6_k", 0.035}, {"q4_0", 0.15}};
    const std::string_view ta = a.tensor().type, tb = b.tensor().type;
    if (ta == tb) return false;
    for (const bool b_is_rounded : {true, false}) {
        for (const Bound& bound : kBounds)
            if ((b_is_rounded ? tb : ta) == bound.type && c.diff.relative_rms < bound.error)
                return add(bound.type, b_is_rounded);
    }
    return false;
}

// Every value of B is the same multiple of A's.
bool explain_factor(const TensorRows& a, const TensorRows& b, std::vector<Cause>& causes) {
    std::vector<float> va(static_cast<size_t>(a.width())), vb(va.size());
    double factor = 0;
    for (int64_t row = 0; row < a.n_rows(); ++row) {
        a.read(row, 1, va.data());
        b.read(row, 1, vb.data());
        for (size_t i = 0; i < va.size(); ++i) {
            const double x = static_cast<double>(va[i]), y = static_cast<double>(vb[i]);
            if (x == 0 && y == 0) continue;
            if (x == 0 || y == 0) return false;
            if (factor == 0) factor = y / x;
            if (!near(y, x * factor, 0.002)) return false;
        }
    }
    if (factor == 0) return false;
    causes.push_back({"scale_factor", "every value of B is that of A times " + number_text(factor)});
    return true;
}

bool few_rows(const Comparison& c, int64_t n_rows) {
    return n_rows > 1 && c.diff.n_rows <= std::max<int64_t>(n_rows / 8, 1);
}

void explain_rows(const Comparison& c, int64_t n_rows, std::vector<Cause>& causes) {
    if (n_rows == 1) return;
    std::vector<uint64_t> a = c.hashes_a, b = c.hashes_b;
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    if (a == b) {
        causes.push_back({"rows_reordered", "the rows are the same in another order"});
        return;
    }
    if (!few_rows(c, n_rows)) return;
    std::string text = c.diff.n_rows == 1 ? "one row differs:" : std::to_string(c.diff.n_rows) + " rows differ:";
    for (size_t i = 0; i < c.rows.size(); ++i) text += (i > 0 ? ", " : " ") + std::to_string(c.rows[i]);
    if (static_cast<int64_t>(c.rows.size()) < c.diff.n_rows) text += ", ...";
    causes.push_back({c.diff.n_rows == 1 ? "one_row" : "few_rows", text + " of " + std::to_string(n_rows)});
}

void explain(const TensorRows& a, const TensorRows& b, const WeightDiffOptions& options, const Comparison& c,
             std::vector<Cause>& causes) {
    if (c.a.n_odd != c.b.n_odd)
        causes.push_back({"not_finite", "values that are NaN or infinite: A " + std::to_string(c.a.n_odd) + ", B " +
                                            std::to_string(c.b.n_odd)});
    else if (c.a.n_nonzero == 0 || c.b.n_nonzero == 0)
        causes.push_back({"all_zero", std::string(c.b.n_nonzero == 0 ? "B" : "A") + " is 0 everywhere"});
    if (!causes.empty()) return;
    if (c.a.ternary && c.b.ternary) {
        explain_scales(c.a, c.b, causes);
        if (explain_codes(c.signs, causes)) return;
        const size_t n_before = causes.size();
        if (find_order(a, b, true, options.head_dims, causes)) return;
        explain_rows(c, a.n_rows(), causes);
        if (causes.size() == n_before)
            causes.push_back({"unknown", "the codes differ for no reason that this program knows"});
        return;
    }
    if (explain_rounding(c, a, b, causes)) return;
    if (few_rows(c, a.n_rows())) return explain_rows(c, a.n_rows(), causes);
    if (c.a.ternary && explain_absmean(b, c.b, a, "B", "A", causes)) return;
    if (c.b.ternary && explain_absmean(a, c.a, b, "A", "B", causes)) return;
    if (explain_factor(a, b, causes)) return;
    if (find_order(a, b, false, options.head_dims, causes)) return;
    explain_rows(c, a.n_rows(), causes);
}

}  // namespace

WeightDiff compare_weights(const TensorRows& a, const TensorRows& b, const WeightDiffOptions& options) {
    const int64_t step = options.quick ? a.n_rows() / kQuickRows : 1;
    Comparison c;
    if (step > 1) {
        compare_rows(a, b, step, c);
        c.diff.sampled = true;
        if (c.diff.same) return c.diff;
        c = Comparison{};
    }
    compare_rows(a, b, 1, c);
    if (c.diff.same) return c.diff;
    explain(a, b, options, c, c.diff.causes);
    if (c.diff.causes.empty()) c.diff.causes.push_back({"unknown", "for no reason that this program knows"});
    return c.diff;
}

}  // namespace cli
