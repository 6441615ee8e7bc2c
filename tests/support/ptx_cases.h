// What tests of the PTX interpreter share: kernels written as a few lines, run over buffers that are all there is of a device.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/ptx_grid.h"

namespace test {

class PtxBuffers : public PtxDeviceMemory {
public:
    void add(const void* address, size_t n_bytes) {
        blocks_.emplace_back(reinterpret_cast<uintptr_t>(address), n_bytes);
    }
    bool find(uint64_t address, uint64_t* begin, uint64_t* n_bytes) override {
        for (const auto& [at, n] : blocks_) {
            if (address < at || address - at >= n) continue;
            *begin = at;
            *n_bytes = n;
            return true;
        }
        return false;
    }

private:
    std::vector<std::pair<uint64_t, uint64_t>> blocks_;
};

// The kernel `k` of two addresses, `in` and `out`, for blocks of up to 64 threads. Its registers are %p, %h (16 bits), %r, %d
// (64 bits), %f and %g (64 bits), 16 of each, %d1 and %d2 the two addresses, and %r1 the thread; declared: behind them.
inline std::string ptx_module(const std::string& body, const std::string& declared = "") {
    return ".version 8.0\n.target sm_80\n.address_size 64\n.extern .shared .align 16 .b8 dynamic[];\n"
           ".visible .entry k(.param .u64 in, .param .u64 out)\n.maxntid 64, 1, 1\n{\n"
           ".reg .pred %p<16>; .reg .b16 %h<16>; .reg .b32 %r<16>; .reg .b64 %d<16>; .reg .f32 %f<16>; .reg .f64 "
           "%g<16>;\n" +
           declared + "\nld.param.u64 %d1, [in]; ld.param.u64 %d2, [out]; mov.u32 %r1, %tid.x;\n" + body +
           "\nret;\n}\n";
}

// "" or what is wrong, of the text or of its run.
inline std::string run_ptx_body(const std::string& body, const std::vector<uint64_t>& in, std::vector<uint64_t>* out,
                                const tg::GpuGrid& grid, const std::string& declared = "",
                                GridOrder order = GridOrder::forward) {
    try {
        const PtxProgram program(ptx_module(body, declared));
        PtxBuffers buffers;
        buffers.add(in.data(), in.size() * sizeof(uint64_t));
        buffers.add(out->data(), out->size() * sizeof(uint64_t));
        const uint64_t args[] = {reinterpret_cast<uintptr_t>(in.data()), reinterpret_cast<uintptr_t>(out->data())};
        run_ptx({.program = program,
                 .kernel = "k",
                 .args = args,
                 .n_args = sizeof args,
                 .grid = grid,
                 .memory = buffers,
                 .order = order});
    } catch (const PtxError& error) {
        return error.what();
    } catch (const GridError& error) {
        return error.what();
    }
    return "";
}

}  // namespace test
