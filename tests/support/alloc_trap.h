// Counts what a program and the library ask of malloc. tests/api/alloc_trap.cpp replaces malloc and its kin for the test
// program of that folder; glibc only, and not under a sanitizer, which replaces them itself.
#pragma once

#include <cstdint>

namespace test {

struct Allocations {
    long n_calls = 0;        // of malloc, free and the like
    int64_t live_bytes = 0;  // asked for and not given back
    int64_t peak_bytes = 0;  // the most of them at once
};

// False, with a remark on standard error, where nothing can be counted.
bool can_count_allocations();
// From here on, on all threads, until end_counting().
void begin_counting();
Allocations end_counting();

// Calls during body; 0 where they cannot be counted.
template <typename Body>
Allocations count_allocations(Body&& body) {
    begin_counting();
    body();
    return end_counting();
}

}  // namespace test
