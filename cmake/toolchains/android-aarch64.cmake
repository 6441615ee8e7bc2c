# Android on AArch64, from version 7 (API level 24), by the NDK that ANDROID_NDK_HOME names and its own toolchain file. libc++ is
# linked in: an application loads one library.
# -DCMAKE_PREFIX_PATH=<prefix> has PCRE2 for it and the header-only packages (scripts/cross makes it).
set(ANDROID_ABI arm64-v8a)
set(ANDROID_PLATFORM android-24)
set(ANDROID_STL c++_static)
include($ENV{ANDROID_NDK_HOME}/build/cmake/android.toolchain.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/prefix_only.cmake)
