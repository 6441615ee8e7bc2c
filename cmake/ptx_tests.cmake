# Tests of the GPU kernels as nvcc compiled them: its PTX, with the library's flags, executed on the CPU
# (tests/support/ptx_grid.h) by the programs that play the kernels' C++ otherwise. Included by tests/CMakeLists.txt.
include(nvcc)

# nvcc asks a compiler of its own choice for the standard library's headers; another one than the build's may be newer than it knows.
set(ptx_host ${CMAKE_CXX_COMPILER})
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    find_program(ptx_host_compiler NAMES g++ c++)
    mark_as_advanced(ptx_host_compiler)
    set(ptx_host ${ptx_host_compiler})
endif()

# 80 is what the library ships as PTX, 75 has other instructions on the tensor cores.
set(ptx_architectures 75 80)
set(ptx_why "no nvcc here (scripts/install-nvcc fetches it)")
if(EXISTS "${BITNET_NVCC}" AND NOT CMAKE_CROSSCOMPILING)
    execute_process(COMMAND ${BITNET_NVCC} --version OUTPUT_VARIABLE nvcc_version)
    if(NOT nvcc_version MATCHES "release ([0-9]+\\.[0-9]+)" OR CMAKE_MATCH_1 VERSION_LESS 12.8)
        set(ptx_why "${BITNET_NVCC} is older than 12.8")
    else()
        # One that does not get on with the compiler beside it must not stop the build of everything else.
        if(NOT BITNET_NVCC_TRIED STREQUAL "${BITNET_NVCC} ${ptx_host}")
            file(WRITE ${PROJECT_BINARY_DIR}/cuda/tried.cu "#include <cmath>\n#include <cstdint>\n")
            execute_process(COMMAND ${BITNET_NVCC} -ptx ${cuda_flags} -ccbin ${ptx_host} -o ${PROJECT_BINARY_DIR}/cuda/tried.ptx
                ${PROJECT_BINARY_DIR}/cuda/tried.cu RESULT_VARIABLE result OUTPUT_QUIET ERROR_QUIET)
            set(BITNET_NVCC_RESULT ${result} CACHE INTERNAL "")
            set(BITNET_NVCC_TRIED "${BITNET_NVCC} ${ptx_host}" CACHE INTERNAL "")
        endif()
        if(BITNET_NVCC_RESULT EQUAL 0)
            set(ptx_why)
        else()
            set(ptx_why "${BITNET_NVCC} does not work with ${ptx_host}")
        endif()
    endif()
endif()
if(NOT ptx_why)
    foreach(architecture IN LISTS ptx_architectures)
        set(ptx_${architecture} ${PROJECT_BINARY_DIR}/cuda/kernels_${architecture}.ptx)
        add_custom_command(OUTPUT ${ptx_${architecture}}
            COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/cuda
            COMMAND ${BITNET_NVCC} -ptx ${cuda_flags} -gencode arch=compute_${architecture},code=compute_${architecture}
                -ccbin ${ptx_host} -o ${ptx_${architecture}} ${PROJECT_SOURCE_DIR}/kernels/cuda/all_kernels.cu
            DEPENDS ${cuda_sources} VERBATIM COMMENT "Compiling the GPU kernels for tests: PTX of ${architecture}")
        list(APPEND ptx_files ${ptx_${architecture}})
    endforeach()
    add_custom_target(bitnet_test_ptx ALL DEPENDS ${ptx_files})
endif()

# bitnet_ptx_test(<name> <architecture> <program> <filter>...): as the kernels of an architecture.
function(bitnet_ptx_test name architecture program)
    if(NOT ptx_why)
        add_test(NAME ${name} COMMAND ${program} ${ARGN} WORKING_DIRECTORY ${PROJECT_BINARY_DIR})
        set_tests_properties(${name} PROPERTIES ENVIRONMENT "BITNET_TEST_PTX=${ptx_${architecture}}")
    else()
        add_test(NAME ${name} COMMAND ${CMAKE_COMMAND} -E echo
            "skipped: ${ptx_why}: what it makes of the GPU kernels was not executed")
        set_tests_properties(${name} PROPERTIES SKIP_REGULAR_EXPRESSION "^skipped:")
    endif()
    set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 600)
endfunction()

# Two of them launch blocks that race and threads that write beside a row, of which fibers know nothing.
bitnet_ptx_test(test_ptx_80 80 test_tensor "--source-file=*/gpu_*_test.cpp,*/virtual_gpu_test.cpp"
    "--test-case-exclude=launches that a driver refuses*,bytes written beside a block*")
bitnet_ptx_test(test_ptx_75 75 test_tensor "--source-file=*/gpu_mat_test.cpp,*/gpu_fusion_test.cpp")
# Whole models; the others of test_gpu pass too, and launch nothing that these do not.
bitnet_ptx_test(test_ptx_model 80 test_gpu
    "--source-file=*/golden_test.cpp,*/gpu_model_test.cpp,*/gpu_split_test.cpp,*/embedding_test.cpp,*/kv_types_test.cpp,*/generation_test.cpp"
    "--test-case-exclude=quantised keys and values give the same bits on every level*")
bitnet_ptx_test(test_ptx_stories 80 test_gpu "--test-case=stories3m continues*")
