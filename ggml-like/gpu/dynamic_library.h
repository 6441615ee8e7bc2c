// Libraries that are looked for while the program runs, as drivers are: a machine without one runs everything else.
#pragma once

#include <string>

namespace tg {

// Null where it cannot be loaded; *problem then says why. Never unloaded: drivers have threads that run in their code.
void* open_library(const std::string& path, std::string* problem);
// Null where the library has no such function.
void* find_function(void* library, const char* name) noexcept;

}  // namespace tg
