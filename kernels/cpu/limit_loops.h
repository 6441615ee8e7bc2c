// Reading and multiplying as plain loops over a register type V, for limit_<level>.cpp:
//   V::Reg, V::zero(), V::load(p), V::mix(a, b) (a xor b), V::fold(a) to 64 bits, V::prefetch(p)
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/limit_kernels.h"

namespace kern {
namespace {

template <class V, int kStreams>
uint64_t read_streams(const uint8_t* data, size_t n_bytes, size_t ahead) {
    constexpr size_t kLine = 64;
    constexpr size_t kLoads = kLine / sizeof(typename V::Reg);
    const size_t part = n_bytes / kStreams;
    typename V::Reg sums[kStreams][kLoads];
    for (auto& stream : sums) {
        for (auto& sum : stream) sum = V::zero();
    }
    for (size_t at = 0; at < part; at += kLine) {
        for (int s = 0; s < kStreams; ++s) {
            const uint8_t* line = data + static_cast<size_t>(s) * part + at;
            if (ahead != 0) V::prefetch(line + ahead);  // beyond the end it does nothing
            for (size_t i = 0; i < kLoads; ++i) {
                sums[s][i] = V::mix(sums[s][i], V::load(line + i * sizeof(typename V::Reg)));
            }
        }
    }
    typename V::Reg all = V::zero();
    for (auto& stream : sums) {
        for (auto& sum : stream) all = V::mix(all, sum);
    }
    return V::fold(all);
}

template <class V>
uint64_t limit_read(const void* data, size_t n_bytes, int n_streams, size_t ahead) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    if (n_streams >= 4) return read_streams<V, 4>(bytes, n_bytes, ahead);
    if (n_streams >= 2) return read_streams<V, 2>(bytes, n_bytes, ahead);
    return read_streams<V, 1>(bytes, n_bytes, ahead);
}

}  // namespace
}  // namespace kern
