#include "src/base/log.h"

#include <atomic>
#include <mutex>

namespace bitnet {
namespace {

struct LogState {
    std::mutex mutex;
    bitnet_log_callback callback = nullptr;
    bitnet_log_level min_level = BITNET_LOG_INFO;
    void* user_data = nullptr;
    std::atomic<bool> listening{false};
};

// Never destroyed: worker threads of a host may still log while it exits.
LogState& state() {
    static LogState* const instance = new LogState();
    return *instance;
}

}  // namespace

void set_log_callback(bitnet_log_callback callback, bitnet_log_level min_level, void* user_data) {
    LogState& s = state();
    const std::lock_guard<std::mutex> lock(s.mutex);  // waits for a running callback
    s.callback = callback;
    s.min_level = min_level;
    s.user_data = user_data;
    s.listening.store(callback != nullptr, std::memory_order_release);
}

void log_message(bitnet_log_level level, const std::string& message) noexcept {
    LogState& s = state();
    if (!s.listening.load(std::memory_order_acquire)) return;
    try {
        const std::lock_guard<std::mutex> lock(s.mutex);
        if (s.callback != nullptr && level >= s.min_level) s.callback(level, message.c_str(), s.user_data);
    } catch (...) {
        // A log line is not worth failing a call.
    }
}

}  // namespace bitnet
