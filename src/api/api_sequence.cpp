// Sequences of a context: forget, share, save, load.
#include <string>
#include <vector>

#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/context/prefill.h"
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
        cache.remove_from_all(p0, p1);
    });
}

bitnet_status bitnet_sequence_copy(bitnet_context* context, bitnet_seq_id src, bitnet_seq_id dst, bitnet_pos p0,
                                   bitnet_pos p1) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        context->context.check_sequence(src);
        context->context.check_sequence(dst);
        context->context.copy_sequence(src, dst, p0, p1);
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
    if (context == nullptr || seq_id < 0 || seq_id >= context->context.cache_in_use().n_seq()) return -1;
    return context->context.cache_in_use().end(seq_id);
}

bitnet_status bitnet_sequence_fork(bitnet_context* context, bitnet_seq_id src, bitnet_seq_id dst) {
    return bitnet_sequence_copy(context, src, dst, -1, -1);
}

bitnet_status bitnet_sequence_rewind(bitnet_context* context, bitnet_seq_id seq_id, size_t n_tokens) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        context->context.check_sequence(seq_id);
        KvCache& cache = context->context.cache();
        const size_t size = static_cast<size_t>(cache.size(seq_id));
        if (n_tokens > size) {
            throw Error(BITNET_E_ARGUMENT, "sequence " + std::to_string(seq_id) + " holds " + std::to_string(size) +
                                               " tokens, " + std::to_string(n_tokens) + " cannot be forgotten")
                .with_numbers(size, n_tokens);
        }
        cache.truncate(seq_id, static_cast<int32_t>(size - n_tokens));
    });
}

bitnet_status bitnet_sequence_get_tokens(const bitnet_context* context, bitnet_seq_id seq_id, bitnet_token* out_tokens,
                                         size_t capacity, size_t* out_n) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        context->context.check_sequence(seq_id);
        std::vector<bitnet_token> tokens;
        for (const KvCache::Entry& entry : context->context.cache().entries(seq_id)) tokens.push_back(entry.token);
        write_buffer(tokens.data(), tokens.size(), out_tokens, capacity, out_n, "tokens");
    });
}

int32_t bitnet_context_get_n_free(const bitnet_context* context) {
    return context != nullptr ? context->context.cache_in_use().n_free() : 0;
}

bitnet_status bitnet_sequence_shift(bitnet_context* context, bitnet_seq_id seq_id, bitnet_pos p0, bitnet_pos p1,
                                    size_t* out_n_computed) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        const size_t n = shift_sequence(context->context, seq_id, p0, p1);
        if (out_n_computed != nullptr) *out_n_computed = n;
    });
}

bitnet_status bitnet_sequence_save(const bitnet_context* context, bitnet_seq_id seq_id, void* buffer, size_t capacity,
                                   size_t* out_size) {
    return bitnet_sequence_save_delta(context, seq_id, 0, buffer, capacity, out_size);
}

bitnet_status bitnet_sequence_save_delta(const bitnet_context* context, bitnet_seq_id seq_id, bitnet_pos from_pos,
                                         void* buffer, size_t capacity, size_t* out_size) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        context->context.check_sequence(seq_id);
        const KvCache& cache = context->context.cache();
        const size_t n = sequence_state_bytes(cache, seq_id, from_pos);
        if (n > capacity) write_buffer<uint8_t>(nullptr, n, nullptr, capacity, out_size, "bytes");
        if (out_size != nullptr) *out_size = n;
        require(buffer != nullptr, "the buffer is NULL");
        save_sequence(cache, seq_id, from_pos, context->context.fingerprint(seq_id), static_cast<uint8_t*>(buffer));
    });
}

bitnet_status bitnet_sequence_load(bitnet_context* context, bitnet_seq_id seq_id, const void* data, size_t size) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr && data != nullptr, "bitnet_sequence_load: a pointer is NULL");
        context->context.check_sequence(seq_id);
        load_sequence(context->context.cache(), seq_id, context->context.fingerprint(seq_id),
                      static_cast<const uint8_t*>(data), size);
    });
}

}  // extern "C"
