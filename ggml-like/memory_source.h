// Where the bytes of all arenas come from: the C++ library, or functions of the host program.
#pragma once

#include <cstddef>

namespace tg {

struct MemorySource {
    void* (*allocate)(size_t n_bytes, size_t alignment, void* user_data) = nullptr;  // null: the C++ library
    void (*release)(void* memory, size_t n_bytes, size_t alignment, void* user_data) = nullptr;
    void* user_data = nullptr;
};

// Sets the source of the whole process. False, and nothing changes, once memory was taken: blocks do not remember where
// they came from. Any thread.
bool set_memory_source(const MemorySource& source) noexcept;

// null where there is no memory. n_bytes > 0.
void* take_memory(size_t n_bytes, size_t alignment) noexcept;
void give_memory_back(void* memory, size_t n_bytes, size_t alignment) noexcept;

}  // namespace tg
