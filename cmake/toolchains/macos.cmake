# macOS by zig's compiler (pip install ziglang), which brings the system's headers and the names that its libraries export:
# programs are linked, and nothing here runs them. macos-x86_64.cmake and macos-aarch64.cmake set BITNET_MACOS_PROCESSOR.
# -DCMAKE_PREFIX_PATH=<prefix> has PCRE2 for it and the header-only packages (scripts/cross makes it).
set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR ${BITNET_MACOS_PROCESSOR})
find_program(BITNET_ZIG NAMES zig python-zig REQUIRED NO_CMAKE_FIND_ROOT_PATH)  # python-zig is what PyPI's ziglang installs
mark_as_advanced(BITNET_ZIG)
set(CMAKE_C_COMPILER ${BITNET_ZIG} cc -target ${BITNET_MACOS_PROCESSOR}-macos)
set(CMAKE_CXX_COMPILER ${BITNET_ZIG} c++ -target ${BITNET_MACOS_PROCESSOR}-macos)
foreach(language C CXX)
    set(CMAKE_${language}_CREATE_STATIC_LIBRARY "\"${BITNET_ZIG}\" ar qcs <TARGET> <LINK_FLAGS> <OBJECTS>")
endforeach()
include(${CMAKE_CURRENT_LIST_DIR}/prefix_only.cmake)
