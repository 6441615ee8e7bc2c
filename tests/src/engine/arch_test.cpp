// The table of architectures: what differs between them, and the one that must be guessed.
#include <doctest/doctest.h>

#include <set>
#include <string>

#include "src/arch/arch.h"
#include "src/base/error.h"
#include "src/context/context.h"

using bitnet::Activation;

TEST_CASE("the six names are found and no other") {
    for (const char* name : {"qwen3", "gemma3"}) {
        const bitnet::ArchRow* arch = bitnet::find_arch(name);
        REQUIRE(arch != nullptr);
        CHECK(std::string(arch->name) == name);
        CHECK(bitnet::arch_names().find(name) != std::string::npos);
        const bool gemma = std::string(name) == "gemma3";
        CHECK((arch->traits.rope_halves && !arch->traits.sub_norms && arch->traits.head_norms));
        CHECK((arch->traits.post_norms == gemma && arch->traits.scaled_embedding == gemma));
        CHECK(arch->traits.sliding_period == (gemma ? 6 : 0));
        CHECK(arch->activation({}) == (gemma ? Activation::gelu : Activation::silu));
        CHECK(arch->layer_tensors.size() == (gemma ? 20 : 18));
    }
    for (const char* name : {"bitnet-b1.58", "bitnet-25", "bitnet", "llama"}) {
        const bitnet::ArchRow* arch = bitnet::find_arch(name);
        REQUIRE(arch != nullptr);
        CHECK(std::string(arch->name) == name);
        CHECK(bitnet::arch_names().find(name) != std::string::npos);
        const bool llama = std::string(name) == "llama";
        CHECK(arch->traits.rope_halves == !llama);
        CHECK(arch->traits.sub_norms == !llama);
        CHECK(arch->layer_tensors.size() == (llama ? 9 : 11));
    }
    for (const char* name : {"", "Bitnet", "bitnet-b1.5", "bitnet-b1.580", "llama2"})
        CHECK(bitnet::find_arch(name) == nullptr);
}

TEST_CASE("every tensor of a layer is a matrix or a norm, and no place is filled twice") {
    for (const char* name : {"bitnet-b1.58", "llama", "qwen3", "gemma3"}) {
        bitnet::LayerWeights layer;
        std::set<const void*> places;
        std::set<std::string> names;
        for (const bitnet::LayerTensor& row : bitnet::find_arch(name)->layer_tensors) {
            CHECK((row.matrix == nullptr) != (row.norm == nullptr));
            CHECK(names.insert(row.name).second);
            CHECK(places
                      .insert(row.matrix != nullptr ? static_cast<const void*>(&(layer.*row.matrix))
                                                    : static_cast<const void*>(&(layer.*row.norm)))
                      .second);
        }
    }
}

TEST_CASE("`bitnet` is SiLU, but squared ReLU where the file says so or has the shape of 2B-4T") {
    const bitnet::ArchRow& arch = *bitnet::find_arch("bitnet");
    bitnet::Hparams large;  // 1bitLLM's bitnet_b1_58-large
    large.n_layer = 24;
    large.n_embd = 1536;
    large.n_ff = 4096;
    CHECK(arch.activation(large) == Activation::silu);
    large.hidden_activation = "relu2";
    CHECK(arch.activation(large) == Activation::relu2);
    bitnet::Hparams two_billion;
    two_billion.n_layer = 30;
    two_billion.n_embd = 2560;
    two_billion.n_ff = 6912;
    CHECK(arch.activation(two_billion) == Activation::relu2);
    two_billion.hidden_activation = "silu";
    CHECK(arch.activation(two_billion) == Activation::silu);
    CHECK(bitnet::find_arch("bitnet-b1.58")->activation(large) == Activation::relu2);
    CHECK(bitnet::find_arch("bitnet-25")->activation(large) == Activation::relu2);
    CHECK(bitnet::find_arch("llama")->activation(two_billion) == Activation::silu);
}

TEST_CASE("context defaults follow the model, the caller and the machine") {
    bitnet::Model model;
    model.hparams.n_ctx_train = 2048;
    const bitnet_context_params zeros = {};
    const bitnet::ContextConfig config = bitnet::resolve_context_config(zeros, model, 0, 0, 6);
    CHECK(config.n_ctx == 2048);
    CHECK(config.n_batch == 2048);
    CHECK(config.n_ubatch == 512);
    CHECK(config.n_seq_max == 1);
    CHECK(config.n_threads == 6);
    model.hparams.n_ctx_train = int64_t{1} << 31;  // long contexts are not allocated unasked
    CHECK(bitnet::resolve_context_config(zeros, model, 0, 0, 6).n_ctx == 4096);
    CHECK(bitnet::resolve_context_config(zeros, model, 0, 64, 6).n_batch == 64);
    CHECK(bitnet::resolve_context_config(zeros, model, 0, 5000, 6).n_batch == 4096);
    CHECK(bitnet::resolve_context_config(zeros, model, 4, 0, 6).n_threads == 4);
    CHECK(bitnet::resolve_context_config(zeros, model, 40, 0, 6).n_threads == 6);
    bitnet_context_params asked = {};
    asked.n_threads = 3;
    asked.n_ctx = 100000;
    asked.n_batch = 64;
    CHECK(bitnet::resolve_context_config(asked, model, 5, 0, 6).n_threads == 3);
    CHECK(bitnet::resolve_context_config(asked, model, 5, 0, 2).n_threads == 2);
    CHECK(bitnet::resolve_context_config(asked, model, 5, 0, 6).n_ctx == 100000);
    CHECK(bitnet::resolve_context_config(asked, model, 5, 0, 6).n_ubatch == 64);
    asked.n_ctx = -3;
    CHECK_THROWS_AS(bitnet::resolve_context_config(asked, model, 5, 0, 6), bitnet::Error);
}
