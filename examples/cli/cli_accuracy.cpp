// bitnet accuracy: what the types of the quantiser lose. Three envelopes: every kernel gives the bits of the scalar one;
// tensors that are ternary come back from ternary types but for the rounding of scales; of others the loss is told, without a
// mark, since two bits cannot hold them. With a model file, its own tensors are measured.
#include <cstdio>
#include <cstring>
#include <fstream>

#include "cli_common.h"

namespace cli {
namespace {

struct AccuracyOptions {
    std::string path;
    std::vector<std::string> types;
    bool json = false;
};

using QuantizerHandle = std::unique_ptr<bitnet_quantizer, Freer<bitnet_quantizer_free>>;

QuantizerHandle make_quantizer(const char* kernel) {
    bitnet_quantizer_params params = bitnet_quantizer_default_params();
    params.device = "cpu";
    params.kernel = kernel;
    bitnet_quantizer* quantizer = nullptr;
    check(bitnet_quantizer_create(&params, &quantizer));
    return QuantizerHandle(quantizer);
}

bitnet_quantize_config config_of(const char* type) {
    bitnet_quantize_config config = bitnet_quantize_default_config();
    config.type = type;
    return config;
}

class Report {
public:
    explicit Report(bool json) : json_(json) {}

    void add(const std::string& tensor, const std::string& type, const bitnet_quantize_accuracy& a) {
        const bool on_grid = a.envelope == BITNET_ENVELOPE_GRID;
        add_row(tensor, type, on_grid ? "grid" : "arbitrary", a,
                a.is_within < 0    ? "-"
                : a.is_within != 0 ? "pass"
                                   : "fail");
    }
    void add_kernel(const std::string& level, bool same_bits) {
        bitnet_quantize_accuracy exact = {};
        exact.cosine = 1;
        exact.accuracy = 100;
        if (!same_bits) exact.cosine = exact.accuracy = 0;
        add_row("product on " + level, "i2_s", "kernel", exact, same_bits ? "pass" : "fail");
    }
    // A width that is no whole blocks of this type is no reason to leave out the others.
    void skip(const std::string& tensor, const std::string& type) {
        if (json_) {
            rows_.push_back({{"tensor", tensor}, {"type", type}, {"result", "skipped"}});
            return;
        }
        char line[512];
        std::snprintf(line, sizeof line, "%-28s %-6s skipped: its rows are not whole blocks\n",
                      printable(tensor, false).c_str(), type.c_str());
        write_out(line);
    }
    // Writes what is left and gives the exit code: a mark that was missed is a failure.
    int finish() {
        if (json_) write_out(dump(rows_) + "\n");
        return failed_ ? kExitFailure : kExitOk;
    }

private:
    void add_row(const std::string& tensor, const std::string& type, const char* envelope,
                 const bitnet_quantize_accuracy& a, const char* result) {
        failed_ = failed_ || std::strcmp(result, "fail") == 0;
        if (json_) {
            rows_.push_back({{"tensor", tensor},
                             {"type", type},
                             {"envelope", envelope},
                             {"mse", a.mse},
                             {"max_abs_error", a.max_abs_error},
                             {"cosine", a.cosine},
                             {"accuracy", a.accuracy},
                             {"result", result}});
            return;
        }
        char line[512];
        if (!headed_) {
            std::snprintf(line, sizeof line, "%-28s %-6s %-10s %-12s %-12s %-9s %-9s %s\n", "tensor", "type",
                          "envelope", "mse", "max error", "cosine", "accuracy", "result");
            write_out(line);
            headed_ = true;
        }
        std::snprintf(line, sizeof line, "%-28s %-6s %-10s %-12.4g %-12.4g %-9.6f %6.2f %%  %s\n",
                      printable(tensor, false).c_str(), type.c_str(), envelope, a.mse, a.max_abs_error, a.cosine,
                      a.accuracy, result);
        write_out(line);
    }

    bool json_;
    bool failed_ = false;
    bool headed_ = false;
    nlohmann::ordered_json rows_ = nlohmann::ordered_json::array();
};

// The same numbers on every machine.
class Numbers {
public:
    // In -1..1.
    float uniform() {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return static_cast<float>(static_cast<int32_t>(state_ >> 40) - (1 << 23)) / static_cast<float>(1 << 23);
    }
    // About normal: what weights before training to ternary look like.
    float bell() { return (uniform() + uniform() + uniform() + uniform()) * 0.02f; }

private:
    uint64_t state_ = 58;
};

void measure(Report& report, const std::string& name, const std::vector<float>& values, size_t n_rows,
             const std::string& type) {
    const bitnet_quantize_config config = config_of(type.c_str());
    bitnet_quantize_accuracy accuracy = {};
    accuracy.struct_size = sizeof accuracy;
    check(bitnet_quantize_get_accuracy(&config, values.data(), n_rows, values.size() / n_rows, &accuracy));
    report.add(name, type, accuracy);
}

void measure_kernels(Report& report) {
    constexpr size_t kM = 5, kN = 67, kK = 1280;
    Numbers numbers;
    std::vector<float> weights(kN * kK);
    for (float& x : weights) x = numbers.bell();
    std::vector<int8_t> activations(kM * kK);
    for (int8_t& x : activations) x = static_cast<int8_t>(numbers.uniform() * 127.9f);
    const bitnet_quantize_config config = config_of("i2_s");
    size_t n_bytes = 0;
    check(bitnet_quantize_get_size(&config, kN, kK, &n_bytes, nullptr));
    std::vector<uint8_t> packed(n_bytes);
    check(bitnet_quantizer_quantize(make_quantizer("scalar").get(), &config, weights.data(), kN, kK, packed.data(),
                                    n_bytes, nullptr, 0));
    const auto product_on = [&](const char* level) {
        std::vector<float> out(kM * kN);
        bitnet_i2s_matmul call = {};
        call.activations = activations.data();
        call.weights = packed.data();
        call.n_weight_bytes = packed.size();
        call.out = out.data();
        call.n_out = out.size();
        call.m = kM;
        call.n = kN;
        call.k = kK;
        check(bitnet_quantizer_matmul_i2s(make_quantizer(level).get(), &call));
        return out;
    };
    const std::vector<float> scalar = product_on("scalar");
    for (const std::string& level : runnable_levels("i2_s")) {
        const std::vector<float> out = product_on(level.c_str());
        report.add_kernel(level, std::memcmp(out.data(), scalar.data(), out.size() * sizeof(float)) == 0);
    }
}

void measure_generated(Report& report, const std::vector<std::string>& types) {
    constexpr size_t kRows = 64, kCols = 2560;
    Numbers numbers;
    std::vector<float> grid(kRows * kCols), bell(kRows * kCols);
    for (float& x : grid) x = static_cast<float>(static_cast<int>(numbers.uniform() * 1.5f)) * 0.0173f;
    for (float& x : bell) x = numbers.bell();
    for (const std::string& type : types) {
        measure(report, "generated, ternary", grid, kRows, type);
        measure(report, "generated, bell-shaped", bell, kRows, type);
    }
}

// name-00001-of-00003.gguf for part 2: name-00003-of-00003.gguf.
std::string part_path(std::string path, int32_t part) {
    const size_t of = path.rfind("-of-");
    if (part == 0 || of == std::string::npos || of < 5) return path;
    char number[16];
    std::snprintf(number, sizeof number, "%05d", part + 1);
    return path.replace(of - 5, 5, number);
}

std::vector<uint8_t> read_tensor(const std::string& path, const bitnet_tensor_info& info) {
    std::vector<uint8_t> bytes(info.n_bytes);
    std::ifstream file(part_path(path, info.part), std::ios::binary);
    file.seekg(static_cast<std::streamoff>(info.file_offset));
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!file) throw Failure{kExitFailure, path + ": cannot read tensor '" + info.name + "'"};
    return bytes;
}

// Matrices only; vectors stay as they are in every model.
void measure_model(Report& report, const std::string& path, const std::vector<std::string>& types) {
    ModelOptions options;
    options.path = path;
    const ModelHandle model = load_model(options);
    const QuantizerHandle quantizer = make_quantizer(nullptr);
    for (size_t i = 0; i < bitnet_model_get_tensor_count(model.get()); ++i) {
        bitnet_tensor_info info = {};
        info.struct_size = sizeof info;
        check(bitnet_model_get_tensor(model.get(), i, &info));
        if (info.n_dims != 2) continue;
        const size_t n_rows = static_cast<size_t>(info.shape[1]), n_cols = static_cast<size_t>(info.shape[0]);
        std::vector<float> values(n_rows * n_cols);
        {
            const std::vector<uint8_t> bytes = read_tensor(path, info);
            const bitnet_quantize_config config = config_of(info.type);
            check(bitnet_quantizer_dequantize(quantizer.get(), &config, bytes.data(), bytes.size(), nullptr, 0, n_rows,
                                              n_cols, values.data(), values.size()));
        }
        for (const std::string& type : types) {
            const bitnet_quantize_config config = config_of(type.c_str());
            if (bitnet_quantize_get_size(&config, n_rows, n_cols, nullptr, nullptr) == BITNET_E_QUANT_INPUT) {
                report.skip(info.name, type);
                continue;
            }
            measure(report, info.name, values, n_rows, type);
        }
    }
}

int run_accuracy(const AccuracyOptions& options) {
    for (const std::string& type : options.types) {  // before anything long begins
        const bitnet_quantize_config config = config_of(type.c_str());
        check(bitnet_quantize_get_size(&config, 1, 1 << 20, nullptr, nullptr));
    }
    Report report(options.json);
    if (options.path.empty()) {
        measure_kernels(report);
        measure_generated(report, options.types);
    } else {
        measure_model(report, options.path, options.types);
    }
    return report.finish();
}

}  // namespace

Command add_accuracy_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand(
        "accuracy",
        "Measure what quantising loses: on generated tensors with the kernels, or on a model's own matrices");
    auto options = std::make_shared<AccuracyOptions>();
    options->types = {"i2_s", "tq1_0", "tq2_0", "q8_0", "q4_0", "q6_k", "int8", "int4", "f16", "bf16"};
    command->add_option("file", options->path, "GGUF file whose matrices to measure; without it, generated tensors")
        ->type_name("FILE");
    command->add_option("--type", options->types, "types to measure, separated by commas")
        ->delimiter(',')
        ->type_name("TYPE")
        ->capture_default_str();
    command->add_flag("--json", options->json, "print a JSON array");
    return {command, [options] { return run_accuracy(*options); }};
}

}  // namespace cli
