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
        # The setting is what ccache asks for before it keeps objects made with precompiled headers.
        set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE_PROGRAM})
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
if(BITNET_REPRODUCIBLE)
    # Programs hold neither the folder they were built in nor the time: whoever builds the same commit gets the same bytes.
    target_compile_options(bitnet_settings INTERFACE -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
    target_link_options(bitnet_settings INTERFACE -s)
endif()
# Dates in programs and packages are SOURCE_DATE_EPOCH, here the commit's: string(TIMESTAMP) and CPack both look there.
set(bitnet_source_date "$ENV{SOURCE_DATE_EPOCH}")
if(bitnet_source_date STREQUAL "" AND PROJECT_IS_TOP_LEVEL)
    find_package(Git QUIET)
    if(GIT_FOUND)
        execute_process(COMMAND ${GIT_EXECUTABLE} log -1 --format=%ct WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
            OUTPUT_VARIABLE bitnet_source_date OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    endif()
    if(bitnet_source_date STREQUAL "")
        file(TIMESTAMP ${PROJECT_SOURCE_DIR}/bitnet.h bitnet_source_date %s UTC)  # an archive keeps its files' times
    endif()
endif()
if(BITNET_REPRODUCIBLE)
    set(ENV{SOURCE_DATE_EPOCH} ${bitnet_source_date})
endif()
if(BITNET_WERROR)
    target_compile_options(bitnet_settings INTERFACE -Werror)
endif()
if(BITNET_SANITIZE)
    target_compile_options(bitnet_settings INTERFACE -fsanitize=${BITNET_SANITIZE} -fno-omit-frame-pointer
        -fno-sanitize-recover=all)
    # GCC says in a macro what it does, and clang only since a later version than 14.
    foreach(sanitizer ADDRESS THREAD)
        string(TOLOWER ${sanitizer} name)
        if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND BITNET_SANITIZE MATCHES ${name})
            target_compile_options(bitnet_settings INTERFACE -U__SANITIZE_${sanitizer}__ -D__SANITIZE_${sanitizer}__=1)
        endif()
    endforeach()
    target_link_options(bitnet_settings INTERFACE -fsanitize=${BITNET_SANITIZE})
endif()
if(BITNET_FUZZ)
    if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "BITNET_FUZZ needs clang for libFuzzer: use the preset fuzz, or "
            "-DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++")
    endif()
    target_compile_options(bitnet_settings INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Position independent, so that the objects fit into the shared library; WebAssembly knows no such library and pays for it.
set(bitnet_pic ON)
if(EMSCRIPTEN)
    set(bitnet_pic OFF)
endif()

# bitnet_precompile_headers(<target> <header>...): compiled once for the target and in front of each of its C++ sources. For
# the large headers of others that most of them read; a source still names what it uses.
function(bitnet_precompile_headers target)
    if(EMSCRIPTEN OR MSVC)
        return()
    endif()
    foreach(header IN LISTS ARGN)
        target_precompile_headers(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:<${header}$<ANGLE-R>>")
    endforeach()
    # For ccache: what was precompiled is seen in what comes out of the preprocessor, and holds no time.
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>
        "$<$<COMPILE_LANG_AND_ID:CXX,Clang>:SHELL:-Xclang -fno-pch-timestamp>")
endfunction()

# The standard headers that most of our sources read.
set(bitnet_standard_headers algorithm atomic chrono cmath cstdint cstring functional limits map memory mutex optional span string
    string_view unordered_map utility vector)
# They take half of the time that a checked build of the library needs: under a sanitizer they are precompiled. Other builds read
# them where they are named, so a source that names too few does not pass.
function(bitnet_precompile_checked target)
    if(BITNET_SANITIZE)
        bitnet_precompile_headers(${target} ${bitnet_standard_headers})
    endif()
endfunction()

# bitnet_compile_together(<target>): its sources in groups, each read as one (CMake's unity build), where BITNET_TOGETHER says so.
# For programs that wait for the library and for people: what a source takes to compile there is the headers of CLI11 and
# nlohmann/json and their templates. Names are therefore different throughout such a target, those of one source alone too.
function(bitnet_compile_together target)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ${BITNET_TOGETHER} UNITY_BUILD_BATCH_SIZE 8)
    if(NOT MSVC)
        target_compile_options(${target} PRIVATE "$<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CONFIG:Release>>:-O2>")
    endif()
endfunction()

# One static library per folder: every .cpp below it, the repository root as include path.
function(bitnet_internal_library name folder)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp ${PROJECT_SOURCE_DIR}/${folder}/*.h)
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC bitnet_settings)
    set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX POSITION_INDEPENDENT_CODE ${bitnet_pic} CXX_EXTENSIONS OFF
        CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
endfunction()
