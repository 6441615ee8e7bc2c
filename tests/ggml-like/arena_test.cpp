// Arenas and the trace's checksum: the two small things everything else stands on.
#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "ggml-like/arena.h"
#include "ggml-like/graph_trace.h"
#include "ggml-like/tensor_error.h"

// Sanitizers end the program for an allocation they think absurd, unless told that failing is an answer.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "allocator_may_return_null=1"; }

TEST_CASE("an arena is aligned to a cache line and holds what it was asked for") {
    for (const size_t n : {size_t{1}, size_t{63}, size_t{64}, size_t{65}, size_t{4097}, size_t{1} << 20}) {
        tg::Arena arena(n, "test");
        CHECK(arena.size() == n);
        REQUIRE(arena.data() != nullptr);
        CHECK(reinterpret_cast<uintptr_t>(arena.data()) % tg::kAlignment == 0);
        std::memset(arena.data(), 0xab, n);
        CHECK(arena.data()[n - 1] == 0xab);
    }
}

TEST_CASE("an empty arena holds nothing and allocates nothing") {
    const tg::Arena none;
    const tg::Arena zero(0, "test");
    CHECK(none.data() == nullptr);
    CHECK(zero.data() == nullptr);
    CHECK(zero.size() == 0);
}

TEST_CASE("moving an arena moves its memory") {
    tg::Arena a(100, "a");
    uint8_t* const data = a.data();
    tg::Arena b(std::move(a));
    CHECK(b.data() == data);
    CHECK(b.size() == 100);
    tg::Arena c(7, "c");
    c = std::move(b);
    CHECK(c.data() == data);
    CHECK(c.size() == 100);
}

TEST_CASE("sizes beyond any memory throw out_of_memory with the size and the purpose, without wrapping") {
    constexpr size_t kMax = std::numeric_limits<size_t>::max();
    for (const size_t n : {kMax, kMax - 1, kMax - 63, kMax - 64, kMax - 65, kMax / 2, kMax / 4}) {
        CAPTURE(n);
        try {
            const tg::Arena arena(n, "KV cache");
            FAIL("no exception");
        } catch (const tg::Error& error) {
            CHECK(error.kind() == tg::ErrorKind::out_of_memory);
            CHECK(error.message().find(std::to_string(n)) != std::string::npos);
            CHECK(error.message().find("KV cache") != std::string::npos);
        }
    }
}

TEST_CASE("sizes are rounded up to whole cache lines") {
    CHECK(tg::align_up(0) == 0);
    CHECK(tg::align_up(1) == 64);
    CHECK(tg::align_up(64) == 64);
    CHECK(tg::align_up(65) == 128);
}

TEST_CASE("the checksum is FNV-1a and can be continued") {
    CHECK(tg::checksum_bytes("", 0) == 0xcbf29ce484222325u);
    CHECK(tg::checksum_bytes("a", 1) == 0xaf63dc4c8601ec8cu);
    CHECK(tg::checksum_bytes("foobar", 6) == 0x85944171f73967e8u);
    CHECK(tg::checksum_bytes("bar", 3, tg::checksum_bytes("foo", 3)) == tg::checksum_bytes("foobar", 6));
    CHECK(tg::checksum_bytes("foobaz", 6) != tg::checksum_bytes("foobar", 6));
}
