// bitnet validate: reads a whole model and lists everything that is wrong with it, also where it does not load at all.
#include "cli_common.h"

namespace cli {
namespace {

struct ValidateOptions {
    std::string path, tl_tiling;
    bool json = false;
    bool strict = false;
    bool header_only = false;
};

using ValidationReportHandle = std::unique_ptr<bitnet_validation_report, Freer<bitnet_validation_report_free>>;

ValidationReportHandle validate(const ValidateOptions& options) {
    bitnet_validation_params params = bitnet_validation_default_params();
    params.check_values = options.header_only ? 0 : 1;
    params.tl_tiling = options.tl_tiling.empty() ? nullptr : options.tl_tiling.c_str();
    ProgressBar bar("validating");
    params.progress_user_data = &bar;
    params.on_progress = [](float progress, void* user_data) -> int32_t {
        static_cast<ProgressBar*>(user_data)->update(static_cast<double>(progress));
        return abort_on_signal(nullptr);
    };
    bitnet_validation_report* report = nullptr;
    if (!options.path.empty()) {
        check(bitnet_model_validate_file(options.path.c_str(), &params, &report));
        return ValidationReportHandle(report);
    }
    bitnet_model* model = nullptr;
    check(load_model(options.path, bitnet_model_default_params(), &model));
    const ModelHandle owner(model);
    check(bitnet_model_validate(model, &params, &report));
    return ValidationReportHandle(report);
}

bitnet_validation_info info_of(const ValidationReportHandle& report) {
    bitnet_validation_info info{};
    info.struct_size = sizeof info;
    check(bitnet_validation_report_get_info(report.get(), &info));
    return info;
}

void write_findings(const ValidationReportHandle& report, const bitnet_validation_info& info) {
    for (size_t i = 0; i < info.n_findings; ++i) {
        bitnet_validation_finding finding{};
        finding.struct_size = sizeof finding;
        check(bitnet_validation_report_get_finding(report.get(), i, &finding));
        const auto severity = static_cast<bitnet_finding_severity>(finding.severity);
        std::string line = bitnet_finding_severity_name(severity);
        if (*finding.tensor != '\0') line += std::string(": ") + finding.tensor;
        write_out(printable(line + ": " + finding.message, false) + "\n");
    }
    const uint64_t n_all = info.n_errors + info.n_warnings + info.n_notes;
    if (n_all > info.n_findings) write_out("and " + std::to_string(n_all - info.n_findings) + " more\n");
}

int run_validate(const ValidateOptions& options) {
    require_model(options.path);
    const ValidationReportHandle report = validate(options);
    const bitnet_validation_info info = info_of(report);
    const bool passes = info.is_valid != 0 && !(options.strict && info.n_warnings != 0);
    if (options.json) {
        const std::vector<char> json = fetch<char>(65536, [&](char* buffer, size_t capacity, size_t* out_size) {
            const bitnet_status status = bitnet_validation_report_get_json(report.get(), buffer, capacity, out_size);
            if (status == BITNET_E_BUFFER_TOO_SMALL) ++*out_size;  // the NUL
            return status;
        });
        write_out(std::string(json.begin(), json.end()) + "\n");
        return passes ? kExitOk : kExitFailure;
    }
    write_findings(report, info);
    char line[256];
    std::snprintf(line, sizeof line, "%s: %llu tensors, %llu errors, %llu warnings, %llu notes",
                  passes ? "valid" : "not valid", static_cast<unsigned long long>(info.n_tensors),
                  static_cast<unsigned long long>(info.n_errors), static_cast<unsigned long long>(info.n_warnings),
                  static_cast<unsigned long long>(info.n_notes));
    write_out(line);
    if (info.n_ternary_values != 0) {
        std::snprintf(line, sizeof line, "; %.1f %% of the ternary weights are 0", 100.0 * info.ternary_zeros);
        write_out(line);
    }
    write_out("\n");
    return passes ? kExitOk : kExitFailure;
}

}  // namespace

Command add_validate_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand(
        "validate", "Read every tensor of a model and list all that is wrong with it; exit code 1 if it is not valid");
    auto options = std::make_shared<ValidateOptions>();
    command->add_option("file", options->path, "GGUF file; without it, the model built into this program")
        ->type_name("FILE");
    command->add_flag("--json", options->json, "print one JSON object, figures of every tensor included");
    command->add_flag("--strict", options->strict, "warnings count as errors");
    command->add_flag("--header-only", options->header_only, "look at the table of tensors, not at the values");
    command->add_option("--tl-tiling", options->tl_tiling, "tile sizes of a TL1 or TL2 model, as for bitnet run")
        ->type_name("TILES");
    return {command, [options] { return run_validate(*options); }};
}

}  // namespace cli
