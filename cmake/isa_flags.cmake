# File suffix -> compiler flags: kernels/cpu/i2s_avx2.cpp is built for AVX2 because of its name, and nothing else is.
# The code behind a suffix runs only after cpu_features has seen the instructions (kernel_select.cpp).
# No level turns on FMA contraction; -ffp-contract=off holds everywhere.
set(BITNET_ISA_FLAGS_avx2 -mavx2 -mf16c -mbmi2)
set(BITNET_ISA_FLAGS_avxvnni -mavx2 -mf16c -mbmi2 -mavxvnni)
set(BITNET_ISA_FLAGS_avx512 -mavx2 -mf16c -mbmi2 -mavx512f -mavx512bw -mavx512vl -mavx512dq)
set(BITNET_ISA_FLAGS_avx512vnni ${BITNET_ISA_FLAGS_avx512} -mavx512vnni)
set(BITNET_ISA_FLAGS_amx ${BITNET_ISA_FLAGS_avx512vnni} -mamx-tile -mamx-int8)
set(BITNET_ISA_X86 avx2 avxvnni avx512 avx512vnni amx)
set(BITNET_ISA_FLAGS_neon "")  # part of every AArch64
set(BITNET_ISA_FLAGS_dotprod -march=armv8.2-a+dotprod)
set(BITNET_ISA_FLAGS_i8mm -march=armv8.2-a+dotprod+i8mm)
set(BITNET_ISA_ARM neon dotprod i8mm)
if(CMAKE_CXX_COMPILER MATCHES "zig$")  # has its own names for processors, and none for architectures
    set(BITNET_ISA_FLAGS_dotprod -mcpu=generic+dotprod)
    set(BITNET_ISA_FLAGS_i8mm -mcpu=generic+dotprod+i8mm)
endif()

# Windows aligns the stack to 16 bytes and GCC still spills 32 and 64 byte vectors with aligned moves there (GCC bug 54412); the
# assembler writes the moves that need no alignment.
if(MINGW AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    foreach(suffix IN LISTS BITNET_ISA_X86)
        list(APPEND BITNET_ISA_FLAGS_${suffix} -Wa,-muse-unaligned-vector-move)
    endforeach()
endif()

function(bitnet_apply_isa_flags target)
    get_target_property(sources ${target} SOURCES)
    foreach(source IN LISTS sources)
        get_filename_component(stem ${source} NAME_WE)
        string(REGEX MATCH "[^_]+$" suffix ${stem})
        if(suffix IN_LIST BITNET_ISA_X86)
            set(processors "x86_64|AMD64|amd64")
        elseif(suffix IN_LIST BITNET_ISA_ARM)
            set(processors "aarch64|arm64|ARM64")
        else()
            continue()
        endif()
        if(NOT source MATCHES "\\.cpp$")
            continue()
        endif()
        if(CMAKE_SYSTEM_PROCESSOR MATCHES "${processors}")
            set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${BITNET_ISA_FLAGS_${suffix}}")
        else()
            set_source_files_properties(${source} PROPERTIES HEADER_FILE_ONLY ON)
        endif()
    endforeach()
endfunction()
