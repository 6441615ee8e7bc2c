// Tables of what a benchmark found: columns are functions of a result, shared by text, Markdown and CSV.
#include "bench_report.h"

#include <algorithm>
#include <cmath>

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

struct Column {
    const char* title;  // in tables
    const char* key;    // of the result, and the CSV's column
    double factor;      // from the key's unit to the table's
    int digits;         // behind the point; -1: text or a whole number, as it is
    bool percent = false;
};

constexpr Column kTestColumns[] = {
    {"test", "test", 1, -1},
    {"threads", "threads", 1, -1},
    {"batch", "batch", 1, -1},
    {"depth", "depth", 1, -1},
    {"tokens/s", "tokens_per_second", 1, 2},
    {"+-", "spread", 1, 2},
    {"MB/token", "bytes_per_token", 1e-6, 2},
    {"GB/s", "bytes_per_second", 1e-9, 2},
    {"of memory", "memory_share", 100, 1, true},
    {"TOPS", "int8_ops_per_second", 1e-12, 3},
    {"of int8", "int8_share", 100, 1, true},
    {"J/token", "joules_per_token", 1, 3},
    {"others' CPUs", "other_cpus", 1, 2},
};
constexpr Column kKernelColumns[] = {
    {"kernel", "kernel", 1, -1},
    {"operation", "operation", 1, -1},
    {"for", "matrix", 1, -1},
    {"k", "k", 1, -1},
    {"rows", "rows", 1, -1},
    {"columns", "columns", 1, -1},
    {"threads", "threads", 1, -1},
    {"us", "median_us", 1, 2},
    {"best us", "best_us", 1, 2},
    {"GB/s", "bytes_per_second", 1e-9, 2},
    {"of memory", "memory_share", 100, 1, true},
    {"TOPS", "ops_per_second", 1e-12, 4},
    {"of int8", "int8_share", 100, 1, true},
};

std::string number(double value, int digits) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

std::string cell(const Json& result, const Column& column) {
    const Json& value = result.at(column.key);
    if (value.is_null()) return "-";
    if (column.digits < 0) return value.is_string() ? printable(value.get<std::string>(), false) : value.dump();
    return number(value.get<double>() * column.factor, column.digits) + (column.percent ? " %" : "");
}

std::string csv_cell(const Json& value) {
    if (value.is_null()) return "";
    if (!value.is_string()) return value.dump();
    std::string quoted = "\"";
    for (const char c : value.get<std::string>()) quoted += c == '"' ? "\"\"" : std::string(1, c);
    return quoted + "\"";
}

// A column that no result has anything in is left out.
template <size_t n>
std::vector<std::vector<std::string>> rows_of(const Json& results, const Column (&columns)[n]) {
    std::vector<std::vector<std::string>> rows(1 + results.size());
    for (const Column& column : columns) {
        const bool empty = std::all_of(results.begin(), results.end(),
                                       [&](const Json& result) { return result.at(column.key).is_null(); });
        if (empty) continue;
        rows[0].push_back(column.title);
        for (size_t i = 0; i < results.size(); ++i) rows[i + 1].push_back(cell(results[i], column));
    }
    return rows;
}

std::string join_table(const std::vector<std::vector<std::string>>& rows, bool markdown) {
    std::vector<size_t> widths(rows[0].size());
    for (const auto& row : rows)
        for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    std::string text;
    for (size_t r = 0; r < rows.size(); ++r) {
        std::string line = markdown ? "|" : "";
        for (size_t i = 0; i < rows[r].size(); ++i) {
            const std::string space(widths[i] - rows[r][i].size(), ' ');
            const std::string padded = i == 0 ? rows[r][i] + space : space + rows[r][i];
            line += markdown ? " " + padded + " |" : (i == 0 ? "" : "  ") + padded;
        }
        text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
        if (!markdown || r != 0) continue;
        text += "|";
        for (size_t i = 0; i < widths.size(); ++i)
            text += std::string(i == 0 ? ":" : "-") + std::string(widths[i], '-') + (i == 0 ? "-|" : ":|");
        text += "\n";
    }
    return text;
}

template <size_t n>
std::string join_csv(const Json& results, const Column (&columns)[n]) {
    std::string text;
    for (const Column& column : columns) text += (text.empty() ? "" : ",") + std::string(column.key);
    text += "\n";
    for (const Json& result : results) {
        std::string line;
        for (const Column& column : columns)
            line += (&column == &columns[0] ? "" : ",") + csv_cell(result.at(column.key));
        text += line + "\n";
    }
    return text;
}

std::string text_of(const Json& value) { return printable(value.get<std::string>(), false); }

// What stands above the table, a line each.
std::vector<std::string> head_lines(const Json& report) {
    std::vector<std::string> lines;
    const Json& machine = report.at("machine");
    std::string line = text_of(machine.at("processor")) + ", " + machine.at("cpus").dump() + " CPUs";
    if (!machine.at("memory_bytes").is_null()) line += ", " + format_bytes(machine.at("memory_bytes").get<uint64_t>());
    lines.push_back("machine: " + line);
    lines.push_back("library: " + text_of(machine.at("library")));
    if (report.contains("model")) {
        const Json& model = report.at("model");
        lines.push_back("model: " + text_of(model.at("label")) + ", " + text_of(model.at("quantization")) + " by " +
                        text_of(model.at("kernel")) + ", head " + text_of(model.at("head_type")) + ", " +
                        format_bytes(model.at("n_file_bytes").get<uint64_t>()));
        const Json& load = report.at("load");
        line = "load: " + number(load.at("load_ms").get<double>(), 1) + " ms, to the first token of a prompt of " +
               load.at("prompt_tokens").dump() + ": " + number(load.at("first_token_ms").get<double>(), 1) + " ms";
        lines.push_back(line);
        const Json& memory = report.at("memory");
        if (!memory.is_null()) {
            line = "memory: ";
            line += memory.at("peak_bytes").is_null() ? "peak not known"
                                                      : "peak " + format_bytes(memory.at("peak_bytes").get<uint64_t>());
            line += "; weights " + format_bytes(memory.at("weight_bytes").get<uint64_t>()) + ", KV cache " +
                    format_bytes(memory.at("kv_bytes").get<uint64_t>()) + " of " + memory.at("n_ctx").dump() +
                    " tokens, scratch " + format_bytes(memory.at("scratch_bytes").get<uint64_t>());
            lines.push_back(line);
        }
    }
    for (const Json& limit : report.at("limits")) {
        lines.push_back("limits with " + limit.at("threads").dump() + " threads: memory " +
                        number(limit.at("read_bytes_per_second").get<double>() * 1e-9, 2) + " GB/s (plain " +
                        number(limit.at("plain_read_bytes_per_second").get<double>() * 1e-9, 2) + "), int8 " +
                        number(limit.at("int8_ops_per_second").get<double>() * 1e-12, 3) + " TOPS (" +
                        text_of(limit.at("int8_level")) + ")");
    }
    return lines;
}

std::string render(const Json& report, BenchForm form) {
    const bool kernels = report.at("schema") == kBenchKernelsSchema;
    if (!kernels && report.at("schema") != kBenchSchema) throw Failure{kExitFailure, "it has another schema"};
    const Json& results = report.at("results");
    if (form == BenchForm::json) return dump(report) + "\n";
    if (form == BenchForm::csv) return kernels ? join_csv(results, kKernelColumns) : join_csv(results, kTestColumns);
    const bool markdown = form == BenchForm::markdown;
    std::string text;
    for (const std::string& line : head_lines(report)) text += (markdown ? "- " : "") + line + "\n";
    text += "\n";
    if (!results.empty())
        text += join_table(kernels ? rows_of(results, kKernelColumns) : rows_of(results, kTestColumns), markdown);
    const Json& notes = report.at("notes");
    if (!notes.empty()) text += "\n";
    for (const Json& note : notes) text += (markdown ? "- note: " : "note: ") + text_of(note) + "\n";
    return text;
}

}  // namespace

Summary summarize(std::vector<double> samples) {
    Summary summary;
    if (samples.empty()) return summary;
    std::sort(samples.begin(), samples.end());
    const size_t half = samples.size() / 2;
    summary.median = samples.size() % 2 != 0 ? samples[half] : (samples[half - 1] + samples[half]) / 2;
    if (samples.size() == 1) return summary;
    double mean = 0, square = 0;
    for (const double sample : samples) mean += sample / static_cast<double>(samples.size());
    for (const double sample : samples) square += (sample - mean) * (sample - mean);
    summary.spread = std::sqrt(square / static_cast<double>(samples.size() - 1));
    return summary;
}

std::string render_report(const Json& report, BenchForm form) {
    try {
        return render(report, form);
    } catch (const nlohmann::json::exception& error) {
        throw Failure{kExitFailure, "this is no report of bitnet bench: " + std::string(error.what())};
    }
}

}  // namespace cli
