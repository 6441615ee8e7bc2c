// What the library says it was built with: each name once, ours and the specification's.
#include <doctest/doctest.h>

#include <set>
#include <string>

#include "kernels/cpu/kernel_select.h"
#include "src/device/feature_list.h"

using namespace bitnet;

TEST_CASE("features are named once each, and all of them in the text") {
    std::set<std::string> names;
    std::string text;
    for (size_t i = 0; i < feature_count(); ++i) {
        REQUIRE(feature_name(i) != nullptr);
        CHECK(names.insert(feature_name(i)).second);
        CHECK(feature_is_built(feature_name(i)));
        text += std::string(i != 0 ? ", " : "") + feature_name(i);
    }
    CHECK(feature_name(feature_count()) == nullptr);
    CHECK(feature_name(SIZE_MAX) == nullptr);
    CHECK(text == feature_text());
    for (const char* name : {"cpu", "threads", "mmap", "json", "trace", "kernels-scalar"})
        CHECK(names.count(name) == 1);
}

TEST_CASE("every instruction set level of the build is a feature") {
    for (size_t i = 0; i < kern::kernel_level_count(); ++i) {
        const std::string level = kern::kernel_level_at(i);
        CAPTURE(level);
        CHECK(feature_is_built("kernels-" + level));
        CHECK(std::string(kern::kernel_level_names()).find(level) != std::string::npos);
    }
}

TEST_CASE("the specification's names of features are understood") {
    CHECK(feature_is_built("serde"));
    CHECK(feature_is_built("tracing"));
    CHECK(feature_is_built("gpu") == feature_is_built("cuda"));
    for (const char* name : {"", "wasm", "python", "CPU", "kernels-", "cpu, threads"}) {
        CAPTURE(name);
        CHECK(!feature_is_built(name));
    }
}
