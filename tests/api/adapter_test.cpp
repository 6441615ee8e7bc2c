// LoRA adapters through the public interface: what they compute, mixed sequences, and what becomes of them when sequences
// are shared, shifted, saved and loaded.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/adapter_file.h"
#include "tests/support/golden_case.h"

namespace {

const test::Tokens kPrompt = {10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120};

test::ContextHandle adapter_context(const test::ModelHandle& model, const test::ContextTweak& tweak = {}) {
    return test::make_context(model, [&](bitnet_context_params& p) {
        p.max_lora_rank = 24;
        if (tweak) tweak(p);
    });
}

test::Logits logits_with(const test::ModelHandle& model, const test::Uses& uses, const test::Tokens& tokens,
                         const test::ContextTweak& tweak = {}) {
    const test::ContextHandle context = adapter_context(model, tweak);
    test::must(test::set_adapters(context, 0, uses));
    test::decode(context, tokens);
    return test::copy_logits(context, model);
}

double largest_gap(const test::Logits& a, const test::Logits& b) {
    double worst = a.size() == b.size() ? 0.0 : 1e9;
    for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
        const double gap = std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
        worst = gap <= worst ? worst : gap;  // a NaN becomes the worst
    }
    return worst;
}

// The model with W + factor * B A for W, in double and stored as f32: dense types only.
std::vector<uint8_t> merged(const std::string& path,
                            const std::vector<std::pair<test::AdapterFile, double>>& adapters) {
    test::ModelEdit model = test::ModelEdit::open(path);
    for (test::EditTensor& tensor : model.tensors) {
        std::vector<double> sum;
        for (const auto& [file, scale] : adapters) {
            for (const test::AdapterPair& pair : file.pairs) {
                if (pair.base != tensor.name) continue;
                if (sum.empty()) sum.assign(tensor.n_elements(), 0.0);
                for (uint64_t o = 0; o < pair.b.n_rows; ++o) {
                    for (uint64_t r = 0; r < pair.a.n_rows; ++r) {
                        const double weight = scale * 8.0 / static_cast<double>(pair.a.n_rows) *
                                              static_cast<double>(pair.b.values[o * pair.b.k + r]);
                        for (uint64_t i = 0; i < pair.a.k; ++i) {
                            sum[o * pair.a.k + i] += weight * static_cast<double>(pair.a.values[r * pair.a.k + i]);
                        }
                    }
                }
            }
        }
        if (sum.empty()) continue;
        std::vector<uint8_t> data(sum.size() * sizeof(float));
        for (size_t i = 0; i < sum.size(); ++i) {
            uint32_t word = 0;
            if (tensor.type == test::kTypeF32) {
                std::memcpy(&word, tensor.data.data() + 4 * i, 4);
            } else if (tensor.type == test::kTypeBf16) {
                word = static_cast<uint32_t>(tensor.data[2 * i] | tensor.data[2 * i + 1] << 8) << 16;
            } else {
                FAIL("the base weights are neither f32 nor bf16");
            }
            float base = 0.0f;
            std::memcpy(&base, &word, sizeof base);
            const float value = static_cast<float>(static_cast<double>(base) + sum[i]);
            std::memcpy(data.data() + i * sizeof value, &value, sizeof value);
        }
        tensor.type = test::kTypeF32;
        tensor.data = data;
    }
    return model.bytes();
}

}  // namespace

TEST_CASE(
    "a ternary model with two adapters gives the oracle's logits within 1e-4, on every level and fed in any way") {
    std::ifstream in(test::golden_dir() / "lora.json");
    const nlohmann::json json = nlohmann::json::parse(in);
    const test::Tokens prompt = json.at("prompt");
    const size_t n_vocab = json.at("n_vocab");
    const std::vector<uint8_t> bytes = test::read_file(test::golden_dir() / json.at("logits").get<std::string>());
    REQUIRE(bytes.size() == prompt.size() * n_vocab * sizeof(float));
    for (const std::string& level : test::runnable_levels()) {
        CAPTURE(level);
        const std::string path = (test::golden_dir() / json.at("model").get<std::string>()).string();
        const test::ModelHandle model =
            test::load_model(path, [&](bitnet_model_params& p) { p.kernel = level.c_str(); });
        std::vector<test::AdapterHandle> owners;
        test::Uses uses;
        for (const nlohmann::json& use : json.at("adapters")) {
            bitnet_adapter* adapter = nullptr;
            const std::string file = (test::golden_dir() / use[0].get<std::string>()).string();
            test::must(bitnet_adapter_load(model.get(), file.c_str(), &adapter));
            owners.emplace_back(adapter);
            uses.push_back({adapter, use[1].get<float>()});
        }
        REQUIRE(uses.size() == 2);
        for (const size_t n_step : {size_t{1}, prompt.size()}) {
            const test::ContextHandle context = adapter_context(model);
            test::must(test::set_adapters(context, 0, uses));
            double worst = 0.0;
            for (size_t i = 0; i < prompt.size(); i += n_step) {
                test::BatchArrays arrays;
                for (size_t k = 0; k < n_step; ++k) arrays.add(prompt[i + k], 0, true);
                const bitnet_batch batch = arrays.view();
                test::must(bitnet_context_decode(context.get(), &batch));
                for (size_t k = 0; k < n_step; ++k) {
                    test::Logits expected(n_vocab);
                    std::memcpy(expected.data(), bytes.data() + (i + k) * n_vocab * sizeof(float),
                                n_vocab * sizeof(float));
                    const double gap =
                        largest_gap(test::copy_logits(context, model, static_cast<int32_t>(k)), expected);
                    worst = gap <= worst ? worst : gap;
                }
            }
            CHECK(worst <= 1e-4);
        }
    }
}

TEST_CASE("a model with an adapter is the model with the adapter merged into its weights, also with two of them") {
    const std::string path = test::golden_model("llama-mix");  // bf16 and f32 matrices and head
    const test::ModelHandle model = test::load_model(path);
    const test::Logits plain = test::fresh_logits(model, kPrompt);
    for (const uint32_t type : {test::kTypeF32, test::kTypeF16, test::kTypeBf16}) {
        CAPTURE(type);
        const test::AdapterFile first = test::full_adapter(path, 4, type, 1),
                                second = test::full_adapter(path, 7, type, 50);
        const test::AdapterHandle one = test::load_adapter(model, first.bytes()),
                                  two = test::load_adapter(model, second.bytes());
        const auto check = [&](const test::Uses& uses, const std::vector<std::pair<test::AdapterFile, double>>& same) {
            const test::Logits logits = logits_with(model, uses, kPrompt);
            CHECK(largest_gap(logits, test::fresh_logits(test::load_model(merged(path, same)), kPrompt)) < 2e-4);
            CHECK(largest_gap(logits, plain) > 0.05);
        };
        check({{one.get(), 1.0f}}, {{first, 1.0}});
        check({{one.get(), -0.5f}}, {{first, -0.5}});
        check({{one.get(), 0.75f}, {two.get(), 0.25f}}, {{first, 0.75}, {second, 0.25}});
    }
}

TEST_CASE("without an adapter, or with one at scale 0, logits have the bits of a context without room for any") {
    for (const test::GoldenCase& c : test::golden_cases()) {
        CAPTURE(c.name);
        const test::ModelHandle model = test::load_model(c.path);
        const test::AdapterHandle adapter =
            test::load_adapter(model, test::full_adapter(c.path, 3, test::kTypeF16, 9).bytes());
        const test::Logits plain = test::fresh_logits(model, c.prompt);
        CHECK(test::same_bits(logits_with(model, {}, c.prompt), plain));
        CHECK(test::same_bits(logits_with(model, {{adapter.get(), 0.0f}}, c.prompt), plain));
        if (c.name != "b158-zero-all")
            CHECK(!test::same_bits(logits_with(model, {{adapter.get(), 1.0f}}, c.prompt), plain));
    }
}

TEST_CASE("sequences with different adapters in one batch have the bits they have alone, at any level and threads") {
    for (const char* name : {"b158-i2s", "b25-i2s-untied", "llama-q8"}) {
        CAPTURE(std::string(name));
        const std::string path = test::golden_model(name);
        const auto first = test::full_adapter(path, 5, test::kTypeF16, 1).bytes();
        const auto second = test::full_adapter(path, 16, test::kTypeF32, 70).bytes();
        std::vector<test::Logits> expected;
        for (const std::string& level : test::runnable_levels()) {
            CAPTURE(level);
            const test::ModelHandle model =
                test::load_model(path, [&](bitnet_model_params& p) { p.kernel = level.c_str(); });
            const test::AdapterHandle one = test::load_adapter(model, first), two = test::load_adapter(model, second);
            const std::vector<test::Uses> uses = {{},
                                                  {{one.get(), 1.0f}},
                                                  {{two.get(), 0.5f}},
                                                  {{one.get(), 0.5f}, {two.get(), 2.0f}},
                                                  {{one.get(), 1.0f}}};
            if (expected.empty()) {
                for (const test::Uses& u : uses) expected.push_back(logits_with(model, u, kPrompt));
                CHECK(!test::same_bits(expected[0], expected[1]));
                CHECK(!test::same_bits(expected[2], expected[3]));
            }
            for (const int32_t n_threads : {1, 2}) {
                for (const int32_t n_ubatch : {1, 4, 512}) {
                    const test::ContextHandle context = adapter_context(model, [&](bitnet_context_params& p) {
                        p.n_seq_max = 5;
                        p.n_threads = n_threads;
                        p.n_ubatch = n_ubatch;
                    });
                    for (int32_t id = 0; id < 5; ++id)
                        test::must(test::set_adapters(context, id, uses[static_cast<size_t>(id)]));
                    test::BatchArrays arrays;
                    for (size_t i = 0; i < kPrompt.size(); ++i) {
                        for (int32_t id = 0; id < 5; ++id) arrays.add(kPrompt[i], id, i + 1 == kPrompt.size());
                    }
                    const bitnet_batch batch = arrays.view();
                    test::must(bitnet_context_decode(context.get(), &batch));
                    int different = 0;
                    for (int32_t id = 0; id < 5; ++id) {
                        different += !test::same_bits(test::copy_logits(context, model, id - 5),
                                                      expected[static_cast<size_t>(id)]);
                    }
                    CHECK(different == 0);
                }
            }
        }
    }
}

TEST_CASE("an adapter stays with its sequence: removing, prefill and shift use it again, copies get it") {
    const std::string path = test::golden_model("b158-i2s");
    const test::ModelHandle model = test::load_model(path);
    const test::AdapterHandle adapter =
        test::load_adapter(model, test::full_adapter(path, 4, test::kTypeF16, 3).bytes());
    const test::Uses uses = {{adapter.get(), 1.0f}};
    const test::Logits expected = logits_with(model, uses, kPrompt), plain = logits_with(model, {}, kPrompt);
    const test::ContextHandle context = adapter_context(model, [](bitnet_context_params& p) { p.n_seq_max = 3; });
    const auto prefill = [&](bitnet_seq_id id, const test::Tokens& tokens) {
        size_t n_reused = 0;
        test::must(bitnet_context_prefill(context.get(), id, tokens.data(), tokens.size(), &n_reused));
        return n_reused;
    };
    test::must(test::set_adapters(context, 0, uses));
    test::decode(context, kPrompt);
    CHECK(test::same_bits(test::copy_logits(context, model), expected));
    CHECK(prefill(0, kPrompt) == kPrompt.size() - 1);
    CHECK(test::same_bits(test::copy_logits(context, model), expected));
    test::must(bitnet_sequence_remove(context.get(), 0, -1, -1));
    CHECK(prefill(0, kPrompt) == 0);
    CHECK(test::same_bits(test::copy_logits(context, model), expected));

    // A fork goes on with the adapter of its source; its own one before is forgotten with its tokens.
    test::decode(context, {1, 2, 3}, 1);
    test::must(bitnet_sequence_fork(context.get(), 0, 1));
    CHECK(prefill(1, kPrompt) == kPrompt.size() - 1);
    CHECK(test::same_bits(test::copy_logits(context, model), expected));
    test::must(bitnet_sequence_fork(context.get(), 2, 1));  // empty and without
    CHECK(prefill(1, kPrompt) == 0);
    CHECK(test::same_bits(test::copy_logits(context, model), plain));

    test::Tokens longer = {7, 8, 9};
    longer.insert(longer.end(), kPrompt.begin(), kPrompt.end());
    prefill(0, longer);
    test::must(bitnet_sequence_shift(context.get(), 0, 0, 3, nullptr));
    CHECK(test::same_bits(test::copy_logits(context, model), expected));
}

TEST_CASE("the adapters of a sequence change only while it is empty, those of all sequences together or not at all") {
    const std::string path = test::golden_model("b158-i2s");
    const test::ModelHandle model = test::load_model(path);
    const test::AdapterHandle adapter =
        test::load_adapter(model, test::full_adapter(path, 4, test::kTypeF16, 3).bytes());
    const test::Uses uses = {{adapter.get(), 1.0f}}, half = {{adapter.get(), 0.5f}};
    const test::ContextHandle context = adapter_context(model, [](bitnet_context_params& p) { p.n_seq_max = 3; });
    test::must(test::set_adapters(context, 1, uses));
    test::decode(context, {5, 6}, 1);
    for (const test::Uses& other : {half, test::Uses{}}) {
        CHECK(test::name_of(test::set_adapters(context, 1, other)) == "BITNET_E_STATE");
        CHECK(test::last_error().find("sequence 1 holds 2 tokens") != std::string::npos);
        CHECK(test::name_of(test::set_adapters(context, -1, other)) == "BITNET_E_STATE");
    }
    test::must(test::set_adapters(context, 1, uses));   // as they are
    test::must(test::set_adapters(context, -1, uses));  // sequences 0 and 2 get them, too
    for (const bitnet_seq_id id : {0, 1, 2}) {
        test::must(bitnet_sequence_remove(context.get(), id, -1, -1));
        test::decode(context, kPrompt, id);
        CHECK(test::same_bits(test::copy_logits(context, model), logits_with(model, uses, kPrompt)));
    }
    test::must(bitnet_sequence_remove(context.get(), -1, -1, -1));
    test::must(test::set_adapters(context, -1, {}));
    test::decode(context, kPrompt, 1);
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, kPrompt)));
}

TEST_CASE("saved sequences and sessions load only where the same adapters are set") {
    const std::string path = test::golden_model("llama-i2s");
    const test::ModelHandle model = test::load_model(path);
    const auto bytes = test::full_adapter(path, 4, test::kTypeF16, 3).bytes();
    const test::AdapterHandle adapter = test::load_adapter(model, bytes);
    const test::AdapterHandle again = test::load_adapter(model, bytes);
    const test::AdapterHandle other = test::load_adapter(model, test::full_adapter(path, 4, test::kTypeF16, 4).bytes());
    const auto three = [](bitnet_context_params& p) { p.n_seq_max = 3; };
    const test::ContextHandle context = adapter_context(model, three);
    test::must(test::set_adapters(context, 1, {{adapter.get(), 1.0f}}));
    test::decode(context, kPrompt, 0);
    test::decode(context, kPrompt, 1);
    const auto saved = [](auto save) {
        size_t size = 0;
        CHECK(save(nullptr, size_t{0}, &size) == BITNET_E_BUFFER_TOO_SMALL);
        std::vector<uint8_t> data(size);
        test::must(save(data.data(), data.size(), &size));
        return data;
    };
    const auto sequence = [&](bitnet_seq_id id) {
        return saved(
            [&](void* to, size_t n, size_t* size) { return bitnet_sequence_save(context.get(), id, to, n, size); });
    };
    const std::vector<uint8_t> plain = sequence(0), adapted = sequence(1);
    const std::vector<uint8_t> session = saved([&](void* to, size_t n, size_t* size) {
        return bitnet_context_save_session_to_memory(context.get(), to, n, size);
    });
    struct Case {
        test::Uses uses;
        bool same;
    };
    for (const Case& c : {Case{{{adapter.get(), 1.0f}}, true}, Case{{{again.get(), 1.0f}}, true},
                          Case{{{adapter.get(), 0.5f}}, false}, Case{{{other.get(), 1.0f}}, false},
                          Case{{{adapter.get(), 1.0f}, {other.get(), 1.0f}}, false}, Case{{}, false}}) {
        const test::ContextHandle to = adapter_context(model, three);
        test::must(test::set_adapters(to, 1, c.uses));
        test::must(test::set_adapters(to, 2, c.uses));
        const std::string wanted = c.same ? "BITNET_OK" : "BITNET_E_STATE";
        CHECK(test::name_of(bitnet_sequence_load(to.get(), 2, adapted.data(), adapted.size())) == wanted);
        if (!c.same) CHECK(test::last_error().find("adapters") != std::string::npos);
        const std::string for_plain = c.uses.empty() ? "BITNET_OK" : "BITNET_E_STATE";
        CHECK(test::name_of(bitnet_sequence_load(to.get(), 1, plain.data(), plain.size())) == for_plain);
        CHECK(test::name_of(bitnet_context_load_session_from_memory(to.get(), session.data(), session.size())) ==
              wanted);
        CHECK((bitnet_sequence_get_end(to.get(), 1) > 0) == (c.same || c.uses.empty()));
        if (!c.same) continue;
        test::decode(to, {3}, 1);
        test::Tokens longer = kPrompt;
        longer.push_back(3);
        CHECK(test::same_bits(test::copy_logits(to, model), logits_with(model, c.uses, longer)));
    }
    // The adapter of another sequence is not that of this one.
    const test::ContextHandle swapped = adapter_context(model, three);
    test::must(test::set_adapters(swapped, 0, {{adapter.get(), 1.0f}}));
    CHECK(test::name_of(bitnet_context_load_session_from_memory(swapped.get(), session.data(), session.size())) ==
          "BITNET_E_STATE");
}

TEST_CASE("a context keeps the adapters it uses, an adapter keeps its model") {
    const std::string path = test::golden_model("b158-i2s");
    test::ModelHandle model = test::load_model(path);
    const auto bytes = test::full_adapter(path, 4, test::kTypeF16, 3).bytes();
    test::AdapterHandle adapter = test::load_adapter(model, bytes);
    const test::Logits expected = logits_with(model, {{adapter.get(), 1.0f}}, kPrompt);
    const test::ContextHandle context = adapter_context(model);
    test::must(test::set_adapters(context, 0, {{adapter.get(), 1.0f}}));
    const size_t n_vocab = static_cast<size_t>(test::info_of(model).n_vocab);
    adapter.reset();
    test::decode(context, kPrompt);
    const float* logits = test::logits_at(context, -1);
    CHECK(test::same_bits(test::Logits(logits, logits + n_vocab), expected));

    adapter = test::load_adapter(model, bytes);
    model.reset();
    CHECK(std::string(test::info_of(adapter).name) == "test adapter");
    adapter.reset();
    bitnet_adapter_free(nullptr);
}

TEST_CASE("an adapter tells what it is") {
    const std::string path = test::golden_model("b158-i2s");
    const test::ModelHandle model = test::load_model(path);
    test::AdapterFile file("bitnet", 6.0f);  // the name that converters write for bitnet-b1.58 models, too
    file.add("blk.0.attn_q.weight", 128, 128, 2, test::kTypeF32, 1)
        .add("blk.2.ffn_down.weight", 384, 128, 5, test::kTypeF16, 2);
    const test::AdapterHandle adapter = test::load_adapter(model, file.bytes());
    const bitnet_adapter_info info = test::info_of(adapter);
    CHECK(std::string(info.architecture) == "bitnet");
    CHECK(info.rank == 5);
    CHECK(info.alpha == 6.0f);
    CHECK(info.n_tensors == 4);
    CHECK(info.n_parameters == 2 * 256 + 5 * 512);
    CHECK(info.n_bytes >= 4 * 2 * 256 + 2 * 5 * 512);
}

TEST_CASE("the trace shows adapters' nodes with the same bits for any threads, and none without room for them") {
    const std::string path = test::golden_model("b25-i2s-untied");
    const test::ModelHandle model = test::load_model(path);
    const test::AdapterHandle adapter =
        test::load_adapter(model, test::full_adapter(path, 5, test::kTypeF16, 3).bytes());
    const auto trace_of = [&](int32_t n_threads, int32_t max_lora_rank) {
        const test::ContextHandle context = test::make_context(model, [&](bitnet_context_params& p) {
            p.n_threads = n_threads;
            p.max_lora_rank = max_lora_rank;
            p.n_seq_max = 2;
            p.trace = 1;
        });
        if (max_lora_rank != 0) test::must(test::set_adapters(context, 1, {{adapter.get(), 1.0f}}));
        test::BatchArrays arrays;
        for (const bitnet_token token : kPrompt) {
            arrays.add(token, 0, false);
            arrays.add(token, 1, token > 50);
        }
        const bitnet_batch batch = arrays.view();
        test::must(bitnet_context_decode(context.get(), &batch));
        size_t size = 0;
        bitnet_context_get_trace(context.get(), nullptr, 0, &size);
        std::string text(size + 1, '\0');
        test::must(bitnet_context_get_trace(context.get(), text.data(), text.size(), &size));
        nlohmann::json trace = nlohmann::json::parse(text.substr(0, size));
        for (nlohmann::json& row : trace) row.erase("us");
        return trace;
    };
    const nlohmann::json one = trace_of(1, 9), none = trace_of(1, 0);
    CHECK(one == trace_of(2, 9));
    size_t n_nodes = 0;
    for (const nlohmann::json& row : one) n_nodes += row.at("op") == "lora_down" || row.at("op") == "lora_up";
    CHECK(n_nodes == 2 * (2 * 7 + 1));
    CHECK(one.size() == none.size() + n_nodes);
    CHECK(one.back().at("name") == "logits.lora_b");
    CHECK(one.back().at("rows") == 7);
    CHECK(none.back().at("name") == "logits");
}

TEST_CASE("a text with adapters gets no receipt; room for adapters that a text does not use leaves its receipt valid") {
    const std::string path = test::golden_model("b25-i2s-untied");
    const test::ModelHandle model = test::load_model(path);
    const test::AdapterHandle adapter =
        test::load_adapter(model, test::full_adapter(path, 4, test::kTypeF16, 3).bytes());
    const test::ContextHandle context = adapter_context(model, [](bitnet_context_params& p) { p.n_seq_max = 2; });
    test::must(test::set_adapters(context, 1, {{adapter.get(), 1.0f}}));
    bitnet_generation_params params = bitnet_generation_default_params();
    params.max_new_tokens = 5;
    params.receipt = 1;
    const auto generate = [&](bitnet_seq_id id, bitnet_generation** out) {
        return test::name_of(bitnet_generate(context.get(), id, "the in", 6, &params, nullptr, nullptr, out));
    };
    bitnet_generation* generation = nullptr;
    CHECK(generate(1, &generation) == "BITNET_E_UNSUPPORTED");
    CHECK(test::last_error().find("adapters") != std::string::npos);
    bitnet_generation_free(generation);
    generation = nullptr;
    REQUIRE(generate(0, &generation) == "BITNET_OK");
    size_t size = 0;
    CHECK(bitnet_generation_get_receipt(generation, nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    std::string receipt(size + 1, '\0');
    test::must(bitnet_generation_get_receipt(generation, receipt.data(), receipt.size(), &size));
    bitnet_generation_free(generation);
    bitnet_receipt_params check;
    bitnet_receipt_params_init(&check, sizeof check);
    check.replay_share = 1.0;
    test::must(bitnet_receipt_verify(receipt.data(), size, model.get(), &check, nullptr));
    params.receipt = 0;
    generation = nullptr;
    CHECK(generate(1, &generation) == "BITNET_OK");
    bitnet_generation_free(generation);
}
