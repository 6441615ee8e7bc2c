// What the host program provides for the library: memory. (Its threads come with the parameters of a context.)
#include "ggml-like/memory_source.h"
#include "src/api/api_guard.h"

using namespace bitnet;

namespace {

void init_allocator(bitnet_allocator* allocator, uint32_t struct_size) {
    write_params(allocator, struct_size, bitnet_allocator{});
}

}  // namespace

extern "C" {

bitnet_status bitnet_set_allocator(const bitnet_allocator* allocator) {
    return api_call(__func__, [&] {
        tg::MemorySource source;
        if (allocator != nullptr) {
            const bitnet_allocator full = read_params(allocator, init_allocator);
            require(full.alloc != nullptr && full.free != nullptr, "bitnet_allocator: alloc or free is NULL");
            source = {full.alloc, full.free, full.user_data};
        }
        if (!tg::set_memory_source(source)) {
            throw Error(BITNET_E_STATE,
                        "memory was already taken; set the allocator before any model or context is made");
        }
    });
}

}  // extern "C"
