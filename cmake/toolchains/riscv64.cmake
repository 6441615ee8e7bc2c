# RISC-V 64 Linux by Debian's cross compiler (g++-riscv64-linux-gnu), run by qemu-user.
# -DCMAKE_PREFIX_PATH=<prefix> has PCRE2 for it and the header-only packages (scripts/cross makes it).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(CMAKE_C_COMPILER riscv64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER riscv64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-riscv64;-L;/usr/riscv64-linux-gnu)
include(${CMAKE_CURRENT_LIST_DIR}/prefix_only.cmake)
