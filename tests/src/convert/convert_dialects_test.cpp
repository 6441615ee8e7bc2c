// Ternary dialects of other programs, written and read: the same weights as I2_S, to the bit. Their byte orders are held
// against other people's code where they are defined (tests/kernels).
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "src/convert/gguf_source.h"
#include "src/convert/model_writer.h"
#include "tests/src/convert/computed_source.h"
#include "tests/support/temp_dir.h"

namespace {

using bitnet::ConvertOptions;
using bitnet::GgufSource;
using bitnet::GgufSourceOptions;
using kern::QuantType;
using test::ComputedSource;

constexpr const char* kTiling = "64x384:64,96,32;128x768:64,96,32";  // TL1 and TL2 both have tiles of 96 columns
const QuantType kDialects[] = {QuantType::tl2, QuantType::iq1_bn, QuantType::iq2_bn, QuantType::iq2_bn_r4};

ConvertOptions to_type(QuantType type, int n_threads = 1, const char* tiling = kTiling) {
    ConvertOptions options;
    options.types.matrices = type;
    options.n_threads = n_threads;
    options.tl_tilings = bitnet::TlTilings(tiling);
    return options;
}

std::unique_ptr<GgufSource> open(const std::string& path, const char* tiling = kTiling) {
    GgufSourceOptions options;
    options.tl_tilings = bitnet::TlTilings(tiling);
    return GgufSource::open(path, options);
}

void add_layers(ComputedSource& source) {
    source.add("blk.0.attn_q.weight", {384, 64});
    source.add("blk.0.ffn_down.weight", {768, 128});
    source.add("blk.0.attn_norm.weight", {384});
}

void check_round_trip(const ComputedSource& source, QuantType type, const char* tiling) {
    const test::TempDir folder;
    const std::string direct = folder.file("direct.gguf"), out = folder.file("out.gguf"),
                      back = folder.file("back.gguf");
    convert_model(source, direct, to_type(QuantType::i2_s));
    const bitnet::ConvertResult result = convert_model(source, out, to_type(type, 1, tiling));
    CHECK(result.main_type == type);
    for (const bitnet::ConvertedTensor& tensor : result.tensors) CHECK(tensor.loss.is_exact());
    const std::vector<uint8_t> bytes = test::read_file(out);
    convert_model(source, out, to_type(type, 3, tiling));
    CHECK(test::read_file(out) == bytes);

    const std::unique_ptr<GgufSource> read = open(out, tiling);
    CHECK(read->tensors()[0].stored == QuantType::i2_s);
    REQUIRE(read->tensors()[0].ternary_scale.has_value());
    CHECK(*read->tensors()[0].ternary_scale == 0.375f);
    convert_model(*read, back, to_type(QuantType::i2_s, 2));
    CHECK(test::read_file(back) == test::read_file(direct));
}

}  // namespace

TEST_CASE("a ternary model becomes every dialect and I2_S again without losing a bit") {
    ComputedSource source;
    add_layers(source);
    for (const QuantType type : kDialects) {
        CAPTURE(kern::quant_type_info(type).name);
        check_round_trip(source, type, kTiling);
    }
    check_round_trip(source, QuantType::tl1, "64,128,32");
}

TEST_CASE("rows with scales of their own are kept by dialects that have them and refused by those that do not") {
    const test::TempDir folder;
    const std::string out = folder.file("out.gguf"), again = folder.file("again.gguf");
    ComputedSource source;
    add_layers(source);
    source.rows_differ = true;
    CHECK_THROWS(convert_model(source, out, to_type(QuantType::i2_s)));
    CHECK_THROWS(convert_model(source, out, to_type(QuantType::tl2)));
    CHECK(folder.n_files() == 0);
    for (const QuantType type : {QuantType::iq2_bn, QuantType::iq1_bn, QuantType::iq2_bn_r4}) {
        CAPTURE(kern::quant_type_info(type).name);
        const bitnet::ConvertResult result = convert_model(source, out, to_type(type));
        for (const bitnet::ConvertedTensor& tensor : result.tensors) CHECK(tensor.loss.is_exact());
        const std::unique_ptr<GgufSource> read = open(out);
        CHECK(read->tensors()[0].stored == QuantType::f32);
        CHECK_FALSE(read->tensors()[0].ternary_scale.has_value());
        convert_model(*read, again, to_type(type, 3));
        CHECK(test::read_file(again) == test::read_file(out));
    }
}

TEST_CASE("tiles that do not fit a shape are named before anything is written") {
    const test::TempDir folder;
    ComputedSource source;
    add_layers(source);
    for (const char* tiling : {"48,96,32", "64,100,32"}) {
        try {
            convert_model(source, folder.file("out.gguf"), to_type(QuantType::tl2, 1, tiling));
            FAIL("converted");
        } catch (const bitnet::Error& error) {
            CHECK(error.status() == BITNET_E_QUANT_INPUT);
            CHECK(error.subject() == "blk.0.attn_q.weight");
        }
    }
    CHECK(folder.n_files() == 0);
}
