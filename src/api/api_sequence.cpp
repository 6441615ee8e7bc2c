// Sequences of a context: forget, share, save, load.
#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/context/sequence_state.h"

using namespace bitnet;

extern "C" {

bitnet_status bitnet_sequence_remove(bitnet_context* context, bitnet_seq_id seq_id, bitnet_pos p0, bitnet_pos p1) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        KvCache& cache = context->context.cache();
        if (seq_id >= 0) {
            context->context.check_sequence(seq_id);
            cache.remove(seq_id, p0, p1);
            return;
        }
        for (bitnet_seq_id id = 0; id < cache.n_seq(); ++id) cache.remove(id, p0, p1);
    });
}

bitnet_status bitnet_sequence_copy(bitnet_context* context, bitnet_seq_id src, bitnet_seq_id dst, bitnet_pos p0, bitnet_pos p1) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        context->context.check_sequence(src);
        context->context.check_sequence(dst);
        context->context.cache().copy(src, dst, p0, p1);
    });
}

bitnet_status bitnet_sequence_keep(bitnet_context* context, bitnet_seq_id seq_id) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        context->context.check_sequence(seq_id);
        context->context.cache().keep(seq_id);
    });
}

bitnet_pos bitnet_sequence_get_end(const bitnet_context* context, bitnet_seq_id seq_id) {
    if (context == nullptr || seq_id < 0 || seq_id >= context->context.cache().n_seq()) return -1;
    return context->context.cache().sequence(seq_id).end();
}

bitnet_status bitnet_sequence_save(const bitnet_context* context, bitnet_seq_id seq_id, void* buffer, size_t capacity,
                                   size_t* out_size) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        context->context.check_sequence(seq_id);
        const KvCache& cache = context->context.cache();
        const size_t n = sequence_state_bytes(cache, seq_id);
        if (n > capacity) write_buffer<uint8_t>(nullptr, n, nullptr, capacity, out_size, "bytes");
        if (out_size != nullptr) *out_size = n;
        require(buffer != nullptr, "the buffer is NULL");
        save_sequence(cache, seq_id, context->state->model.fingerprint, static_cast<uint8_t*>(buffer));
    });
}

bitnet_status bitnet_sequence_load(bitnet_context* context, bitnet_seq_id seq_id, const void* data, size_t size) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr && data != nullptr, "bitnet_sequence_load: a pointer is NULL");
        context->context.check_sequence(seq_id);
        load_sequence(context->context.cache(), seq_id, context->state->model.fingerprint, static_cast<const uint8_t*>(data), size);
    });
}

}  // extern "C"
