// What tests of GPU operations share: a virtual GPU with one stream, and arrays that live in its memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/virtual_gpu.h"

namespace test {

class GpuFixture {
public:
    GpuFixture() : device(gpu_.open(0)), stream(device->make_stream()) {}
    ~GpuFixture() { release(); }
    GpuFixture(const GpuFixture&) = delete;
    GpuFixture& operator=(const GpuFixture&) = delete;

    // Memory of n elements, `offset` of them past an aligned address; lives until release().
    template <class T>
    T* room(size_t n, size_t offset = 0) {
        blocks_.push_back(device->allocate((n + offset) * sizeof(T) + 1, "test"));
        return reinterpret_cast<T*>(blocks_.back()) + offset;
    }
    template <class T>
    T* put(const std::vector<T>& values, size_t offset = 0) {
        T* to = room<T>(values.size(), offset);
        if (!values.empty()) stream->copy_in(to, values.data(), values.size() * sizeof(T));
        return to;
    }
    template <class T>
    std::vector<T> get(const T* from, size_t n) {
        std::vector<T> values(n);
        if (n > 0) stream->copy_out(values.data(), from, n * sizeof(T));
        return values;
    }
    VirtualCounters counters() { return gpu_.device(0).counters(); }
    // What the blocks' guards say; empty where nothing was written beside them.
    std::string release() {
        stream->synchronize();
        for (uint8_t* block : blocks_) device->release(block);
        blocks_.clear();
        stream.reset();
        std::string problems = gpu_.device(0).take_problems();
        stream = device->make_stream();
        return problems;
    }

private:
    VirtualGpu gpu_;
    std::vector<uint8_t*> blocks_;

public:
    std::shared_ptr<tg::GpuDevice> device;
    std::unique_ptr<tg::GpuStream> stream;
};

}  // namespace test
