// Models whose layers lie on several GPUs: the bits of one device and of the CPU, the same saved bytes, and clean failures of
// any of the devices. The GPUs are played by the CPU and have memories of different sizes.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "ggml-like/gpu/gpu_driver.h"
#include "tests/gpu/gpu_of_tests.h"
#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"

using test::Tokens;

namespace {

constexpr uint64_t kMebi = uint64_t{1} << 20;

// GPUs of these sizes in the place of the other tests' ones.
struct Machine {
    test::VirtualGpu gpus;
    explicit Machine(const std::vector<uint64_t>& memory_of)
        : gpus({.n_devices = static_cast<int32_t>(memory_of.size()), .memory_of = memory_of}) {
        tg::set_gpu_driver(&gpus);
    }
    ~Machine() { tg::set_gpu_driver(&test::gpu_of_tests()); }

    std::vector<uint64_t> used() {
        std::vector<uint64_t> bytes;
        for (int32_t i = 0; i < gpus.device_count(); ++i) bytes.push_back(gpus.device(i).counters().used_bytes);
        return bytes;
    }
};

test::ModelTweak on(const char* device) {
    return [device](bitnet_model_params& params) { params.device = device; };
}

test::ModelHandle load(const std::vector<uint8_t>& bytes, const std::string& device) {
    return test::load_model(bytes, [&](bitnet_model_params& params) { params.device = device.c_str(); });
}

std::vector<uint8_t> golden(const char* name) { return test::read_file(test::golden_model(name)); }

// b158-i2s with nine layers, which are its three again and again.
const std::vector<uint8_t>& nine_layers() {
    static const std::vector<uint8_t> bytes = [] {
        test::ModelEdit model = test::ModelEdit(golden("b158-i2s"));
        const std::vector<test::EditTensor> own = model.tensors;
        for (uint32_t layer = 3; layer < 9; ++layer) {
            const std::string from = "blk." + std::to_string(layer % 3) + ".";
            for (test::EditTensor tensor : own) {
                if (tensor.name.compare(0, from.size(), from) != 0) continue;
                tensor.name = "blk." + std::to_string(layer) + "." + tensor.name.substr(from.size());
                model.tensors.push_back(tensor);
            }
        }
        for (const test::EditKey& key : std::vector<test::EditKey>(model.keys)) {
            if (key.name.ends_with(".block_count")) model.set_u32(key.name, 9);
        }
        return model.bytes();
    }();
    return bytes;
}

std::vector<uint64_t> sizes_of_eight() {
    std::vector<uint64_t> sizes;
    for (uint64_t i = 0; i < 8; ++i) sizes.push_back((64 - 5 * i) * kMebi);
    return sizes;
}

void small(bitnet_context_params& params) {
    params.n_ctx = 64;
    params.n_ubatch = 8;
    params.n_seq_max = 2;
}

std::string device_of(const test::ModelHandle& model) {
    bitnet_model_config config = {};
    config.struct_size = sizeof config;
    test::must(bitnet_model_get_config(model.get(), &config));
    return config.device;
}

bitnet_device_stats stats_of(const test::ContextHandle& context) {
    bitnet_device_stats stats = {};
    stats.struct_size = sizeof stats;
    test::must(bitnet_context_get_device_stats(context.get(), &stats));
    return stats;
}

std::string summary_of(const test::ContextHandle& context) {
    char text[2048];
    size_t size = 0;
    test::must(bitnet_context_get_device_summary(context.get(), text, sizeof text, &size));
    return std::string(text, size);
}

std::vector<uint8_t> save(const test::ContextHandle& context) {
    size_t size = 0;
    bitnet_sequence_save(context.get(), 0, nullptr, 0, &size);
    std::vector<uint8_t> bytes(size);
    test::must(bitnet_sequence_save(context.get(), 0, bytes.data(), bytes.size(), &size));
    return bytes;
}

// Micro-batches, single tokens until they are replayed, a decode in pieces, states that change sides.
void check_same(const test::ModelHandle& cpu, const test::ModelHandle& gpu) {
    const test::ContextHandle a = test::make_context(cpu, small), b = test::make_context(gpu, small);
    const auto same = [&] { CHECK(test::same_bits(test::copy_logits(a, cpu), test::copy_logits(b, gpu))); };
    const auto both = [&](const Tokens& tokens, bitnet_seq_id seq) {
        test::decode(a, tokens, seq);
        test::decode(b, tokens, seq);
        same();
    };
    both({1, 5, 9, 2, 7, 3, 8, 4, 6, 11, 12}, 0);
    for (bitnet_token token = 1; token < 5; ++token) both({token}, 0);
    const std::vector<uint8_t> of_cpu = save(a), of_gpu = save(b);
    CHECK(of_cpu == of_gpu);
    test::must(bitnet_sequence_load(a.get(), 1, of_gpu.data(), of_gpu.size()));
    test::must(bitnet_sequence_load(b.get(), 1, of_cpu.data(), of_cpu.size()));
    both({13}, 1);
    const Tokens more = {7, 8, 9};
    test::decode(a, more);
    test::BatchArrays batch;
    for (const bitnet_token token : more) batch.add(token, 0, token == 9);
    const bitnet_batch view = batch.view();
    test::must(bitnet_context_decode_begin(b.get(), &view));
    int32_t done = 0;
    for (int n_steps = 0; done == 0 && n_steps < 1000; ++n_steps) test::must(bitnet_context_step(b.get(), 0, &done));
    same();
}

bitnet_status status_of(const std::vector<uint8_t>& bytes, const std::string& device) {
    return test::load_status(bytes, [&](bitnet_model_params& params) { params.device = device.c_str(); });
}

}  // namespace

TEST_CASE("layers on two, three and eight GPUs of any sizes give the CPU's bits, and each device computes its part") {
    const struct {
        const char* device;
        std::vector<uint8_t> bytes;
        std::vector<uint64_t> memory_of;
        const char* used;   // by the model
        uint64_t n_copied;  // values that go to a next device in each step
    } rows[] = {
        {"cuda:0,cuda:1", golden("b158-i2s"), {64 * kMebi, 64 * kMebi - 4096}, "cuda:0,cuda:1", 2},
        {"cuda:1,cuda:0", golden("b25-i2s-untied"), {32 * kMebi, 32 * kMebi}, "cuda:1,cuda:0", 2},
        // Two tables for rotations, of which the last layer needs one.
        {"cuda:0=1,cuda:1=1,cuda:2=1",
         golden("gemma3-i2s"),
         {64 * kMebi, 16 * kMebi, 32 * kMebi},
         "cuda:0,cuda:1,cuda:2",
         5},
        {"cuda:0=1,cuda:2=2", golden("llama-q4"), {64 * kMebi, 64 * kMebi, 32 * kMebi}, "cuda:0,cuda:2", 2},
        {"cuda:7=1,cuda:6=1,cuda:5=1,cuda:4=1,cuda:3=1,cuda:2=1,cuda:1=1,cuda:0=1", nine_layers(), sizes_of_eight(),
         "cuda:7,cuda:6,cuda:5,cuda:4,cuda:3,cuda:2,cuda:1,cuda:0", 14},
        // One layer, one device; and scratch alone would fill the second one more than the whole model fills the first.
        {"cuda:0,cuda:1", golden("qwen3-q8"), {64 * kMebi, 96 * kMebi}, "cuda:1", 0},
        {"cuda:0,cuda:1", golden("llama-i2s"), {64 * kMebi, 16 * kMebi}, "cuda:0", 0},
    };
    for (const auto& row : rows) {
        CAPTURE(row.used);
        Machine machine(row.memory_of);
        {
            const test::ModelHandle cpu = load(row.bytes, "cpu"), gpu = load(row.bytes, row.device);
            CHECK(device_of(gpu) == row.used);
            check_same(cpu, gpu);
            const test::ContextHandle context = test::make_context(gpu, small);
            std::vector<test::VirtualCounters> before;
            for (int32_t i = 0; i < machine.gpus.device_count(); ++i)
                before.push_back(machine.gpus.device(i).counters());
            for (const bitnet_token token : {1, 2, 3}) test::decode(context, {token});
            uint64_t n_copied = 0;
            for (int32_t i = 0; i < machine.gpus.device_count(); ++i) {
                CAPTURE(i);
                const test::VirtualCounters now = machine.gpus.device(i).counters();
                const test::VirtualCounters& was = before[static_cast<size_t>(i)];
                const bool is_used = device_of(gpu).find("cuda:" + std::to_string(i)) != std::string::npos;
                CHECK((now.n_launches > was.n_launches) == is_used);
                CHECK(now.n_replays - was.n_replays == (is_used ? 2 : 0));
                n_copied += now.n_copies_from - was.n_copies_from;
            }
            CHECK(n_copied == 3 * row.n_copied);
        }
        for (const uint64_t bytes : machine.used()) CHECK(bytes == 0);
    }
}

TEST_CASE("devices that do not reach each other are found at load, and values go through the host") {
    Machine machine({64 * kMebi, 64 * kMebi, 64 * kMebi});
    const std::vector<uint8_t> bytes = golden("b158-i2s");
    machine.gpus.device(2).set_deaf(true);
    const test::ModelHandle cpu = load(bytes, "cpu"), gpu = load(bytes, "cuda:0=1,cuda:1=1,cuda:2=1");
    const uint64_t tests = machine.gpus.device(2).counters().n_copies_from;
    check_same(cpu, gpu);
    CHECK(machine.gpus.device(1).counters().n_copies_from > 2);
    CHECK(machine.gpus.device(2).counters().n_copies_from == tests);
    const test::ContextHandle context = test::make_context(gpu, small);
    CHECK(summary_of(context).find("cuda:2: layers 2..2, 0 operations, ") != std::string::npos);
    CHECK(summary_of(context).find("values come through the host") > summary_of(context).find("cuda:2: layers"));
}

TEST_CASE("statistics and estimates of a split model are those of all its devices") {
    Machine machine({64 * kMebi, 64 * kMebi, 64 * kMebi});
    const std::string path = test::golden_model("b158-i2s");
    const test::ModelHandle one = test::load_model(path, on("cuda:0")),
                            three = test::load_model(path, on("cuda:0=1,cuda:1=1,cuda:2=1"));
    const test::ContextHandle a = test::make_context(one, small), b = test::make_context(three, small);
    for (const test::ContextHandle* context : {&a, &b}) {
        for (const bitnet_token token : {1, 2, 3}) test::decode(*context, {token});
    }
    const bitnet_device_stats of_one = stats_of(a), of_three = stats_of(b);
    CHECK(std::string(of_three.target_device) == "cuda:0,cuda:1,cuda:2");
    CHECK(of_three.total_operations == of_one.total_operations);
    CHECK(of_three.matmul_operations == of_one.matmul_operations);
    CHECK(of_three.quantization_operations == of_one.quantization_operations);
    CHECK(of_three.gpu_operations == of_three.total_operations);
    CHECK(of_three.is_gpu_effective == 1);
    CHECK(of_three.fallback_count == 0);
    CHECK(summary_of(b).find("\ncuda:1: layers 1..1, ") != std::string::npos);
    CHECK(summary_of(a).find("layers") == std::string::npos);
    test::must(bitnet_context_reset_device_stats(b.get()));
    CHECK(stats_of(b).total_operations == 0);

    bitnet_context_params params = bitnet_context_default_params();
    small(params);
    bitnet_memory_estimate loaded = {}, planned = {}, single = {};
    loaded.struct_size = planned.struct_size = single.struct_size = sizeof loaded;
    test::must(bitnet_model_estimate_memory(three.get(), &params, &loaded));
    test::must(bitnet_model_estimate_memory(one.get(), &params, &single));
    const bitnet_model_params model_params = test::model_params(on("cuda:0=1,cuda:1=1,cuda:2=1"));
    test::must(bitnet_model_estimate_memory_from_path(path.c_str(), &model_params, &params, &planned));
    CHECK(planned.total_bytes == loaded.total_bytes);
    CHECK(planned.weights_owned_bytes == loaded.weights_owned_bytes);
    CHECK(loaded.weights_owned_bytes == single.weights_owned_bytes + single.embedding_bytes);  // the head's copy
    CHECK(loaded.kv_bytes == single.kv_bytes);
    CHECK(loaded.activation_bytes == 3 * single.activation_bytes);
    CHECK(loaded.score_bytes == 3 * single.score_bytes);
}

TEST_CASE("a part that does not fit is said before anything is uploaded, with the device and its bytes") {
    const std::vector<uint8_t> bytes = golden("b158-i2s");
    Machine machine({64 * kMebi, 64 * kMebi, 50000});
    CHECK(test::name_of(status_of(bytes, "cuda:0=1,cuda:2=2")) == "BITNET_E_DEVICE_MEMORY");
    CHECK(test::last_error().find("cuda:2 (virtual GPU) lacks ") != std::string::npos);
    CHECK(test::last_error().find("the part of layers 1..2 with the output matrix takes ") != std::string::npos);
    CHECK(test::name_of(status_of(bytes, "cuda:2")) == "BITNET_E_DEVICE_MEMORY");
    CHECK(test::last_error().find("the whole model takes ") != std::string::npos);
    for (int32_t i = 0; i < 3; ++i) CHECK(machine.gpus.device(i).counters().n_allocations == 0);
    const test::ModelHandle fits = load(bytes, "cuda:all");
    CHECK(device_of(fits) == "cuda:0,cuda:1");

    const std::vector<uint64_t> before = machine.used();
    bitnet_context_params params = bitnet_context_default_params();
    params.n_ctx = 60000;
    bitnet_context* context = nullptr;
    uint64_t n_allocations = machine.gpus.device(0).counters().n_allocations;
    CHECK(test::name_of(bitnet_context_create(fits.get(), &params, &context)) == "BITNET_E_DEVICE_MEMORY");
    CHECK(test::last_error().find("cuda:0 lacks ") != std::string::npos);
    CHECK(test::last_error().find("keys and values of ") != std::string::npos);
    CHECK(machine.gpus.device(0).counters().n_allocations == n_allocations);
    CHECK(machine.used() == before);
}

TEST_CASE("the CPU takes the place of GPUs only where that is asked for, and it is counted and said") {
    const std::vector<uint8_t> bytes = golden("b158-i2s");
    Machine machine({50000, 40000});
    const test::ModelHandle cpu = load(bytes, "cpu");
    std::string logged;
    const auto log = [](bitnet_log_level, const char* message, void* to) { *static_cast<std::string*>(to) += message; };
    for (const char* device : {"cuda:0", "cuda:all", "cuda:7", "cuda:0,cuda:7"}) {
        CAPTURE(device);
        const std::string allowed = std::string(device) + ",cpu";
        CHECK(status_of(bytes, device) != BITNET_OK);
        const std::string why = test::last_error();
        logged.clear();
        bitnet_log_set_callback(log, BITNET_LOG_WARNING, &logged);
        const test::ModelHandle model = load(bytes, allowed);
        bitnet_log_set_callback(nullptr, BITNET_LOG_ERROR, nullptr);
        CHECK(device_of(model) == "cpu");
        const test::ContextHandle context = test::make_context(model, small);
        test::decode(context, {1, 2, 3});
        CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(cpu, {1, 2, 3}, small)));
        CHECK(stats_of(context).fallback_count == 1);
        CHECK(stats_of(context).cpu_operations > 0);
        const std::string problem = stats_of(context).last_gpu_error;
        CHECK(problem.find("cuda:") != std::string::npos);
        CHECK(logged.find("the CPU computes, as the device's name allows: " + problem) != std::string::npos);
        CHECK(summary_of(context).find("fallbacks: 1") != std::string::npos);
    }
    for (const uint64_t used : machine.used()) CHECK(used == 0);
    // A device that fails while it takes the weights is no reason to give up, either.
    Machine failing({64 * kMebi, 64 * kMebi});
    failing.gpus.device(1).set_wrong(true);
    CHECK(test::name_of(status_of(bytes, "cuda:0,cuda:1")) == "BITNET_E_DEVICE_COMPUTE");
    CHECK(device_of(load(bytes, "cuda:0,cuda:1,cpu")) == "cpu");
    for (const uint64_t used : failing.used()) CHECK(used == 0);
    CHECK(test::name_of(status_of(std::vector<uint8_t>(100, 7), "cuda:0,cpu")).find("GGUF") !=
          std::string::npos);  // nothing that a CPU could do better
}

TEST_CASE("a device that fails in the middle leaves the sequences as they were, whichever it is") {
    const std::vector<uint8_t> bytes = golden("b158-i2s");
    Machine machine({64 * kMebi, 64 * kMebi, 64 * kMebi});
    const test::ModelHandle cpu = load(bytes, "cpu");
    const test::Logits right = test::fresh_logits(cpu, {1, 2, 3, 4, 5}, small);
    {
        const test::ModelHandle model = load(bytes, "cuda:all");
        const Tokens next = {4, 5};
        for (int32_t device = 0; device < 3; ++device) {
            for (const test::FaultPoint at :
                 {test::FaultPoint::launch, test::FaultPoint::copy_in, test::FaultPoint::copy_from,
                  test::FaultPoint::synchronize}) {
                if (at == test::FaultPoint::copy_from && device == 0) continue;  // takes from nobody
                CAPTURE(device);
                CAPTURE(int(at));
                const test::ContextHandle context = test::make_context(model, small);
                test::decode(context, {1, 2, 3});
                machine.gpus.device(device).set_fault({.at = at, .kind = tg::ErrorKind::device});
                CHECK(test::name_of(bitnet_context_decode_tokens(context.get(), 0, next.data(), next.size())) ==
                      "BITNET_E_DEVICE");
                CHECK(test::last_error().find("virtual GPU " + std::to_string(device)) != std::string::npos);
                CHECK(bitnet_sequence_get_end(context.get(), 0) == 3);
                machine.gpus.device(device).clear_fault();
                test::decode(context, next);
                CHECK(test::same_bits(test::copy_logits(context, model), right));
            }
        }
        // The logits stay on the last device until somebody asks.
        const test::ContextHandle context = test::make_context(model, small);
        test::decode(context, {1, 2, 3, 4, 5});
        machine.gpus.device(2).set_fault({.at = test::FaultPoint::copy_out, .kind = tg::ErrorKind::device});
        const float* logits = nullptr;
        CHECK(test::name_of(bitnet_context_get_logits(context.get(), -1, &logits)) == "BITNET_E_DEVICE");
        CHECK(test::last_error().find("virtual GPU 2") != std::string::npos);
        machine.gpus.device(2).clear_fault();
        CHECK(test::same_bits(test::copy_logits(context, model), right));
    }
    for (const uint64_t used : machine.used()) CHECK(used == 0);
}

TEST_CASE("a device that runs out of memory at any allocation is said so, and none keeps anything") {
    const std::vector<uint8_t> bytes = golden("b25-i2s-untied");
    Machine machine({64 * kMebi, 64 * kMebi});
    for (int32_t device = 0; device < 2; ++device) {
        bool whole = false;
        for (uint64_t n = 0; !whole && n < 500; n += 7) {
            CAPTURE(device);
            CAPTURE(n);
            machine.gpus.device(device).set_fault(
                {.at = test::FaultPoint::allocate, .after = n, .kind = tg::ErrorKind::out_of_memory});
            bitnet_model_params params = test::model_params();
            params.device = "cuda:0,cuda:1";
            bitnet_model* model = nullptr;
            bitnet_context* context = nullptr;
            bitnet_status status = bitnet_model_load_from_memory(bytes.data(), bytes.size(), &params, &model);
            bitnet_context_params context_params = bitnet_context_default_params();
            small(context_params);
            if (status == BITNET_OK) status = bitnet_context_create(model, &context_params, &context);
            const bitnet_token token = 1;
            if (status == BITNET_OK) status = bitnet_context_decode_tokens(context, 0, &token, 1);
            whole = status == BITNET_OK;
            CHECK((whole || status == BITNET_E_DEVICE_MEMORY));
            machine.gpus.device(device).clear_fault();
            bitnet_context_free(context);
            bitnet_model_free(model);
            for (const uint64_t used : machine.used()) CHECK(used == 0);
        }
        CHECK(whole);
    }
}

TEST_CASE("a decode is cancelled on any of the devices, and the sequences are as before") {
    Machine machine({64 * kMebi, 64 * kMebi, 64 * kMebi});
    const test::ModelHandle model = load(golden("b158-i2s"), "cuda:all");
    int polls_left = 0;
    const test::ContextHandle context = test::make_context(model, [&](bitnet_context_params& params) {
        small(params);
        params.should_abort = [](void* left) { return --*static_cast<int*>(left) < 0 ? 1 : 0; };
        params.abort_user_data = &polls_left;
    });
    const Tokens tokens(20, 3);
    int n_cancelled = 0;
    for (int polls = 0;; polls += 4) {
        polls_left = polls;
        const bitnet_status status = bitnet_context_decode_tokens(context.get(), 0, tokens.data(), tokens.size());
        if (status == BITNET_OK) break;
        REQUIRE(test::name_of(status) == "BITNET_E_CANCELLED");
        CHECK(bitnet_sequence_get_end(context.get(), 0) == 0);
        ++n_cancelled;
    }
    CHECK(n_cancelled > 5);
    polls_left = 1000000;
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, tokens, small)));
}
