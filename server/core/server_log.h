// The server's log: one line per event on standard error, as JSON or as text, from any thread. Prompts and what models say are
// never in it, unless --log-prompts asks for them.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "server/core/http_message.h"

namespace serve {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kNone };

struct LogField {
    std::string_view name;
    std::variant<std::string_view, int64_t, double, bool> value;

    LogField(std::string_view field_name, std::string_view text) : name(field_name), value(text) {}
    LogField(std::string_view field_name, const std::string& text) : name(field_name), value(std::string_view(text)) {}
    LogField(std::string_view field_name, const char* text) : name(field_name), value(std::string_view(text)) {}
    LogField(std::string_view field_name, int number) : name(field_name), value(int64_t{number}) {}
    LogField(std::string_view field_name, int64_t number) : name(field_name), value(number) {}
    LogField(std::string_view field_name, uint64_t number) : name(field_name), value(static_cast<int64_t>(number)) {}
    LogField(std::string_view field_name, double number) : name(field_name), value(number) {}
    LogField(std::string_view field_name, bool yes) : name(field_name), value(yes) {}
};

// level: "debug", "info", "warning", "error" or "none". Also sends the library's messages here. Before the first thread.
void configure_log(const std::string& level, bool json, bool prompts);
bool log_wants(LogLevel level) noexcept;
// Never throws; control characters are escaped, bytes that are no UTF-8 replaced, long texts cut.
void log_line(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {}) noexcept;

// Adds a figure to the access line of the request that this thread is answering ("tokens", 12); figures of one name are summed.
void note_for_access_line(const char* name, int64_t value) noexcept;
// The access line of a complete answer, with the notes of this thread.
void log_access(const HttpRequest& request, int status, uint64_t n_bytes, uint64_t total_us) noexcept;

// A line as it would be written, without its end; for tests.
std::string format_log_line(LogLevel level, bool json, std::string_view time, std::string_view message,
                            const LogField* fields, size_t n_fields);

}  // namespace serve
