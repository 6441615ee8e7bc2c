// Times and ids as text.
#pragma once

#include <chrono>
#include <string>

namespace serve {

// "2026-11-25T10:30:00Z"
std::string iso_time(std::chrono::system_clock::time_point time);
// prefix and 128 random bits from the operating system in hexadecimal: "req_0f3c...".
std::string random_id(const char* prefix);

}  // namespace serve
