#include "ggml-like/gpu/dynamic_library.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#elif !defined(__EMSCRIPTEN__)
#include <dlfcn.h>
#endif

namespace tg {

#if defined(_WIN32)

void* open_library(const std::string& path, std::string* problem) {
    // A bare name is the system's own: a file of that name in the working folder would be a stranger's.
    const bool bare = path.find_first_of("/\\") == std::string::npos;
    HMODULE const library = LoadLibraryExA(path.c_str(), nullptr, bare ? LOAD_LIBRARY_SEARCH_SYSTEM32 : 0);
    if (library != nullptr) return reinterpret_cast<void*>(library);
    const DWORD error = GetLastError();
    *problem = error == ERROR_MOD_NOT_FOUND || error == ERROR_FILE_NOT_FOUND
                   ? path + " is not installed"
                   : path + " cannot be loaded (Windows error " + std::to_string(error) + ")";
    return nullptr;
}

void* find_function(void* library, const char* name) noexcept {
    return reinterpret_cast<void*>(GetProcAddress(reinterpret_cast<HMODULE>(library), name));
}

#elif defined(__EMSCRIPTEN__)

void* open_library(const std::string& path, std::string* problem) {
    *problem = path + " cannot be loaded: this platform has no libraries";
    return nullptr;
}

void* find_function(void*, const char*) noexcept { return nullptr; }

#else

void* open_library(const std::string& path, std::string* problem) {
    if (void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL); library != nullptr) return library;
    const char* const text = dlerror();
    const std::string said = text != nullptr ? text : "";
    // The loader's words for a file that is not there, unless what is missing is another one that it needs.
    const bool missing =
        said.empty() || (said.starts_with(path) && said.find("No such file or directory") != std::string::npos);
    *problem = missing ? path + " is not installed" : path + " cannot be loaded (" + said + ")";
    return nullptr;
}

void* find_function(void* library, const char* name) noexcept { return dlsym(library, name); }

#endif

}  // namespace tg
