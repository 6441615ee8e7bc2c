# What is needed to compile the GPU kernels (kernels/cuda), for the library (cuda_kernels.cmake) and for tests of what nvcc makes
# of them: BITNET_NVCC, cuda_flags, cuda_sources. Says nothing where there is no nvcc.
find_program(BITNET_NVCC NAMES "$ENV{CUDACXX}" nvcc HINTS $ENV{CUDA_PATH}/bin /usr/local/cuda/bin
    ${PROJECT_SOURCE_DIR}/build/nvcc/nvidia/cu13/bin DOC "The CUDA compiler")
mark_as_advanced(BITNET_NVCC)

# One rounding an operation, as on the CPU: the results are the same bits.
set(cuda_flags -std=c++20 -I${PROJECT_SOURCE_DIR} -fmad=false -ftz=false -prec-div=true -prec-sqrt=true)
file(GLOB cuda_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cuda/* ${PROJECT_SOURCE_DIR}/kernels/*.h
    ${PROJECT_SOURCE_DIR}/kernels/*.inc)
