// Sessions: all sequences of a context to a file or to memory, and back. What is in one is src/context/session_state's
// business; here files are opened, and progress is told.
#include <algorithm>
#include <memory>
#include <string>

#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/context/session_state.h"
#include "src/gguf/atomic_file.h"
#include "src/gguf/byte_source.h"

using namespace bitnet;

namespace {

AdapterTag tag_of(const Context& context) {
    return [&context](bitnet_seq_id id) { return context.adapters().tag(id); };
}

constexpr uint64_t kReadBytes = uint64_t{1} << 22;

void tell(bitnet_progress_callback on_progress, void* user_data, uint64_t done, uint64_t all) {
    if (on_progress == nullptr) return;
    const float progress =
        static_cast<float>(static_cast<double>(done) / static_cast<double>(std::max<uint64_t>(all, 1)));
    if (on_progress(progress, user_data) != 0) {
        throw Error(BITNET_E_CANCELLED, "the caller's on_progress stopped it; the session is as it was before");
    }
}

// The whole file, because nothing may change before the checksum at its end is known to be right.
std::unique_ptr<uint8_t[]> read_session(const char* path, uint64_t most, bitnet_progress_callback on_progress,
                                        void* user_data, size_t* out_size) {
    try {
        const std::unique_ptr<ByteSource> file = open_file_source(path, false);
        if (file->size() > most) {
            throw Error(BITNET_E_STATE,
                        "the saved session is larger than any that fits this context; use a larger n_ctx")
                .with_numbers(most, file->size());
        }
        *out_size = static_cast<size_t>(file->size());
        std::unique_ptr<uint8_t[]> data(new uint8_t[*out_size]);
        for (uint64_t at = 0, n = 0; at < *out_size; at += n) {
            n = std::min<uint64_t>(kReadBytes, *out_size - at);
            file->read(at, data.get() + at, n);
            tell(on_progress, user_data, at + n, *out_size);
        }
        return data;
    } catch (const Error& error) {
        if (error.status() != BITNET_E_GGUF_TRUNCATED) throw;
        throw Error(BITNET_E_STATE, "the saved session is cut short; save it again");
    }
}

}  // namespace

extern "C" {

bitnet_status bitnet_context_save_session(const bitnet_context* context, const char* path,
                                          bitnet_progress_callback on_progress, void* user_data) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr && path != nullptr, "bitnet_context_save_session: a pointer is NULL");
        AtomicFile file(path);
        save_session(context->context.cache(), context->state->model.fingerprint,
                     [&](const void* data, size_t n, uint64_t done, uint64_t all) {
                         file.write(data, n);
                         tell(on_progress, user_data, done, all);
                     },
                     tag_of(context->context));
        file.commit();
    });
}

bitnet_status bitnet_context_load_session(bitnet_context* context, const char* path,
                                          bitnet_progress_callback on_progress, void* user_data) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr && path != nullptr, "bitnet_context_load_session: a pointer is NULL");
        KvCache& cache = context->context.cache();
        size_t size = 0;
        const auto data = read_session(path, most_session_bytes(cache), on_progress, user_data, &size);
        load_session(cache, context->state->model.fingerprint, data.get(), size, tag_of(context->context));
    });
}

bitnet_status bitnet_context_save_session_to_memory(const bitnet_context* context, void* buffer, size_t capacity,
                                                    size_t* out_size) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        const KvCache& cache = context->context.cache();
        const size_t size = session_bytes(cache);
        if (size > capacity) write_buffer<uint8_t>(nullptr, size, nullptr, capacity, out_size, "bytes");
        if (out_size != nullptr) *out_size = size;
        require(buffer != nullptr, "the buffer is NULL");
        uint8_t* to = static_cast<uint8_t*>(buffer);
        save_session(cache, context->state->model.fingerprint, [&](const void* data, size_t n, uint64_t, uint64_t) {
            std::memcpy(to, data, n);
            to += n;
        }, tag_of(context->context));
    });
}

bitnet_status bitnet_context_load_session_from_memory(bitnet_context* context, const void* data, size_t size) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr && data != nullptr, "bitnet_context_load_session_from_memory: a pointer is NULL");
        load_session(context->context.cache(), context->state->model.fingerprint, static_cast<const uint8_t*>(data),
                     size, tag_of(context->context));
    });
}

}  // extern "C"
