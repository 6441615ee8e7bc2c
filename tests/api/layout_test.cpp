// bitnet_model_params.quantization: whatever the layout of ternary matrices, the bits are the same, the memory is what the
// estimate said, and there is one copy.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/api_fixture.h"
#include "tests/support/golden_case.h"

namespace {

constexpr const char* kLayouts[] = {"i2s", "t5", "tl1", "tl2", "auto"};

test::ModelTweak laid_out(const char* quantization, const char* kernel = nullptr) {
    return [=](bitnet_model_params& p) {
        p.quantization = quantization;
        p.kernel = kernel;
    };
}

// One token at a time, a few, and more than the look-ups of any level take at once.
std::vector<test::Logits> logits_of(const test::ModelHandle& model, int32_t n_threads) {
    test::Tokens many;
    for (bitnet_token i = 0; i < 24; ++i) many.push_back((i * 7 + 3) % 50);
    std::vector<test::Logits> all;
    for (const size_t first : {size_t{1}, size_t{3}, many.size()}) {
        const test::ContextHandle context = test::make_context(model, [&](auto& p) { p.n_threads = n_threads; });
        test::decode(context, test::Tokens(many.begin(), many.begin() + static_cast<std::ptrdiff_t>(first)));
        all.push_back(test::copy_logits(context, model));
        test::decode(context, {5});
        all.push_back(test::copy_logits(context, model));
    }
    return all;
}

struct Log {
    std::string text;
    explicit Log(bitnet_log_level level) {
        bitnet_log_set_callback([](bitnet_log_level, const char* message,
                                   void* self) { static_cast<Log*>(self)->text += std::string(message) + "\n"; },
                                level, this);
    }
    ~Log() { bitnet_log_set_callback(nullptr, BITNET_LOG_ERROR, nullptr); }
};

}  // namespace

TEST_CASE("no layout of the ternary matrices changes a bit, at any level and number of threads") {
    for (const char* name : {"b158-i2s", "b25-i2s-untied", "bitnet-i2s-silu"}) {
        const std::string path = test::golden_model(name);
        const std::vector<test::Logits> expected = logits_of(test::load_model(path), 1);
        for (size_t i = 0; i < bitnet_kernel_get_count(); ++i) {
            bitnet_kernel_info kernel = {};
            kernel.struct_size = sizeof kernel;
            test::must(bitnet_kernel_get_info(i, &kernel));
            if (kernel.runnable == 0 || std::string(kernel.type) != "i2_s" ||
                std::string(kernel.name).find("i2s_") != 0)
                continue;
            // Every level on one model, the best one on the others.
            if (std::string(name) != "b158-i2s" && kernel.selected == 0) continue;
            for (const char* layout : kLayouts) {
                CAPTURE(kernel.level);
                CAPTURE(layout);
                const test::ModelHandle model = test::load_model(path, laid_out(layout, kernel.level));
                const std::vector<test::Logits> found = logits_of(model, 2);
                for (size_t l = 0; l < expected.size(); ++l) CHECK(test::same_bits(found[l], expected[l]));
                const std::string used = test::info_of(model).kernel;
                if (std::string(layout) != "auto") CHECK(used == std::string(layout) + "_" + kernel.level);
                CHECK(std::string(test::info_of(model).quantization) == "i2_s");
            }
        }
    }
}

TEST_CASE("a layout takes what the estimate says, in place of the mapped bytes") {
    const std::string path = test::golden_model("b158-i2s");
    bitnet_memory_estimate as_stored = {};
    as_stored.struct_size = sizeof as_stored;
    test::must(bitnet_model_estimate_memory(test::load_model(path).get(), nullptr, &as_stored));
    for (const char* layout : kLayouts) {
        for (const int32_t use_mmap : {0, 1}) {
            CAPTURE(layout);
            const bitnet_model_params params = test::model_params([&](bitnet_model_params& p) {
                p.quantization = layout;
                p.use_mmap = use_mmap;
            });
            bitnet_memory_estimate planned = {}, held = {};
            planned.struct_size = held.struct_size = sizeof planned;
            test::must(bitnet_model_estimate_memory_from_path(path.c_str(), &params, nullptr, &planned));
            bitnet_model* model = nullptr;
            test::must(bitnet_model_load(path.c_str(), &params, &model));
            const test::ModelHandle owner(model);
            test::must(bitnet_model_estimate_memory(model, nullptr, &held));
            CHECK(planned.weights_mapped_bytes == held.weights_mapped_bytes);
            CHECK(planned.weights_owned_bytes == held.weights_owned_bytes);
            CHECK(planned.total_bytes == held.total_bytes);
            if (std::string(layout) == "i2s" || std::string(layout) == "auto") continue;
            // The embedding, which is read row by row, stays; no matrix is there twice. Rows of this model are short, so tiles of
            // 64 rows and units of weights are filled up, but not to twice the bytes.
            if (use_mmap == 1) CHECK(held.weights_mapped_bytes < as_stored.weights_mapped_bytes);
            CHECK(held.weights_owned_bytes > 0);
            CHECK(held.attention_bytes < 2 * as_stored.attention_bytes);
        }
    }
}

TEST_CASE("codes that nobody checked keep their meaning: such a matrix stays as it is stored") {
    // The first row of a matrix gets codes 3, a quarter of its first block.
    std::vector<uint8_t> file = test::read_file(test::golden_model("b158-i2s"));
    const test::ModelHandle sound = test::load_model(test::golden_model("b158-i2s"));
    for (size_t i = 0; i < bitnet_model_get_tensor_count(sound.get()); ++i) {
        bitnet_tensor_info tensor = {};
        tensor.struct_size = sizeof tensor;
        test::must(bitnet_model_get_tensor(sound.get(), i, &tensor));
        if (std::string(tensor.name) == "blk.0.ffn_down.weight") {
            for (size_t byte = 0; byte < 32; ++byte) file[tensor.file_offset + byte] |= 3;
        }
    }
    const auto unchecked = [](const char* layout) {
        return [layout](bitnet_model_params& p) {
            p.quantization = layout;
            p.check_weights = 0;
        };
    };
    const std::vector<test::Logits> expected = logits_of(test::load_model(file, unchecked("i2s")), 1);
    const std::vector<test::Logits> of_sound = logits_of(sound, 1);
    CHECK(!test::same_bits(expected.back(), of_sound.back()));  // they count
    for (const char* layout : kLayouts) {
        CAPTURE(layout);
        const Log log(BITNET_LOG_WARNING);
        const std::vector<test::Logits> found = logits_of(test::load_model(file, unchecked(layout)), 1);
        for (size_t l = 0; l < expected.size(); ++l) CHECK(test::same_bits(found[l], expected[l]));
        const bool packs = std::string(layout) == "t5" || std::string(layout) == "tl1" || std::string(layout) == "tl2";
        if (packs) CHECK(log.text.find("'blk.0.ffn_down.weight' stays i2s") != std::string::npos);
    }
}

TEST_CASE("auto says what it measured and chose, once for a shape, and other names are refused") {
    const std::vector<uint8_t> file = test::read_file(test::golden_model("b158-i2s"));
    const auto measured_once = [](bitnet_model_params& p) {  // nothing else in this program measures so
        p.quantization = "auto";
        p.kernel = "scalar";
        p.n_threads = 1;
    };
    {
        const Log log(BITNET_LOG_INFO);
        const test::ModelHandle model = test::load_model(file, measured_once);
        CHECK(log.text.find(" weights become ") != std::string::npos);
        CHECK(log.text.find("speed for a token generated and one of a prompt on 1 thread against i2s: t5 ") != std::string::npos);
    }
    {
        const Log log(BITNET_LOG_INFO);
        const test::ModelHandle model = test::load_model(file, measured_once);
        CHECK(log.text.find(" weights become ") == std::string::npos);
    }
    for (const char* name : {"I2S", "t6", "i2_s", "auto ", "tl"}) {
        CHECK(test::name_of(test::load_status(file, laid_out(name))) == "BITNET_E_CONFIG");
        CHECK(test::last_error().find("known are i2s, t5, tl1, tl2 and auto") != std::string::npos);
    }
}
