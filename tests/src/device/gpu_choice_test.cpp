// What a model is asked to compute on: which texts name several GPUs, and what comes of those that are not there.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "ggml-like/gpu/gpu_driver.h"
#include "src/base/error.h"
#include "src/device/gpu_choice.h"
#include "tests/support/virtual_gpu.h"

using namespace bitnet;

namespace {

using Gpus = std::vector<GpuChoice::Gpu>;

struct Installed {
    test::VirtualGpu gpus;
    explicit Installed(const test::VirtualGpuOptions& options) : gpus(options) { tg::set_gpu_driver(&gpus); }
    ~Installed() { tg::set_gpu_driver(nullptr); }
};

bitnet_status status_of_text(const char* text) {
    try {
        require_gpus(text);
    } catch (const Error& error) {
        CHECK(error.message().find('\n') == std::string::npos);
        return error.status();
    }
    return BITNET_OK;
}

}  // namespace

TEST_CASE("several GPUs are named with commas, with shares for all or for none, and the CPU only behind them") {
    const struct {
        const char* text;
        Gpus gpus;
        bool all, or_cpu;
    } rows[] = {
        {"cuda", {{0, 0}}, false, false},
        {"cuda:3", {{3, 0}}, false, false},
        {"cuda:0,cuda:1", {{0, 0}, {1, 0}}, false, false},
        {"cuda:7,cuda:0,cuda:2", {{7, 0}, {0, 0}, {2, 0}}, false, false},
        {"cuda:0=20,cuda:1=10", {{0, 20}, {1, 10}}, false, false},
        {"cuda:0=10000", {{0, 10000}}, false, false},
        {"cuda:all", {}, true, false},
        {"cuda:all,cpu", {}, true, true},
        {"cuda,cpu", {{0, 0}}, false, true},
        {"cuda:0=1,cuda:1=2,cpu", {{0, 1}, {1, 2}}, false, true},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        const std::optional<ParsedGpus> parsed = parse_gpus(row.text);
        REQUIRE(parsed.has_value());
        CHECK(parsed->gpus == row.gpus);
        CHECK(parsed->all == row.all);
        CHECK(parsed->or_cpu == row.or_cpu);
    }
    for (const char* text : {"",
                             ",",
                             "cpu",
                             "auto",
                             "metal",
                             "cpu,cpu",
                             "cpu,cuda:0",
                             "cuda:0,",
                             ",cuda:0",
                             "cuda:0,,cuda:1",
                             "cuda:0,cuda:0",
                             "cuda,cuda:0",
                             "cuda:0, cuda:1",
                             "cuda:0;cuda:1",
                             "cuda:all,cuda:0",
                             "cuda:0,cuda:all",
                             "cuda:all,cpu,cpu",
                             "cuda:all=1",
                             "cuda:0,cpu,cuda:1",
                             "cuda:0=1,cuda:1",
                             "cuda:0,cuda:1=1",
                             "cuda:0=0",
                             "cuda:0=-1",
                             "cuda:0=01",
                             "cuda:0=+1",
                             "cuda:0=1.5",
                             "cuda:0=",
                             "cuda:0=10001",
                             "cuda:0=99999999999",
                             "cuda:0=1=1",
                             "cuda:0=1,cpu=1",
                             "cuda:256",
                             "cuda:0,metal",
                             "cuda:0,auto"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_gpus(text).has_value());
    }
    CHECK(format_gpus({{0, 3}, {2, 1}}) == "cuda:0,cuda:2");
}

TEST_CASE("what is not there is an error, or the CPU where the text allows it, with the reason") {
    const Installed two({.n_devices = 2});
    CHECK(require_gpus("cuda:all").gpus == Gpus{{0, 0}, {1, 0}});
    CHECK(require_gpus("cuda:1,cuda:0").gpus == Gpus{{1, 0}, {0, 0}});
    CHECK(require_gpus(nullptr).empty());
    CHECK(require_gpus("cpu").empty());
    CHECK(require_gpus("cpu").problem.empty());
    CHECK(status_of_text("cuda:0,cuda:2") == BITNET_E_DEVICE_NOT_AVAILABLE);
    CHECK(status_of_text("metal") == BITNET_E_DEVICE_NOT_AVAILABLE);
    CHECK(status_of_text("the moon") == BITNET_E_CONFIG);
    CHECK(status_of_text("cuda:0,the moon") == BITNET_E_CONFIG);
    CHECK(status_of_text((std::string(1000000, ',') + "cuda:0").c_str()) == BITNET_E_CONFIG);
    const GpuChoice choice = require_gpus("cuda:0,cuda:2,cpu");
    CHECK(choice.empty());
    CHECK(choice.or_cpu);
    CHECK(choice.problem == "cuda:2: there are 2 devices, numbered from 0");
    CHECK(require_gpus("cuda:1,cpu").gpus == Gpus{{1, 0}});
}

TEST_CASE("all GPUs of a machine without any are none") {
    const Installed none({.n_devices = 0, .problem = "no driver"});
    CHECK(status_of_text("cuda:all") == BITNET_E_DEVICE_NOT_AVAILABLE);
    CHECK(require_gpus("cuda:all,cpu").problem == "cuda:0: no driver");
}
