# AArch64 Linux by Debian's cross compiler (g++-aarch64-linux-gnu), run by qemu-user.
# -DCMAKE_PREFIX_PATH=<prefix> has PCRE2 for it and the header-only packages (scripts/cross makes it).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64;-L;/usr/aarch64-linux-gnu)
include(${CMAKE_CURRENT_LIST_DIR}/prefix_only.cmake)
