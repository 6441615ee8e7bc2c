// bitnet verify-receipt: was this text really computed by this model? Form and digest need nothing; with a model some
// positions are computed again.
#include <cmath>
#include <random>

#include "cli_common.h"

namespace cli {
namespace {

struct ReceiptOptions {
    ModelOptions model;
    std::string file;
    std::string replay;  // "5%", "12", "all"
    uint64_t seed = 0;
    bool has_seed = false;
    bool json = false;
};

// Which positions are tried must not be known to whoever wrote the receipt.
uint64_t fresh_seed() {
    std::random_device device;
    return (uint64_t{device()} << 32) | device();
}

template <typename Number>
bool read_number(std::string_view text, Number least, Number most, Number* out) {
    const auto result = std::from_chars(text.data(), text.data() + text.size(), *out);
    return result.ec == std::errc() && result.ptr == text.data() + text.size() && *out >= least && *out <= most;
}

void read_replay(std::string_view text, bitnet_receipt_params& params) {
    if (text.empty()) return;
    if (text == "all") {
        params.replay_share = 1;
        return;
    }
    double percent = 0;
    if (text.ends_with('%') && read_number(text.substr(0, text.size() - 1), 0.0, 100.0, &percent)) {
        params.replay_share = percent / 100;
        return;
    }
    if (!read_number(text, int64_t{0}, std::numeric_limits<int64_t>::max(), &params.replay_count))
        throw Failure{kExitUsage,
                      "--replay: '" + std::string(text) + "' is no share such as 5%, no number and not 'all'"};
}

void print_report(const bitnet_receipt_report& report, bool replayed) {
    std::string line = "valid: form and digest";
    if (report.model_matched != 0) line += ", model";
    if (replayed)
        line += ", " + std::to_string(report.n_replayed) + " of " + std::to_string(report.n_positions) +
                " positions computed again";
    write_out(line + "\n");
    if (report.model_matched == 0) write_out("not checked: the model and its logits; give -m MODEL or --replay\n");
}

int verify_receipt(const ReceiptOptions& options) {
    bitnet_receipt_params params = bitnet_receipt_default_params();
    read_replay(options.replay, params);
    params.seed = options.has_seed ? options.seed : fresh_seed();
    params.n_threads = options.model.n_threads;
    params.should_abort = abort_on_signal;
    const bool with_model = !options.model.path.empty() || !options.replay.empty();
    if (with_model) require_model(options.model.path);
    const std::string text = read_text(options.file);
    ModelHandle model;
    if (with_model) model = load_model(options.model);
    bitnet_receipt_report report = {};
    report.struct_size = sizeof report;
    const bitnet_status status = bitnet_receipt_verify(text.data(), text.size(), model.get(), &params, &report);
    if (status != BITNET_E_VALIDATION) check(status);
    const char* failed = bitnet_receipt_check_name(static_cast<bitnet_receipt_check>(report.failed_check));
    if (options.json) {
        nlohmann::ordered_json json = {{"valid", status == BITNET_OK},
                                       {"failed_check", failed},
                                       {"message", status == BITNET_OK ? "" : bitnet_last_error()},
                                       {"model_matched", report.model_matched != 0},
                                       {"positions", report.n_positions},
                                       {"replayed", report.n_replayed},
                                       {"first_mismatch", report.first_mismatch},
                                       {"seed", params.seed}};
        write_out(dump(json) + "\n");
    } else if (status == BITNET_OK) {
        print_report(report, with_model);
    } else {
        throw Failure{kExitFailure, options.file + ": " + bitnet_last_error()};
    }
    return status == BITNET_OK ? kExitOk : kExitFailure;
}

}  // namespace

Command add_verify_receipt_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand(
        "verify-receipt", "Check a receipt of bitnet run --receipt; with a model, compute some of its positions again");
    auto options = std::make_shared<ReceiptOptions>();
    command->add_option("receipt", options->file, "the receipt, - for standard input")->required()->type_name("FILE");
    add_model_options(*command, options->model);
    command
        ->add_option("--replay", options->replay,
                     "positions to compute again: a share (5%, the default with -m), a number, or all; without -m by "
                     "the default model")
        ->type_name("SHARE");
    CLI::Option* seed = command->add_option("--seed", options->seed, "which positions; default: a fresh random number");
    seed->transform(whole_number<uint64_t>(0, std::numeric_limits<uint64_t>::max()))->type_name("N");
    command->add_flag("--json", options->json, "print one JSON object");
    return {command, [options, seed] {
                options->has_seed = seed->count() != 0;
                return verify_receipt(*options);
            }};
}

}  // namespace cli
