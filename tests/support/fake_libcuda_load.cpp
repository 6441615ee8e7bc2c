#include <stdexcept>

#include "ggml-like/gpu/dynamic_library.h"
#include "tests/support/fake_libcuda.h"

namespace test {
namespace {

template <typename Function>
Function function_of_fake(const char* name) {
    std::string problem;
    void* const library = tg::open_library(kFakeLibcuda, &problem);
    void* const function = library == nullptr ? nullptr : tg::find_function(library, name);
    if (function == nullptr) throw std::runtime_error(kFakeLibcuda + ": " + problem + ": no " + name);
    return reinterpret_cast<Function>(function);
}

}  // namespace

const std::string kFakeLibcuda = FAKE_LIBCUDA;
const std::string kFakeLibcudaOld = FAKE_LIBCUDA_OLD;

FakeCuda& fresh_fake_cuda() { return *function_of_fake<FakeCuda* (*)()>("fake_cuda_fresh")(); }

int fake_contexts_here() { return function_of_fake<int (*)()>("fake_cuda_contexts_here")(); }

}  // namespace test
