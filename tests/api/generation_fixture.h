// What the tests of generations share: a handle that frees itself, and the default model from the program's own bytes.
#pragma once

#include "examples/stories/default_model.h"
#include "tests/support/api_fixture.h"

namespace test {

struct FreeGeneration {
    void operator()(bitnet_generation* generation) const { bitnet_generation_free(generation); }
};
using GenerationHandle = std::unique_ptr<bitnet_generation, FreeGeneration>;

inline ModelHandle stories() {
    size_t size = 0;
    const void* bytes = default_model_bytes(&size);
    REQUIRE(bytes != nullptr);
    bitnet_model* model = nullptr;
    must(bitnet_model_load_from_memory(bytes, size, nullptr, &model));
    return ModelHandle(model);
}

}  // namespace test
