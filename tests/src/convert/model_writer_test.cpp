// Sources that no ABI test has: split files, odd shapes, a source that fails in the middle; and the choice of types.
#include <doctest/doctest.h>

#include <cctype>
#include <cstring>
#include <string>
#include <vector>

#include "src/base/error.h"
#include "src/convert/gguf_source.h"
#include "src/convert/model_writer.h"
#include "tests/src/convert/computed_source.h"
#include "tests/support/temp_dir.h"

namespace {

using bitnet::SourceTensor;
using kern::QuantType;
using test::ComputedSource;

bitnet::ConvertOptions with_type(QuantType type, int n_threads = 1) {
    bitnet::ConvertOptions options;
    options.types.matrices = type;
    options.n_threads = n_threads;
    return options;
}

std::vector<float> values_of(const std::string& path, const std::string& name) {
    const auto source = bitnet::GgufSource::open(path);
    for (size_t i = 0; i < source->tensors().size(); ++i) {
        const SourceTensor& tensor = source->tensors()[i];
        if (tensor.name != name) continue;
        std::vector<float> values(static_cast<size_t>(tensor.ne[0] * tensor.n_rows()));
        source->read_rows(i, 0, tensor.n_rows(), values.data());
        return values;
    }
    return {};
}

}  // namespace

TEST_CASE("tensors of any shape come back whole, whatever the pieces they were written in") {
    const test::TempDir folder;
    ComputedSource source;
    source.add("blk.0.ffn_up.weight", {128, 5000});     // many groups of rows
    source.add("blk.0.ffn_down.weight", {131072, 3});   // a row larger than a group
    source.add("blk.0.attn_q.weight", {256, 7, 3, 2});  // four dimensions
    source.add("blk.0.attn_norm.weight", {777});
    source.add("rope_freqs.weight", {1});
    for (const int n_threads : {1, 3}) {
        const std::string out = folder.file("out.gguf");
        const bitnet::ConvertResult result = convert_model(source, out, with_type(QuantType::i2_s, n_threads));
        CHECK(result.main_type == QuantType::i2_s);
        for (size_t i = 0; i < source.tensors().size(); ++i) {
            const SourceTensor& tensor = source.tensors()[i];
            CAPTURE(tensor.name);
            const std::vector<float> values = values_of(out, tensor.name);
            REQUIRE(values.size() == static_cast<size_t>(tensor.ne[0] * tensor.n_rows()));
            size_t n_wrong = 0;
            for (size_t v = 0; v < values.size(); ++v)
                n_wrong += values[v] == ComputedSource::value(static_cast<int64_t>(v)) ? 0 : 1;
            CHECK(n_wrong == 0);
            CHECK(result.tensors[i].loss.n_values == static_cast<int64_t>(values.size()));
            CHECK(result.tensors[i].loss.is_exact());
        }
    }
}

TEST_CASE("a source that fails while it is read leaves no file, and the first failing row is told with any threads") {
    const test::TempDir folder;
    ComputedSource source;
    source.add("blk.0.ffn_up.weight", {128, 5000});
    source.failing_row = 4321;
    for (const int n_threads : {1, 4}) {
        for (const QuantType type : {QuantType::q8_0, QuantType::i2_s}) {  // while writing, while looking
            CHECK_THROWS_WITH(convert_model(source, folder.file("out.gguf"), with_type(type, n_threads)),
                              "row 4321 cannot be read");
            CHECK(folder.n_files() == 0);
        }
    }
}

TEST_CASE("rows longer than any model's are refused before they are read") {
    const test::TempDir folder;
    ComputedSource source;
    source.add("token_embd.weight", {bitnet::TensorRewriter::kMaxRow + 1, 1});
    source.failing_row = 0;
    try {
        convert_model(source, folder.file("out.gguf"), {});
        FAIL("converted");
    } catch (const bitnet::Error& error) {
        CHECK(error.status() == BITNET_E_LIMIT);
        CHECK(error.subject() == "token_embd.weight");
    }
}

TEST_CASE("a split model becomes one file without the keys of its parts") {
    const test::TempDir folder;
    std::vector<float> first(128), second(256);
    for (size_t i = 0; i < first.size(); ++i) first[i] = static_cast<float>(i) * 0.5f;
    for (size_t i = 0; i < second.size(); ++i) second[i] = static_cast<float>(i % 3) - 1.0f;
    const int64_t one_row[] = {128, 1}, two_rows[] = {128, 2};
    for (uint16_t part = 0; part < 2; ++part) {
        bitnet::GgufWriter writer;
        if (part == 0) writer.add_string("general.architecture", "llama");
        if (part == 0) writer.add_u32("general.file_type", 0);
        writer.add_u16("split.no", part);
        writer.add_u16("split.count", 2);
        writer.add_i32("split.tensors.count", 2);
        if (part == 0)
            writer.add_tensor("token_embd.weight", QuantType::f32, one_row, first.data());
        else
            writer.add_tensor("blk.0.ffn_up.weight", QuantType::f32, two_rows, second.data());
        writer.write(folder.file(part == 0 ? "m-00001-of-00002.gguf" : "m-00002-of-00002.gguf"));
    }
    const auto source = bitnet::GgufSource::open(folder.file("m-00001-of-00002.gguf"));
    CHECK(source->files().size() == 2);
    CHECK_THROWS(convert_model(*source, folder.file("m-00002-of-00002.gguf"), {}));  // the second part
    const std::string out = folder.file("out.gguf");
    convert_model(*source, out, with_type(QuantType::i2_s));
    const auto file = bitnet::GgufFile::open(out, false);
    CHECK(file->find("split.no") == nullptr);
    CHECK(file->find("split.count") == nullptr);
    CHECK(file->get_uint("general.file_type") == 40u);
    CHECK(file->get_uint("general.quantization_version") == 2u);
    CHECK(values_of(out, "token_embd.weight") == first);  // f16 holds these
    CHECK(values_of(out, "blk.0.ffn_up.weight") == second);
}

TEST_CASE("types are found in any case, and each that can be written has its general.file_type") {
    for (int i = 0; i < kern::kQuantTypeCount; ++i) {
        const kern::QuantTypeInfo& info = kern::quant_type_info(static_cast<QuantType>(i));
        if (info.encode == nullptr) continue;
        CAPTURE(info.name);
        std::string name = info.name;
        for (char& c : name) c = static_cast<char>(std::toupper(c));
        CHECK(bitnet::find_file_type(name.c_str(), "type") == info.type);
        CHECK(bitnet::general_file_type(info.type).has_value());
    }
    for (const char* name : {"", "i2", "i2_s ", "int8", "INT4", "mxfp4"})
        CHECK_THROWS(bitnet::find_file_type(name, "type"));
}
