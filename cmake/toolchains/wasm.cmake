# WebAssembly with SIMD and exceptions, by Debian's emscripten (3.1.6) on top of its own toolchain file, run by node. One
# thread: more would need SharedArrayBuffer, and so two headers from every server of a page.
# -DCMAKE_PREFIX_PATH=<prefix> has PCRE2 for it and the header-only packages (scripts/cross makes it).
set(BITNET_EMSCRIPTEN /usr/share/emscripten CACHE PATH "Folder of emscripten, which holds cmake/Modules")
include(${BITNET_EMSCRIPTEN}/cmake/Modules/Platform/Emscripten.cmake)
set(CMAKE_C_FLAGS_INIT "-msimd128 -fwasm-exceptions")
set(CMAKE_CXX_FLAGS_INIT "-msimd128 -fwasm-exceptions -include ${CMAKE_CURRENT_LIST_DIR}/emscripten_std.h")
# emscripten's loader of that time takes node's fetch for a browser's
set(CMAKE_CROSSCOMPILING_EMULATOR node;--no-experimental-fetch)
include(${CMAKE_CURRENT_LIST_DIR}/prefix_only.cmake)
