// The `bitnet` command: global options, the choice of a subcommand, exit codes.
//   0 done, 1 something failed (one line on standard error), 2 the command line is wrong, 128 + n ended by signal n.
#include <cstdio>
#include <exception>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#include "cli_common.h"
#include "cli_platform.h"

namespace {

void print_log(bitnet_log_level level, const char* message, void*) {
    static const char* const kNames[] = {"debug", "info", "warning", "error"};
    std::fprintf(stderr, "bitnet: %s: %s\n", kNames[level], message);
}

void set_log_level(const std::string& name) {
    static const char* const kNames[] = {"debug", "info", "warning", "error"};
    bitnet_log_set_callback(nullptr, BITNET_LOG_ERROR, nullptr);
    for (int level = BITNET_LOG_DEBUG; level <= BITNET_LOG_ERROR; ++level)
        if (name == kNames[level]) bitnet_log_set_callback(print_log, static_cast<bitnet_log_level>(level), nullptr);
}

// One line, whatever a file name or an argument put into the message.
int fail(int exit_code, const std::string& message) {
    if (!message.empty()) std::fprintf(stderr, "bitnet: %s\n", cli::printable(message, false).c_str());
    return exit_code;
}

// In the order of --help.
constexpr cli::Command (*kCommands[])(CLI::App&) = {
    cli::add_run_command,        cli::add_tokenize_command, cli::add_inspect_command,
    cli::add_perplexity_command, cli::add_kernels_command,  cli::add_devices_command,
    cli::add_chat_command,       cli::add_verify_command,   cli::add_verify_receipt_command,
    cli::add_validate_command,   cli::add_estimate_command, cli::add_accuracy_command,
    cli::add_convert_command,    cli::add_quantize_command, cli::add_fetch_command,
    cli::add_cache_command,      cli::add_diff_command,     cli::add_merge_command,
    cli::add_tokenizer_command,  cli::add_compat_check_command,
    cli::add_bench_command,
};

int run(int argc, char** argv) {
    CLI::App app("Runs ternary (BitNet b1.58) language models on CPUs.", "bitnet");
    app.set_version_flag("--version", std::string("bitnet ") + bitnet_version_string() + "\n" + bitnet_build_info());
    std::string log_level = "warning";
    app.add_option("--log-level", log_level, "messages of the library to show on standard error")
        ->check(CLI::IsMember({"none", "error", "warning", "info", "debug"}))
        ->type_name("LEVEL")
        ->capture_default_str();
    app.require_subcommand(0, 1);
    app.fallthrough();  // global options may also follow the subcommand
    app.footer("Help on one command: bitnet COMMAND --help");
    std::vector<cli::Command> commands;
    for (const auto add : kCommands) commands.push_back(add(app));
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& success) {  // --help, --version
        std::ostringstream text;
        app.exit(success, text, text);
        cli::write_out(text.str());
        cli::flush_out();
        return cli::kExitOk;
    } catch (const CLI::ParseError& error) {
        return fail(cli::kExitUsage, std::string(error.what()) + " (see bitnet --help)");
    }
    set_log_level(log_level);
    for (const cli::Command& command : commands) {
        if (!command.app->parsed()) continue;
        const int exit_code = command.run();
        cli::flush_out();
        return exit_code;
    }
    return fail(cli::kExitUsage, "no command given (see bitnet --help)");
}

}  // namespace

int main(int argc, char** argv) {
    cli::install_signal_handlers();
    try {
        return run(argc, argv);
    } catch (const cli::Failure& failure) {
        return fail(failure.exit_code, failure.message);
    } catch (const std::bad_alloc&) {
        return fail(cli::kExitFailure, "out of memory");
    } catch (const std::exception& error) {
        return fail(cli::kExitFailure, error.what());
    }
}
