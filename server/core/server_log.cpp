// A line is made in memory and leaves in one write.
#include "server/core/server_log.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

#include "bitnet.h"
#include "server/core/json_fields.h"

namespace serve {

namespace {

constexpr std::string_view kLevels[] = {"debug", "info", "warning", "error", "none"};
constexpr size_t kMaxFieldBytes = 1024;
constexpr size_t kMaxPromptBytes = 64u << 10;

std::atomic<LogLevel> least_level = LogLevel::kInfo;
std::atomic<bool> write_json = true;
std::atomic<bool> write_prompts = false;
std::mutex write_mutex;  // a long line into a pipe may be written in parts

thread_local std::vector<std::pair<const char*, int64_t>> notes;

std::string time_now() {
    const auto now = std::chrono::system_clock::now();
    const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
    const auto milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
    std::tm parts = {};
    gmtime_r(&seconds, &parts);
    char text[40];
    const size_t n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(text + n, sizeof text - n, ".%03dZ", static_cast<int>(milliseconds));
    return text;
}

std::string_view cut(std::string_view text, std::string_view name) {
    return text.substr(0, name == "prompt" ? kMaxPromptBytes : kMaxFieldBytes);
}

Json json_value(const LogField& field) {
    if (const auto* text = std::get_if<std::string_view>(&field.value)) return cut(*text, field.name);
    if (const auto* whole = std::get_if<int64_t>(&field.value)) return *whole;
    if (const auto* number = std::get_if<double>(&field.value)) return *number;
    return std::get<bool>(field.value);
}

void write_line(std::string line) {
    line += '\n';
    std::string_view left = line;
    const std::lock_guard lock(write_mutex);
    while (!left.empty()) {
        const ssize_t n = write(STDERR_FILENO, left.data(), left.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;  // nobody reads; a log must not stop the server
        left.remove_prefix(static_cast<size_t>(n));
    }
}

void log_fields(LogLevel level, std::string_view message, const LogField* fields, size_t n_fields) noexcept {
    if (!log_wants(level)) return;
    try {
        write_line(format_log_line(level, write_json, time_now(), message, fields, n_fields));
    } catch (const std::exception&) {  // out of memory: the line is lost
    }
}

void take_library_message(bitnet_log_level level, const char* message, void*) {
    const LogLevel ours = level == BITNET_LOG_ERROR     ? LogLevel::kError
                          : level == BITNET_LOG_WARNING ? LogLevel::kWarning
                          : level == BITNET_LOG_INFO    ? LogLevel::kInfo
                                                        : LogLevel::kDebug;
    log_line(ours, message, {{"source", "library"}});
}

}  // namespace

std::string format_log_line(LogLevel level, bool json, std::string_view time, std::string_view message,
                            const LogField* fields, size_t n_fields) {
    const std::string_view level_name = kLevels[static_cast<size_t>(level)];
    if (json) {
        Json line;
        line["time"] = time;
        line["level"] = level_name;
        line["message"] = cut(message, "");
        for (size_t i = 0; i < n_fields; i++) line[std::string(fields[i].name)] = json_value(fields[i]);
        return to_text(line);
    }
    std::string line = std::string(time) + " " + std::string(level_name) + " ";
    // Texts are quoted as in JSON where they could be taken for something else.
    const auto add_text = [&](std::string_view text, std::string_view harmless) {
        const auto plain = [&](char c) {
            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                   harmless.find(c) != harmless.npos;
        };
        bool quote = text.empty();
        for (char c : text) quote = quote || !plain(c);
        line += quote ? to_text(Json(text)) : std::string(text);
    };
    add_text(cut(message, ""), " /.,:;_-()'[]");
    for (size_t i = 0; i < n_fields; i++) {
        line.append(" ").append(fields[i].name).append("=");
        const Json value = json_value(fields[i]);
        if (value.is_string())
            add_text(value.get_ref<const std::string&>(), "/._-:");
        else
            line += to_text(value);
    }
    return line;
}

void configure_log(const std::string& level, bool json, bool prompts) {
    write_json = json;
    write_prompts = prompts;
    for (size_t i = 0; i < std::size(kLevels); i++)
        if (level == kLevels[i]) least_level = static_cast<LogLevel>(i);
    const bitnet_log_level least = level == "debug"     ? BITNET_LOG_DEBUG
                                   : level == "info"    ? BITNET_LOG_INFO
                                   : level == "warning" ? BITNET_LOG_WARNING
                                                        : BITNET_LOG_ERROR;
    bitnet_log_set_callback(level == "none" ? nullptr : take_library_message, least, nullptr);
}

bool log_wants(LogLevel level) noexcept { return level >= least_level.load(std::memory_order_relaxed); }

void log_line(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) noexcept {
    log_fields(level, message, fields.begin(), fields.size());
}

void note_for_access_line(const char* name, int64_t value) noexcept {
    try {
        for (auto& [known, sum] : notes)
            if (std::string_view(known) == name) {
                sum += value;
                return;
            }
        if (notes.size() < 16) notes.emplace_back(name, value);
    } catch (const std::exception&) {  // out of memory: the line will lack it
    }
}

void log_access(const HttpRequest& request, int status, uint64_t n_bytes, uint64_t total_us) noexcept {
    if (!log_wants(LogLevel::kInfo)) return notes.clear();
    try {
        std::vector<LogField> fields = {{"request_id", request.request_id},
                                        {"method", request.method},
                                        {"path", request.path},
                                        {"status", status},
                                        {"bytes", n_bytes},
                                        {"ms", static_cast<double>(total_us) / 1000},
                                        {"peer", request.peer}};
        if (!request.identity.name.empty()) fields.emplace_back("key", request.identity.name);
        for (const auto& [name, value] : notes) fields.emplace_back(name, value);
        if (write_prompts && !request.body.empty()) fields.emplace_back("prompt", request.body);
        log_fields(LogLevel::kInfo, "request", fields.data(), fields.size());
    } catch (const std::exception&) {  // out of memory: the line is lost
    }
    notes.clear();
}

}  // namespace serve
