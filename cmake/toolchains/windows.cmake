# Windows x86-64 by Debian's MinGW-w64 (g++-mingw-w64-x86-64-posix), whose threads are POSIX ones and so std::thread; run by
# wine. The compiler's runtime is linked in: a program is one file, or one file and bitnet.dll.
# -DCMAKE_PREFIX_PATH=<prefix> has PCRE2 for it and the header-only packages (scripts/cross makes it).
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)
foreach(kind EXE SHARED MODULE)
    set(CMAKE_${kind}_LINKER_FLAGS_INIT "-static")
endforeach()
find_program(BITNET_WINE NAMES wine64 wine PATHS /usr/lib/wine)
mark_as_advanced(BITNET_WINE)
set(CMAKE_CROSSCOMPILING_EMULATOR ${BITNET_WINE})
include(${CMAKE_CURRENT_LIST_DIR}/prefix_only.cmake)
