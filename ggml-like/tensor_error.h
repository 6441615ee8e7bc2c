// The exception of the tensor layer; src/api translates it into a status.
#pragma once

#include <exception>
#include <string>
#include <utility>

namespace tg {

enum class ErrorKind { shape, out_of_memory, device, device_memory };

class Error : public std::exception {
public:
    Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}
    ErrorKind kind() const noexcept { return kind_; }
    const std::string& message() const noexcept { return message_; }
    const char* what() const noexcept override { return message_.c_str(); }

private:
    ErrorKind kind_;
    std::string message_;
};

}  // namespace tg
