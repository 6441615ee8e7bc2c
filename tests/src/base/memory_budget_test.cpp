// Charges against the process's limit: exact, given back, and never beyond the limit with many threads at once.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "src/base/error.h"
#include "src/base/memory_budget.h"

using bitnet::memory_in_use;
using bitnet::MemoryCharge;

TEST_CASE("a charge counts while it lives, and what does not fit changes nothing") {
    const uint64_t before = memory_in_use();
    {
        MemoryCharge charge;
        charge.resize(100, 0, "the test", "");
        CHECK(memory_in_use() == before + 100);
        charge.resize(40, before + 1, "the test", "");  // shrinking is always possible
        CHECK(memory_in_use() == before + 40);
        bitnet_status status = BITNET_OK;
        try {
            charge.resize(101, before + 100, "the test", "be smaller");
        } catch (const bitnet::Error& error) {
            status = error.status();
            CHECK(error.message().find("be smaller") != std::string::npos);
            CHECK(error.expected() == before + 100);
            CHECK(error.actual() == before + 101);
        }
        CHECK(status == BITNET_E_SECURITY_MEMORY);
        CHECK(charge.bytes() == 40);
        CHECK(memory_in_use() == before + 40);
        charge.resize(100, before + 100, "the test", "");
        MemoryCharge huge;
        CHECK_THROWS_AS(huge.resize(UINT64_MAX, 0, "the test", ""), bitnet::Error);  // the sum would overflow
        CHECK(huge.bytes() == 0);
        MemoryCharge moved = std::move(charge);
        CHECK(moved.bytes() == 100);
        CHECK(memory_in_use() == before + 100);
        MemoryCharge other;
        other.resize(7, 0, "the test", "");
        other = std::move(moved);
        CHECK(other.bytes() == 100);
    }
    CHECK(memory_in_use() == before);
}

TEST_CASE("threads that charge at once never go beyond the limit together") {
    const uint64_t before = memory_in_use(), limit = before + 1000;
    std::atomic<int> n_beyond{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 5000; ++i) {
                MemoryCharge charge;
                try {
                    charge.resize(static_cast<uint64_t>(300 + t), limit, "the test", "");
                } catch (const bitnet::Error&) {  // expected where others hold theirs
                }
                if (memory_in_use() > limit) ++n_beyond;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(n_beyond == 0);
    CHECK(memory_in_use() == before);
}
