# The GPU kernels (kernels/cuda) as one fatbin inside bitnet_tensor: machine code for every architecture that is served,
# PTX for those still to come. nvcc is all that is needed, no CUDA library and no driver: those are found at run time.
# Included where BITNET_CUDA is ON, after bitnet_tensor exists.
set(BITNET_CUDA_ARCHITECTURES 75 80 86 89 90 100 CACHE STRING "Compute capabilities that the GPU kernels are compiled for")
mark_as_advanced(BITNET_CUDA_ARCHITECTURES)

include(nvcc)
if(NOT EXISTS "${BITNET_NVCC}")
    message(FATAL_ERROR "BITNET_CUDA: nvcc not found. Install the CUDA toolkit, 12.8 or later "
        "(https://developer.nvidia.com/cuda-downloads), or its compiler alone: scripts/install-nvcc. Name it with "
        "-DBITNET_NVCC=/path/to/nvcc where it lies elsewhere, or configure with -DBITNET_CUDA=OFF")
endif()
if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
    message(FATAL_ERROR "BITNET_CUDA: only Linux is supported; configure with -DBITNET_CUDA=OFF")
endif()

# A driver runs code of its own major version of CUDA and of older ones.
execute_process(COMMAND ${BITNET_NVCC} --version OUTPUT_VARIABLE nvcc_version COMMAND_ERROR_IS_FATAL ANY)
if(NOT nvcc_version MATCHES "release ([0-9]+)\\.")
    message(FATAL_ERROR "BITNET_CUDA: ${BITNET_NVCC} --version says no release; name another nvcc with -DBITNET_NVCC=")
endif()
set(cuda_version ${CMAKE_MATCH_1}000)

set(cuda_targets)
foreach(architecture IN LISTS BITNET_CUDA_ARCHITECTURES)
    list(APPEND cuda_targets -gencode arch=compute_${architecture},code=sm_${architecture})
endforeach()
# What has tensor cores for int8 as the kernels use them; a driver makes code of it for what comes after the list.
list(APPEND cuda_targets -gencode arch=compute_80,code=compute_80)

set(cuda_fatbin ${PROJECT_BINARY_DIR}/cuda/kernels.fatbin)
add_custom_command(OUTPUT ${cuda_fatbin}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/cuda
    COMMAND ${BITNET_NVCC} -fatbin ${cuda_flags} ${cuda_targets} -ccbin ${CMAKE_CXX_COMPILER} --threads 0
        -o ${cuda_fatbin} ${PROJECT_SOURCE_DIR}/kernels/cuda/all_kernels.cu
    DEPENDS ${cuda_sources} VERBATIM COMMENT "Compiling the GPU kernels: ${BITNET_CUDA_ARCHITECTURES}")
add_custom_target(bitnet_cuda_kernels DEPENDS ${cuda_fatbin})
add_dependencies(bitnet_tensor bitnet_cuda_kernels)

target_compile_definitions(bitnet_tensor PUBLIC BITNET_CUDA)
# The compiler reports headers it reads, but not what its assembler copies.
set_source_files_properties(${PROJECT_SOURCE_DIR}/ggml-like/gpu/cuda_image.cpp PROPERTIES
    COMPILE_DEFINITIONS "BITNET_CUDA_FATBIN=\"${cuda_fatbin}\";BITNET_CUDA_VERSION=${cuda_version}" OBJECT_DEPENDS ${cuda_fatbin})
