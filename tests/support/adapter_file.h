// LoRA adapters as GGUF files, made in tests without a line of the library: the keys and tensors that llama.cpp's
// converter writes, with seeded random values, and whatever a test does to them afterwards.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"

namespace test {

inline constexpr uint32_t kTypeF32 = 0, kTypeF16 = 1, kTypeBf16 = 30;

// A matrix in values, row after row, and how it is stored.
struct AdapterMatrix {
    uint64_t k, n_rows;
    uint32_t type;
    std::vector<float> values;  // exact in the type
};

// Multiples of 1/256 below `size`: exact in f32 and f16, and cut to 8 significant bits in bf16.
inline AdapterMatrix adapter_matrix(uint64_t k, uint64_t n_rows, uint32_t type, uint64_t seed, int size) {
    AdapterMatrix m{k, n_rows, type, {}};
    uint64_t state = seed * 2654435761u + 12345;
    for (uint64_t i = 0; i < k * n_rows; ++i) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        const int step = static_cast<int>((state >> 33) % static_cast<uint64_t>(2 * size + 1)) - size;
        m.values.push_back(static_cast<float>(step) / 256.0f);
    }
    return m;
}

// value is a multiple of 1/256 below 8 in magnitude: at most 11 bits, so the half is exact.
inline uint16_t exact_half(float value) {
    if (value == 0.0f) return 0;
    int exponent = 0;
    const float fraction = std::frexp(std::fabs(value), &exponent);  // 0.5 .. 1
    const uint16_t bits = static_cast<uint16_t>((exponent + 14) << 10 | (static_cast<int>(fraction * 2048.0f) - 1024));
    return static_cast<uint16_t>(bits | (value < 0.0f ? 0x8000 : 0));
}

inline std::vector<uint8_t> stored(const AdapterMatrix& m) {
    std::vector<uint8_t> bytes;
    for (const float value : m.values) {
        uint32_t word = 0;
        std::memcpy(&word, &value, sizeof word);
        const uint32_t half = m.type == kTypeF16 ? exact_half(value) : word >> 16;
        const uint32_t shown = m.type == kTypeF32 ? word : half;
        for (int i = 0; i < (m.type == kTypeF32 ? 4 : 2); ++i) bytes.push_back(static_cast<uint8_t>(shown >> (8 * i)));
    }
    return bytes;
}

struct AdapterPair {
    std::string base;  // "blk.0.attn_q.weight"
    AdapterMatrix a, b;
};

class AdapterFile {
public:
    explicit AdapterFile(const std::string& architecture, float alpha = 8.0f)
        : edit(GgufBytes().counts(0, 0).pad().bytes()) {
        edit.set_string("general.type", "adapter").set_string("general.architecture", architecture);
        edit.set_string("general.name", "test adapter").set_string("adapter.type", "lora");
        edit.set_f32("adapter.lora.alpha", alpha);
    }
    AdapterFile& add(const std::string& base, uint64_t n_in, uint64_t n_out, uint64_t rank, uint32_t type,
                     uint64_t seed) {
        AdapterPair pair{base, adapter_matrix(n_in, rank, type, seed, 24),
                         adapter_matrix(rank, n_out, type, seed + 1, 24)};
        edit.tensors.push_back({base + ".lora_a", {n_in, rank}, type, stored(pair.a)});
        edit.tensors.push_back({base + ".lora_b", {rank, n_out}, type, stored(pair.b)});
        pairs.push_back(std::move(pair));
        return *this;
    }
    std::vector<uint8_t> bytes() const { return edit.bytes(); }

    ModelEdit edit;
    std::vector<AdapterPair> pairs;
};

inline constexpr const char* kLayerMatrices[] = {"attn_q",   "attn_k", "attn_v",  "attn_output",
                                                 "ffn_gate", "ffn_up", "ffn_down"};

// An adapter of every matrix of every layer, and of the head where the model has one.
inline AdapterFile full_adapter(const std::string& model_path, uint64_t rank, uint32_t type, uint64_t seed,
                                float alpha = 8.0f) {
    ModelEdit model = ModelEdit::open(model_path);
    std::string architecture;
    for (const EditKey& key : model.keys) {
        if (key.name == "general.architecture") architecture.assign(key.value.begin() + 12, key.value.end());
    }
    AdapterFile file(architecture, alpha);
    for (const EditTensor& tensor : model.tensors) {
        bool adapted = tensor.name == "output.weight";
        for (const char* name : kLayerMatrices) {
            adapted = adapted || tensor.name.find("." + std::string(name) + ".weight") != std::string::npos;
        }
        if (adapted) file.add(tensor.name, tensor.ne[0], tensor.ne[1], rank, type, seed++ * 2);
    }
    return file;
}

struct FreeAdapter {
    void operator()(bitnet_adapter* adapter) const { bitnet_adapter_free(adapter); }
};
using AdapterHandle = std::unique_ptr<bitnet_adapter, FreeAdapter>;

inline AdapterHandle load_adapter(const ModelHandle& model, const std::vector<uint8_t>& bytes) {
    bitnet_adapter* adapter = nullptr;
    must(bitnet_adapter_load_from_memory(model.get(), bytes.data(), bytes.size(), &adapter));
    return AdapterHandle(adapter);
}

inline bitnet_adapter_info info_of(const AdapterHandle& adapter) {
    bitnet_adapter_info info = {};
    info.struct_size = sizeof info;
    must(bitnet_adapter_get_info(adapter.get(), &info));
    return info;
}

using Uses = std::vector<bitnet_adapter_use>;

inline bitnet_status set_adapters(const ContextHandle& context, bitnet_seq_id id, const Uses& uses) {
    return bitnet_context_set_adapters(context.get(), id, uses.data(), uses.size());
}

}  // namespace test
