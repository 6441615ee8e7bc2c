// Recording goes through bitnet_context_set_node_callback. A trace is held in memory, so its size is bounded.
#include "run_trace.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>

#include "npy_file.h"

namespace cli {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostValues = uint64_t{1} << 29;  // 2 GiB
constexpr size_t kMostNodes = 65536;

struct Recorder {
    RunTrace& trace;
    uint64_t n_values = 0;
    bool too_large = false;

    // Called by the library, through which no exception may pass.
    void add(const bitnet_node_value& value) noexcept {
        const uint64_t n = static_cast<uint64_t>(value.n_rows) * static_cast<uint64_t>(value.width);
        n_values += n;
        too_large = too_large || n_values > kMostValues;
        if (too_large) return;
        try {
            trace.nodes.push_back({value.name, value.op, value.layer, value.n_rows, value.width,
                                   std::vector<float>(value.values, value.values + n)});
        } catch (const std::bad_alloc&) {
            too_large = true;
        }
    }
};

int32_t layer_of(std::string_view name) {
    constexpr std::string_view kLayerPrefix = "blk.";
    int32_t layer = -1;
    if (name.starts_with(kLayerPrefix)) std::from_chars(name.data() + kLayerPrefix.size(), name.data() + name.size(), layer);
    return layer;
}

std::vector<std::string> node_names(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator i(folder, error), end; !error && i != end && names.size() <= kMostNodes;
         i.increment(error)) {
        const fs::path file = i->path().filename();
        if (file.extension() == ".npy" && file.stem() != "tokens") names.push_back(file.stem().string());
    }
    if (error) throw Failure{kExitFailure, folder + ": " + error.message()};
    if (names.size() > kMostNodes) throw Failure{kExitFailure, folder + ": more files than any trace has"};
    std::sort(names.begin(), names.end());
    if (!fs::exists(fs::path(folder) / "nodes.txt", error)) return names;
    // The order of the run, where the folder has it.
    std::vector<std::string> ordered;
    const std::string list = read_text((fs::path(folder) / "nodes.txt").string());
    for (size_t begin = 0; begin < list.size();) {
        const size_t end = std::min(list.find('\n', begin), list.size());
        const std::string name = list.substr(begin, end - begin);
        if (std::binary_search(names.begin(), names.end(), name)) ordered.push_back(name);
        begin = end + 1;
    }
    return ordered.size() == names.size() ? ordered : names;
}

}  // namespace

const TracedNode* RunTrace::find(std::string_view name) const {
    const auto found =
        std::find_if(nodes.begin(), nodes.end(), [&](const TracedNode& node) { return node.name == name; });
    return found != nodes.end() ? &*found : nullptr;
}

bool is_trace_folder(const std::string& path) {
    std::error_code error;
    return !path.empty() && fs::is_directory(path, error);
}

RunTrace run_traced(const ModelOptions& options, const bitnet_model* model, const std::vector<bitnet_token>& tokens) {
    RunTrace trace;
    trace.label = model_label(options.path);
    trace.is_model = true;
    trace.tokens = tokens;
    bitnet_context_params params = bitnet_context_default_params();
    params.n_ctx = params.n_ubatch = static_cast<int32_t>(tokens.size());
    params.n_threads = options.n_threads;
    params.should_abort = abort_on_signal;
    // Creating a context counts a reference; the model itself does not change.
    const ContextHandle context = create_context(const_cast<bitnet_model*>(model), options, params);
    Recorder recorder{trace};
    check(bitnet_context_set_node_callback(
        context.get(),
        [](const bitnet_node_value* value, void* user_data) { static_cast<Recorder*>(user_data)->add(*value); },
        &recorder));
    const std::vector<int8_t> want_output(tokens.size(), 1);
    bitnet_batch batch = {};
    batch.struct_size = sizeof batch;
    batch.n_tokens = static_cast<int32_t>(tokens.size());
    batch.tokens = tokens.data();
    batch.want_output = want_output.data();
    check(bitnet_context_decode(context.get(), &batch));
    if (recorder.too_large)
        throw Failure{kExitFailure, "the values of this run do not fit in memory; give a shorter prompt"};
    return trace;
}

RunTrace read_trace(const std::string& folder) {
    RunTrace trace;
    trace.label = folder;
    const fs::path base(folder);
    std::error_code error;
    if (fs::exists(base / "tokens.npy", error)) trace.tokens = read_npy((base / "tokens.npy").string(), 1 << 20).ids;
    uint64_t left = kMostValues;
    for (const std::string& name : node_names(folder)) {
        NpyArray array = read_npy((base / (name + ".npy")).string(), left);
        left -= static_cast<uint64_t>(array.n_rows * array.width);
        if (array.values.empty()) throw Failure{kExitFailure, folder + "/" + name + ".npy: its numbers are no floats"};
        trace.nodes.push_back({name, "", layer_of(name), array.n_rows, array.width, std::move(array.values)});
    }
    if (trace.nodes.empty())
        throw Failure{kExitFailure, folder + ": no <node>.npy in it; bitnet diff --dump writes such folders"};
    return trace;
}

void write_trace(const RunTrace& trace, const std::string& folder) {
    std::error_code error;
    if (fs::exists(folder, error)) throw Failure{kExitFailure, folder + ": is there already"};
    const fs::path part = folder + ".part";
    fs::remove_all(part, error);
    if (!fs::create_directory(part, error))
        throw Failure{kExitFailure, folder + ": cannot be made: " + error.message()};
    try {
        std::string list;
        for (const TracedNode& node : trace.nodes) {
            write_file((part / (node.name + ".npy")).string(), npy_of(node.values.data(), node.n_rows, node.width));
            list += node.name + "\n";
        }
        write_file((part / "tokens.npy").string(), npy_of(trace.tokens));
        write_file((part / "nodes.txt").string(), list);
        fs::rename(part, folder);
    } catch (const fs::filesystem_error& failure) {
        fs::remove_all(part, error);
        throw Failure{kExitFailure, folder + ": " + failure.code().message()};
    } catch (...) {
        fs::remove_all(part, error);
        throw;
    }
}

}  // namespace cli
