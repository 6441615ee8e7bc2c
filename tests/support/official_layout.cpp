// Builds the layout from the model's hyperparameters alone; that it is the official one is checked in the tests against
// the published tensor list. The vocabulary comes from the test data where it is there.
#include "tests/support/official_layout.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "src/gguf/gguf_keys.h"
#include "tests/support/test_data.h"

namespace test {
namespace {

namespace key = bitnet::gguf_key;
using kern::QuantType;

constexpr int64_t kEmbd = 2560, kFf = 6912, kKv = 640, kVocab = 128256, kLayers = 30;
constexpr int64_t kFirstControl = 128000;

struct Vocabulary {
    std::vector<std::string> tokens;
    std::vector<std::string> merges;
};

// The tokens and merges of a Hugging Face tokenizer.json, in the order of their ids.
Vocabulary read_llama3() {
    std::ifstream in(data_dir() / "tokenizer/llama3/tokenizer.json");
    const nlohmann::json json = nlohmann::json::parse(in);
    Vocabulary out;
    out.tokens.resize(static_cast<size_t>(kVocab));
    for (const auto& [token, id] : json.at("model").at("vocab").items()) out.tokens.at(id.get<size_t>()) = token;
    for (const auto& added : json.at("added_tokens"))
        out.tokens.at(added.at("id").get<size_t>()) = added.at("content").get<std::string>();
    for (const auto& merge : json.at("model").at("merges")) out.merges.push_back(merge.get<std::string>());
    return out;
}

// A vocabulary that obeys the rules: 256 byte tokens in GPT-2's printable alphabet, then merges of tokens before them.
Vocabulary make_up() {
    Vocabulary out;
    const auto utf8 = [](int c) {
        if (c < 0x80) return std::string(1, static_cast<char>(c));
        return std::string{static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
    };
    int shifted = 256;  // bytes without a printable form of their own get the characters from U+0100 on
    for (int b = 0; b < 256; ++b) {
        const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        out.tokens.push_back(utf8(printable ? b : shifted++));
    }
    for (size_t i = 256; i < static_cast<size_t>(kFirstControl); ++i) {
        const size_t pair = i - 256;
        const size_t left = pair < 65536 ? pair / 256 : 256 + (pair - 65536) / 256;
        const size_t right = pair % 256;
        out.merges.push_back(out.tokens[left] + " " + out.tokens[right]);
        out.tokens.push_back(out.tokens[left] + out.tokens[right]);
    }
    for (int64_t i = kFirstControl; i < kVocab; ++i)
        out.tokens.push_back("<|reserved_special_token_" + std::to_string(i - kFirstControl) + "|>");
    out.tokens[128000] = "<|begin_of_text|>";
    out.tokens[128001] = "<|end_of_text|>";
    out.tokens[128009] = "<|eot_id|>";
    return out;
}

struct Piece {
    std::string name;
    QuantType type;
    std::vector<int64_t> ne;
};

// Every tensor in file order: layers in the order of their names as text, 0, 1, 10, 11, ...
std::vector<Piece> official_tensors() {
    std::vector<Piece> out = {{"token_embd.weight", QuantType::f16, {kEmbd, kVocab}}};
    std::vector<std::string> layers;
    for (int64_t i = 0; i < kLayers; ++i) layers.push_back(std::to_string(i));
    std::sort(layers.begin(), layers.end());
    for (const std::string& layer : layers) {
        const std::string prefix = "blk." + layer + ".";
        const auto add = [&](const char* name, QuantType type, std::vector<int64_t> ne) {
            out.push_back({prefix + name + ".weight", type, std::move(ne)});
        };
        add("attn_norm", QuantType::f32, {kEmbd});
        add("ffn_down", QuantType::i2_s, {kFf, kEmbd});
        add("ffn_sub_norm", QuantType::f32, {kFf});
        add("ffn_gate", QuantType::i2_s, {kEmbd, kFf});
        add("ffn_up", QuantType::i2_s, {kEmbd, kFf});
        add("ffn_norm", QuantType::f32, {kEmbd});
        add("attn_sub_norm", QuantType::f32, {kEmbd});
        add("attn_k", QuantType::i2_s, {kEmbd, kKv});
        add("attn_output", QuantType::i2_s, {kEmbd, kEmbd});
        add("attn_q", QuantType::i2_s, {kEmbd, kEmbd});
        add("attn_v", QuantType::i2_s, {kEmbd, kKv});
    }
    out.push_back({"output_norm.weight", QuantType::f32, {kEmbd}});
    return out;
}

// Half floats of +-1/4, +-1/2, +-1, picked by position, the same on every machine.
uint16_t embedding_bits(int64_t row, int64_t column) {
    static constexpr std::array<uint16_t, 6> kBits = {0x3400, 0xb400, 0x3800, 0xb800, 0x3c00, 0xbc00};
    uint64_t mixed = static_cast<uint64_t>(row) * 0x9e3779b97f4a7c15ull + static_cast<uint64_t>(column) + 1;
    mixed = (mixed ^ (mixed >> 29)) * 0xbf58476d1ce4e5b9ull;
    return kBits[(mixed >> 33) % kBits.size()];
}

}  // namespace

bool add_official_metadata(bitnet::GgufWriter& writer) {
    const bool real = have_data("tokenizer/llama3/tokenizer.json");
    const Vocabulary vocabulary = real ? read_llama3() : make_up();
    const std::string arch = "bitnet-b1.58";
    std::vector<int32_t> types(static_cast<size_t>(kVocab), 1);
    std::fill(types.begin() + kFirstControl, types.end(), 3);
    writer.add_string(key::kArchitecture, arch);
    writer.add_string(key::kName, "bitnet2b");
    writer.add_u32(arch + key::kVocabSize, kVocab);
    writer.add_u32(arch + key::kContextLength, 4096);
    writer.add_u32(arch + key::kEmbeddingLength, kEmbd);
    writer.add_u32(arch + key::kBlockCount, kLayers);
    writer.add_u32(arch + key::kFeedForwardLength, kFf);
    writer.add_u32(arch + key::kRopeDimensionCount, 128);
    writer.add_u32(arch + key::kHeadCount, 20);
    writer.add_u32(arch + key::kHeadCountKv, 5);
    writer.add_bool(key::kAddBos, true);
    writer.add_f32(arch + key::kRmsEpsilon, 1e-5f);
    writer.add_f32(arch + key::kRopeFreqBase, 500000.0f);
    writer.add_u32(key::kFileType, 40);
    writer.add_string(key::kTokenizerModel, "gpt2");
    writer.add_string_array(key::kTokens, std::span<const std::string>(vocabulary.tokens));
    writer.add_f32_array(key::kScores, std::vector<float>(static_cast<size_t>(kVocab)));
    writer.add_i32_array(key::kTokenTypes, types);
    writer.add_string_array(key::kMerges, std::span<const std::string>(vocabulary.merges));
    writer.add_u32(key::kBosId, 128000);
    writer.add_u32(key::kEosId, 128001);
    writer.add_u32(key::kPaddingId, 128001);
    // The template really in the file, known to be wrong for the model.
    writer.add_string(key::kChatTemplate,
                      "{% for message in messages %}{% if loop.first %}{{ bos_token }}{% endif %}"
                      "{% if message['role'] == 'user' %}{{ 'Human: ' + message['content'] + "
                      "'\\n\\nBITNETAssistant: ' + eos_token }}{% elif message['role'] == 'assistant' %}"
                      "{{ message['content'] + eos_token }}{% endif %}{% endfor %}");
    writer.add_u32(key::kQuantizationVersion, 2);
    return real;
}

OfficialLayout write_official_layout(const std::filesystem::path& folder, const OfficialLayoutOptions& options) {
    bitnet::GgufWriter writer;
    OfficialLayout layout{folder / "ggml-model-i2_s.gguf", add_official_metadata(writer)};
    const std::vector<Piece> pieces = official_tensors();
    // The producers are never called: the file gets the head, its full length, and the few bytes written below.
    const auto nothing = [](int64_t, int64_t, void*) {};
    for (const Piece& piece : pieces) writer.add_tensor(piece.name, piece.type, piece.ne, nothing);
    const std::vector<uint8_t> head = writer.head();

    std::ofstream(layout.path, std::ios::binary).close();
    std::filesystem::resize_file(layout.path, writer.file_size());
    std::fstream file(layout.path, std::ios::binary | std::ios::in | std::ios::out);
    const auto write_at = [&](uint64_t offset, const void* data, size_t n) {
        file.seekp(static_cast<std::streamoff>(offset));
        file.write(static_cast<const char*>(data), static_cast<std::streamsize>(n));
    };
    write_at(0, head.data(), head.size());
    uint64_t offset = head.size();
    for (const Piece& piece : pieces) {
        const int64_t k = piece.ne[0];
        const int64_t n_rows = piece.ne.size() > 1 ? piece.ne[1] : 1;
        uint64_t bytes = 0;
        if (!kern::quant_tensor_bytes(piece.type, k, n_rows, &bytes)) throw std::logic_error(piece.name);
        if (piece.type == QuantType::f32 && options.unit_norms) {
            const std::vector<float> ones(static_cast<size_t>(k), 1.0f);
            write_at(offset, ones.data(), ones.size() * sizeof(float));
        }
        if (piece.type == QuantType::i2_s) write_at(offset + bytes - 32, &options.weight_scale, sizeof(float));
        if (piece.type == QuantType::f16) {
            for (const int32_t row : options.embedding_rows) {
                std::vector<uint16_t> values(static_cast<size_t>(k));
                for (int64_t column = 0; column < k; ++column)
                    values[static_cast<size_t>(column)] = embedding_bits(row, column);
                write_at(offset + static_cast<uint64_t>(row * k) * 2, values.data(), values.size() * 2);
            }
        }
        offset += bytes;  // every size here is a multiple of the alignment
    }
    file.close();
    if (!file) throw std::runtime_error("cannot write " + layout.path.string());
    return layout;
}

}  // namespace test
