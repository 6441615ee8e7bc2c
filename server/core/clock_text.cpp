// std::random_device reads the system's generator (getrandom) here.
#include "server/core/clock_text.h"

#include <cstdio>
#include <ctime>
#include <random>

namespace serve {

std::string iso_time(std::chrono::system_clock::time_point time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts = {};
    gmtime_r(&seconds, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

std::string random_id(const char* prefix) {
    thread_local std::random_device device;
    char text[40];
    std::snprintf(text, sizeof text, "%08x%08x%08x%08x", device(), device(), device(), device());
    return std::string(prefix) + text;
}

}  // namespace serve
