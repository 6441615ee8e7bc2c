// The GPU's attention, played on the CPU, against the scalar kernel token by token: the same bits for every shape of heads,
// types of cache, lists of cells and share of scratch memory.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "ggml-like/gpu/attend_plan.h"
#include "ggml-like/gpu/gpu_ops.h"
#include "kernels/cpu/vec_kernel_sets.h"
#include "tests/support/float_bits.h"
#include "tests/support/gpu_arrays.h"

namespace {

using kern::KvType;
using kern::vec_scalar;
using test::difference;
using test::GpuFixture;

struct Heads {
    int64_t head_dim, group, n_head_kv;
    KvType k_type = KvType::f16, v_type = KvType::f16;
};

// A slice of a list of cells for each token; the lists of all texts lie in one.
struct Lists {
    std::vector<int32_t> begin, n_cells, text;
    int64_t n_listed = 0;

    void add(int64_t from, int64_t n, int64_t of_text = 0) {
        begin.push_back(static_cast<int32_t>(from));
        n_cells.push_back(static_cast<int32_t>(n));
        text.push_back(static_cast<int32_t>(of_text));
        n_listed = std::max(n_listed, from + n);
    }
};

// A prompt: each token sees one cell more than the one before; with a window, no more than that many.
Lists prompt(int64_t n_tokens, int64_t n_before, int64_t window) {
    Lists lists;
    for (int64_t t = 0; t < n_tokens; ++t) {
        const int64_t seen = n_before + t + 1, n = std::min(seen, window);
        lists.add(seen - n, n);
    }
    return lists;
}

// Texts side by side: every token has a list of its own.
Lists texts(const std::vector<int64_t>& n_cells) {
    Lists lists;
    for (const int64_t n : n_cells) lists.add(lists.n_listed, n, lists.n_listed);
    return lists;
}

constexpr int64_t kWhole = std::numeric_limits<int32_t>::max();

struct Case {
    Heads heads;
    Lists lists;
    std::vector<float> q;
    std::vector<uint8_t> k, v;
    std::vector<int32_t> cells;
    int64_t n_slots;

    Case(const Heads& h, Lists l, uint32_t seed, uint32_t special_every = 0) : heads(h), lists(std::move(l)) {
        n_slots = lists.n_listed + 3;
        q = numbers(n_tokens() * n_head() * h.head_dim, seed, special_every == 0 ? 0 : 16 * special_every);
        for (float& x : q) x *= 4.0f;
        k = rows(h.k_type, seed + 1, special_every);
        v = rows(h.v_type, seed + 2, special_every);
        cells.resize(static_cast<size_t>(n_slots));
        std::iota(cells.begin(), cells.end(), 0);
        std::shuffle(cells.begin(), cells.end(), std::mt19937(seed + 3));
        cells.resize(static_cast<size_t>(lists.n_listed));
    }
    int64_t n_tokens() const { return static_cast<int64_t>(lists.begin.size()); }
    int64_t n_head() const { return heads.group * heads.n_head_kv; }
    int64_t most_cells() const { return *std::max_element(lists.n_cells.begin(), lists.n_cells.end()); }

    static std::vector<float> numbers(int64_t n, uint32_t seed, uint32_t special_every) {
        return special_every == 0 ? test::random_floats(static_cast<size_t>(n), seed)
                                  : test::mixed_floats(static_cast<size_t>(n), seed, special_every);
    }
    std::vector<uint8_t> rows(KvType type, uint32_t seed, uint32_t special_every) const {
        const int64_t head_bytes = kern::kv_head_bytes(type, heads.head_dim), n = n_slots * heads.n_head_kv;
        const std::vector<float> x = numbers(n * heads.head_dim, seed, special_every);
        std::vector<uint8_t> bytes(static_cast<size_t>(n * head_bytes));
        for (int64_t i = 0; i < n; ++i) {
            vec_scalar.f32_to_kv(type, x.data() + i * heads.head_dim, heads.head_dim, bytes.data() + i * head_bytes);
        }
        return bytes;
    }

    std::vector<float> on_cpu() const {
        std::vector<float> out(q.size()), scores(static_cast<size_t>(heads.group * (most_cells() + 15) / 16 * 16 + 16));
        kern::AttendArgs args{};
        args.head_dim = args.q_stride = args.out_stride = heads.head_dim;
        args.n_q = heads.group;
        args.n_tokens = 1;
        args.k_type = heads.k_type;
        args.v_type = heads.v_type;
        args.k_stride = kern::kv_head_bytes(heads.k_type, heads.head_dim);
        args.v_stride = kern::kv_head_bytes(heads.v_type, heads.head_dim);
        args.scale = 1.0f / std::sqrt(static_cast<float>(heads.head_dim));
        for (int64_t t = 0; t < n_tokens(); ++t) {
            for (int64_t head = 0; head < heads.n_head_kv; ++head) {
                const int64_t at = (t * n_head() + head * heads.group) * heads.head_dim;
                args.q = q.data() + at;
                args.out = out.data() + at;
                args.k = k.data() + head * n_slots * args.k_stride;
                args.v = v.data() + head * n_slots * args.v_stride;
                args.cells = cells.data() + lists.begin[static_cast<size_t>(t)];
                args.n_cells = lists.n_cells[static_cast<size_t>(t)];
                scores.resize(static_cast<size_t>(heads.group * ((args.n_cells + 15) / 16 * 16)));
                args.scores = scores.data();
                args.scores_stride = (args.n_cells + 15) / 16 * 16;
                vec_scalar.attend(args);
            }
        }
        return out;
    }

    // more_cells: than any token sees, as where a recorded step serves later ones; at_once: tokens whose scores fit, or a tile's.
    std::vector<float> on_gpu(GpuFixture& gpu, int64_t more_cells = 0, int64_t at_once = kWhole) const {
        tg::GpuAttention work;
        work.q = gpu.put(q);
        work.out = gpu.room<float>(q.size());
        work.kv.k = gpu.put(k);
        work.kv.v = gpu.put(v);
        work.kv.k_type = heads.k_type;
        work.kv.v_type = heads.v_type;
        work.kv.n_cells = n_slots;
        work.n_head = n_head();
        work.n_head_kv = heads.n_head_kv;
        work.head_dim = heads.head_dim;
        work.cells = gpu.put(cells);
        work.begin = gpu.put(lists.begin);
        work.n_cells = gpu.put(lists.n_cells);
        work.most_cells = most_cells() + more_cells;
        const int32_t tile = tg::gpu_attention_tile(n_head(), heads.n_head_kv, heads.head_dim, heads.k_type);
        tg::AttendPlan plan;
        plan.make(lists.text, lists.n_cells, tile);
        if (n_tokens() >= tg::AttendPlan::kFewTexts)
            work.tiles = gpu.put(std::vector(plan.tiles().begin(), plan.tiles().end()));
        if (!plan.shares().empty()) work.shares = gpu.put(std::vector(plan.shares().begin(), plan.shares().end()));
        work.n_together = plan.n_together();
        work.n_alone = plan.n_alone();
        const int64_t n_fit = std::max<int64_t>(at_once, plan.n_together() > 0 ? tile : 1);
        work.n_scores = tg::gpu_attention_scores(n_head(), work.most_cells) * std::min(n_tokens(), n_fit);
        work.scores = gpu.room<float>(static_cast<size_t>(work.n_scores));
        tg::gpu_attention(*gpu.stream, work);
        std::vector<float> out = gpu.get(work.out, q.size());
        CHECK(gpu.release() == "");
        return out;
    }
};

std::string text(const Heads& h) {
    return std::to_string(h.head_dim) + " dimensions, " + std::to_string(h.group) + " heads a KV head, types " +
           std::to_string(static_cast<int>(h.k_type)) + " and " + std::to_string(static_cast<int>(h.v_type));
}

void same_bits(const Case& one) {
    GpuFixture gpu;
    INFO(text(one.heads));
    CHECK(difference(one.on_gpu(gpu), one.on_cpu()) == "");
}

constexpr KvType kTypes[] = {KvType::f16, KvType::q8_0, KvType::q4_0};
constexpr int64_t kTokens[] = {1, 9, 70};  // one launch each of few, some and many

}  // namespace

TEST_CASE("attention on a GPU has the CPU's bits for one token and any number of cells") {
    for (const int64_t n : {1, 2, 15, 16, 17, 127, 128, 129, 255, 256, 300, 1000}) {
        same_bits(Case({128, 4, 2}, texts({n}), static_cast<uint32_t>(n)));
    }
}

TEST_CASE("attention on a GPU has the CPU's bits for heads of any width, in groups of any size") {
    for (const int64_t n_tokens : kTokens) {
        for (const int64_t head_dim : {1, 7, 8, 16, 20, 32, 48, 64, 80, 100, 128, 160, 256}) {
            const int64_t group = 1 + head_dim % 5;
            same_bits(Case({head_dim, group, 2}, prompt(n_tokens, 30, kWhole), 5));
        }
        for (const int64_t group : {1, 2, 3, 4, 5, 7, 8, 11, 40}) {
            same_bits(Case({32, group, 1}, prompt(n_tokens, 50, kWhole), 6));
        }
    }
}

TEST_CASE("attention on a GPU has the CPU's bits for every pair of types of keys and values") {
    for (const int64_t n_tokens : kTokens) {
        for (const KvType k_type : kTypes) {
            for (const KvType v_type : kTypes) {
                for (const int64_t head_dim : {32, 64, 96, 128}) {
                    same_bits(Case({head_dim, 3, 2, k_type, v_type}, prompt(n_tokens, 40, kWhole), 7));
                }
                same_bits(Case({256, 2, 1, k_type, v_type}, prompt(n_tokens, 3, kWhole), 8));
            }
        }
    }
    same_bits(Case({kern::kMaxQuantizedHead, 2, 1, KvType::q8_0, KvType::q4_0}, prompt(3, 10, kWhole), 9));
    same_bits(Case({kern::kMaxQuantizedHead, 2, 1, KvType::q4_0, KvType::q8_0}, prompt(65, 10, kWhole), 9));
}

TEST_CASE("attention on a GPU gives the CPU's NaN where a cell or a query has no number") {
    for (const int64_t n_tokens : kTokens) {
        for (const KvType type : kTypes) {
            // Few special numbers, so that a NaN or an infinity is in some cells, which only some tokens see.
            for (const uint32_t every : {100u, 4000u}) {
                for (uint32_t seed = 20; seed < 24; ++seed) {
                    same_bits(Case({64, 4, 1, type, type}, prompt(n_tokens, 20, kWhole), seed, every));
                }
            }
        }
    }
}

TEST_CASE("attention on a GPU has the CPU's bits behind a sliding window") {
    for (const int64_t n_tokens : kTokens) {
        for (const int64_t window : {1, 16, 50, 200}) {
            same_bits(Case({64, 4, 2}, prompt(n_tokens, 150, window), 30));
            same_bits(Case({64, 4, 1, KvType::q8_0, KvType::q4_0}, prompt(n_tokens, 150, window), 31));
        }
    }
}

TEST_CASE("attention on a GPU has the CPU's bits for tokens of many texts, long and short") {
    for (const int64_t n_tokens : kTokens) {
        std::vector<int64_t> n_cells;
        for (int64_t t = 0; t < n_tokens; ++t) n_cells.push_back(1 + t * 37 % 211);
        same_bits(Case({64, 4, 2}, texts(n_cells), 40));
        same_bits(Case({64, 2, 1, KvType::q4_0, KvType::q8_0}, texts(n_cells), 41));
        // Guesses of one text behind those of another.
        Lists both = prompt(n_tokens, 5, kWhole);
        const int64_t behind = both.n_listed;
        for (int64_t t = 0; t < 3; ++t) both.add(behind, 90 + t, 1);
        same_bits(Case({32, 3, 2}, both, 42));
    }
}

TEST_CASE("attention on a GPU has the CPU's bits for a step of texts beside prompts, each served in its own way") {
    for (const KvType type : {KvType::f16, KvType::q8_0}) {
        // A long text, short ones, a prompt's end, two prompts with a text between them.
        Lists step = texts({700, 3, 90, 1, 17, 200, 150, 40, 129});
        const auto add_prompt = [&](int64_t n_tokens, int64_t n_before, int64_t window) {
            const int64_t begin = step.n_listed;
            const Lists one = prompt(n_tokens, n_before, window);
            for (size_t t = 0; t < one.begin.size(); ++t) step.add(begin + one.begin[t], one.n_cells[t], begin);
        };
        add_prompt(5, 60, kWhole);
        add_prompt(45, 0, kWhole);
        step.add(step.n_listed, 77, step.n_listed);
        add_prompt(30, 100, 20);
        const Case one({64, 4, 2, type, type}, step, 43);
        GpuFixture gpu;
        CHECK(difference(one.on_gpu(gpu), one.on_cpu()) == "");
        const test::VirtualCounters counters = gpu.counters();
        CHECK(counters.n_launches_of[static_cast<size_t>(kern::gpu::KernelId::attend_values_8)] == 1);
        CHECK(counters.n_launches_of[static_cast<size_t>(kern::gpu::KernelId::attend_values_4)] == 1);
        CHECK(counters.n_launches == 4);
        CHECK(difference(one.on_gpu(gpu, 600, 8), one.on_cpu()) == "");  // in pieces
    }
}

TEST_CASE("attention on a GPU depends on neither the room for scores nor the cells that a recorded step allows for") {
    GpuFixture gpu;
    for (const int64_t n_tokens : kTokens) {
        const Case one({48, 4, 2}, prompt(n_tokens, 60, kWhole), 50);
        const std::vector<float> expected = one.on_cpu();
        CHECK(difference(one.on_gpu(gpu, 5000), expected) == "");
        CHECK(difference(one.on_gpu(gpu, 0, 1), expected) == "");
        CHECK(difference(one.on_gpu(gpu, 9, 4), expected) == "");
    }
}
