# macOS on aarch64: see macos.cmake.
set(BITNET_MACOS_PROCESSOR aarch64)
include(${CMAKE_CURRENT_LIST_DIR}/macos.cmake)
