// bitnet inspect: what a model file says about itself, and whether this build can run it. The weights are mapped, not
// read, so it is quick for any size. A file that cannot run is still shown as far as its metadata and vocabulary go.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "cli_common.h"
#include "inspect_tensor.h"

namespace cli {
namespace {

struct InspectOptions {
    std::string path;
    bool json = false;
    bool tensors = false;
    std::string tensor;  // its values instead
    std::string rows;
};

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
    return {{"source", info.source},
            {"model", info.model},
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

// Rounded: nobody wants to compare sixteen digits of a ratio.
double rounded(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);
    return std::strtod(text, nullptr);
}

nlohmann::ordered_json quantization_json(const bitnet_model* model) {
    bitnet_quantization_info info{};
    info.struct_size = sizeof info;
    check(bitnet_model_get_quantization(model, &info));
    auto types = nlohmann::ordered_json::array();
    for (size_t i = 0; i < bitnet_model_get_type_count(model); ++i) {
        bitnet_type_usage usage{};
        usage.struct_size = sizeof usage;
        check(bitnet_model_get_type(model, i, &usage));
        types.push_back({{"type", usage.type},
                         {"ternary", usage.ternary != 0},
                         {"n_tensors", usage.n_tensors},
                         {"n_parameters", usage.n_parameters},
                         {"n_bytes", usage.n_bytes},
                         {"bits_per_weight", rounded(usage.bits_per_weight)}});
    }
    return {{"type", info.type},
            {"block_length", info.block_length},
            {"bits_per_weight", rounded(info.bits_per_weight)},
            {"compression_f16", rounded(info.compression_f16)},
            {"compression_f32", rounded(info.compression_f32)},
            {"ternary_parameters", info.ternary_parameters},
            {"ternary_bits_per_weight", rounded(info.ternary_bits_per_weight)},
            {"types", types}};
}

nlohmann::ordered_json config_json(const bitnet_model* model) {
    bitnet_model_config config{};
    config.struct_size = sizeof config;
    check(bitnet_model_get_config(model, &config));
    return {{"device", config.device},
            {"dtype", config.dtype},
            {"activation_dtype", config.activation_dtype},
            {"max_seq_len", config.max_seq_len},
            {"activation", config.activation},
            {"kv_dtype", config.kv_dtype},
            {"kv_bytes_per_token", config.kv_bytes_per_token},
            {"rope_dimensions", config.rope_dimensions},
            {"rope_scaling", config.rope_scaling},
            {"rope_scaling_factor", config.rope_scaling_factor},
            {"tied_embeddings", config.tied_embeddings != 0}};
}

nlohmann::ordered_json features_json(const bitnet_model* model) {
    auto names = nlohmann::ordered_json::array();
    for (size_t i = 0; bitnet_model_get_feature(model, i) != nullptr; ++i) {
        names.push_back(bitnet_model_get_feature(model, i));
    }
    return names;
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

void write_quantization(nlohmann::ordered_json quantization) {
    const nlohmann::ordered_json types = quantization["types"];
    quantization.erase("types");
    write_section("quantization", quantization);
    for (const nlohmann::ordered_json& row : types) {
        char line[160];
        std::snprintf(line, sizeof line, "  %-8s %6llu tensors  %14llu weights  %14llu bytes  %7.4f bits each\n",
                      row["type"].get<std::string>().c_str(), row["n_tensors"].get<unsigned long long>(),
                      row["n_parameters"].get<unsigned long long>(), row["n_bytes"].get<unsigned long long>(),
                      row["bits_per_weight"].get<double>());
        write_out(line);
    }
}

// A model and why it cannot run, if so.
struct ModelOrReason {
    ModelHandle model;
    std::string problem;
};

ModelOrReason load_what_can_be(const std::string& path) {
    ModelOrReason loaded;
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
    if (!options.tensor.empty()) return inspect_tensor(options.path, options.tensor, options.rows, options.json);
    const ModelOrReason loaded = load_what_can_be(options.path);
    const bool runs = loaded.problem.empty();
    // Without its tensors a model has no shape to tell.
    const nlohmann::ordered_json info = runs ? to_json(get_info(loaded.model.get())) : nlohmann::ordered_json();
    const nlohmann::ordered_json config = runs ? config_json(loaded.model.get()) : nlohmann::ordered_json();
    const nlohmann::ordered_json quantization = runs ? quantization_json(loaded.model.get()) : nlohmann::ordered_json();
    const nlohmann::ordered_json features = features_json(loaded.model.get());
    const nlohmann::ordered_json tokenizer = tokenizer_json(bitnet_model_get_tokenizer(loaded.model.get()));
    const nlohmann::ordered_json metadata = metadata_json(loaded.model.get());
    const nlohmann::ordered_json tensors = options.json || options.tensors ? tensors_json(loaded.model.get()) : nullptr;
    if (options.json) {
        write_out(dump({{"file", model_label(options.path)},
                        {"runs", runs},
                        {"problem", loaded.problem},
                        {"model", info},
                        {"config", config},
                        {"quantization", quantization},
                        {"features", features},
                        {"tokenizer", tokenizer},
                        {"metadata", metadata},
                        {"tensors", tensors}}) +
                  "\n");
        return kExitOk;
    }
    if (runs) {
        write_section("model", info);
        write_section("config", config);
        write_quantization(quantization);
    } else {
        write_out("cannot run: " + printable(loaded.problem, false) + "\n");
    }
    write_out("features\n");
    for (const nlohmann::ordered_json& name : features) write_out("  " + name.get<std::string>() + "\n");
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
    CLI::Option* tensor = command->add_option("--tensor", options->tensor, "show how this tensor's values are spread instead");
    tensor->type_name("NAME");
    command->add_option("--rows", options->rows, "with --tensor: only these rows (7, 0:16, 16:), and the values themselves")
        ->type_name("A:B")
        ->needs(tensor);
    return {command, [options] { return run_inspect(*options); }};
}

}  // namespace cli
