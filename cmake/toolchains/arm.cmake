# 32-bit ARM Linux (ARMv7, hard float) by Debian's cross compiler (g++-arm-linux-gnueabihf), run by qemu-user.
# -DCMAKE_PREFIX_PATH=<prefix> has PCRE2 for it and the header-only packages (scripts/cross makes it).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-linux-gnueabihf-gcc)
set(CMAKE_CXX_COMPILER arm-linux-gnueabihf-g++)
set(CMAKE_CXX_FLAGS_INIT -Wno-psabi)  # notes on a call convention that GCC 7 changed: nothing here is that old
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-arm;-L;/usr/arm-linux-gnueabihf)
include(${CMAKE_CURRENT_LIST_DIR}/prefix_only.cmake)
