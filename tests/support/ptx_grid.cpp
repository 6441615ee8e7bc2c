// See ptx_grid.h.
#include "tests/support/ptx_grid.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/ptx_warp.h"

namespace test {
namespace {

constexpr uint32_t kMaxStaticShared = 48 * 1024;

struct BlockIndex {
    uint32_t x, y, z;
};

// A warp and the memory of its registers, which serves one launch after the other.
class WarpRoom {
public:
    PtxWarp warp;

    void prepare(const PtxKernel& kernel) {
        warp.kernel = kernel_ = &kernel;
        if (prepared_for_ == kernel.number) return;
        prepared_for_ = kernel.number;
        constexpr size_t kLine = 64;
        file_.resize(kernel.file_bytes + kLine);
        written_.resize(kernel.n_registers);
        warp.file = file_.data() + (kLine - reinterpret_cast<uintptr_t>(file_.data()) % kLine);
        warp.written = written_.data();
        for (const PtxConstant& constant : kernel.constants) {
            for (unsigned lane = 0; lane < kPtxLanes; ++lane) {
                std::memcpy(warp.file + constant.to.at + lane * constant.bytes, &constant.value, constant.bytes);
            }
        }
    }

    void begin_block(const tg::GpuGrid& grid, const BlockIndex& block, uint32_t index, PtxMemory& memory) {
        std::fill(written_.begin() + 1, written_.end(), 0u);
        written_[0] = kAllLanes;
        const uint32_t first = index * kPtxLanes;
        const uint32_t n = std::min(kPtxLanes, grid.threads - first);
        warp.index = index;
        warp.memory = &memory;
        warp.meetings = 0;
        warp.begun = warp.alive = n == kPtxLanes ? kAllLanes : (1u << n) - 1;
        warp.at_block = warp.at_warp = warp.active = 0;
        std::memset(warp.pc, 0, sizeof warp.pc);
        for (const PtxSpecialUse& use : kernel_->specials) {
            auto* lanes = warp.lanes<uint32_t>(use.to);
            for (unsigned lane = 0; lane < kPtxLanes; ++lane)
                lanes[lane] = value_of(use.what, grid, block, first, lane);
        }
    }

private:
    static uint32_t value_of(PtxSpecial what, const tg::GpuGrid& grid, const BlockIndex& block, uint32_t first,
                             unsigned lane) {
        switch (what) {
            case PtxSpecial::tid_x: return first + lane;
            case PtxSpecial::ntid_x: return grid.threads;
            case PtxSpecial::ctaid_x: return block.x;
            case PtxSpecial::ctaid_y: return block.y;
            case PtxSpecial::ctaid_z: return block.z;
            case PtxSpecial::nctaid_x: return grid.x;
            case PtxSpecial::nctaid_y: return grid.y;
            case PtxSpecial::nctaid_z: return grid.z;
            case PtxSpecial::laneid: return lane;
            case PtxSpecial::tid_y:
            case PtxSpecial::tid_z: return 0;
            case PtxSpecial::ntid_y:
            case PtxSpecial::ntid_z: return 1;
        }
        return 0;
    }

    uint64_t prepared_for_ = 0;
    const PtxKernel* kernel_ = nullptr;
    std::vector<uint8_t> file_;
    std::vector<uint32_t> written_;
};

class PtxPlayer {
public:
    void run(const PtxLaunch& launch);

private:
    void run_block(const PtxLaunch& launch, const BlockIndex& block, bool forward);
    void pass_barrier(const std::vector<bool>& ended);

    const PtxKernel* kernel_ = nullptr;
    PtxMemory memory_;
    std::vector<std::unique_ptr<WarpRoom>> rooms_;
    uint32_t n_warps_ = 0;
    const PtxWarp* at_fault_ = nullptr;
};

[[noreturn]] void fail(const PtxLaunch& launch, const std::string& what) {
    throw GridError(std::string(launch.kernel) + ": launch: " + what);
}

void PtxPlayer::run(const PtxLaunch& launch) {
    kernel_ = launch.program.kernel(launch.kernel);
    if (kernel_ == nullptr) fail(launch, "the PTX has no such kernel");
    const tg::GpuGrid& grid = launch.grid;
    if (launch.n_args != kernel_->parameter_bytes) {
        fail(launch,
             std::to_string(launch.n_args) + " bytes of parameters, not " + std::to_string(kernel_->parameter_bytes));
    }
    const uint32_t most = kernel_->max_threads != 0 ? kernel_->max_threads : kMaxBlockThreads;
    if (grid.threads == 0 || grid.threads > most) {
        fail(launch, "blocks of " + std::to_string(grid.threads) + " threads, not of up to " + std::to_string(most));
    }
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) fail(launch, "a grid without blocks");
    const uint32_t shared = kernel_->static_shared_bytes + grid.shared_bytes;
    if (kernel_->static_shared_bytes > kMaxStaticShared || shared > launch.max_shared_bytes) {
        fail(launch, std::to_string(kernel_->static_shared_bytes) + " and " + std::to_string(grid.shared_bytes) +
                         " bytes of shared memory, more than " + std::to_string(launch.max_shared_bytes));
    }
    n_warps_ = (grid.threads + kPtxLanes - 1) / kPtxLanes;
    while (rooms_.size() < n_warps_) rooms_.push_back(std::make_unique<WarpRoom>());
    for (uint32_t w = 0; w < n_warps_; ++w) rooms_[w]->prepare(*kernel_);
    memory_.begin_launch(*kernel_, launch.memory, launch.args, shared);
    const uint64_t n_blocks = uint64_t{grid.x} * grid.y * grid.z;
    for (uint64_t i = 0; i < n_blocks; ++i) {
        const uint64_t number = launch.order == GridOrder::forward ? i : n_blocks - 1 - i;
        const uint64_t plane = number / grid.x;
        run_block(launch,
                  {static_cast<uint32_t>(number % grid.x), static_cast<uint32_t>(plane % grid.y),
                   static_cast<uint32_t>(plane / grid.y)},
                  ((i & 1) == 0) == (launch.order == GridOrder::forward));
    }
}

void PtxPlayer::run_block(const PtxLaunch& launch, const BlockIndex& block, bool forward) {
    memory_.begin_block();
    for (uint32_t w = 0; w < n_warps_; ++w) rooms_[w]->begin_block(launch.grid, block, w, memory_);
    std::vector<bool> ended(n_warps_, false);
    try {
        for (uint32_t n_ended = 0; n_ended < n_warps_;) {
            for (uint32_t w = 0; w < n_warps_; ++w) {
                const uint32_t index = forward ? w : n_warps_ - 1 - w;
                at_fault_ = &rooms_[index]->warp;
                ended[index] = run_warp(rooms_[index]->warp);
                n_ended += ended[index] ? 1 : 0;
            }
            if (n_ended < n_warps_) pass_barrier(ended);
        }
    } catch (const PtxFault& fault) {
        const auto first = static_cast<uint32_t>(std::countr_zero(fault.lanes));
        const uint32_t line = kernel_->code[at_fault_->fault_pc].line;
        throw GridError(kernel_->name + ": block (" + std::to_string(block.x) + ", " + std::to_string(block.y) + ", " +
                        std::to_string(block.z) + "), thread " + std::to_string(at_fault_->index * kPtxLanes + first) +
                        (std::popcount(fault.lanes) > 1 ? " and others" : "") + ": " + fault.what + ": PTX line " +
                        std::to_string(line) + ": `" + launch.program.line(line) + "`");
    }
}

// All warps wait, or have ended.
void PtxPlayer::pass_barrier(const std::vector<bool>& ended) {
    PtxWarp* waiting = nullptr;
    for (uint32_t w = 0; w < n_warps_; ++w) {
        PtxWarp& warp = rooms_[w]->warp;
        if (ended[w]) continue;
        if (waiting == nullptr) waiting = &warp;
        warp.fault_pc = warp.pc[0];
    }
    at_fault_ = waiting;
    for (uint32_t w = 0; w < n_warps_; ++w) {
        const PtxWarp& warp = rooms_[w]->warp;
        if (!ended[w] && warp.fault_pc == waiting->fault_pc) continue;
        throw PtxFault{"synccheck: the warps of a block have parted: warp " + std::to_string(waiting->index) +
                           " waits here, warp " + std::to_string(w) +
                           (ended[w] ? " has ended" : " at line " + std::to_string(kernel_->code[warp.fault_pc].line)),
                       waiting->at_block};
    }
    for (uint32_t w = 0; w < n_warps_; ++w) {
        PtxWarp& warp = rooms_[w]->warp;
        warp.at_block = 0;
        warp.meetings = 0;
        for (uint32_t& pc : warp.pc) ++pc;
    }
    memory_.pass_barrier();
}

}  // namespace

void run_ptx(const PtxLaunch& launch) {
    thread_local const std::unique_ptr<PtxPlayer> player = std::make_unique<PtxPlayer>();
    player->run(launch);
}

const PtxProgram* ptx_of_tests() {
    static const std::unique_ptr<PtxProgram> program = []() -> std::unique_ptr<PtxProgram> {
        const char* const path = std::getenv("BITNET_TEST_PTX");
        if (path == nullptr || *path == '\0') return nullptr;
        try {
            return PtxProgram::of_file(path);
        } catch (const PtxError& error) {
            std::fprintf(stderr, "BITNET_TEST_PTX=%s: %s\n", path, error.what());
            std::exit(1);
        }
    }();
    return program.get();
}

}  // namespace test
