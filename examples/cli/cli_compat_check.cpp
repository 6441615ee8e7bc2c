// bitnet compat-check: which engines read a file, and what to do where one does not. Exit code 0: the engine asked about (this
// version, without --engine) runs it; 1: it does not.
#include <algorithm>

#include "engine_rules.h"

namespace cli {
namespace {

struct CompatOptions {
    std::string path, engine = "bitnet";
    bool json = false;
};

// By loading it, though without a look at each weight.
EngineAnswer this_version(const std::string& path, const GgufView& view) {
    EngineAnswer answer{"bitnet", Verdict::runs, {}};
    bitnet_model_params params = bitnet_model_default_params();
    params.check_weights = 0;
    bitnet_model* model = nullptr;
    const bitnet_status status = load_model(path, params, &model);
    const ModelHandle owner(model);
    if (status == BITNET_E_CANCELLED) check(status);
    if (status != BITNET_OK) {
        answer.verdict = Verdict::no;
        answer.reasons.push_back(bitnet_last_error());
        return answer;
    }
    if (bitnet_model_get_tokenizer(model) == nullptr)
        answer.reasons.push_back(std::string("with token ids alone: ") + bitnet_last_error());
    const bool has_i2s =
        std::any_of(view.tensors.begin(), view.tensors.end(), [](const auto& tensor) { return tensor.type_id == 36; });
    if (has_i2s)
        answer.reasons.push_back(
            "I2_S bytes are read in the order of published files; if the answers are noise, the file may come from "
            "a bitnet.cpp built for ARM, which no file records");
    return answer;
}

// Rows of all ternary tensors are whole blocks of this length.
bool ternary_rows_fit(const GgufView& view, int64_t block) {
    return std::all_of(view.tensors.begin(), view.tensors.end(), [&](const auto& tensor) {
        return tensor.type_id < 34 || tensor.type_id > 36 || tensor.shape[0] % block == 0;
    });
}

struct Suggestion {
    std::string command, why;
};

std::vector<Suggestion> suggestions_for(const GgufView& view, const std::vector<EngineAnswer>& answers) {
    std::vector<Suggestion> list;
    const auto add = [&](const char* command, const char* why) {
        list.push_back({std::string("bitnet ") + command, why});
    };
    const bool runs = answers.front().verdict == Verdict::runs;
    if (!runs) {
        add("inspect FILE --tensors", "shows what it holds");
        add("validate FILE", "lists all that is wrong with it");
    }
    if (runs && view.info.version < 3)
        add("convert FILE OUT --target-version 3", "writes the same model as version 3 of GGUF");
    const bool ternary_llama =
        view.value("general.architecture") == "llama" || view.value("general.architecture") == "bitnet";
    for (const EngineAnswer& answer : answers) {
        if (!runs || answer.verdict != Verdict::no || !ternary_llama) continue;
        if (answer.engine == "llama.cpp" && ternary_rows_fit(view, 256))
            add("quantize FILE OUT tq2_0", "llama.cpp reads the same weights in that type");
        if (answer.engine == "ik_llama.cpp" && ternary_rows_fit(view, 128))
            add("quantize FILE OUT i2_s", "ik_llama.cpp requantises I2_S to its own types");
    }
    return list;
}

std::string conversion_text(uint32_t from, uint32_t to) {
    if (from == to) return "nothing changes: it is version " + std::to_string(to) + " already";
    return "writes the same metadata and tensors under the header of version " + std::to_string(to) +
           (from == 1 ? ", with lengths of 64 bits in place of 32" : "; the layout of versions 2 and 3 is the same");
}

int run_compat_check(const CompatOptions& options) {
    const GgufView view(options.path);
    std::vector<EngineAnswer> answers = {this_version(options.path, view)};
    for (EngineAnswer& answer : other_engines(view)) answers.push_back(std::move(answer));
    const std::vector<Suggestion> suggestions = suggestions_for(view, answers);
    const auto asked =
        std::find_if(answers.begin(), answers.end(), [&](const EngineAnswer& a) { return a.engine == options.engine; });
    const int exit_code = asked->verdict == Verdict::runs ? kExitOk : kExitFailure;
    if (options.json) {
        auto engines = nlohmann::ordered_json::array(), advice = nlohmann::ordered_json::array();
        for (const EngineAnswer& a : answers)
            engines.push_back({{"engine", a.engine}, {"verdict", verdict_name(a.verdict)}, {"reasons", a.reasons}});
        for (const Suggestion& s : suggestions) advice.push_back({{"command", s.command}, {"why", s.why}});
        write_out(dump({{"file", options.path},
                        {"gguf_version", view.info.version},
                        {"architecture", view.value("general.architecture")},
                        {"engines", engines},
                        {"convert",
                         {{"2", conversion_text(view.info.version, 2)}, {"3", conversion_text(view.info.version, 3)}}},
                        {"suggestions", advice}}) +
                  "\n");
        return exit_code;
    }
    write_out(printable("GGUF version " + std::to_string(view.info.version) + ", architecture " +
                            view.value("general.architecture") + ", " + std::to_string(view.tensors.size()) +
                            " tensors",
                        false) +
              "\n");
    for (const EngineAnswer& a : answers) {
        write_out(a.engine + ": " + verdict_name(a.verdict) + "\n");
        for (const std::string& reason : a.reasons) write_out("  " + printable(reason, false) + "\n");
    }
    for (const uint32_t version : {2u, 3u}) {
        write_out("bitnet convert --target-version " + std::to_string(version) + ": " +
                  conversion_text(view.info.version, version) + "\n");
    }
    for (const Suggestion& s : suggestions) write_out("try `" + s.command + "`: " + s.why + "\n");
    return exit_code;
}

}  // namespace

Command add_compat_check_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand(
        "compat-check",
        "Say which engines read a model file, why not, and what to do; exit code 1 if the one asked about does not");
    auto options = std::make_shared<CompatOptions>();
    command->add_option("file", options->path, "GGUF file")->type_name("FILE")->required();
    command->add_option("--engine", options->engine, "whose answer the exit code is")
        ->check(CLI::IsMember({"bitnet", "llama.cpp", "bitnet.cpp", "ik_llama.cpp"}))
        ->type_name("NAME")
        ->capture_default_str();
    command->add_flag("--json", options->json, "print one JSON object");
    command->footer(
        "What other engines do is told from their sources and bug reports, not by running them:\n"
        "runs; converts (only as a source for its own types); wrong (loads, computes nonsense); no.");
    return {command, [options] { return run_compat_check(*options); }};
}

}  // namespace cli
