// See ptx_warp.h.
#include "tests/support/ptx_warp.h"

#include <algorithm>

namespace test {
namespace {

std::string lanes_text(uint32_t mask) {
    std::string text = std::popcount(mask) == 1 ? "lane " : "lanes ";
    for (bool first = true; mask != 0; first = false) {
        const int begin = std::countr_zero(mask);
        const int n = std::countr_one(mask >> begin);
        text += (first ? "" : ", ") + std::to_string(begin);
        if (n > 1) text += (n == 2 ? " and " : " to ") + std::to_string(begin + n - 1);
        mask &= n == 32 ? 0 : ~(((1u << n) - 1) << begin);
    }
    return text;
}

class WarpRun {
public:
    explicit WarpRun(PtxWarp& warp)
        : warp_(warp), code_(warp.kernel->code.data()), vectors_(warp.kernel->vectors.data()) {}

    bool run() {
        while (choose()) {
            while (pc_ < limit_ && warp_.active != 0) step();
            keep_pc(warp_.active, pc_);
        }
        return stopped();
    }
    uint32_t pc() const { return pc_; }

private:
    // The lanes that run next, up to where they meet others that can run.
    bool choose() {
        const uint32_t able = warp_.alive & ~(warp_.at_block | warp_.at_warp);
        if (able == 0) return false;
        uint32_t least = ~0u;
        for_each_lane(able, [&](unsigned lane) { least = std::min(least, warp_.pc[lane]); });
        limit_ = ~0u;
        warp_.active = 0;
        for_each_lane(able, [&](unsigned lane) {
            if (warp_.pc[lane] == least) {
                warp_.active |= 1u << lane;
            } else {
                limit_ = std::min(limit_, warp_.pc[lane]);
            }
        });
        pc_ = least;
        return true;
    }

    void step() {
        const PtxInstruction& i = code_[pc_];
        const uint32_t reached = warp_.active;
        uint32_t mask = reached;
        if (i.guarded) {
            require_written(warp_.written[i.guard.id], mask);
            const uint32_t set = lane_mask(warp_.lanes<uint8_t>(i.guard));
            mask &= i.negated ? ~set : set;
        }
        switch (i.kind) {
            case PtxKind::plain:
                if (mask != 0) execute(i, mask);
                warp_.active = reached;
                ++pc_;
                return;
            case PtxKind::branch:
                if (mask == reached) {
                    pc_ = i.target;
                } else if (mask == 0) {
                    ++pc_;
                } else {
                    keep_pc(mask, i.target);
                    keep_pc(reached & ~mask, pc_ + 1);
                    warp_.active = 0;
                }
                return;
            case PtxKind::end:
                warp_.alive &= ~mask;
                warp_.active = reached & ~mask;
                ++pc_;
                return;
            case PtxKind::block_barrier:
                keep_pc(mask, pc_);
                warp_.at_block |= mask;
                warp_.active = reached & ~mask;
                ++pc_;
                return;
            case PtxKind::warp_barrier:
            case PtxKind::shuffle:
            case PtxKind::product:
                if (mask != 0) {
                    meet(i, reached, mask);
                } else {
                    ++pc_;
                }
                return;
        }
    }

    void execute(const PtxInstruction& i, uint32_t mask) {
        uint32_t written =
            warp_.written[i.operand[1].id] & warp_.written[i.operand[2].id] & warp_.written[i.operand[3].id];
        for (unsigned v = i.n_vector_results; v < i.n_vector; ++v) written &= warp_.written[vectors_[i.vector + v].id];
        require_written(written, mask);
        warp_.active = mask;
        if (i.run != nullptr) i.run(warp_, i);
        warp_.written[i.operand[0].id] |= mask;
        for (unsigned v = 0; v < i.n_vector_results; ++v) warp_.written[vectors_[i.vector + v].id] |= mask;
    }

    void require_written(uint32_t written, uint32_t mask) const {
        if ((mask & ~written) != 0) {
            throw PtxFault{"initcheck: a register that nothing wrote is read", mask & ~written};
        }
    }

    // An instruction that lanes execute together: those that come first wait for the others.
    void meet(const PtxInstruction& i, uint32_t reached, uint32_t mask) {
        uint32_t arrived = mask;
        for_each_lane(warp_.at_warp, [&](unsigned lane) { arrived |= warp_.pc[lane] == pc_ ? 1u << lane : 0; });
        const uint32_t members = i.kind == PtxKind::product ? kAllLanes : members_of(i, mask);
        if ((mask & ~members) != 0) {
            throw PtxFault{"synccheck: lanes that the mask of members does not name", mask & ~members};
        }
        if ((members & ~arrived) == 0) {
            execute(i, arrived);
            if (i.kind == PtxKind::warp_barrier) ++warp_.meetings;
            warp_.at_warp &= ~arrived;
            keep_pc(arrived, pc_ + 1);
        } else {
            warp_.at_warp |= mask;
            keep_pc(mask, pc_);
        }
        if (arrived == reached && warp_.at_warp == 0) {
            warp_.active = reached;
            ++pc_;
            return;
        }
        keep_pc(reached & ~mask, pc_ + 1);
        warp_.active = 0;  // chosen anew
    }

    uint32_t members_of(const PtxInstruction& i, uint32_t mask) {
        const PtxRegister& at = vectors_[i.vector + i.n_vector - 1];
        require_written(warp_.written[at.id], mask);
        const auto* lanes = warp_.lanes<uint32_t>(at);
        const uint32_t members = lanes[std::countr_zero(mask)];
        for_each_lane(mask, [&](unsigned lane) {
            if (lanes[lane] != members) throw PtxFault{"synccheck: lanes name different members", 1u << lane};
        });
        return members;
    }

    void keep_pc(uint32_t lanes, uint32_t pc) {
        for_each_lane(lanes, [&](unsigned lane) { warp_.pc[lane] = pc; });
    }

    // No lane can run.
    bool stopped() {
        if (warp_.alive == 0) return true;
        pc_ = warp_.pc[std::countr_zero(warp_.at_warp != 0 ? warp_.at_warp : warp_.at_block)];
        uint32_t here = 0;
        for_each_lane(warp_.alive, [&](unsigned lane) { here |= warp_.pc[lane] == pc_ ? 1u << lane : 0; });
        if (warp_.at_warp == 0 && here == warp_.alive && warp_.alive == warp_.begun) return false;
        std::string text = "synccheck: the lanes of a warp have parted: " + lanes_text(here) + " wait here";
        for_each_lane(warp_.alive & ~here, [&](unsigned lane) {
            text += ", lane " + std::to_string(lane) + " at line " + std::to_string(code_[warp_.pc[lane]].line);
        });
        const uint32_t ended = warp_.begun & ~warp_.alive;
        if (ended != 0) text += ", " + lanes_text(ended) + (std::popcount(ended) == 1 ? " has" : " have") + " ended";
        throw PtxFault{text, here};
    }

    PtxWarp& warp_;
    const PtxInstruction* const code_;
    const PtxRegister* const vectors_;
    uint32_t pc_ = 0;
    uint32_t limit_ = 0;
};

}  // namespace

bool run_warp(PtxWarp& warp) {
    WarpRun run(warp);
    try {
        return run.run();
    } catch (...) {
        warp.fault_pc = run.pc();
        throw;
    }
}

}  // namespace test
