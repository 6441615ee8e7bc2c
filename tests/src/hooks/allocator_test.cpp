// The host's allocator: every large block comes from it and goes back to it, with the size and alignment it was asked for,
// and a block it does not give is BITNET_E_OUT_OF_MEMORY, wherever that is, with nothing lost. It can be set only before
// anything was taken, so this program sets it before main().
#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "tests/support/api_fixture.h"

namespace {

struct Heap {
    std::mutex mutex;
    std::map<void*, size_t> blocks;
    size_t held = 0;
    long n_allocs = 0;
    long fail_at = -1;        // the call that gets nothing, counted from 0
    bool misaligned = false;  // blocks begin 8 bytes too late
    int mistakes = 0;

    static void* alloc(size_t size, size_t alignment, void* user_data) {
        Heap& heap = *static_cast<Heap*>(user_data);
        const std::lock_guard<std::mutex> lock(heap.mutex);
        heap.mistakes += size == 0 || alignment != 64;
        if (heap.n_allocs++ == heap.fail_at) return nullptr;
        char* memory = static_cast<char*>(std::aligned_alloc(64, (size + 127) / 64 * 64));
        if (heap.misaligned) memory += 8;
        heap.blocks[memory] = size;
        heap.held += size;
        return memory;
    }
    static void release(void* memory, size_t size, size_t alignment, void* user_data) {
        Heap& heap = *static_cast<Heap*>(user_data);
        const std::lock_guard<std::mutex> lock(heap.mutex);
        const auto found = heap.blocks.find(memory);
        if (found == heap.blocks.end() || found->second != size || alignment != 64) {
            ++heap.mistakes;
            return;
        }
        heap.blocks.erase(found);
        heap.held -= size;
        std::free(heap.misaligned ? static_cast<char*>(memory) - 8 : memory);
    }
};

Heap& heap() {
    static Heap the;
    return the;
}

const bitnet_status set_before_main = [] {
    const bitnet_allocator bad = {sizeof bad, nullptr, Heap::release, nullptr};
    const bitnet_allocator good = {sizeof good, Heap::alloc, Heap::release, &heap()};
    if (bitnet_set_allocator(&bad) != BITNET_E_ARGUMENT) return BITNET_E_INTERNAL;
    if (bitnet_set_allocator(nullptr) != BITNET_OK) return BITNET_E_INTERNAL;
    return bitnet_set_allocator(&good);
}();

// Everything that takes large blocks: a copied and repacked model, a context, outputs, a mask. Nothing survives.
bitnet_status use_everything(const std::string& path) {
    bitnet_model_params model_params = bitnet_model_default_params();
    model_params.use_mmap = 0;
    bitnet_model* model = nullptr;
    bitnet_context* context = nullptr;
    bitnet_status status = bitnet_model_load(path.c_str(), &model_params, &model);
    bitnet_context_params params = bitnet_context_default_params();
    params.embeddings = 1;
    params.n_threads = 1;
    if (status == BITNET_OK) status = bitnet_context_create(model, &params, &context);
    const bitnet_token tokens[] = {1, 2, 3};
    const int8_t wanted[] = {1, 1, 1};
    bitnet_batch batch = {};
    batch.struct_size = sizeof batch;
    batch.n_tokens = 3;
    batch.tokens = tokens;
    batch.want_output = wanted;
    if (status == BITNET_OK) status = bitnet_context_decode(context, &batch);
    if (context != nullptr) CHECK(bitnet_sequence_get_end(context, 0) == (status == BITNET_OK ? 3 : 0));
    const uint8_t mask[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    bitnet_forward_input input = {};
    input.struct_size = sizeof input;
    input.n_tokens = 3;
    input.tokens = tokens;
    input.mask = mask;
    std::vector<float> out(10000);
    if (status == BITNET_OK) status = bitnet_context_forward(context, &input, out.data(), out.size(), nullptr);
    bitnet_context_free(context);
    bitnet_model_free(model);
    return status;
}

}  // namespace

TEST_CASE("large blocks come from the host's allocator and go back to it as they came") {
    REQUIRE(test::name_of(set_before_main) == "BITNET_OK");
    Heap& h = heap();
    for (const char* name : {"b158-i2s", "b158-tq2", "llama-mix"}) {
        CAPTURE(std::string(name));
        const size_t before = h.held;
        {
            const test::ModelHandle model =
                test::load_model(test::golden_model(name), [](bitnet_model_params& p) { p.use_mmap = 0; });
            const test::ContextHandle context = test::make_context(model);
            bitnet_memory_info info = {};
            info.struct_size = sizeof info;
            test::must(bitnet_context_get_memory(context.get(), &info));
            const bitnet_model_info shape = test::info_of(model);
            const size_t kv_rows = size_t{4} * static_cast<size_t>(shape.n_layer) *
                                   static_cast<size_t>(shape.n_head_kv) * static_cast<size_t>(shape.head_dim) *
                                   static_cast<size_t>(bitnet_context_get_n_ctx(context.get()));
            CHECK(h.held - before >= info.weights_owned_bytes + kv_rows);
        }
        CHECK(h.held == before);
    }
    CHECK(h.held == 0);
    CHECK(h.mistakes == 0);
    const bitnet_allocator late = {sizeof late, Heap::alloc, Heap::release, &h};
    CHECK(bitnet_set_allocator(&late) == BITNET_E_STATE);
    CHECK(bitnet_set_allocator(nullptr) == BITNET_E_STATE);
}

TEST_CASE("an allocator that fails at any call gives BITNET_E_OUT_OF_MEMORY and loses nothing") {
    Heap& h = heap();
    for (const char* name : {"b158-i2s", "llama-mix"}) {
        const std::string path = test::golden_model(name);
        h.n_allocs = 0;
        test::must(use_everything(path));
        const long total = h.n_allocs;
        CHECK(total > 10);
        for (long k = 0; k < total; ++k) {
            CAPTURE(k);
            h.n_allocs = 0;
            h.fail_at = k;
            CHECK(test::name_of(use_everything(path)) == "BITNET_E_OUT_OF_MEMORY");
            CHECK(h.held == 0);
        }
        h.fail_at = -1;
        test::must(use_everything(path));
    }
    CHECK(h.blocks.empty());
    CHECK(h.mistakes == 0);
}

TEST_CASE("a misaligned block goes back and counts as none") {
    Heap& h = heap();
    h.misaligned = true;
    CHECK(test::name_of(use_everything(test::golden_model("b158-i2s"))) == "BITNET_E_OUT_OF_MEMORY");
    CHECK(h.held == 0);
    h.misaligned = false;
    CHECK(h.mistakes == 0);
}
