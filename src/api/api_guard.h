// The border of the ABI: the one try/catch that turns exceptions into a status and a last error, and the helpers every
// entry point uses to read and write sized structs and buffers.
#pragma once

#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

#include "bitnet.h"
#include "ggml-like/tensor_error.h"
#include "ggml-like/float_environment.h"
#include "ggml-like/gpu/gpu_error.h"
#include "src/api/last_error.h"
#include "src/device/device_driver.h"

namespace bitnet {

inline bitnet_status status_of(tg::ErrorKind kind) {
    switch (kind) {
        case tg::ErrorKind::out_of_memory: return BITNET_E_OUT_OF_MEMORY;
        case tg::ErrorKind::device: return BITNET_E_DEVICE;
        case tg::ErrorKind::device_memory: return BITNET_E_DEVICE_MEMORY;
        case tg::ErrorKind::shape: return BITNET_E_MODEL_SHAPE;
    }
    return BITNET_E_INTERNAL;
}

// Runs a body that throws or returns; every fallible extern "C" function is one call of this and gives its own name
// (__func__) and what it works on for the error's context. The body computes as if the host had never touched rounding
// mode or denormals: samplers and embeddings are as reproducible as decoding is.
template <typename Body>
bitnet_status api_call(const char* operation, const CallSubject& subject, Body&& body) noexcept {
    const tg::DefaultFloatEnvironment environment;
    try {
        body();
        return BITNET_OK;
    } catch (const Error& error) {
        set_last_error(error, operation, subject);
        return error.status();
    } catch (const tg::GpuError& error) {
        const bitnet_status status = status_of(fault_of(error.fault()), false);
        try {
            Error told(status, error.message());
            if (error.needed() != 0) std::move(told).with_numbers(error.needed(), error.available());
            set_last_error(told, operation, subject);
        } catch (...) {
            set_last_error(status, bitnet_status_text(status), operation, subject);
        }
        return status;
    } catch (const tg::Error& error) {
        const bitnet_status status = status_of(error.kind());
        try {
            set_last_error(Error(status, error.message()), operation, subject);
        } catch (...) {
            set_last_error(status, bitnet_status_text(status), operation, subject);
        }
        return status;
    } catch (const std::bad_alloc&) {
        set_last_error(BITNET_E_OUT_OF_MEMORY, "out of memory; free some or choose smaller parameters", operation, subject);
        return BITNET_E_OUT_OF_MEMORY;
    } catch (const std::exception& error) {
        try {
            set_last_error(Error(BITNET_E_INTERNAL, std::string("internal error, please report it: ") + error.what()),
                           operation, subject);
        } catch (...) {
            set_last_error(BITNET_E_INTERNAL, "internal error, please report it", operation, subject);
        }
        return BITNET_E_INTERNAL;
    } catch (...) {
        set_last_error(BITNET_E_INTERNAL, "internal error, please report it", operation, subject);
        return BITNET_E_INTERNAL;
    }
}
template <typename Body>
bitnet_status api_call(const char* operation, Body&& body) noexcept {
    return api_call(operation, CallSubject{}, static_cast<Body&&>(body));
}

inline void require(bool condition, const char* what) {
    if (!condition) throw Error(BITNET_E_ARGUMENT, what);
}

// The number that came for an enum parameter. C callers may pass any; reading one that is outside the enum as the enum would
// be undefined behaviour, so it is looked at as bytes first.
template <typename Enum>
int32_t number_of(const Enum& value) {
    int32_t number;
    static_assert(sizeof value == sizeof number);
    std::memcpy(&number, &value, sizeof number);
    return number;
}

// Reads a parameter struct the caller's compiler may know in a shorter or longer form: unknown tails are ignored,
// missing ones keep their default.
template <typename Params>
Params read_params(const Params* params, void (*init)(Params*, uint32_t)) {
    Params full;
    init(&full, sizeof full);
    if (params == nullptr) return full;
    if (params->struct_size < sizeof(uint32_t)) {
        throw Error(BITNET_E_ARGUMENT, "struct_size is 0; set it to the struct's size, or use its _params_init where there is one");
    }
    std::memcpy(&full, params, std::min<size_t>(params->struct_size, sizeof full));
    full.struct_size = sizeof full;
    return full;
}

// Writes defaults into the first struct_size bytes. By reference, and defaults cleared with memset: a copy need not keep
// the padding, and what the caller gets should be the same bytes every time.
template <typename Params>
void write_params(Params* params, uint32_t struct_size, const Params& defaults) noexcept {
    if (params == nullptr || struct_size < sizeof(uint32_t)) return;
    if (struct_size > sizeof defaults) {
        std::memset(reinterpret_cast<char*>(params) + sizeof defaults, 0, struct_size - sizeof defaults);
    }
    std::memcpy(params, &defaults, std::min<size_t>(struct_size, sizeof defaults));
    std::memcpy(params, &struct_size, sizeof struct_size);  // every such struct begins with it
}

// Fills a caller's info struct as far as he knows it; struct_size stays his.
template <typename Info>
void write_info(Info* out, const Info& info) {
    require(out != nullptr, "the out_info pointer is NULL");
    const uint32_t size = out->struct_size;
    if (size < sizeof(uint32_t)) throw Error(BITNET_E_ARGUMENT, "struct_size of the info struct is 0; set it before the call");
    std::memcpy(out, &info, std::min<size_t>(size, sizeof info));
    std::memcpy(out, &size, sizeof size);
}

// The two-call pattern: *out_size always gets the needed count; nothing else is written when the buffer is too small.
template <typename T>
void write_buffer(const T* data, size_t n, T* buffer, size_t capacity, size_t* out_n, const char* unit) {
    if (out_n != nullptr) *out_n = n;
    if (n > capacity) {
        throw Error(BITNET_E_BUFFER_TOO_SMALL, "the buffer holds " + std::to_string(capacity) + " " + unit + ", " +
                                                   std::to_string(n) + " are needed")
            .with_numbers(n, capacity);
    }
    if (n != 0) {
        require(buffer != nullptr, "the buffer is NULL");
        std::memcpy(buffer, data, n * sizeof(T));
    }
}

// The same for text, which is followed by a NUL that *out_size does not count.
inline void write_text(std::string_view text, char* buffer, size_t capacity, size_t* out_size) {
    if (out_size != nullptr) *out_size = text.size();
    if (capacity <= text.size()) {
        throw Error(BITNET_E_BUFFER_TOO_SMALL, "the buffer holds " + std::to_string(capacity) + " bytes, " +
                                                   std::to_string(text.size() + 1) + " are needed")
            .with_numbers(text.size() + 1, capacity);
    }
    require(buffer != nullptr, "the buffer is NULL");
    std::memcpy(buffer, text.data(), text.size());
    buffer[text.size()] = '\0';
}

}  // namespace bitnet
