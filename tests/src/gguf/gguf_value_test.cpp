// Metadata values: conversions that never lose anything, and their text for people.
#include "src/gguf/gguf_value.h"

#include <cmath>
#include <cstdlib>
#include <limits>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "src/gguf/gguf_text.h"
#include "src/gguf/gguf_writer.h"
#include "tests/src/gguf/gguf_test_helpers.h"
#include "tests/support/gguf_bytes.h"

using namespace bitnet;

namespace {

// A file with one value, kept together with it.
struct OneValue {
    std::vector<uint8_t> bytes;
    std::shared_ptr<const GgufFile> file;
    const GgufValue& operator*() const { return *file->find("x"); }
    const GgufValue* operator->() const { return file->find("x"); }
};

template <typename Add>
OneValue one(Add&& add) {
    GgufWriter writer;
    add(writer);
    OneValue out{writer.to_bytes(), nullptr};
    out.file = test::parse(out.bytes);
    return out;
}

}  // namespace

TEST_CASE("integers convert where the value fits and nowhere else") {
    const auto u8 = one([](GgufWriter& w) { w.add_u8("x", 255); });
    CHECK(u8->as_uint() == 255);
    CHECK(u8->as_int() == 255);
    CHECK(u8->as_float() == 255.0);
    CHECK_FALSE(u8->as_bool());
    CHECK_FALSE(u8->as_string());
    CHECK_FALSE(u8->as_uint(1));
    CHECK_FALSE(u8->as_int(1));
    CHECK_FALSE(u8->as_float(1));
    CHECK(u8->to_text(64) == "255");

    const auto i16 = one([](GgufWriter& w) { w.add_i16("x", -2); });
    CHECK_FALSE(i16->as_uint());
    CHECK(i16->as_int() == -2);
    CHECK(i16->as_float() == -2.0);
    CHECK(i16->to_text(64) == "-2");

    const auto big = one([](GgufWriter& w) { w.add_u64("x", UINT64_MAX); });
    CHECK(big->as_uint() == UINT64_MAX);
    CHECK_FALSE(big->as_int());
    CHECK_FALSE(big->as_float());
    CHECK(big->to_text(64) == "18446744073709551615");

    const auto low = one([](GgufWriter& w) { w.add_i64("x", INT64_MIN); });
    CHECK(low->as_int() == INT64_MIN);
    CHECK_FALSE(low->as_float());

    const auto exact = one([](GgufWriter& w) { w.add_i64("x", -(int64_t{1} << 53)); });
    CHECK(exact->as_float() == -9007199254740992.0);
    const auto inexact = one([](GgufWriter& w) { w.add_u64("x", (uint64_t{1} << 53) + 1); });
    CHECK_FALSE(inexact->as_float());
    CHECK(inexact->as_int() == (int64_t{1} << 53) + 1);
}

TEST_CASE("every type keeps its extreme values") {
    CHECK(one([](GgufWriter& w) { w.add_i8("x", -128); })->as_int() == -128);
    CHECK(one([](GgufWriter& w) { w.add_u16("x", 65535); })->as_uint() == 65535);
    CHECK(one([](GgufWriter& w) { w.add_u32("x", UINT32_MAX); })->as_int() == 4294967295);
    CHECK(one([](GgufWriter& w) { w.add_i32("x", INT32_MIN); })->as_int() == INT32_MIN);
    CHECK(one([](GgufWriter& w) { w.add_f64("x", 0.1); })->as_float() == 0.1);
    CHECK(one([](GgufWriter& w) { w.add_f32("x", 0.1f); })->as_float() == double{0.1f});
    CHECK(one([](GgufWriter& w) { w.add_bool("x", true); })->as_bool() == true);
    CHECK_FALSE(one([](GgufWriter& w) { w.add_bool("x", true); })->as_uint());
    CHECK_FALSE(one([](GgufWriter& w) { w.add_bool("x", true); })->as_bool(1));
    CHECK_FALSE(one([](GgufWriter& w) { w.add_string("x", "a"); })->as_string(1));
    CHECK_FALSE(one([](GgufWriter& w) { w.add_f32("x", 3); })->as_int());
    CHECK_FALSE(one([](GgufWriter& w) { w.add_string("x", "7"); })->as_int());
}

TEST_CASE("floats are written as people write them, and read back to the same value") {
    CHECK(float_text(1e-5f) == "0.00001");
    CHECK(float_text(500000.0f) == "500000");
    CHECK(float_text(0.1f) == "0.1");
    CHECK(float_text(0.0f) == "0");
    CHECK(float_text(-1.5) == "-1.5");
    CHECK(float_text(1e30) == "1e+30");
    CHECK(float_text(1e-30f) == "1e-30");
    CHECK(float_text(std::numeric_limits<double>::infinity()) == "inf");
    CHECK(float_text(-std::numeric_limits<float>::infinity()) == "-inf");
    CHECK(float_text(-std::numeric_limits<double>::infinity()) == "-inf");
    CHECK(float_text(std::numeric_limits<float>::infinity()) == "inf");
    CHECK(float_text(std::nan("")) == "nan");
    CHECK(float_text(std::nanf("")) == "nan");
    for (const double value : {3.14159, 1e-6, 123456789012345.0, 5e-324, 1.7976931348623157e308})
        CHECK(std::strtod(float_text(value).c_str(), nullptr) == value);
}

TEST_CASE("arrays become JSON, cut with dots after the wanted number of elements") {
    const std::vector<int32_t> numbers = {1, -2, 3};
    const auto ints = one([&](GgufWriter& w) { w.add_i32_array("x", numbers); });
    CHECK(ints->is_array());
    CHECK(ints->size() == 3);
    CHECK(ints->as_int(2) == 3);
    CHECK_FALSE(ints->as_int(3));
    CHECK(ints->to_text(3) == "[1, -2, 3]");
    CHECK(ints->to_text(2) == "[1, -2, ...]");
    CHECK(ints->to_text(0) == "[...]");
    CHECK(ints->description() == "an array of 3 i32");
    CHECK(ints->raw().size() == 12);
    CHECK(one([&](GgufWriter& w) { w.add_i32_array("x", {}); })->to_text(64) == "[]");

    const std::vector<std::string> texts = {"plain", "q\"b\\n\n\t\x01", "\xc4\xa0", "bad \xff\xc3"};
    const auto strings = one([&](GgufWriter& w) { w.add_string_array("x", std::span<const std::string>(texts)); });
    for (size_t i = 0; i < texts.size(); ++i) CHECK(*strings->as_string(i) == texts[i]);
    const nlohmann::json json = nlohmann::json::parse(strings->to_text(64));
    CHECK(json[0] == texts[0]);
    CHECK(json[1] == texts[1]);
    CHECK(json[2] == texts[2]);
    CHECK(json[3] == "bad \xef\xbf\xbd\xef\xbf\xbd");
    CHECK(strings->raw().empty());

    const std::vector<float> odd = {0.5f, std::numeric_limits<float>::infinity(), std::nanf("")};
    CHECK(one([&](GgufWriter& w) { w.add_f32_array("x", odd); })->to_text(64) == "[0.5, null, null]");
    const std::vector<double> wide = {0.5, -std::numeric_limits<double>::infinity()};
    CHECK(one([&](GgufWriter& w) { w.add_f64_array("x", wide); })->to_text(64) == "[0.5, null]");
    CHECK(one([&](GgufWriter& w) { w.add_bool_array("x", {true, false}); })->to_text(64) == "[true, false]");
}

TEST_CASE("a scalar string is its own text, whatever is in it") {
    const std::string text = "line\nbad \xff";
    const auto value = one([&](GgufWriter& w) { w.add_string("x", text); });
    CHECK(value->to_text(64) == text);
    CHECK(value->description() == "a string");
}

TEST_CASE("names from a file are made fit for one line of valid UTF-8") {
    CHECK(for_message("blk.0.attn") == "blk.0.attn");
    CHECK(for_message("a\nb\x7f") ==
          "a\\x0a"
          "b\\x7f");
    CHECK(for_message("\xc3\xa9\xed\xa0\x80") == "\xc3\xa9\\xed\\xa0\\x80");
    CHECK(for_message(std::string(200, 'x'), 10) == "xxxxxxxxxx...");
    CHECK(for_message(std::string("\0", 1)) == "\\x00");
}

TEST_CASE("type names and widths are those of the format") {
    CHECK(std::string(gguf_type_name(GgufType::u8)) == "u8");
    CHECK(std::string(gguf_type_name(GgufType::boolean)) == "bool");
    CHECK(std::string(gguf_type_name(GgufType::f64)) == "f64");
    CHECK(std::string(gguf_type_name(static_cast<GgufType>(77))) == "unknown");
    CHECK(gguf_type_bytes(GgufType::string) == 0);
    CHECK(gguf_type_bytes(GgufType::u16) == 2);
    CHECK(gguf_type_bytes(GgufType::i64) == 8);
}
