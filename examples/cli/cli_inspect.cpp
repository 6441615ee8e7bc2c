// bitnet inspect: what a model file says about itself, and whether this build can run it. The weights are mapped, not
// read, so it is quick for any size. A file that cannot run is still shown as far as its metadata and vocabulary go.
#include <algorithm>

#include "cli_common.h"

namespace cli {
namespace {

struct InspectOptions {
    std::string path;
    bool json = false;
    bool tensors = false;
};

// Texts of the interface come with a NUL that their size does not count.
template <typename Fill>
std::string fetch_text(Fill fill) {
    size_t n_bytes = 0;
    const bitnet_status status = fill(nullptr, 0, &n_bytes);
    if (status != BITNET_E_BUFFER_TOO_SMALL) check(status);
    std::string text(n_bytes + 1, '\0');
    check(fill(text.data(), text.size(), &n_bytes));
    text.resize(n_bytes);
    return text;
}

// In the file's order. The library lets no key occur twice; looking for each while adding would be quadratic in a
// hostile file's count.
nlohmann::ordered_json metadata_json(const bitnet_model* model) {
    nlohmann::ordered_json::object_t entries;
    const size_t n = bitnet_model_get_metadata_count(model);
    for (size_t i = 0; i < n; ++i) {
        const std::string key = fetch_text([&](char* buffer, size_t capacity, size_t* out_size) {
            return bitnet_model_get_metadata_key(model, i, buffer, capacity, out_size);
        });
        const std::string value = fetch_text([&](char* buffer, size_t capacity, size_t* out_size) {
            return bitnet_model_get_metadata(model, key.c_str(), buffer, capacity, out_size);
        });
        entries.emplace_back(key, value);
    }
    return entries;
}

nlohmann::ordered_json tokenizer_json(const bitnet_tokenizer* tokenizer) {
    if (tokenizer == nullptr) return nullptr;
    const bitnet_tokenizer_info info = get_info(tokenizer);
    return {{"model", info.model},
            {"pre", info.pre},
            {"n_vocab", info.n_vocab},
            {"bos", info.bos},
            {"eos", info.eos},
            {"eot", info.eot},
            {"pad", info.pad},
            {"unk", info.unk},
            {"add_bos", info.add_bos != 0},
            {"add_eos", info.add_eos != 0}};
}

nlohmann::ordered_json tensors_json(const bitnet_model* model) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    const size_t n = bitnet_model_get_tensor_count(model);
    for (size_t i = 0; i < n; ++i) {
        bitnet_tensor_info info{};
        info.struct_size = sizeof info;
        check(bitnet_model_get_tensor(model, i, &info));
        nlohmann::ordered_json shape = nlohmann::ordered_json::array();
        for (int32_t d = 0; d < info.n_dims; ++d) shape.push_back(info.shape[d]);
        rows.push_back({{"name", info.name},
                        {"type", info.type},
                        {"shape", shape},
                        {"file_offset", info.file_offset},
                        {"n_bytes", info.n_bytes},
                        {"part", info.part}});
    }
    return rows;
}

void write_tensors(const nlohmann::ordered_json& tensors) {
    write_out("tensors\n");
    for (const nlohmann::ordered_json& row : tensors) {
        std::string line = "  " + printable(row["name"].get<std::string>(), false);
        line.resize(std::max<size_t>(line.size() + 2, 44), ' ');
        line += row["type"].get<std::string>();
        line.resize(std::max<size_t>(line.size() + 2, 52), ' ');
        write_out(line + dump(row["shape"]) + "  " + std::to_string(row["n_bytes"].get<uint64_t>()) + " bytes\n");
    }
}

// "key  value" lines, values as in JSON but texts without quotes.
void write_section(const char* title, const nlohmann::ordered_json& section) {
    constexpr size_t kWidestKey = 44;
    size_t width = 0;
    for (const auto& [key, value] : section.items()) width = std::max(width, std::min(key.size(), kWidestKey));
    write_out(std::string(title) + "\n");
    for (const auto& [key, value] : section.items()) {
        const std::string text = value.is_string() ? value.get<std::string>() : dump(value);
        std::string line = "  " + printable(key, false);
        line.resize(std::max(line.size(), width + 2) + 2, ' ');
        write_out(line + printable(text, false) + "\n");
    }
}

// A model and why it cannot run, if so.
struct Loaded {
    ModelHandle model;
    std::string problem;
};

Loaded load_what_can_be(const std::string& path) {
    Loaded loaded;
    bitnet_model_params params = bitnet_model_default_params();
    params.check_weights = 0;  // a look at every weight would read the whole file
    bitnet_model* model = nullptr;
    const bitnet_status status = load_model(path, params, &model);
    loaded.model.reset(model);
    if (status == BITNET_OK) return loaded;
    loaded.problem = bitnet_last_error();
    params.vocab_only = 1;
    check(load_model(path, params, &model));
    loaded.model.reset(model);
    return loaded;
}

int run_inspect(const InspectOptions& options) {
    const Loaded loaded = load_what_can_be(options.path);
    const bool runs = loaded.problem.empty();
    // Without its tensors a model has no shape to tell.
    const nlohmann::ordered_json info = runs ? to_json(get_info(loaded.model.get())) : nlohmann::ordered_json();
    const nlohmann::ordered_json tokenizer = tokenizer_json(bitnet_model_get_tokenizer(loaded.model.get()));
    const nlohmann::ordered_json metadata = metadata_json(loaded.model.get());
    const nlohmann::ordered_json tensors = options.json || options.tensors ? tensors_json(loaded.model.get()) : nullptr;
    if (options.json) {
        write_out(dump({{"file", model_label(options.path)},
                        {"runs", runs},
                        {"problem", loaded.problem},
                        {"model", info},
                        {"tokenizer", tokenizer},
                        {"metadata", metadata},
                        {"tensors", tensors}}) +
                  "\n");
        return kExitOk;
    }
    if (runs)
        write_section("model", info);
    else
        write_out("cannot run: " + printable(loaded.problem, false) + "\n");
    if (tokenizer.is_null())
        write_out("no tokenizer that this build can run\n");
    else
        write_section("tokenizer", tokenizer);
    write_section("metadata", metadata);
    if (options.tensors) write_tensors(tensors);
    return kExitOk;
}

}  // namespace

Command add_inspect_command(CLI::App& app) {
    CLI::App* command =
        app.add_subcommand("inspect", "Show a model file: shape, tokenizer, metadata, and whether it runs");
    auto options = std::make_shared<InspectOptions>();
    command->add_option("file", options->path, "GGUF file; without it, the model built into this program")
        ->type_name("FILE");
    command->add_flag("--json", options->json, "print one JSON object, tensors included");
    command->add_flag("--tensors", options->tensors, "list the tensors too");
    return {command, [options] { return run_inspect(*options); }};
}

}  // namespace cli
