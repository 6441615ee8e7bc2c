# Language level, warnings, visibility and sanitizers of every target of ours. All of it hangs on the interface target
# bitnet_settings, so a project that adds this one as a subdirectory keeps its own flags.
if(PROJECT_IS_TOP_LEVEL)
    set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
    set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
    set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
    set(CMAKE_INSTALL_RPATH "\$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
    if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
        set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
    endif()
    find_program(CCACHE_PROGRAM ccache)
    mark_as_advanced(CCACHE_PROGRAM)
    if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
        set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
        set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
    endif()
endif()

add_library(bitnet_settings INTERFACE)
target_compile_features(bitnet_settings INTERFACE cxx_std_20 c_std_99)
# Same bits everywhere: a multiply and an add stay two roundings, and no value is computed in extra precision.
target_compile_options(bitnet_settings INTERFACE -ffp-contract=off -fno-fast-math -Wall -Wextra -Wshadow
    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # GCC 12 warns inside std::string's operator+ and vector::insert of things that cannot happen (GCC bugs 105651,
    # 107852; mended in 13). AddressSanitizer looks for the same and is right.
    target_compile_options(bitnet_settings INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict;-Wno-stringop-overflow;-Wno-stringop-overread;-Wno-array-bounds>")
endif()
if(BITNET_WERROR)
    target_compile_options(bitnet_settings INTERFACE -Werror)
endif()
if(BITNET_SANITIZE)
    target_compile_options(bitnet_settings INTERFACE -fsanitize=${BITNET_SANITIZE} -fno-omit-frame-pointer
        -fno-sanitize-recover=all)
    target_link_options(bitnet_settings INTERFACE -fsanitize=${BITNET_SANITIZE})
endif()
if(BITNET_FUZZ)
    if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "BITNET_FUZZ needs clang for libFuzzer: use the preset fuzz, or "
            "-DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++")
    endif()
    target_compile_options(bitnet_settings INTERFACE -fsanitize=fuzzer-no-link)
endif()

# One static library per folder: every .cpp below it, the repository root as include path.
function(bitnet_internal_library name folder)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp ${PROJECT_SOURCE_DIR}/${folder}/*.h)
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC bitnet_settings)
    set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF
        CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
endfunction()
