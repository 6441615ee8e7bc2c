#include <stdexcept>

#include "ggml-like/gpu/dynamic_library.h"
#include "tests/support/fake_libcuda.h"

namespace test {
namespace {

template <typename Function>
Function function_of(const std::string& path, const char* name) {
    std::string problem;
    void* const library = tg::open_library(path, &problem);
    void* const function = library == nullptr ? nullptr : tg::find_function(library, name);
    if (function == nullptr) throw std::runtime_error(path + ": " + problem + ": no " + name);
    return reinterpret_cast<Function>(function);
}

}  // namespace

FakeCuda& fresh_fake_cuda(const std::string& path) { return *function_of<FakeCuda* (*)()>(path, "fake_cuda_fresh")(); }

int fake_contexts_here(const std::string& path) { return function_of<int (*)()>(path, "fake_cuda_contexts_here")(); }

}  // namespace test
