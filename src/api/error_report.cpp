// Everything here reads the captured error and the table; nothing was prepared when the failure happened.
#include "src/api/error_report.h"

#include <cstdlib>
#include <string_view>

#include <nlohmann/json.hpp>

#include "src/base/error_table.h"

namespace bitnet {
namespace {

// A file's name as a shell takes it: as it is when it is harmless, else in single quotes.
std::string shell_word(std::string_view text) {
    constexpr std::string_view kHarmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
    std::string word;
    if (text.starts_with('-')) word = "./";  // never an option
    if (text.find_first_not_of(kHarmless) == std::string_view::npos) return word.append(text);
    word += '\'';
    for (const char c : text) {
        if (c == '\'') {
            word += "'\\''";
        } else {
            word += c;
        }
    }
    return word + "'";
}

// The suggestion with FILE inside its backquotes replaced, where the file is known.
std::string suggestion_text(const char* suggestion, const bitnet_error_info& info) {
    std::string text = suggestion;
    const size_t open = text.find('`');
    if (open == std::string::npos || *info.file == '\0') return text;
    const size_t at = text.find(" FILE", open);
    if (at == std::string::npos || at > text.find('`', open + 1)) return text;
    return text.replace(at + 1, 4, shell_word(info.file));
}

template <typename Use>
void for_each_suggestion(const bitnet_error_info& info, Use&& use) {
    const ErrorRow& row = error_row(info.status);
    for (size_t i = 0; suggestion_at(row, i) != nullptr; ++i) use(suggestion_text(suggestion_at(row, i), info));
}

// use(name, value): the value is null for a variable that is not set.
template <typename Use>
void for_each_variable(const bitnet_error_info& info, Use&& use) {
    const ErrorRow& row = error_row(info.status);
    for (size_t i = 0; variable_at(row, i) != nullptr; ++i) use(variable_at(row, i), std::getenv(variable_at(row, i)));
}

bitnet_error_family family_of(const bitnet_error_info& info) { return static_cast<bitnet_error_family>(info.family); }
bitnet_error_severity severity_of(const bitnet_error_info& info) {
    return static_cast<bitnet_error_severity>(info.severity);
}

}  // namespace

std::string user_message(const bitnet_error_info& info) {
    std::string text = info.message;
    for_each_suggestion(info, [&](const std::string& suggestion) { text += "\n- " + suggestion; });
    return info.status == BITNET_OK ? std::string() : text;
}

std::string debug_message(const bitnet_error_info& info) {
    if (info.status == BITNET_OK) return {};
    std::string text;
    const auto line = [&](const char* name, const std::string& value) {
        if (!value.empty()) text += std::string(text.empty() ? "" : "\n") + name + ": " + value;
    };
    line("error", std::string(bitnet_status_name(info.status)) + " (" + std::to_string(info.status) + ")");
    line("variant", std::string(bitnet_error_family_name(family_of(info))) + "::" + info.variant);
    line("severity", std::string(bitnet_error_severity_name(severity_of(info))) +
                         (info.recoverable != 0 ? ", recoverable" : ", not recoverable"));
    line("message", info.message);
    if (info.has_numbers != 0) {
        line("expected", std::to_string(info.expected));
        line("actual", std::to_string(info.actual));
    }
    if (info.has_offset != 0) line("offset", std::to_string(info.offset));
    line("subject", info.subject);
    line("operation", info.operation);
    line("file", info.file);
    line("model", info.model);
    line("device", info.device);
    if (info.memory_bytes != 0) {
        line("memory", std::to_string(info.memory_bytes) + " bytes resident, " +
                           std::to_string(info.peak_memory_bytes) + " at most");
    }
    for_each_variable(info, [&](const char* name, const char* value) {
        line("environment", value != nullptr ? std::string(name) + "=" + value : std::string(name) + " is not set");
    });
    for_each_suggestion(info, [&](const std::string& suggestion) { line("suggestion", suggestion); });
    line("library", bitnet_build_info());
    return text;
}

std::string error_json(const bitnet_error_info& info) {
    using json = nlohmann::ordered_json;
    json details = json::object(), context = json::object(), environment = json::object();
    json suggestions = json::array();
    const auto put = [](json& object, const char* name, const char* value) {
        if (*value != '\0') object[name] = value;
    };
    if (info.has_numbers != 0) {
        details["expected"] = info.expected;
        details["actual"] = info.actual;
    }
    if (info.has_offset != 0) details["offset"] = info.offset;
    put(details, "subject", info.subject);
    put(context, "operation", info.operation);
    put(context, "file", info.file);
    put(context, "model", info.model);
    put(context, "device", info.device);
    if (info.memory_bytes != 0) {
        context["memory_bytes"] = info.memory_bytes;
        context["peak_memory_bytes"] = info.peak_memory_bytes;
    }
    for_each_suggestion(info, [&](const std::string& suggestion) { suggestions.push_back(suggestion); });
    for_each_variable(info, [&](const char* name, const char* value) {
        environment[name] = value != nullptr ? json(value) : json(nullptr);
    });
    const json document = {
        {"schema", "bitnet-error/1"},
        {"library", bitnet_version_string()},
        {"status", static_cast<int32_t>(info.status)},
        {"name", bitnet_status_name(info.status)},
        {"family", bitnet_error_family_name(family_of(info))},
        {"variant", info.variant},
        {"severity", bitnet_error_severity_name(severity_of(info))},
        {"recoverable", info.recoverable != 0},
        {"message", info.message},
        {"details", details},
        {"context", context},
        {"suggestions", suggestions},
        {"environment", environment},
    };
    return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace bitnet
