// Which layers go to which GPU, from bytes alone.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "src/base/error.h"
#include "src/load/gpu_split_plan.h"

using namespace bitnet;

namespace {

using Ranges = std::vector<SplitRange>;

SplitNeeds needs_of(size_t n_layer, uint64_t layer, uint64_t first, uint64_t last) {
    SplitNeeds needs;
    needs.layer_bytes.assign(n_layer, layer);
    needs.first_bytes = first;
    needs.last_bytes = last;
    return needs;
}

std::vector<SplitDevice> devices_of(const std::vector<uint64_t>& free, const std::vector<int32_t>& shares = {}) {
    std::vector<SplitDevice> devices;
    for (size_t i = 0; i < free.size(); ++i) {
        devices.push_back({"cuda:" + std::to_string(i), free[i], shares.empty() ? 0 : shares[i]});
    }
    return devices;
}

// How full the fullest device is.
double fullest(const SplitNeeds& needs, const std::vector<SplitDevice>& devices, const Ranges& ranges) {
    double most = 0;
    const auto n_layer = static_cast<int64_t>(needs.layer_bytes.size());
    for (const SplitRange& range : ranges) {
        uint64_t bytes = needs.device_context_bytes;
        for (int64_t i = range.first; i < range.end; ++i)
            bytes += needs.layer_bytes[static_cast<size_t>(i)] + needs.layer_context_bytes;
        if (range.first == 0) bytes += needs.first_bytes;
        if (range.end == n_layer) bytes += needs.last_bytes + (range.first != 0 ? needs.head_copy_bytes : 0);
        most = std::max(most, static_cast<double>(bytes) / static_cast<double>(devices[range.device].free_bytes));
    }
    return most;
}

// Of all ways to cut the layers.
double best_of_all(const SplitNeeds& needs, const std::vector<SplitDevice>& devices) {
    double best = 1e30;
    Ranges ranges;
    const auto n_layer = static_cast<int64_t>(needs.layer_bytes.size());
    const std::function<void(size_t, int64_t)> cut = [&](size_t device, int64_t begin) {
        if (device == devices.size()) {
            if (begin == n_layer) best = std::min(best, fullest(needs, devices, ranges));
            return;
        }
        cut(device + 1, begin);
        for (int64_t end = begin + 1; end <= n_layer; ++end) {
            ranges.push_back({device, begin, end});
            cut(device + 1, end);
            ranges.pop_back();
        }
    };
    cut(0, 0);
    return best;
}

std::string message_of(const SplitNeeds& needs, const std::vector<SplitDevice>& devices, bool with_context) {
    try {
        check_split(needs, devices, plan_split(needs, devices), with_context);
    } catch (const Error& error) {
        CHECK(error.status() == BITNET_E_DEVICE_MEMORY);
        CHECK(error.has_numbers());
        CHECK(error.expected() > error.actual());
        return error.message();
    }
    return "";
}

}  // namespace

TEST_CASE("layers are divided by free memory, with what comes before and behind them") {
    const struct {
        SplitNeeds needs;
        std::vector<uint64_t> free;
        Ranges ranges;
    } rows[] = {
        {needs_of(10, 100, 0, 0), {1000}, {{0, 0, 10}}},
        {needs_of(10, 100, 0, 0), {1000, 1000}, {{0, 0, 5}, {1, 5, 10}}},
        {needs_of(30, 100, 0, 0), {4000, 2000}, {{0, 0, 20}, {1, 20, 30}}},
        {needs_of(10, 100, 0, 0), {1000, 1000, 1000}, {{0, 0, 4}, {1, 4, 7}, {2, 7, 10}}},
        {needs_of(10, 100, 300, 0), {1000, 1000}, {{0, 0, 4}, {1, 4, 10}}},  // 700 and 600 before 800 and 500
        {needs_of(10, 100, 0, 500), {1000, 1000}, {{0, 0, 8}, {1, 8, 10}}},
        {needs_of(4, 100, 100, 900), {1000, 1000}, {{0, 0, 3}, {1, 3, 4}}},    // the head comes with a layer
        {needs_of(10, 100, 0, 0), {1000, 1, 1000}, {{0, 0, 5}, {2, 5, 10}}},   // a full one is left out
        {needs_of(2, 100, 0, 0), {1000, 1000, 1000}, {{0, 0, 1}, {1, 1, 2}}},  // more devices than layers
        {needs_of(1, 100, 50, 50), {100, 1000}, {{1, 0, 1}}},
    };
    for (const auto& row : rows) {
        CAPTURE(row.needs.layer_bytes.size());
        CAPTURE(row.free.front());
        const std::vector<SplitDevice> devices = devices_of(row.free);
        const Ranges ranges = plan_split(row.needs, devices);
        CHECK(ranges == row.ranges);
        CHECK(fullest(row.needs, devices, ranges) == best_of_all(row.needs, devices));
    }
}

TEST_CASE("no other cut leaves the fullest device emptier, and the layers are all there once") {
    uint64_t state = 1;
    const auto random = [&](uint64_t n) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        return (state >> 33) % n;
    };
    for (int round = 0; round < 60; ++round) {
        CAPTURE(round);
        SplitNeeds needs = needs_of(1 + random(7), 0, random(400), random(900));
        for (uint64_t& bytes : needs.layer_bytes) bytes = 1 + random(300);
        needs.head_copy_bytes = needs.first_bytes;
        needs.layer_context_bytes = random(50);
        needs.device_context_bytes = random(200);
        std::vector<uint64_t> free(1 + random(4));
        for (uint64_t& bytes : free) bytes = 1 + random(2000);
        const std::vector<SplitDevice> devices = devices_of(free);
        const Ranges ranges = plan_split(needs, devices);
        CHECK(fullest(needs, devices, ranges) == best_of_all(needs, devices));
        int64_t layer = 0;
        for (size_t i = 0; i < ranges.size(); ++i) {
            CHECK(ranges[i].first == layer);
            CHECK(ranges[i].end > layer);
            CHECK((i == 0 || ranges[i].device > ranges[i - 1].device));
            layer = ranges[i].end;
        }
        CHECK(layer == static_cast<int64_t>(needs.layer_bytes.size()));
    }
}

TEST_CASE("shares divide layers in their proportion, whatever is free") {
    const struct {
        size_t n_layer;
        std::vector<int32_t> shares;
        Ranges ranges;
    } rows[] = {
        {30, {20, 10}, {{0, 0, 20}, {1, 20, 30}}},  // as many layers as the shares say
        {60, {20, 10}, {{0, 0, 40}, {1, 40, 60}}},
        {30, {1, 1, 1, 1}, {{0, 0, 8}, {1, 8, 15}, {2, 15, 23}, {3, 23, 30}}},
        {3, {10000, 1}, {{0, 0, 3}}},  // too little for a layer
        {3, {1, 10000}, {{1, 0, 3}}},
    };
    for (const auto& row : rows) {
        CAPTURE(row.n_layer);
        const std::vector<uint64_t> free(row.shares.size(), 1);
        CHECK(plan_split(needs_of(row.n_layer, 5, 7, 9), devices_of(free, row.shares)) == row.ranges);
    }
}

TEST_CASE("a device that has no room is named, with its layers, its bytes and what to do") {
    const SplitNeeds needs = needs_of(10, 100, 50, 70);
    CHECK(message_of(needs, devices_of({600, 600}), false).empty());
    CHECK(message_of(needs, devices_of({1120}), false).empty());
    CHECK(message_of(needs, devices_of({1119}), false) ==
          "cuda:0 lacks 1 bytes: the whole model takes 1120, 1119 are free; name more devices, as cuda:0,cuda:1 or "
          "cuda:all, free other models there, or use device cpu");
    CHECK(message_of(needs, devices_of({1000, 500}, {1, 1}), false) ==
          "cuda:1 lacks 70 bytes: the part of layers 5..9 with the output matrix takes 570, 500 are free; give it a "
          "smaller share, free other models there, or use device cpu");
    CHECK(message_of(needs, devices_of({500, 1000}, {1, 1}), false).find("layers 0..4 with the embedding takes 550") !=
          std::string::npos);
    SplitNeeds with_context = needs;
    with_context.layer_context_bytes = 5;
    with_context.device_context_bytes = 11;
    CHECK(message_of(with_context, devices_of({1120}), false).empty());
    CHECK(message_of(with_context, devices_of({1120 + 50 + 11}), true).empty());
    CHECK(message_of(with_context, devices_of({1120 + 50 + 10}), true)
              .find("lacks 1 bytes: the whole model and a context take 1181") != std::string::npos);
    SplitNeeds tied = needs_of(2, 100, 500, 10);
    tied.head_copy_bytes = 500;
    CHECK(message_of(tied, devices_of({600, 610}), false).empty());
    CHECK(message_of(tied, devices_of({600, 609}), false).find("cuda:1 lacks 1 bytes") == 0);
    CHECK(message_of(tied, devices_of({710}), false).empty());
}
