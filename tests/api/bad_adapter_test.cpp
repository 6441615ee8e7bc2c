// Adapter files that are wrong in one thing each: every one is refused with its status and a message that names the tensor
// or key. And arguments of the adapter functions that cannot be right.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/adapter_file.h"

namespace {

const char* const kName = "b158-i2s";  // 128 wide, 3 layers, heads 4 x 32 and 2 x 32, ff 384, tied head

test::AdapterFile good_file() {
    test::AdapterFile file("bitnet-b1.58");
    file.add("blk.0.attn_q.weight", 128, 128, 4, test::kTypeF16, 1)
        .add("blk.2.ffn_down.weight", 384, 128, 4, test::kTypeF32, 2);
    return file;
}

std::string status_of(const test::ModelHandle& model, const std::vector<uint8_t>& bytes) {
    bitnet_adapter* adapter = nullptr;
    const bitnet_status status = bitnet_adapter_load_from_memory(model.get(), bytes.data(), bytes.size(), &adapter);
    CHECK((adapter == nullptr) == (status != BITNET_OK));
    bitnet_adapter_free(adapter);
    return test::name_of(status);
}

bitnet_error_info error_info() {
    bitnet_error_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_last_error_get_info(&info));
    return info;
}

void set_value(test::EditTensor& tensor, size_t index, float value) {
    uint32_t word = 0;
    std::memcpy(&word, &value, sizeof word);
    for (size_t i = 0; i < 4; ++i) tensor.data[4 * index + i] = static_cast<uint8_t>(word >> (8 * i));
}

}  // namespace

TEST_CASE("an adapter file with one thing wrong is refused with its status, and the message names the thing") {
    const test::ModelHandle model = test::load_model(test::golden_model(kName));
    REQUIRE(status_of(model, good_file().bytes()) == "BITNET_OK");
    using Change = std::function<void(test::ModelEdit&)>;
    struct Case {
        const char* what;
        const char* status;
        const char* subject;
        Change change;
    };
    const char* const kQA = "blk.0.attn_q.weight.lora_a";
    const char* const kQB = "blk.0.attn_q.weight.lora_b";
    const char* const kDownA = "blk.2.ffn_down.weight.lora_a";
    const auto rename = [](const char* from, const char* to) {
        return [from, to](test::ModelEdit& e) {
            e.tensor(std::string(from) + ".lora_a").name = std::string(to) + ".lora_a";
            e.tensor(std::string(from) + ".lora_b").name = std::string(to) + ".lora_b";
        };
    };
    const std::vector<Case> cases = {
        {"no type", "BITNET_E_GGUF_METADATA", "general.type", [](auto& e) { e.remove_key("general.type"); }},
        {"a model", "BITNET_E_GGUF_METADATA", "general.type", [](auto& e) { e.set_string("general.type", "model"); }},
        {"a type of another kind", "BITNET_E_GGUF_METADATA", "general.type",
         [](auto& e) { e.set_u32("general.type", 1); }},
        {"no adapter type", "BITNET_E_GGUF_METADATA", "adapter.type", [](auto& e) { e.remove_key("adapter.type"); }},
        {"a control vector", "BITNET_E_GGUF_METADATA", "adapter.type",
         [](auto& e) { e.set_string("adapter.type", "control_vector"); }},
        {"aLoRA", "BITNET_E_UNSUPPORTED", "adapter.alora.invocation_tokens",
         [](auto& e) {
             e.set_u32_array("adapter.alora.invocation_tokens", {1, 2});
         }},
        {"no architecture", "BITNET_E_GGUF_METADATA", "general.architecture",
         [](auto& e) { e.remove_key("general.architecture"); }},
        {"another architecture", "BITNET_E_MODEL_ARCHITECTURE", "llama",
         [](auto& e) { e.set_string("general.architecture", "llama"); }},
        {"an unknown architecture", "BITNET_E_MODEL_ARCHITECTURE", "mamba\\x0a",
         [](auto& e) { e.set_string("general.architecture", "mamba\n"); }},
        {"alpha is no number", "BITNET_E_GGUF_METADATA", "adapter.lora.alpha",
         [](auto& e) { e.set_f32("adapter.lora.alpha", std::numeric_limits<float>::quiet_NaN()); }},
        {"alpha is infinite", "BITNET_E_GGUF_METADATA", "adapter.lora.alpha",
         [](auto& e) { e.set_f32("adapter.lora.alpha", -std::numeric_limits<float>::infinity()); }},
        {"alpha is text", "BITNET_E_GGUF_METADATA", "adapter.lora.alpha",
         [](auto& e) { e.set_string("adapter.lora.alpha", "8"); }},
        {"no tensors", "BITNET_E_GGUF_MISSING_TENSOR", "", [](auto& e) { e.tensors.clear(); }},
        {"only A", "BITNET_E_GGUF_MISSING_TENSOR", kQB, [&](auto& e) { e.remove_tensor(kQB); }},
        {"only B", "BITNET_E_GGUF_MISSING_TENSOR", kQA, [&](auto& e) { e.remove_tensor(kQA); }},
        {"a layer too many", "BITNET_E_NOT_FOUND", "blk.3.attn_q.weight.lora_a",
         rename("blk.0.attn_q.weight", "blk.3.attn_q.weight")},
        {"a number that begins with 0", "BITNET_E_NOT_FOUND", "blk.00.attn_q.weight.lora_a",
         rename("blk.0.attn_q.weight", "blk.00.attn_q.weight")},
        {"an unknown matrix", "BITNET_E_NOT_FOUND", "blk.0.attn_x.weight.lora_a",
         rename("blk.0.attn_q.weight", "blk.0.attn_x.weight")},
        {"no name", "BITNET_E_NOT_FOUND", ".lora_a", rename("blk.0.attn_q.weight", "")},
        {"a head that the model has not", "BITNET_E_NOT_FOUND", "output.weight.lora_a",
         rename("blk.0.attn_q.weight", "output.weight")},
        {"the embedding", "BITNET_E_UNSUPPORTED", "token_embd.weight.lora_a",
         rename("blk.0.attn_q.weight", "token_embd.weight")},
        {"a norm's pair", "BITNET_E_UNSUPPORTED", "blk.0.attn_norm.weight.lora_a",
         rename("blk.0.attn_q.weight", "blk.0.attn_norm.weight")},
        {"a norm", "BITNET_E_UNSUPPORTED", "blk.0.attn_norm.weight",
         [](auto& e) {
             e.tensors.push_back({"blk.0.attn_norm.weight", {128}, 0, std::vector<uint8_t>(512)});
         }},
        {"A of another width", "BITNET_E_GGUF_TENSOR_SHAPE", kQA,
         [&](auto& e) {
             e.tensor(kQA).ne = {64, 8};
         }},
        {"ranks that differ", "BITNET_E_GGUF_TENSOR_SHAPE", kQB,
         [&](auto& e) {
             e.tensor(kQA).ne = {128, 2};
         }},
        {"B turned around", "BITNET_E_GGUF_TENSOR_SHAPE", kQB,
         [&](auto& e) {
             e.tensor(kQB).ne = {128, 4};
         }},
        {"B of three dimensions", "BITNET_E_GGUF_TENSOR_SHAPE", kQB,
         [&](auto& e) {
             e.tensor(kQB).ne = {4, 64, 2};
         }},
        {"a matrix of another shape", "BITNET_E_GGUF_TENSOR_SHAPE", kQB,
         [&](auto& e) {
             e.tensor(kQA).name = "blk.0.attn_k.weight.lora_a";
             e.tensor(kQB).name = "blk.0.attn_k.weight.lora_b";
         }},
        {"an integer type", "BITNET_E_GGUF_TENSOR_TYPE", kQA, [&](auto& e) { e.tensor(kQA).type = 24; }},
        {"a block type", "BITNET_E_GGUF_TENSOR_TYPE", kQA,
         [&](auto& e) {
             e.tensor(kQA).type = 8;
             e.tensor(kQA).data.assign(4 * 4 * 34, 0);
         }},
        {"NaN", "BITNET_E_GGUF_TENSOR_DATA", kDownA, [&](auto& e) { set_value(e.tensor(kDownA), 77, std::nanf("")); }},
        {"infinity", "BITNET_E_GGUF_TENSOR_DATA", kDownA,
         [&](auto& e) { set_value(e.tensor(kDownA), 384 * 4 - 1, std::numeric_limits<float>::infinity()); }},
    };
    for (const Case& c : cases) {
        CAPTURE(std::string(c.what));
        test::AdapterFile file = good_file();
        c.change(file.edit);
        CHECK(status_of(model, file.bytes()) == c.status);
        const bitnet_error_info info = error_info();
        const std::string subject = c.subject == kQB && std::string(c.what) == "a matrix of another shape"
                                        ? "blk.0.attn_k.weight.lora_b"
                                        : c.subject;
        if (std::string(c.what) != "an integer type") CHECK(std::string(info.subject) == subject);
        CHECK(test::last_error().find(subject) != std::string::npos);
    }
}

TEST_CASE("a rank above the limit is refused by the tensor's name, the largest one works") {
    const test::ModelHandle model = test::load_model(test::golden_model(kName));
    for (const uint64_t rank : {4096u, 4097u}) {
        test::AdapterFile file("bitnet-b1.58");
        file.add("blk.1.attn_v.weight", 128, 64, rank, test::kTypeF16, 1);
        CHECK(status_of(model, file.bytes()) == (rank == 4096 ? "BITNET_OK" : "BITNET_E_LIMIT"));
    }
    CHECK(test::last_error().find("blk.1.attn_v.weight.lora_a") != std::string::npos);
    CHECK(error_info().actual == 4097);
    CHECK(error_info().expected == 4096);
}

TEST_CASE("an adapter file cut anywhere or with any byte changed never does harm") {
    const test::ModelHandle model = test::load_model(test::golden_model(kName));
    const std::vector<uint8_t> good = good_file().bytes();
    int refused = 0, n = 0;
    for (size_t size = 0; size < good.size(); size += size < 900 ? 13 : 501, ++n) {
        refused += status_of(model, {good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}) != "BITNET_OK";
    }
    CHECK(refused == n);
    const test::ContextHandle context =
        test::make_context(model, [](bitnet_context_params& p) { p.max_lora_rank = 4096; });
    for (size_t at = 0; at < 900; at += 3) {
        std::vector<uint8_t> bytes = good;
        bytes[at] ^= static_cast<uint8_t>(1 + at % 255);
        bitnet_adapter* adapter = nullptr;
        if (bitnet_adapter_load_from_memory(model.get(), bytes.data(), bytes.size(), &adapter) != BITNET_OK) continue;
        const test::AdapterHandle owner(adapter);
        test::must(bitnet_sequence_remove(context.get(), -1, -1, -1));
        test::must(test::set_adapters(context, 0, {{adapter, 1.0f}}));
        test::decode(context, {1, 2, 3});
    }
}

TEST_CASE("adapters are loaded from files, and a file that is not there or is a model is named") {
    const test::ModelHandle model = test::load_model(test::golden_model(kName));
    const test::TempDir folder;
    bitnet_adapter* adapter = nullptr;
    test::must(bitnet_adapter_load(model.get(), folder.write("a.gguf", good_file().bytes()).c_str(), &adapter));
    test::AdapterHandle owner(adapter);
    std::filesystem::remove(folder.file("a.gguf"));
    CHECK(test::info_of(owner).rank == 4);
    CHECK(test::name_of(bitnet_adapter_load(model.get(), folder.file("a.gguf").c_str(), &adapter)) ==
          "BITNET_E_FILE_NOT_FOUND");
    CHECK(adapter == nullptr);
    CHECK(test::last_error().find("a.gguf") != std::string::npos);
    CHECK(std::string(error_info().file) == folder.file("a.gguf"));
    CHECK(test::name_of(bitnet_adapter_load(model.get(), test::golden_model(kName).c_str(), &adapter)) ==
          "BITNET_E_GGUF_METADATA");
    CHECK(test::last_error().find(std::string(kName) + ".gguf: ") != std::string::npos);
    CHECK(std::string(error_info().operation) == "bitnet_adapter_load");
}

TEST_CASE("arguments of the adapter functions that cannot be right are refused, and nothing changes") {
    const test::ModelHandle model = test::load_model(test::golden_model(kName));
    const test::ModelHandle twin = test::load_model(test::golden_model(kName));
    const std::vector<uint8_t> bytes = good_file().bytes();
    bitnet_adapter* out = nullptr;
    const auto load = [&](const bitnet_model* m, const void* data, size_t size, bitnet_adapter** to) {
        return test::name_of(bitnet_adapter_load_from_memory(m, data, size, to));
    };
    CHECK(load(nullptr, bytes.data(), bytes.size(), &out) == "BITNET_E_ARGUMENT");
    CHECK(load(model.get(), nullptr, 5, &out) == "BITNET_E_ARGUMENT");
    CHECK(load(model.get(), bytes.data(), bytes.size(), nullptr) == "BITNET_E_ARGUMENT");
    CHECK(test::name_of(bitnet_adapter_load(model.get(), nullptr, &out)) == "BITNET_E_ARGUMENT");
    CHECK(test::name_of(bitnet_adapter_get_info(nullptr, nullptr)) == "BITNET_E_ARGUMENT");
    const test::ModelHandle vocabulary =
        test::load_model(test::golden_model(kName), [](bitnet_model_params& p) { p.vocab_only = 1; });
    CHECK(load(vocabulary.get(), bytes.data(), bytes.size(), &out) == "BITNET_E_STATE");

    const test::AdapterHandle adapter = test::load_adapter(model, bytes), foreign = test::load_adapter(twin, bytes);
    CHECK(test::name_of(bitnet_adapter_get_info(adapter.get(), nullptr)) == "BITNET_E_ARGUMENT");
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) {
        p.max_lora_rank = 11;
        p.n_seq_max = 2;
    });
    const auto set = [&](bitnet_seq_id id, const test::Uses& uses) {
        return test::name_of(test::set_adapters(context, id, uses));
    };
    const bitnet_adapter* a = adapter.get();
    CHECK(test::name_of(bitnet_context_set_adapters(nullptr, 0, nullptr, 0)) == "BITNET_E_ARGUMENT");
    CHECK(test::name_of(bitnet_context_set_adapters(context.get(), 0, nullptr, 1)) == "BITNET_E_ARGUMENT");
    CHECK(set(2, {{a, 1.0f}}) == "BITNET_E_ARGUMENT");
    CHECK(set(0, {{a, 1.0f}, {nullptr, 1.0f}}) == "BITNET_E_ARGUMENT");
    for (const float scale : {std::nanf(""), std::numeric_limits<float>::infinity(), -1.1e6f}) {
        CHECK(set(0, {{a, scale}}) == "BITNET_E_CONFIG");
    }
    CHECK(set(0, {{foreign.get(), 1.0f}}) == "BITNET_E_STATE");
    CHECK(set(0, test::Uses(65, {a, 0.0f})) == "BITNET_E_LIMIT");
    CHECK(set(0, {{a, 1.0f}, {a, 1.0f}, {a, 1.0f}}) == "BITNET_E_LIMIT");
    CHECK(error_info().actual == 12);
    CHECK(error_info().expected == 11);
    CHECK(set(0, {{a, 1.0f}, {a, 0.0f}, {a, 1.0f}}) == "BITNET_OK");  // scale 0 takes no room
    CHECK(set(-5, {{a, 1e6f}}) == "BITNET_OK");

    const test::ContextHandle without = test::make_context(model);
    CHECK(test::name_of(test::set_adapters(without, 0, {{a, 1.0f}})) == "BITNET_E_STATE");
    CHECK(test::last_error().find("max_lora_rank to 4") != std::string::npos);
    CHECK(test::name_of(test::set_adapters(without, 0, {})) == "BITNET_OK");
    for (const int32_t rank : {-1, 4097, INT32_MAX}) {
        bitnet_context_params params = bitnet_context_default_params();
        params.max_lora_rank = rank;
        bitnet_context* refused = nullptr;
        CHECK(test::name_of(bitnet_context_create(model.get(), &params, &refused)) == "BITNET_E_CONFIG");
        CHECK(refused == nullptr);
    }
}
