#include "src/api/last_error.h"

namespace bitnet {
namespace {

struct LastError {
    bitnet_status status = BITNET_OK;
    uint64_t expected = 0, actual = 0, offset = 0;
    std::string message, subject;
    const char* operation = "";            // static storage
    const char* static_message = nullptr;  // set instead of message when memory ran out
};

LastError& slot() noexcept {
    thread_local LastError instance;
    return instance;
}

// A message may quote a file or an argument: whatever that holds, it stays one line.
void make_one_line(std::string& text) noexcept {
    for (char& c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    }
}

}  // namespace

void set_last_error(const Error& error, const char* operation) noexcept {
    LastError& last = slot();
    try {
        last.message = error.message();
        make_one_line(last.message);
        last.subject = error.subject();
        last.static_message = nullptr;
    } catch (...) {
        last.subject.clear();
        last.static_message = bitnet_status_text(error.status());
    }
    last.status = error.status();
    last.operation = operation;
    last.expected = error.expected();
    last.actual = error.actual();
    last.offset = error.offset();
}

void set_last_error(bitnet_status status, const char* message, const char* operation) noexcept {
    LastError& last = slot();
    last.subject.clear();
    last.static_message = message;
    last.status = status;
    last.operation = operation;
    last.expected = last.actual = last.offset = 0;
}

bitnet_error_info last_error_info() noexcept {
    const LastError& last = slot();
    bitnet_error_info info{};
    info.struct_size = sizeof info;
    info.status = last.status;
    info.expected = last.expected;
    info.actual = last.actual;
    info.offset = last.offset;
    info.subject = last.subject.c_str();
    info.message = last.static_message != nullptr ? last.static_message : last.message.c_str();
    return info;
}

}  // namespace bitnet
