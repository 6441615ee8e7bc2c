// Rows are read one at a time, so that a tensor of any size takes the memory of a row; a second time where the range of the
// values decides how they are counted.
#include "inspect_tensor.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "gguf_view.h"

namespace cli {
namespace {

struct RowRange {
    int64_t begin = 0, end = 0;
};

RowRange rows_of(const std::string& text, int64_t n_rows) {
    if (text.empty()) return {0, n_rows};
    const auto number = [](std::string_view part, int64_t fallback) {
        if (part.empty()) return fallback;
        int64_t value = -1;
        const auto result = std::from_chars(part.data(), part.data() + part.size(), value);
        return result.ec == std::errc() && result.ptr == part.data() + part.size() ? value : -1;
    };
    const std::string_view all = text;
    const size_t colon = all.find(':');
    const bool single = colon == std::string_view::npos;
    const int64_t begin = number(all.substr(0, colon), single ? -1 : 0);
    const int64_t end = single ? begin + 1 : number(all.substr(colon + 1), n_rows);
    if (begin < 0 || begin >= n_rows || end <= begin || end > n_rows)
        throw Failure{kExitUsage, "--rows " + text + ": give a row, or first:end within 0:" + std::to_string(n_rows)};
    return {begin, end};
}

// Each value where there are few, as in ternary tensors; else ten steps from the smallest to the largest.
struct Histogram {
    static constexpr size_t kMostExact = 9;
    std::map<float, uint64_t> exact;
    bool many = false;
    float least = INFINITY, most = -INFINITY;
    double sum = 0, squares = 0;
    uint64_t n = 0, n_odd = 0;
    uint64_t steps[10] = {};

    void add(float value) {
        ++n;
        if (!std::isfinite(value)) {
            ++n_odd;
            return;
        }
        least = std::min(least, value);
        most = std::max(most, value);
        sum += static_cast<double>(value);
        squares += static_cast<double>(value) * static_cast<double>(value);
        if (many) return;
        ++exact[value + 0.0f];
        many = exact.size() > kMostExact;
    }
    double step() const { return (static_cast<double>(most) - static_cast<double>(least)) / 10; }
    void add_step(float value) {
        if (!std::isfinite(value)) return;
        const double place = (static_cast<double>(value) - static_cast<double>(least)) / step();
        ++steps[static_cast<size_t>(std::clamp(place, 0.0, 9.0))];
    }
    nlohmann::ordered_json counts() const {
        auto rows = nlohmann::ordered_json::array();
        if (!many) {
            for (const auto& [value, count] : exact) rows.push_back({{"value", value}, {"n", count}});
            return rows;
        }
        for (int i = 0; i < 10; ++i) {
            const double from = static_cast<double>(least) + step() * i;
            rows.push_back({{"from", from}, {"to", from + step()}, {"n", steps[i]}});
        }
        return rows;
    }
};

template <typename Use>
void each_row(const TensorRows& rows, RowRange range, Use&& use) {
    std::vector<float> values(static_cast<size_t>(rows.width()));
    for (int64_t row = range.begin; row < range.end; ++row) {
        if (abort_on_signal(nullptr) != 0) throw Failure{interrupted_exit_code(), ""};
        rows.read(row, 1, values.data());
        use(row, values);
    }
}

}  // namespace

int inspect_tensor(const std::string& path, const std::string& name, const std::string& rows_text, bool json) {
    if (path.empty()) throw Failure{kExitUsage, "--tensor needs a file"};
    const GgufView view(path);
    const bitnet_file_tensor* tensor = view.find_tensor(name);
    if (tensor == nullptr)
        throw Failure{kExitFailure, path + ": has no tensor '" + name + "'; bitnet inspect --tensors lists them"};
    if (*tensor->problem != '\0') throw Failure{kExitFailure, tensor->problem};
    const TensorRows rows(view, *tensor);
    const RowRange range = rows_of(rows_text, rows.n_rows());
    Histogram histogram;
    each_row(rows, range, [&](int64_t, const std::vector<float>& values) {
        for (const float value : values) histogram.add(value);
    });
    if (histogram.many) {
        each_row(rows, range, [&](int64_t, const std::vector<float>& values) {
            for (const float value : values) histogram.add_step(value);
        });
    }
    const bool any = histogram.n > histogram.n_odd;
    const double n = any ? static_cast<double>(histogram.n - histogram.n_odd) : 1;
    nlohmann::ordered_json out = {{"tensor", tensor->name},
                                  {"type", tensor->type},
                                  {"type_id", tensor->type_id},
                                  {"width", rows.width()},
                                  {"rows", rows.n_rows()},
                                  {"first_row", range.begin},
                                  {"n_rows", range.end - range.begin},
                                  {"not_finite", histogram.n_odd},
                                  {"least", any ? nlohmann::ordered_json(histogram.least) : nullptr},
                                  {"most", any ? nlohmann::ordered_json(histogram.most) : nullptr},
                                  {"mean", histogram.sum / n},
                                  {"rms", std::sqrt(histogram.squares / n)},
                                  {"counts", histogram.counts()}};
    if (json) out["values"] = nlohmann::ordered_json::array();
    if (!json) {
        for (const auto& [key, value] : out.items()) {
            if (key != "counts")
                write_out(key + " " + (value.is_string() ? printable(value.get<std::string>(), false) : dump(value)) +
                          "\n");
        }
        for (const nlohmann::ordered_json& row : out["counts"]) write_out("  " + dump(row) + "\n");
    }
    // Rows that were asked for are shown whole.
    if (!rows_text.empty()) {
        each_row(rows, range, [&](int64_t row, const std::vector<float>& values) {
            if (json)
                out["values"].push_back(values);
            else
                write_out("row " + std::to_string(row) + " " + dump(values) + "\n");
        });
    }
    if (json) write_out(dump(out) + "\n");
    return kExitOk;
}

}  // namespace cli
