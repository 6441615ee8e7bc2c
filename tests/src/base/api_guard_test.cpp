// The border turns whatever is thrown behind it into a status and a last error; and two statuses that no call of the
// interface can be made to give on purpose.
#include "src/api/api_guard.h"

#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

#include "src/api/handles.h"
#include "src/base/error_table.h"
#include "src/base/resident_memory.h"
#include "tests/support/api_fixture.h"

using namespace bitnet;

namespace {

template <typename Thrown>
bitnet_error_info after_throwing(const Thrown& thrown) {
    const bitnet_status status = api_call("bitnet_some_call", [&] { throw thrown; });
    const bitnet_error_info info = last_error_info();
    CHECK(info.status == status);
    CHECK(std::string(info.operation) == "bitnet_some_call");
    return info;
}

}  // namespace

TEST_CASE("whatever is thrown becomes a status, the name of the call and a message") {
    CHECK(after_throwing(std::runtime_error("oops")).status == BITNET_E_INTERNAL);
    CHECK(std::string(last_error_info().message).find("oops") != std::string::npos);
    CHECK(last_error_info().severity == BITNET_SEVERITY_FATAL);
    CHECK(after_throwing(7).status == BITNET_E_INTERNAL);
    CHECK(after_throwing(std::bad_alloc()).status == BITNET_E_OUT_OF_MEMORY);
    CHECK(std::string(last_error_info().message).find("out of memory") != std::string::npos);
    CHECK(last_error_info().severity == BITNET_SEVERITY_CRITICAL);
    const bitnet_error_info info =
        after_throwing(Error(BITNET_E_KV_FULL, "no\nroom").with_numbers(0, 3).with_offset(0).with_subject("cells"));
    CHECK(std::string(info.message) == "no room");
    CHECK(info.has_numbers == 1);
    CHECK(info.expected == 0);
    CHECK(info.actual == 3);
    CHECK(info.has_offset == 1);
    CHECK(std::string(info.subject) == "cells");
    CHECK(after_throwing(Error(BITNET_E_TEXT, "plain")).has_numbers == 0);
    CHECK(last_error_info().has_offset == 0);
}

TEST_CASE("a decode whose deadline passed fails with the time it had and the time it took") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model);
    const bitnet_token token = 1;
    BatchView batch;
    batch.n_tokens = 1;
    batch.tokens = &token;
    const Deadline deadline = Deadline::in_us(100);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    const bitnet_status status =
        api_call("decode", about(context.get()), [&] { context->context.decode(batch, deadline); });
    CHECK(status == BITNET_E_TIMEOUT);
    const bitnet_error_info info = last_error_info();
    CHECK(info.family == BITNET_FAMILY_TIMEOUT);
    CHECK(info.expected == 100);
    CHECK(info.actual >= 2000);
    CHECK(std::string(info.model).starts_with("bitnet-b1.58"));
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 0);
}

TEST_CASE("resident memory grows with what is touched, and its peak never lies below it") {
    const ResidentMemory before = resident_memory();
#if defined(__linux__)
    REQUIRE(before.now_bytes > 0);
    std::string block(size_t{64} << 20, 'x');  // written, so present
    CHECK(block[block.size() / 2] == 'x');
    const ResidentMemory after = resident_memory();
    CHECK(after.now_bytes >= before.now_bytes + (size_t{32} << 20));
    CHECK(after.peak_bytes >= after.now_bytes);
#endif
    CHECK(before.peak_bytes >= before.now_bytes);
}
