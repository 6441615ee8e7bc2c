#include "ggml-like/arena.h"

#include <string>
#include <utility>

#include "ggml-like/memory_source.h"
#include "ggml-like/tensor_error.h"

namespace tg {

Arena::Arena(size_t n_bytes, const char* what) {
    if (n_bytes == 0) return;
    if (n_bytes <= SIZE_MAX - kAlignment) {
        data_ = static_cast<uint8_t*>(take_memory(align_up(n_bytes), kAlignment));
    }
    if (data_ == nullptr) {
        throw Error(ErrorKind::out_of_memory, "cannot allocate " + std::to_string(n_bytes) + " bytes for the " + what +
                                                  "; choose a smaller context or free memory");
    }
    size_ = n_bytes;
}

Arena::~Arena() { give_memory_back(data_, align_up(size_), kAlignment); }

Arena::Arena(Arena&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Arena& Arena::operator=(Arena&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

}  // namespace tg
