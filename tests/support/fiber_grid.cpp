// See fiber_grid.h. The threads of a block stand in a ring, warp by warp: who waits gives way to the next lane of its warp, and
// to the next warp once all of its own wait for the block. So whoever runs again without what it waited for knows that
// everybody else had a turn and nobody will come. A thread gets a stack when it is first run and another one waits: threads
// that never wait are plain calls, one after the other, on one stack.
#include "tests/support/fiber_grid.h"

#include <cstring>
#include <exception>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/cuda/host_grid.h"
#include "tests/support/fiber_switch.h"

namespace host_grid {
constinit thread_local Place place = {};
}

namespace test {
namespace {

using host_grid::place;

constexpr unsigned kLanes = 32;
constexpr unsigned kMaxWarps = kMaxBlockThreads / kLanes;
constexpr size_t kGuardBytes = 256;  // behind the dynamic memory

enum class At : uint8_t { not_begun, block, warp, shuffle, mma, end };
constexpr const char* kPlaces[] = {"have not begun",        "wait at __syncthreads", "wait at __syncwarp",
                                   "wait at a __shfl_sync", "wait at a gpu_mma_s8",  "have returned"};

struct Fragments {
    uint32_t a[4];
    uint32_t b[2];
};

// Two of everything that lanes give each other: one that is ahead fills the other.
struct Warp {
    unsigned n_arrived;   // at the meeting of the warp's lanes
    unsigned n_meetings;  // so far
    unsigned n_at_block;
    unsigned n_ended;
    unsigned turn;  // the lane that runs when the warp does next
    At meeting;
    uint32_t values[2][kLanes];
    Fragments fragments[2][kLanes];
    int32_t products[2][kLanes][4];
};

class Player;
constinit thread_local Player* playing = nullptr;

class Player {
public:
    void run(void (*kernel)(const void*), const void* args, const tg::GpuGrid& grid, GridOrder order);

    void wait_for_block();
    // Returns which of the two rooms the meeting used. last(room) runs before the others go on.
    template <class Last>
    unsigned meet(At where, unsigned mask, Last last);
    Warp& warp() { return warps_[running_ / kLanes]; }
    unsigned lane() const { return running_ % kLanes; }
    unsigned room() { return warp().n_meetings & 1; }

private:
    static void fiber_body();
    void run_threads();
    void run_block();
    void prepare_shared(size_t n_bytes);
    void check_shared(size_t n_bytes) const;

    unsigned next_lane(const Warp& warp, unsigned warp_index, unsigned lane) const;
    unsigned next_thread();
    void give_way(At where);
    void enter(unsigned thread);
    Fiber* idle_fiber();
    [[noreturn]] void stop();
    [[noreturn]] void diverged();
    std::string block_name() const;
    std::string parted() const;

    void (*kernel_)(const void*) = nullptr;
    const void* args_ = nullptr;
    unsigned n_threads_ = 0;
    unsigned n_warps_ = 0;
    unsigned step_ = 0;  // to the next lane of the ring, modulo 32: one up or one down
    unsigned running_ = 0;
    unsigned n_at_block_ = 0;
    unsigned n_barriers_ = 0;
    unsigned n_ended_ = 0;
    At at_[kMaxBlockThreads] = {};
    Fiber* waiting_[kMaxBlockThreads] = {};
    Warp warps_[kMaxWarps] = {};

    Fiber main_;
    Fiber* current_ = &main_;
    std::vector<std::unique_ptr<Fiber>> fibers_;
    std::vector<Fiber*> idle_;
    std::exception_ptr failure_;
    std::vector<std::byte> shared_;
};

void Player::run(void (*kernel)(const void*), const void* args, const tg::GpuGrid& grid, GridOrder order) {
    if (grid.threads == 0 || grid.threads % kLanes != 0 || grid.threads > kMaxBlockThreads) {
        throw GridError("a block of " + std::to_string(grid.threads) + " threads: not a multiple of 32 up to " +
                        std::to_string(kMaxBlockThreads));
    }
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) throw GridError("a grid without blocks");
    if (grid.shared_bytes > kMaxDynamicShared) {
        throw GridError(std::to_string(grid.shared_bytes) + " bytes of dynamic shared memory: a block has at most " +
                        std::to_string(kMaxDynamicShared));
    }
    if (playing != nullptr) throw GridError("a kernel launches a grid");
    struct Playing {
        explicit Playing(Player* player) { playing = player; }
        ~Playing() { playing = nullptr; }
    } const now(this);
    kernel_ = kernel;
    args_ = args;
    n_threads_ = grid.threads;
    n_warps_ = grid.threads / kLanes;
    place.block_dim = {grid.threads, 1, 1};
    place.grid_dim = {grid.x, grid.y, grid.z};
    const uint64_t n_blocks = uint64_t{grid.x} * grid.y * grid.z;
    for (uint64_t i = 0; i < n_blocks; ++i) {
        const uint64_t block = order == GridOrder::forward ? i : n_blocks - 1 - i;
        step_ = (i & 1) == (order == GridOrder::backward ? 1u : 0u) ? 1 : kLanes - 1;
        const uint64_t plane = block / grid.x;
        place.block = {static_cast<unsigned>(block % grid.x), static_cast<unsigned>(plane % grid.y),
                       static_cast<unsigned>(plane / grid.y)};
        prepare_shared(grid.shared_bytes);
        run_block();
        check_shared(grid.shared_bytes);
    }
}

void Player::prepare_shared(size_t n_bytes) {
    if (shared_.size() < n_bytes + kGuardBytes + 128) shared_.resize(n_bytes + kGuardBytes + 128);
    const auto address = reinterpret_cast<uintptr_t>(shared_.data());
    place.dynamic_shared = reinterpret_cast<unsigned char*>(shared_.data() + (128 - address % 128));
    const size_t n_filled = n_bytes + kGuardBytes;
    for (size_t i = 0; i + 4 <= n_filled; i += 4) std::memcpy(place.dynamic_shared + i, &kSharedPoison, 4);
    std::memset(place.dynamic_shared + n_bytes, 0xe7, kGuardBytes);
}

void Player::check_shared(size_t n_bytes) const {
    for (size_t i = 0; i < kGuardBytes; ++i) {
        if (place.dynamic_shared[n_bytes + i] != 0xe7) {
            throw GridError("a thread of " + block_name() + " wrote behind the " + std::to_string(n_bytes) +
                            " bytes of dynamic shared memory");
        }
    }
}

void Player::run_block() {
    std::memset(at_, 0, n_threads_);
    for (unsigned w = 0; w < n_warps_; ++w) {
        Warp& warp = warps_[w];
        warp.n_arrived = warp.n_meetings = warp.n_at_block = warp.n_ended = 0;
        warp.turn = step_ == 1 ? 0 : kLanes - 1;
    }
    n_at_block_ = n_barriers_ = n_ended_ = 0;
    enter(step_ == 1 ? 0 : n_threads_ - 1);
    if (failure_ == nullptr) return;
    // Some fibers stand in the middle of a kernel and will never be asked to go on.
    idle_.clear();
    fibers_.clear();
    std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Player::fiber_body() {
    for (;;) playing->run_threads();
}

// What a fiber does with its stack: runs a thread, then each one that has not begun, until it meets one that waits.
void Player::run_threads() {
    try {
        kernel_(args_);
    } catch (...) {
        failure_ = std::current_exception();
    }
    Fiber& self = *current_;
    if (failure_ != nullptr) stop();
    at_[running_] = At::end;
    ++warp().n_ended;
    if (++n_ended_ == n_threads_) {
        idle_.push_back(&self);
        current_ = &main_;
        self.switch_to(main_);
        return;
    }
    const unsigned next = next_thread();
    if (at_[next] == At::not_begun) {
        running_ = next;
        place.thread.x = next;
        return;
    }
    idle_.push_back(&self);
    enter(next);
}

// Lets a thread run, from the fiber that runs now; returns when that is entered again.
void Player::enter(unsigned thread) {
    running_ = thread;
    place.thread.x = thread;
    Fiber& self = *current_;
    current_ = at_[thread] == At::not_begun ? idle_fiber() : waiting_[thread];
    self.switch_to(*current_);
}

Fiber* Player::idle_fiber() {
    if (idle_.empty()) {
        fibers_.push_back(std::make_unique<Fiber>(fiber_body, fibers_.size()));
        return fibers_.back().get();
    }
    Fiber* fiber = idle_.back();
    idle_.pop_back();
    return fiber;
}

unsigned Player::next_lane(const Warp& warp, unsigned warp_index, unsigned lane) const {
    if (warp.n_ended == 0) return lane;
    while (at_[warp_index * kLanes + lane] == At::end) lane = (lane + step_) % kLanes;
    return lane;
}

// Not all threads have ended. The running one is the answer where only it is left.
unsigned Player::next_thread() {
    unsigned w = running_ / kLanes;
    warps_[w].turn = (running_ + step_) % kLanes;
    if (warps_[w].n_at_block + warps_[w].n_ended == kLanes) {
        do {
            w = step_ == 1 ? w + 1 : w + n_warps_ - 1;
            if (w >= n_warps_) w -= n_warps_;
        } while (warps_[w].n_ended == kLanes);
    }
    return w * kLanes + next_lane(warps_[w], w, warps_[w].turn);
}

void Player::give_way(At where) {
    const unsigned self = running_;
    at_[self] = where;
    const unsigned next = next_thread();
    if (next == self) return;
    waiting_[self] = current_;
    enter(next);
}

void Player::wait_for_block() {
    if (++n_at_block_ == n_threads_) {
        n_at_block_ = 0;
        for (unsigned w = 0; w < n_warps_; ++w) warps_[w].n_at_block = 0;
        ++n_barriers_;
        return;
    }
    ++warp().n_at_block;
    const unsigned before = n_barriers_;
    give_way(At::block);
    if (n_barriers_ == before) diverged();
}

template <class Last>
unsigned Player::meet(At where, unsigned mask, Last last) {
    Warp& mine = warp();
    if (mask != 0xffffffffu) throw GridError("a mask that is not of the whole warp");
    const unsigned before = mine.n_meetings;
    if (mine.n_arrived == 0) mine.meeting = where;
    if (mine.meeting != where) {
        at_[running_] = where;
        diverged();
    }
    if (++mine.n_arrived == kLanes) {
        mine.n_arrived = 0;
        last(before & 1);
        ++mine.n_meetings;
    } else {
        give_way(where);
        if (mine.n_meetings == before) diverged();
    }
    return before & 1;
}

// Back to run_block with failure_. Frames of this stack never end, so they may own nothing.
void Player::stop() {
    Fiber& self = *current_;
    current_ = &main_;
    self.switch_to(main_);
    std::terminate();  // nobody enters a stopped fiber
}

void Player::diverged() {
    failure_ = std::make_exception_ptr(GridError(parted()));
    stop();
}

std::string Player::block_name() const {
    return "block (" + std::to_string(place.block.x) + ", " + std::to_string(place.block.y) + ", " +
           std::to_string(place.block.z) + ")";
}

std::string Player::parted() const {
    std::string text = "the threads of " + block_name() + " have parted:";
    for (size_t where = 0; where < std::size(kPlaces); ++where) {
        unsigned count = 0;
        unsigned first = 0;
        for (unsigned thread = n_threads_; thread-- > 0;) {
            if (at_[thread] != static_cast<At>(where)) continue;
            ++count;
            first = thread;
        }
        if (count == 0) continue;
        text += (text.back() == ':' ? " " : ", ") + std::to_string(count) + " " + kPlaces[where] + " (first: thread " +
                std::to_string(first) + ")";
    }
    return text;
}

// d[i] of each lane: the product of the warp's fragments, as grid_lang.h lays them out.
void multiply(const Fragments (&fragments)[kLanes], int32_t (&products)[kLanes][4]) {
    int16_t a[16][32];
    int16_t b[8][32];
    const auto spread = [](uint32_t word, int16_t* to) {
        for (int i = 0; i < 4; ++i) to[i] = static_cast<int8_t>(word >> (8 * i));
    };
    for (unsigned lane = 0; lane < kLanes; ++lane) {
        const unsigned row = lane / 4;
        const unsigned k = lane % 4 * 4;
        for (unsigned i = 0; i < 4; ++i) spread(fragments[lane].a[i], a[row + i % 2 * 8] + k + i / 2 * 16);
        for (unsigned i = 0; i < 2; ++i) spread(fragments[lane].b[i], b[row] + k + i * 16);
    }
    for (unsigned row = 0; row < 16; ++row) {
        for (unsigned column = 0; column < 8; ++column) {
            int32_t sum = 0;
            for (unsigned k = 0; k < 32; ++k) sum += a[row][k] * b[column][k];
            products[row % 8 * 4 + column / 2][row / 8 * 2 + column % 2] = sum;
        }
    }
}

}  // namespace

void run_grid(void (*kernel)(const void* args), const void* args, const tg::GpuGrid& grid, GridOrder order) {
    thread_local const std::unique_ptr<Player> player = std::make_unique<Player>();
    player->run(kernel, args, grid, order);
}

}  // namespace test

namespace host_grid {

using test::At;
using test::playing;

void sync_block() { playing->wait_for_block(); }

void sync_warp(unsigned mask) {
    playing->meet(At::warp, mask, [](unsigned) {});
}

uint32_t exchange(unsigned mask, uint32_t value, unsigned from) {
    test::Warp& warp = playing->warp();
    warp.values[playing->room()][playing->lane()] = value;
    return warp.values[playing->meet(At::shuffle, mask, [](unsigned) {})][from];
}

void mma_s8_16x8x32(int32_t* d, const uint32_t* a, const uint32_t* b) {
    test::Warp& warp = playing->warp();
    const unsigned lane = playing->lane();
    test::Fragments& mine = warp.fragments[playing->room()][lane];
    std::memcpy(mine.a, a, sizeof mine.a);
    std::memcpy(mine.b, b, sizeof mine.b);
    const unsigned room = playing->meet(At::mma, 0xffffffffu,
                                        [&warp](unsigned r) { test::multiply(warp.fragments[r], warp.products[r]); });
    for (int i = 0; i < 4; ++i) {
        d[i] = static_cast<int32_t>(static_cast<uint32_t>(d[i]) + static_cast<uint32_t>(warp.products[room][lane][i]));
    }
}

}  // namespace host_grid
