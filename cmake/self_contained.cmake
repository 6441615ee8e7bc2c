# BITNET_SELF_CONTAINED: libbitnet.a carries the C++ runtime and PCRE2 inside and shows nothing but bitnet_*, so a plain C
# compiler links it with -lm alone, and a program may hold another C++ runtime, another PCRE2, another engine.
# GNU binutils do that: everything becomes one object, then all names but ours become local to it.
if(BITNET_SHARED)
    message(FATAL_ERROR "BITNET_SELF_CONTAINED is about the static library: add -DBITNET_SHARED=OFF")
endif()
if(BITNET_SANITIZE OR NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR NOT CMAKE_OBJCOPY)
    message(FATAL_ERROR "BITNET_SELF_CONTAINED needs GNU binutils (ld, objcopy) on Linux, and no sanitizers")
endif()

# bitnet_find_archive(<variable> <file>): where the compiler would take a static library from.
function(bitnet_find_archive variable file)
    execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=${file} OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(NOT EXISTS "${path}")
        message(FATAL_ERROR "BITNET_SELF_CONTAINED: the compiler knows no ${file}; install the static library")
    endif()
    set(${variable} ${path} PARENT_SCOPE)
endfunction()
bitnet_find_archive(bitnet_runtime_archive libstdc++.a)
cmake_path(GET PCRE2_LIBRARY EXTENSION LAST_ONLY bitnet_pcre2_suffix)
if(bitnet_pcre2_suffix STREQUAL ".a")
    set(bitnet_pcre2_archive ${PCRE2_LIBRARY})
else()
    bitnet_find_archive(bitnet_pcre2_archive libpcre2-8.a)
endif()

# Inline functions and templates come in groups that linkers keep one of; a local copy must not be dropped for another
# program's, so the groups are dissolved. Unique symbols (statics of templates) stay global in objcopy's eyes; weak ones do not.
set(bitnet_whole ${PROJECT_BINARY_DIR}/bitnet_whole)
add_custom_command(TARGET bitnet POST_BUILD
    COMMAND ${CMAKE_CXX_COMPILER} -fuse-ld=bfd -r -nostdlib -o ${bitnet_whole}.all.o -Wl,--force-group-allocation
        -Wl,--whole-archive $<TARGET_FILE:bitnet> -Wl,--no-whole-archive ${bitnet_pcre2_archive} ${bitnet_runtime_archive}
    COMMAND ${CMAKE_OBJCOPY} --wildcard --weaken-symbol=_Z* ${bitnet_whole}.all.o ${bitnet_whole}.weak.o
    COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=bitnet_* ${bitnet_whole}.weak.o ${bitnet_whole}.o
    COMMAND ${CMAKE_COMMAND} -E rm $<TARGET_FILE:bitnet>
    COMMAND ${CMAKE_AR} rcsD $<TARGET_FILE:bitnet> ${bitnet_whole}.o
    COMMAND ${CMAKE_COMMAND} -E rm ${bitnet_whole}.all.o ${bitnet_whole}.weak.o ${bitnet_whole}.o
    COMMENT "Making libbitnet.a self-contained" VERBATIM)
