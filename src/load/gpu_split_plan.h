// Which layers go to which GPU: decided from bytes alone, before anything is uploaded. Layers stay in their order and each device
// gets a run of them, so a step goes from device to device once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bitnet {

// What a model takes on devices, however it is split.
struct SplitNeeds {
    std::vector<uint64_t> layer_bytes;  // weights
    uint64_t first_bytes = 0;           // with the first layer: the embedding
    uint64_t last_bytes = 0;            // with the last one: the norm behind it and the output matrix
    uint64_t head_copy_bytes = 0;       // with the last one where the first is on another device
    // Of a context of the usual size: with each layer (keys and values), and on each device (values and scratch).
    uint64_t layer_context_bytes = 0;
    uint64_t device_context_bytes = 0;
};

struct SplitDevice {
    std::string name;  // "cuda:1 (NVIDIA H100 80GB HBM3)"
    uint64_t free_bytes = 0;
    int32_t share = 0;  // of the layers, for all devices or for none
};

// Layers [first, end) of a device that has some.
struct SplitRange {
    size_t device = 0;
    int64_t first = 0, end = 0;
    friend bool operator==(const SplitRange&, const SplitRange&) = default;
};

// In the order of the devices. With shares layers are divided as those are, without so that the fullest device is as empty as
// can be, context included; nobody asks whether that fits.
std::vector<SplitRange> plan_split(const SplitNeeds& needs, const std::vector<SplitDevice>& devices);
// Throws BITNET_E_DEVICE_MEMORY with the first device that has no room for its weights, with_context: for those and the context.
void check_split(const SplitNeeds& needs, const std::vector<SplitDevice>& devices, const std::vector<SplitRange>& ranges,
                 bool with_context);

}  // namespace bitnet
