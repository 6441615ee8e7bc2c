# macOS on x86_64: see macos.cmake.
set(BITNET_MACOS_PROCESSOR x86_64)
include(${CMAKE_CURRENT_LIST_DIR}/macos.cmake)
