# File suffix -> compiler flags: kernels/cpu/i2s_avx2.cpp is built for AVX2 because of its name, and nothing else is.
# The code behind a suffix runs only after cpu_features has seen the instructions (kernel_select.cpp).
# No level turns on FMA contraction; -ffp-contract=off holds everywhere.
set(BITNET_ISA_FLAGS_avx2 -mavx2 -mf16c -mbmi2)
set(BITNET_ISA_FLAGS_avxvnni -mavx2 -mf16c -mbmi2 -mavxvnni)
set(BITNET_ISA_FLAGS_avx512 -mavx2 -mf16c -mbmi2 -mavx512f -mavx512bw -mavx512vl -mavx512dq)
set(BITNET_ISA_FLAGS_avx512vnni ${BITNET_ISA_FLAGS_avx512} -mavx512vnni)
set(BITNET_ISA_FLAGS_amx ${BITNET_ISA_FLAGS_avx512vnni} -mamx-tile -mamx-int8)
set(BITNET_ISA_X86 avx2 avxvnni avx512 avx512vnni amx)

function(bitnet_apply_isa_flags target)
    get_target_property(sources ${target} SOURCES)
    foreach(source IN LISTS sources)
        get_filename_component(stem ${source} NAME_WE)
        string(REGEX MATCH "[^_]+$" suffix ${stem})
        if(suffix IN_LIST BITNET_ISA_X86 AND source MATCHES "\\.cpp$")
            if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
                set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${BITNET_ISA_FLAGS_${suffix}}")
            else()
                set_source_files_properties(${source} PROPERTIES HEADER_FILE_ONLY ON)
            endif()
        endif()
    endforeach()
endfunction()
