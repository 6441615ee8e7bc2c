#include "src/load/gpu_split_plan.h"

#include <algorithm>
#include <limits>

#include "src/base/error.h"

namespace bitnet {
namespace {

class Planner {
public:
    Planner(const SplitNeeds& needs, const std::vector<SplitDevice>& devices)
        : needs_(needs), devices_(devices), n_layer_(needs.layer_bytes.size()), sums_(n_layer_ + 1, 0) {
        for (size_t i = 0; i < n_layer_; ++i) sums_[i + 1] = sums_[i] + needs.layer_bytes[i];
    }

    std::vector<SplitRange> by_share() const {
        uint64_t all = 0, before = 0;
        for (const SplitDevice& device : devices_) all += static_cast<uint64_t>(device.share);
        std::vector<SplitRange> ranges;
        for (size_t d = 0; d < devices_.size(); ++d) {
            const uint64_t after = before + static_cast<uint64_t>(devices_[d].share);
            add(ranges, d, rounded(before, all), rounded(after, all));
            before = after;
        }
        return ranges;
    }

    // The fullest device as empty as can be, and then the others as even as that lets them.
    std::vector<SplitRange> by_memory() const {
        constexpr double kAny = std::numeric_limits<double>::infinity();
        const double fullest = best(kAny, [](double a, double b) { return std::max(a, b); }).cost;
        return best(fullest, [](double a, double b) { return a + b * b; }).ranges;
    }

    uint64_t weight_bytes(size_t begin, size_t end) const {
        uint64_t bytes = sums_[end] - sums_[begin];
        if (begin == 0) bytes += needs_.first_bytes;
        if (end == n_layer_) bytes += needs_.last_bytes + (begin != 0 ? needs_.head_copy_bytes : 0);
        return bytes;
    }
    uint64_t context_bytes(size_t begin, size_t end) const {
        return needs_.device_context_bytes + (end - begin) * needs_.layer_context_bytes;
    }

private:
    struct Best {
        double cost;
        std::vector<SplitRange> ranges;
    };
    // The ranges of the least cost, which join adds up from how full each device is, of those that are no fuller than limit.
    template <typename Join>
    Best best(double limit, const Join& join) const {
        constexpr double kNever = std::numeric_limits<double>::infinity();
        const size_t width = n_layer_ + 1;
        std::vector<double> costs((devices_.size() + 1) * width,
                                  kNever);  // of the first d devices with the first i layers
        std::vector<size_t> begins(costs.size(), 0);
        costs[0] = 0;
        for (size_t d = 0; d < devices_.size(); ++d) {
            for (size_t end = 0; end <= n_layer_; ++end) {
                const size_t at = (d + 1) * width + end;
                for (size_t begin = 0; begin <= end; ++begin) {
                    const double before = costs[d * width + begin], here = fullness(d, begin, end);
                    if (before == kNever || here > limit) continue;
                    const double cost = join(before, here);
                    if (cost > costs[at]) continue;  // among equals the one that leaves most to the devices before
                    costs[at] = cost;
                    begins[at] = begin;
                }
            }
        }
        Best found{costs.back(), {}};
        for (size_t d = devices_.size(), end = n_layer_; d-- > 0;) {
            const size_t begin = begins[(d + 1) * width + end];
            add(found.ranges, d, begin, end);
            end = begin;
        }
        std::reverse(found.ranges.begin(), found.ranges.end());
        return found;
    }
    static void add(std::vector<SplitRange>& ranges, size_t device, size_t begin, size_t end) {
        if (begin != end) ranges.push_back({device, static_cast<int64_t>(begin), static_cast<int64_t>(end)});
    }
    size_t rounded(uint64_t share, uint64_t all) const {
        return static_cast<size_t>((2 * n_layer_ * share + all) / (2 * all));
    }
    double fullness(size_t device, size_t begin, size_t end) const {
        if (begin == end) return 0;
        const double bytes = static_cast<double>(weight_bytes(begin, end) + context_bytes(begin, end));
        return bytes / static_cast<double>(std::max<uint64_t>(devices_[device].free_bytes, 1));
    }

    const SplitNeeds& needs_;
    const std::vector<SplitDevice>& devices_;
    const size_t n_layer_;
    std::vector<uint64_t> sums_;  // of layers before
};

std::string layers_text(const SplitRange& range, size_t n_layer) {
    if (range.first == 0 && range.end == static_cast<int64_t>(n_layer)) return "the whole model";
    std::string text = "the part of layers " + std::to_string(range.first) + ".." + std::to_string(range.end - 1);
    if (range.first == 0) text += " with the embedding";
    if (range.end == static_cast<int64_t>(n_layer)) text += " with the output matrix";
    return text;
}

}  // namespace

std::vector<SplitRange> plan_split(const SplitNeeds& needs, const std::vector<SplitDevice>& devices) {
    const Planner planner(needs, devices);
    return devices.front().share != 0 ? planner.by_share() : planner.by_memory();
}

void check_split(const SplitNeeds& needs, const std::vector<SplitDevice>& devices,
                 const std::vector<SplitRange>& ranges, bool with_context) {
    const Planner planner(needs, devices);
    for (const SplitRange& range : ranges) {
        const SplitDevice& device = devices[range.device];
        const auto begin = static_cast<size_t>(range.first), end = static_cast<size_t>(range.end);
        uint64_t bytes = planner.weight_bytes(begin, end);
        if (with_context) bytes += planner.context_bytes(begin, end);
        if (bytes <= device.free_bytes) continue;
        throw Error(
            BITNET_E_DEVICE_MEMORY,
            device.name + " lacks " + std::to_string(bytes - device.free_bytes) + " bytes: " +
                layers_text(range, needs.layer_bytes.size()) + (with_context ? " and a context take " : " takes ") +
                std::to_string(bytes) + ", " + std::to_string(device.free_bytes) + " are free; " +
                (device.share != 0 ? "give it a smaller share" : "name more devices, as cuda:0,cuda:1 or cuda:all") +
                ", free other models there, or use device cpu")
            .with_numbers(bytes, device.free_bytes)
            .with_subject(device.name);
    }
}

}  // namespace bitnet
