// bitnet devices: where this library can compute, what each device can do, and what was built in.
#include <cstdio>

#include "cli_common.h"

namespace cli {
namespace {

struct DevicesOptions {
    bool json = false;
};

void write_line(const char* name, const std::string& value) {
    char line[512];
    std::snprintf(line, sizeof line, "  %-14s%s\n", name, value.c_str());
    write_out(line);
}

void write_device(const char* name) {
    bitnet_device_info info = {};
    info.struct_size = sizeof info;
    check(bitnet_device_get_info(name, &info));
    write_out(std::string(info.name) + "\n");
    write_line("threads", std::to_string(info.max_threads));
    write_line("simd", info.simd);
    write_line("kernels", info.kernel_level);
    write_line("weights", info.quantization);
    bitnet_device_memory memory = {};
    memory.struct_size = sizeof memory;
    if (bitnet_device_get_memory(name, &memory) != BITNET_OK) return;
    std::string text = format_bytes(memory.free) + " free of " + format_bytes(memory.total);
    if (memory.limit_bytes != 0) text += " (limit " + format_bytes(memory.limit_bytes) + ")";
    write_line("memory", text);
}

int run_devices(const DevicesOptions& options) {
    if (options.json) {
        // Numbers of memory change from call to call: room for a few digits more.
        const auto fill = [](char* out, size_t capacity, size_t* n) {
            const bitnet_status status = bitnet_device_get_json(out, capacity, n);
            if (status == BITNET_E_BUFFER_TOO_SMALL) *n += 64;
            return status;
        };
        const std::vector<char> text = fetch<char>(4096, fill);
        write_out(std::string_view(text.data(), text.size()));
        write_out("\n");
        return kExitOk;
    }
    for (size_t i = 0; i < bitnet_device_get_count(); ++i) write_device(bitnet_device_get_name(i));
    for (const char* name : {"cuda", "metal"}) {
        if (bitnet_device_check(name) != BITNET_OK) write_out(std::string(bitnet_last_error()) + "\n");
    }
    write_out(std::string("built with ") + bitnet_features() + "\n");
    return kExitOk;
}

}  // namespace

Command add_devices_command(CLI::App& app) {
    CLI::App* command =
        app.add_subcommand("devices", "List the devices: threads, instruction sets, weight types, memory");
    auto options = std::make_shared<DevicesOptions>();
    command->add_flag("--json", options->json, "print one JSON object, devices that cannot be used included");
    return {command, [options] { return run_devices(*options); }};
}

}  // namespace cli
