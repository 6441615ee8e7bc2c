#include "src/device/feature_list.h"

#include <string>

#include "kernels/cpu/kernel_select.h"

namespace bitnet {
namespace {

struct FeatureRow {
    const char* name;
    const char* specified;  // the specification's feature flag, or ""
};
constexpr FeatureRow kRows[] = {
    {"cpu", ""},     {"threads", ""}, {"mmap", ""}, {"json", "serde"}, {"trace", "tracing"},
#if defined(BITNET_CUDA)
    {"cuda", "gpu"},
#endif
};
constexpr size_t kRowCount = sizeof kRows / sizeof kRows[0];
constexpr std::string_view kLevelPrefix = "kernels-";

// Names of the levels with the prefix, made once: their order and number are those of the kernels.
const char* level_feature(size_t level) {
    static const struct Names {
        std::string names[16];
        Names() {
            for (size_t i = 0; i < 16 && i < kern::kernel_level_count(); ++i) {
                names[i] = std::string(kLevelPrefix) + kern::kernel_level_at(i);
            }
        }
    } all;
    return all.names[level].c_str();
}

}  // namespace

size_t feature_count() noexcept { return kRowCount + kern::kernel_level_count(); }

const char* feature_name(size_t index) noexcept {
    if (index < kRowCount) return kRows[index].name;
    return index < feature_count() ? level_feature(index - kRowCount) : nullptr;
}

bool feature_is_built(std::string_view name) noexcept {
    for (const FeatureRow& row : kRows) {
        if (name == row.name || (name == row.specified && !name.empty())) return true;
    }
    for (size_t i = kRowCount; i < feature_count(); ++i) {
        if (name == feature_name(i)) return true;
    }
    return false;
}

const char* feature_text() {
    static const std::string text = [] {
        std::string all;
        for (size_t i = 0; i < feature_count(); ++i) all += std::string(i != 0 ? ", " : "") + feature_name(i);
        return all;
    }();
    return text.c_str();
}

}  // namespace bitnet
