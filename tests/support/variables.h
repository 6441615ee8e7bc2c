// Environment variables for one test, without touching those of the process.
#pragma once

#include <map>
#include <string>

#include "src/base/environment.h"

namespace test {

inline bitnet::Environment variables(const std::map<std::string, std::string>& values) {
    return bitnet::Environment([&values](const char* name) {
        const auto found = values.find(name);
        return found != values.end() ? found->second.c_str() : nullptr;
    });
}

}  // namespace test
