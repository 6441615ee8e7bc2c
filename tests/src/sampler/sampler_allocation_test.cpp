// Once its buffers have grown, a sampler must not touch the heap: it runs once per token between decodes that promise
// the same. Counts the calls of operator new in this test program; all forms that free with plain delete are replaced
// together, or AddressSanitizer would rightly complain.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "src/sampler/rng.h"
#include "src/sampler/sampler.h"

namespace {
std::atomic<long> n_allocations{0};
}

void* operator new(std::size_t size) {
    ++n_allocations;
    if (void* memory = std::malloc(size != 0 ? size : 1)) return memory;
    throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    ++n_allocations;
    return std::malloc(size != 0 ? size : 1);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

TEST_CASE("after the first sample nothing is allocated, with any steps switched on") {
    bitnet::Pcg32 rng(1);
    std::vector<float> logits(20000);
    for (float& logit : logits) logit = static_cast<float>(rng.next_unit() * 16);
    std::vector<float> out(logits.size());
    for (const float temperature : {0.0f, 0.8f}) {
        for (const int32_t top_k : {0, 40}) {
            for (const int32_t last_n : {64, 1000}) {
                bitnet::SamplerConfig config;
                config.temperature = temperature;
                config.top_k = top_k;
                config.top_p = 0.9f;
                config.min_p = 0.01f;
                config.typical_p = 0.9f;
                config.repetition_penalty = 1.1f;
                config.penalty_last_n = last_n;
                config.logit_bias = {{3, -1.0f}};
                config.xtc_probability = 0.5f;
                config.dry.multiplier = 0.8f;
                config.dry.last_n = last_n;
                config.dynatemp_range = 0.2f;
                config.top_n_sigma = 3;
                config.mirostat.algorithm = last_n == 64 ? 2 : 0;
                bitnet::Sampler sampler(config);
                for (int i = 0; i < 257; ++i) sampler.accept(i);  // beyond this a window of 1000 may double its room
                sampler.sample(logits.data(), logits.size());
                const long before = n_allocations;
                for (int i = 0; i < 50; ++i) sampler.sample(logits.data(), logits.size());
                sampler.probabilities(logits.data(), logits.size(), out.data());
                sampler.reset();
                sampler.sample(logits.data(), logits.size());
                CHECK(n_allocations == before);
            }
        }
    }
}
