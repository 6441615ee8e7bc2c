// The one exception type of the engine. Inside src/ every failure is thrown as an Error; src/api/api_guard.h turns it
// into a bitnet_status and the thread's last error at the C border. Status numbers come from bitnet.h, nowhere else.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <utility>

#include "bitnet.h"

namespace bitnet {

// A failure: the status a program acts on and the one line a person reads (what, where, what to do next).
// The typed details mirror the fields of the specification's error variants; zero or empty where they have no meaning.
class Error : public std::exception {
public:
    Error(bitnet_status status, std::string message) : status_(status), message_(std::move(message)) {}

    Error&& with_numbers(uint64_t expected, uint64_t actual) && {
        expected_ = expected;
        actual_ = actual;
        has_numbers_ = true;
        return std::move(*this);
    }
    Error&& with_offset(uint64_t offset) && {
        offset_ = offset;
        has_offset_ = true;
        return std::move(*this);
    }
    // The tensor, key, token or file the failure is about.
    Error&& with_subject(std::string subject) && {
        subject_ = std::move(subject);
        return std::move(*this);
    }
    // Puts "where: " before the message, e.g. the file's name; used once, by the layer that knows it.
    void prefix(const std::string& where) { message_ = where + ": " + message_; }

    bitnet_status status() const noexcept { return status_; }
    const std::string& message() const noexcept { return message_; }
    uint64_t expected() const noexcept { return expected_; }
    uint64_t actual() const noexcept { return actual_; }
    uint64_t offset() const noexcept { return offset_; }
    bool has_numbers() const noexcept { return has_numbers_; }
    bool has_offset() const noexcept { return has_offset_; }
    const std::string& subject() const noexcept { return subject_; }
    const char* what() const noexcept override { return message_.c_str(); }

private:
    bitnet_status status_;
    std::string message_;
    std::string subject_;
    uint64_t expected_ = 0;
    uint64_t actual_ = 0;
    uint64_t offset_ = 0;
    bool has_numbers_ = false;
    bool has_offset_ = false;
};

}  // namespace bitnet
