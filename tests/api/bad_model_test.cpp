// Files that are GGUF but no model this library can run: each is refused with its own status, the culprit named, and
// nothing left behind. Made from a golden model by taking away, adding and changing.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"

namespace {

constexpr const char* kArch = "bitnet-b1.58";

test::ModelEdit golden(const std::string& name = "b158-i2s") { return test::ModelEdit::open(test::golden_model(name)); }

// Loads and returns the status' name; the message must hold every part.
std::string refused(const test::ModelEdit& file, const std::vector<std::string>& parts,
                    const test::ModelTweak& tweak = {}) {
    const bitnet_status status = test::load_status(file.bytes(), tweak);
    if (status == BITNET_OK) return "BITNET_OK";
    const std::string message = test::last_error();
    for (const std::string& part : parts) {
        CAPTURE(message);
        CHECK(message.find(part) != std::string::npos);
    }
    return test::name_of(status);
}

void put_float(std::vector<uint8_t>& data, size_t at, float value) {
    std::memcpy(data.data() + at, &value, sizeof value);
}

size_t scale_offset(const test::EditTensor& tensor) { return tensor.n_elements() / 4; }

}  // namespace

TEST_CASE("the editor gives back the model it took apart") {
    for (const char* name : {"b158-i2s", "bitnet-i2s-silu", "llama-mix"}) {
        const std::vector<uint8_t> bytes = golden(name).bytes();
        CHECK(test::same_bits(test::fresh_logits(test::load_model(bytes), {1, 2}),
                              test::fresh_logits(test::load_model(test::golden_model(name)), {1, 2})));
    }
}

TEST_CASE("all missing tensors are listed at once") {
    test::ModelEdit file = golden();
    file.remove_tensor("blk.0.attn_q.weight")
        .remove_tensor("blk.2.ffn_sub_norm.weight")
        .remove_tensor("output_norm.weight");
    CHECK(refused(file, {"3", "blk.0.attn_q.weight", "blk.2.ffn_sub_norm.weight", "output_norm.weight"}) ==
          "BITNET_E_GGUF_MISSING_TENSOR");
    bitnet_error_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_last_error_get_info(&info));
    CHECK(info.status == BITNET_E_GGUF_MISSING_TENSOR);
    CHECK(info.expected == 2 + 3 * 11);
    CHECK(info.actual == 2 + 3 * 11 - 3);
    CHECK(std::string(info.subject) == "output_norm.weight");
    CHECK(std::string(info.message) == bitnet_last_error());
    test::ModelEdit empty = golden();
    empty.tensors.clear();
    CHECK(refused(empty, {"35", "token_embd.weight", "blk.2.ffn_down.weight"}) == "BITNET_E_GGUF_MISSING_TENSOR");
    empty.set_u32("bitnet-b1.58.block_count", 1000);  // a message stays readable
    CHECK(refused(empty, {"11002", "token_embd.weight", "and 10962 more"}) == "BITNET_E_GGUF_MISSING_TENSOR");
}

TEST_CASE("each single tensor of a model is needed") {
    for (const char* name : {"b158-i2s", "llama-q8"}) {
        const test::ModelEdit whole = golden(name);
        for (const test::EditTensor& tensor : whole.tensors) {
            CAPTURE(tensor.name);
            test::ModelEdit file = whole;
            file.remove_tensor(tensor.name);
            CHECK(refused(file, {tensor.name}) == "BITNET_E_GGUF_MISSING_TENSOR");
        }
    }
}

TEST_CASE("mis-shaped tensors are listed with both shapes") {
    test::ModelEdit file = golden();
    file.set_u32("bitnet-b1.58.feed_forward_length", 512);  // the file's tensors say 384
    CHECK(refused(file, {"12", "blk.0.ffn_up.weight", "[128,384]", "[128,512]", "blk.2.ffn_down.weight",
                         "[384,128]"}) == "BITNET_E_GGUF_TENSOR_SHAPE");
    test::ModelEdit swapped = golden();
    std::swap(swapped.tensor("blk.1.ffn_up.weight").ne[0], swapped.tensor("blk.1.ffn_up.weight").ne[1]);
    CHECK(refused(swapped, {"blk.1.ffn_up.weight", "[384,128]", "[128,384]"}) == "BITNET_E_GGUF_TENSOR_SHAPE");
    test::ModelEdit norm = golden();
    norm.tensor("output_norm.weight").ne = {64};
    CHECK(refused(norm, {"output_norm.weight", "[64]", "[128]"}) == "BITNET_E_GGUF_TENSOR_SHAPE");
    test::ModelEdit cube = golden();
    cube.tensor("blk.0.attn_q.weight").ne = {128, 64, 2};  // as many values, but a matrix it is not... unless flattened
    CHECK(refused(cube, {}) == "BITNET_OK");
}

TEST_CASE("a layer tensor that the architecture does not use is refused, not ignored") {
    test::ModelEdit file = golden();
    test::EditTensor bias = file.tensor("output_norm.weight");
    bias.name = "blk.1.attn_q.bias";
    file.tensors.push_back(bias);
    CHECK(refused(file, {"blk.1.attn_q.bias"}) == "BITNET_E_UNSUPPORTED");
    file.tensors.back().name = "blk.3.attn_norm.weight";  // a layer the file does not have
    CHECK(refused(file, {"blk.3.attn_norm.weight"}) == "BITNET_E_UNSUPPORTED");
}

TEST_CASE("ternary code 3 is found in every ternary type, with tensor and row, unless checking is off") {
    for (const char* name : {"b158-i2s", "b158-tq2", "b158-tq1"}) {
        CAPTURE(std::string(name));
        test::ModelEdit file = golden(name);
        test::EditTensor& tensor = file.tensor("blk.1.ffn_down.weight");
        const size_t row_bytes =
            (name == std::string("b158-i2s") ? tensor.n_elements() / 4 : tensor.data.size()) / tensor.ne[1];
        for (const size_t row : {size_t{0}, size_t{77}, static_cast<size_t>(tensor.ne[1] - 1)}) {
            const uint8_t before = tensor.data[row * row_bytes + 5];
            tensor.data[row * row_bytes + 5] =
                name == std::string("b158-tq1") ? 0x01 : 0xff;  // no encoder writes either
            CHECK(refused(file, {"blk.1.ffn_down.weight", "row " + std::to_string(row)}) ==
                  "BITNET_E_GGUF_TENSOR_DATA");
            CHECK(refused(file, {}, [](bitnet_model_params& p) { p.check_weights = 0; }) == "BITNET_OK");
            CHECK(refused(file, {"row " + std::to_string(row)}, [](bitnet_model_params& p) { p.n_threads = 1; }) ==
                  "BITNET_E_GGUF_TENSOR_DATA");
            tensor.data[row * row_bytes + 5] = before;
        }
    }
}

TEST_CASE("norms, scales and divisors that are no numbers are refused") {
    constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
    for (const float bad : {kNan, kInf, -kInf}) {
        CAPTURE(bad);
        test::ModelEdit norm = golden();
        put_float(norm.tensor("blk.2.attn_sub_norm.weight").data, 4 * 17, bad);
        CHECK(refused(norm, {"blk.2.attn_sub_norm.weight", "17"}) == "BITNET_E_GGUF_TENSOR_DATA");
        test::ModelEdit scale = golden();
        test::EditTensor& matrix = scale.tensor("blk.0.attn_k.weight");
        put_float(matrix.data, scale_offset(matrix), bad);
        CHECK(refused(scale, {"blk.0.attn_k.weight", "scale"}) == "BITNET_E_GGUF_TENSOR_DATA");
        // A scale is one number that would spoil everything: it is looked at even when weights are not checked.
        CHECK(refused(scale, {"blk.0.attn_k.weight"}, [](bitnet_model_params& p) { p.check_weights = 0; }) ==
              "BITNET_E_GGUF_TENSOR_DATA");
        test::ModelEdit output = golden("bitnet-i2s-silu");
        put_float(output.tensor("blk.1.ffn_up.scale").data, 0, bad);
        CHECK(refused(output, {"blk.1.ffn_up.scale"}) == "BITNET_E_GGUF_TENSOR_DATA");
    }
    for (const float bad : {kNan, kInf, 0.0f, -1.0f}) {
        CAPTURE(bad);
        test::ModelEdit divisors = golden("llama-i2s");
        put_float(divisors.tensor("rope_freqs.weight").data, 4, bad);
        CHECK(refused(divisors, {"rope_freqs.weight"}) == "BITNET_E_GGUF_TENSOR_DATA");
    }
}

TEST_CASE("norms of a type nobody writes are refused by type") {
    test::ModelEdit file = golden();
    test::EditTensor& norm = file.tensor("blk.0.ffn_norm.weight");
    norm.type = 8;  // Q8_0: 128 values in 136 bytes
    norm.data.resize(136);
    CHECK(refused(file, {"blk.0.ffn_norm.weight", "q8_0"}) == "BITNET_E_GGUF_TENSOR_TYPE");
}

TEST_CASE("architectures that are unknown, missing or nonsense are named on one line with the known ones") {
    for (const std::string bad : {"qwen2", "", "llama ", "LLAMA", "a\nb\x01", "\xff\xfe"}) {
        CAPTURE(bad);
        test::ModelEdit file = golden();
        file.set_string("general.architecture", bad);
        CHECK(refused(file, {"bitnet-b1.58", "bitnet-25", "llama"}) == "BITNET_E_MODEL_ARCHITECTURE");
    }
    test::ModelEdit file = golden();
    file.set_string("general.architecture", std::string(100000, 'x'));
    CHECK(refused(file, {"xxx"}) == "BITNET_E_MODEL_ARCHITECTURE");
    CHECK(test::last_error().size() < 1000);
    CHECK(refused(golden().remove_key("general.architecture"), {"general.architecture"}) == "BITNET_E_GGUF_METADATA");
    CHECK(refused(golden().set_u32("general.architecture", 7), {"general.architecture"}) == "BITNET_E_GGUF_METADATA");
}

TEST_CASE("hyperparameters out of range or not fitting together are refused before anything is sized by them") {
    const std::string arch = std::string(kArch) + ".";
    const struct {
        const char* what;
        std::function<void(test::ModelEdit&)> edit;
        const char* status;
        const char* part;
    } rows[] = {
        {"no layers", [&](test::ModelEdit& f) { f.set_u32(arch + "block_count", 0); }, "BITNET_E_MODEL_SHAPE",
         "block_count"},
        {"too many layers", [&](test::ModelEdit& f) { f.set_u32(arch + "block_count", 5000); }, "BITNET_E_MODEL_SHAPE",
         "block_count"},
        {"more layers than tensors", [&](test::ModelEdit& f) { f.set_u32(arch + "block_count", 4096); },
         "BITNET_E_GGUF_MISSING_TENSOR", "blk.3."},
        {"fewer layers than tensors", [&](test::ModelEdit& f) { f.set_u32(arch + "block_count", 2); },
         "BITNET_E_UNSUPPORTED", "blk.2."},
        {"no block_count", [&](test::ModelEdit& f) { f.remove_key(arch + "block_count"); }, "BITNET_E_GGUF_METADATA",
         "block_count"},
        {"block_count as text", [&](test::ModelEdit& f) { f.set_string(arch + "block_count", "3"); },
         "BITNET_E_GGUF_METADATA", "block_count"},
        {"negative width", [&](test::ModelEdit& f) { f.set<int32_t>(arch + "embedding_length", 5, -128); },
         "BITNET_E_GGUF_METADATA", "embedding_length"},
        {"width of 2^40",
         [&](test::ModelEdit& f) { f.set<uint64_t>(arch + "embedding_length", 10, uint64_t{1} << 40); },
         "BITNET_E_MODEL_SHAPE", "embedding_length"},
        {"width of 2^64-1", [&](test::ModelEdit& f) { f.set<uint64_t>(arch + "embedding_length", 10, UINT64_MAX); },
         "BITNET_E_MODEL_SHAPE", "embedding_length"},
        {"fractional width", [&](test::ModelEdit& f) { f.set_f32(arch + "embedding_length", 128.0f); },
         "BITNET_E_GGUF_METADATA", "embedding_length"},
        {"no feed-forward width", [&](test::ModelEdit& f) { f.set_u32(arch + "feed_forward_length", 0); },
         "BITNET_E_MODEL_SHAPE", "feed_forward_length"},
        {"feed-forward of 2^31", [&](test::ModelEdit& f) { f.set_u32(arch + "feed_forward_length", 1u << 31); },
         "BITNET_E_MODEL_SHAPE", "feed_forward_length"},
        {"layers of different width",
         [&](test::ModelEdit& f) {
             f.set_u32_array(arch + "feed_forward_length", {384, 384, 256});
         },
         "BITNET_E_MODEL_SHAPE", "feed_forward_length"},
        {"an empty list of widths", [&](test::ModelEdit& f) { f.set_u32_array(arch + "feed_forward_length", {}); },
         "BITNET_E_GGUF_METADATA", "feed_forward_length"},
        {"no heads", [&](test::ModelEdit& f) { f.set_u32(arch + "attention.head_count", 0); }, "BITNET_E_MODEL_SHAPE",
         "head_count"},
        {"heads that do not divide the width", [&](test::ModelEdit& f) { f.set_u32(arch + "attention.head_count", 6); },
         "BITNET_E_MODEL_SHAPE", "heads"},
        {"more heads than width", [&](test::ModelEdit& f) { f.set_u32(arch + "attention.head_count", 256); },
         "BITNET_E_MODEL_SHAPE", "heads"},
        {"no KV heads", [&](test::ModelEdit& f) { f.set_u32(arch + "attention.head_count_kv", 0); },
         "BITNET_E_MODEL_SHAPE", "head_count_kv"},
        {"KV heads that do not divide", [&](test::ModelEdit& f) { f.set_u32(arch + "attention.head_count_kv", 3); },
         "BITNET_E_MODEL_SHAPE", "KV heads"},
        {"more KV heads than heads", [&](test::ModelEdit& f) { f.set_u32(arch + "attention.head_count_kv", 8); },
         "BITNET_E_MODEL_SHAPE", "KV heads"},
        {"odd rotation", [&](test::ModelEdit& f) { f.set_u32(arch + "rope.dimension_count", 31); },
         "BITNET_E_MODEL_SHAPE", "rope"},
        {"rotation wider than a head", [&](test::ModelEdit& f) { f.set_u32(arch + "rope.dimension_count", 34); },
         "BITNET_E_MODEL_SHAPE", "rope"},
        {"keys and values of different width",
         [&](test::ModelEdit& f) { f.set_u32(arch + "attention.value_length", 16); }, "BITNET_E_MODEL_SHAPE", "width"},
        {"heads wider than anything",
         [&](test::ModelEdit& f) {
             f.set_u32(arch + "attention.key_length", 1u << 20).set_u32(arch + "attention.value_length", 1u << 20);
         },
         "BITNET_E_MODEL_SHAPE", "wide"},
        {"an epsilon that is no number",
         [&](test::ModelEdit& f) { f.set_f32(arch + "attention.layer_norm_rms_epsilon", NAN); },
         "BITNET_E_GGUF_METADATA", "epsilon"},
        {"a negative epsilon",
         [&](test::ModelEdit& f) { f.set_f32(arch + "attention.layer_norm_rms_epsilon", -1e-5f); },
         "BITNET_E_GGUF_METADATA", "epsilon"},
        {"a frequency base of 0", [&](test::ModelEdit& f) { f.set_f32(arch + "rope.freq_base", 0.0f); },
         "BITNET_E_GGUF_METADATA", "freq_base"},
        {"an infinite frequency base", [&](test::ModelEdit& f) { f.set_f32(arch + "rope.freq_base", INFINITY); },
         "BITNET_E_GGUF_METADATA", "freq_base"},
        {"a scaling factor of 0", [&](test::ModelEdit& f) { f.set_f32(arch + "rope.scaling.factor", 0.0f); },
         "BITNET_E_GGUF_METADATA", "factor"},
        {"a scaling nobody knows", [&](test::ModelEdit& f) { f.set_string(arch + "rope.scaling.type", "yarn\n"); },
         "BITNET_E_UNSUPPORTED", "yarn"},
        {"no context", [&](test::ModelEdit& f) { f.set_u32(arch + "context_length", 0); }, "BITNET_E_MODEL_SHAPE",
         "context_length"},
        {"a vocabulary of another size", [&](test::ModelEdit& f) { f.set_u32(arch + "vocab_size", 268); },
         "BITNET_E_MODEL_SHAPE", "268"},
        {"an embedding without rows",
         [&](test::ModelEdit& f) {
             f.remove_key(arch + "vocab_size");
             f.tensor("token_embd.weight").ne[1] = 0;
         },
         "BITNET_E_GGUF_TENSOR_SHAPE", "token_embd.weight"},
    };
    for (const auto& row : rows) {
        CAPTURE(std::string(row.what));
        test::ModelEdit file = golden();
        row.edit(file);
        CHECK(refused(file, {row.part}) == std::string(row.status));
    }
}

TEST_CASE("what may be left out or written in another width changes nothing") {
    const test::Logits expected = test::fresh_logits(test::load_model(test::golden_model("b158-i2s")), {1, 2, 3});
    const std::string arch = std::string(kArch) + ".";
    const std::function<void(test::ModelEdit&)> edits[] = {
        [&](test::ModelEdit& f) { f.remove_key(arch + "vocab_size"); },
        [&](test::ModelEdit& f) { f.remove_key(arch + "rope.dimension_count"); },
        [&](test::ModelEdit& f) { f.remove_key(arch + "context_length"); },
        [&](test::ModelEdit& f) { f.remove_key("general.name").remove_key("general.file_type"); },
        [&](test::ModelEdit& f) { f.set<uint64_t>(arch + "embedding_length", 10, 128); },
        [&](test::ModelEdit& f) { f.set<uint16_t>(arch + "block_count", 2, 3); },
        [&](test::ModelEdit& f) {
            f.set_u32_array(arch + "attention.head_count_kv", {2, 2, 2});
        },
        [&](test::ModelEdit& f) {
            f.set_string(arch + "rope.scaling.type", "linear").set_f32(arch + "rope.scaling.factor", 1.0f);
        },
        [&](test::ModelEdit& f) {
            f.set_string(arch + "rope.scaling.type", "none").set_f32(arch + "rope.scaling.factor", 4.0f);
        },
        [&](test::ModelEdit& f) { std::reverse(f.tensors.begin(), f.tensors.end()); },
        [&](test::ModelEdit& f) { f.rename_architecture(kArch, "bitnet-25"); },
        [&](test::ModelEdit& f) {
            f.rename_architecture(kArch, "bitnet").set_string("bitnet.hidden_activation", "relu2");
        },
    };
    int i = 0;
    for (const auto& edit : edits) {
        CAPTURE(i++);
        test::ModelEdit file = golden();
        edit(file);
        const std::vector<uint8_t> bytes = file.bytes();
        CHECK(test::same_bits(test::fresh_logits(test::load_model(bytes), {1, 2, 3}), expected));
    }
    test::ModelEdit silu = golden();
    silu.rename_architecture(kArch, "bitnet");
    const std::vector<uint8_t> bytes = silu.bytes();
    CHECK(!test::same_bits(test::fresh_logits(test::load_model(bytes), {1, 2, 3}), expected));
}

TEST_CASE("max_bytes refuses what is larger, with both numbers") {
    const test::ModelHandle whole = test::load_model(test::golden_model("b158-i2s"));
    const uint64_t bytes = test::info_of(whole).n_file_bytes;
    const auto limit = [](uint64_t n) { return [n](bitnet_model_params& p) { p.max_bytes = n; }; };
    CHECK(refused(golden(), {std::to_string(bytes), std::to_string(bytes - 1)}, limit(bytes - 1)) == "BITNET_E_SECURITY_MODEL_SIZE");
    CHECK(refused(golden(), {}, limit(bytes)) == "BITNET_OK");
    CHECK(refused(golden(), {}, limit(1)) == "BITNET_E_SECURITY_MODEL_SIZE");
}

TEST_CASE("a vocab_only model tokenizes, even without weights or a known architecture, and makes no context") {
    test::ModelEdit file = golden();
    file.tensors.clear();
    const auto vocab_only = [](bitnet_model_params& p) { p.vocab_only = 1; };
    for (const bool known : {true, false}) {
        if (!known) file.rename_architecture(kArch, "from-the-future");
        const std::vector<uint8_t> bytes = file.bytes();
        const test::ModelHandle model = test::load_model(bytes, vocab_only);
        const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(model.get());
        REQUIRE(tokenizer != nullptr);
        CHECK(bitnet_tokenizer_get_n_vocab(tokenizer) == 267);
        CHECK(test::info_of(model).n_vocab == 267);
        CHECK(std::string(test::info_of(model).architecture) == (known ? kArch : "from-the-future"));
        bitnet_context* context = nullptr;
        CHECK(test::name_of(bitnet_context_create(model.get(), nullptr, &context)) == "BITNET_E_STATE");
        CHECK(context == nullptr);
        test::last_error();
    }
}

TEST_CASE("messages about a file begin with its name, and options out of range are refused") {
    CHECK(refused(golden().remove_tensor("output_norm.weight"), {"memory: "}) == "BITNET_E_GGUF_MISSING_TENSOR");
    test::TempDir folder;
    const std::string path = folder.write("broken.gguf", golden().set_u32("bitnet-b1.58.block_count", 0).bytes());
    bitnet_model* model = nullptr;
    CHECK(test::name_of(bitnet_model_load(path.c_str(), nullptr, &model)) == "BITNET_E_MODEL_SHAPE");
    CHECK(test::last_error().find("broken.gguf: ") != std::string::npos);
    CHECK(refused(golden(), {"n_threads"}, [](bitnet_model_params& p) { p.n_threads = -1; }) == "BITNET_E_CONFIG");
    CHECK(refused(golden(), {"n_threads"}, [](bitnet_model_params& p) { p.n_threads = 100000; }) == "BITNET_E_CONFIG");
    CHECK(refused(golden(), {"i2s_order"}, [](bitnet_model_params& p) { p.i2s_order = 2; }) == "BITNET_E_ARGUMENT");
}
