// The shapes, and the weights row by row from seeds.
#include "src/bench/synthetic_model.h"

#include <array>
#include <vector>

#include "kernels/ternary_dialects.h"
#include "src/base/error.h"
#include "src/gguf/gguf_keys.h"
#include "src/gguf/gguf_writer.h"

namespace bitnet {
namespace {

namespace key = gguf_key;
using kern::QuantType;

constexpr SyntheticShape kShapes[] = {
    {"2b4t", "microsoft/bitnet-b1.58-2B-4T", "bitnet-b1.58", 30, 2560, 6912, 20, 5, 128, 128256, 4096, 500000.0f},
    {"large", "1bitLLM/bitnet_b1_58-large", "bitnet", 24, 1536, 4096, 16, 16, 96, 32002, 2048, 10000.0f},
    {"3b", "1bitLLM/bitnet_b1_58-3B", "bitnet", 26, 3200, 8640, 32, 32, 100, 32002, 2048, 10000.0f},
    {"8b", "HF1BitLLM/Llama3-8B-1.58-100B-tokens", "llama", 32, 4096, 14336, 32, 8, 128, 128256, 8192, 500000.0f},
    {"tiny", "a shape for tests", "bitnet-b1.58", 2, 256, 512, 4, 2, 64, 512, 256, 10000.0f},
};

// SplitMix64 (Steele, Lea, Flood 2014): any row of any tensor can be made on its own from a seed.
struct SplitMix {
    uint64_t state;
    uint64_t next() {
        uint64_t z = (state += 0x9e3779b97f4a7c15ull);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
        return z ^ (z >> 31);
    }
};

uint64_t row_seed(uint64_t seed, uint64_t tensor, int64_t row) {
    return SplitMix{SplitMix{seed * 0x100000001b3ull + tensor}.next() + static_cast<uint64_t>(row)}.next();
}

// The 81 bytes that hold four codes of 0, 1, 2.
std::array<uint8_t, 81> code_bytes() {
    std::array<uint8_t, 81> bytes{};
    for (size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<uint8_t>((i / 27 % 3) << 6 | (i / 9 % 3) << 4 | (i / 3 % 3) << 2 | i % 3);
    }
    return bytes;
}

void ternary_row(uint64_t seed, int64_t k, uint8_t* dst) {
    static const std::array<uint8_t, 81> kBytes = code_bytes();
    SplitMix random{seed};
    for (int64_t i = 0; i < k / 4; i += 8) {  // k is a multiple of 128
        const uint64_t bits = random.next();
        for (int64_t j = 0; j < 8; ++j) dst[i + j] = kBytes[((bits >> (8 * j)) & 255) * 81 >> 8];
    }
}

// -1, 0 and 1, a third each.
void trit_row(uint64_t seed, std::vector<float>& row) {
    SplitMix random{seed};
    for (float& value : row) value = static_cast<float>(static_cast<int64_t>((random.next() >> 32) * 3 >> 32) - 1);
}

// Nearly normal with deviation 0.05: logits then spread over a few units.
void float_row(uint64_t seed, int64_t k, float* dst) {
    SplitMix random{seed};
    for (int64_t i = 0; i < k; ++i) {
        const uint64_t bits = random.next();
        const int64_t sum =
            static_cast<int64_t>((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
        dst[i] = static_cast<float>(sum - 2 * 65535) * (0.05f / 37837.0f);
    }
}

void add_vocabulary(GgufWriter& writer, int64_t n_vocab) {
    const auto utf8 = [](int c) {
        if (c < 0x80) return std::string(1, static_cast<char>(c));
        return std::string{static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
    };
    std::vector<std::string> tokens, merges;
    int shifted = 256;
    for (int b = 0; b < 256; ++b) {
        const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        tokens.push_back(utf8(printable ? b : shifted++));
    }
    const size_t n_text = static_cast<size_t>(n_vocab) - 2;
    for (size_t i = 256; i < n_text; ++i) {
        const size_t pair = i - 256;
        const size_t left = pair < 65536 ? pair / 256 : 256 + (pair - 65536) / 256;
        merges.push_back(tokens[left] + " " + tokens[pair % 256]);
        tokens.push_back(tokens[left] + tokens[pair % 256]);
    }
    tokens.push_back("<|begin_of_text|>");
    tokens.push_back("<|end_of_text|>");
    std::vector<int32_t> types(tokens.size(), 1);
    types[n_text] = types[n_text + 1] = 3;
    writer.add_string(key::kTokenizerModel, "gpt2");
    writer.add_string(key::kTokenizerPre, "llama-bpe");
    writer.add_string_array(key::kTokens, std::span<const std::string>(tokens));
    writer.add_i32_array(key::kTokenTypes, types);
    writer.add_string_array(key::kMerges, std::span<const std::string>(merges));
    writer.add_u32(key::kBosId, static_cast<uint32_t>(n_text));
    writer.add_u32(key::kEosId, static_cast<uint32_t>(n_text + 1));
    writer.add_bool(key::kAddBos, true);
}

void add_metadata(GgufWriter& writer, const SyntheticShape& s) {
    const std::string arch = s.architecture;
    writer.add_string(key::kArchitecture, arch);
    writer.add_string(key::kName, std::string("synthetic ") + s.name);
    writer.add_u32(key::kFileType, 40);
    writer.add_u32(arch + key::kVocabSize, static_cast<uint32_t>(s.n_vocab));
    writer.add_u32(arch + key::kContextLength, static_cast<uint32_t>(s.n_ctx));
    writer.add_u32(arch + key::kEmbeddingLength, static_cast<uint32_t>(s.n_embd));
    writer.add_u32(arch + key::kBlockCount, static_cast<uint32_t>(s.n_layer));
    writer.add_u32(arch + key::kFeedForwardLength, static_cast<uint32_t>(s.n_ff));
    writer.add_u32(arch + key::kRopeDimensionCount, static_cast<uint32_t>(s.head_dim));
    writer.add_u32(arch + key::kHeadCount, static_cast<uint32_t>(s.n_head));
    writer.add_u32(arch + key::kHeadCountKv, static_cast<uint32_t>(s.n_head_kv));
    writer.add_f32(arch + key::kRmsEpsilon, 1e-5f);
    writer.add_f32(arch + key::kRopeFreqBase, s.rope_freq_base);
    add_vocabulary(writer, s.n_vocab);
}

class TensorAdder {
public:
    TensorAdder(GgufWriter& writer, const SyntheticOptions& options) : writer_(writer), options_(options) {}

    void ternary(const std::string& name, int64_t k, int64_t n_rows) {
        const uint64_t tensor = next_++;
        // Inputs near 1 give outputs near 1: variance k * 2/3 * scale^2.
        const float scale = 1.0f / __builtin_sqrtf(static_cast<float>(k) * (2.0f / 3.0f));
        const int64_t ne[] = {k, n_rows};
        const QuantType type = synthetic_matrix_type(k);
        if (type != QuantType::i2_s) {
            // A dialect is asked for as a whole tensor.
            writer_.add_tensor(name, type, ne, [=, seed = options_.seed](int64_t row0, int64_t n, void* dst) {
                const kern::DialectShape shape{type, k, n_rows, {}};
                std::vector<float> row(static_cast<size_t>(k));
                for (int64_t i = row0; i < row0 + n; ++i) {
                    trit_row(row_seed(seed, tensor, i), row);
                    kern::dialect_encode(shape, row.data(), i, i + 1, scale, dst);
                }
            });
            return;
        }
        writer_.add_tensor(
            name, QuantType::i2_s, ne,
            [=, seed = options_.seed](int64_t row0, int64_t n, void* dst) {
                for (int64_t i = 0; i < n; ++i) {
                    ternary_row(row_seed(seed, tensor, row0 + i), k, static_cast<uint8_t*>(dst) + i * k / 4);
                }
            },
            scale);
    }

    void floats(const std::string& name, QuantType type, int64_t k, int64_t n_rows) {
        const uint64_t tensor = next_++;
        const int64_t ne[] = {k, n_rows};
        writer_.add_tensor(name, type, ne, [=, seed = options_.seed](int64_t row0, int64_t n, void* dst) {
            std::vector<float> row(static_cast<size_t>(k));
            const uint64_t bytes = kern::quant_row_bytes(type, k);
            for (int64_t i = 0; i < n; ++i) {
                float_row(row_seed(seed, tensor, row0 + i), k, row.data());
                kern::quant_type_info(type).encode(row.data(), 1.0f, k,
                                                   static_cast<uint8_t*>(dst) + static_cast<uint64_t>(i) * bytes);
            }
        });
    }

    void ones(const std::string& name, int64_t width) {
        const int64_t ne[] = {width};
        writer_.add_tensor(name, QuantType::f32, ne, [width](int64_t, int64_t, void* dst) {
            for (int64_t i = 0; i < width; ++i) static_cast<float*>(dst)[i] = 1.0f;
        });
    }

private:
    GgufWriter& writer_;
    const SyntheticOptions& options_;
    uint64_t next_ = 1;
};

}  // namespace

std::span<const SyntheticShape> synthetic_shapes() { return kShapes; }

kern::QuantType synthetic_matrix_type(int64_t k) {
    return k % kern::quant_type_info(QuantType::i2_s).block_length == 0 ? QuantType::i2_s : QuantType::iq2_bn;
}

const SyntheticShape* find_synthetic_shape(const std::string& name) {
    for (const SyntheticShape& shape : kShapes) {
        if (name == shape.name) return &shape;
    }
    return nullptr;
}

std::string synthetic_shape_names() {
    std::string names;
    for (const SyntheticShape& shape : kShapes) names += (names.empty() ? "" : ", ") + std::string(shape.name);
    return names;
}

void write_synthetic_model(const std::string& path, const SyntheticShape& s, const SyntheticOptions& options) {
    const kern::QuantTypeInfo& embedding = kern::quant_type_info(options.embedding);
    if (s.n_embd % embedding.block_length != 0) {
        throw Error(BITNET_E_QUANT_INPUT, std::string("the rows of the head of '") + s.name + "' have " +
                                              std::to_string(s.n_embd) + " weights, no whole blocks of " +
                                              std::to_string(embedding.block_length) + " as " + embedding.name +
                                              " has; choose q8_0 or f16");
    }
    GgufWriter writer;
    add_metadata(writer, s);
    TensorAdder add(writer, options);
    const int64_t n_q = s.n_head * s.head_dim, n_kv = s.n_head_kv * s.head_dim;
    const bool sub_norms = std::string(s.architecture) != "llama";
    add.floats("token_embd.weight", options.embedding, s.n_embd, s.n_vocab);
    for (int64_t i = 0; i < s.n_layer; ++i) {
        const std::string blk = "blk." + std::to_string(i) + ".";
        add.ones(blk + "attn_norm.weight", s.n_embd);
        add.ternary(blk + "attn_q.weight", s.n_embd, n_q);
        add.ternary(blk + "attn_k.weight", s.n_embd, n_kv);
        add.ternary(blk + "attn_v.weight", s.n_embd, n_kv);
        if (sub_norms) add.ones(blk + "attn_sub_norm.weight", n_q);
        add.ternary(blk + "attn_output.weight", n_q, s.n_embd);
        add.ones(blk + "ffn_norm.weight", s.n_embd);
        add.ternary(blk + "ffn_gate.weight", s.n_embd, s.n_ff);
        add.ternary(blk + "ffn_up.weight", s.n_embd, s.n_ff);
        if (sub_norms) add.ones(blk + "ffn_sub_norm.weight", s.n_ff);
        add.ternary(blk + "ffn_down.weight", s.n_ff, s.n_embd);
    }
    add.ones("output_norm.weight", s.n_embd);
    writer.write(
        path, options.on_progress ? options.on_progress : [](uint64_t, uint64_t) { return true; });
}

}  // namespace bitnet
