// bitnet kernels: what this build can compute with, and what of it runs on this machine.
#include "cli_common.h"

namespace cli {
namespace {

struct KernelsOptions {
    bool json = false;
};

int run_kernels(const KernelsOptions& options) {
    auto list = nlohmann::ordered_json::array();
    for (size_t i = 0; i < bitnet_kernel_get_count(); ++i) {
        bitnet_kernel_info info = {};
        info.struct_size = sizeof info;
        check(bitnet_kernel_get_info(i, &info));
        if (options.json) {
            list.push_back({{"name", info.name},
                            {"type", info.type},
                            {"level", info.level},
                            {"runnable", info.runnable != 0},
                            {"exact", info.exact != 0},
                            {"selected", info.selected != 0},
                            {"vector", info.is_vector != 0}});
            continue;
        }
        char line[256];
        std::snprintf(line, sizeof line, "%-20s %-6s %-12s %-7s %-12s %s\n", info.name, info.type,
                      info.runnable != 0 ? "runnable" : "not-runnable", info.exact != 0 ? "exact" : "inexact",
                      info.level, info.selected != 0 ? "selected" : "-");
        write_out(line);
    }
    if (options.json) write_out(dump(list) + "\n");
    return kExitOk;
}

}  // namespace

Command add_kernels_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand(
        "kernels",
        "List the kernels: name, weight type, runnable here, exact (the scalar kernel's bits), level, selected");
    auto options = std::make_shared<KernelsOptions>();
    command->add_flag("--json", options->json, "print a JSON array");
    return {command, [options] { return run_kernels(*options); }};
}

}  // namespace cli
