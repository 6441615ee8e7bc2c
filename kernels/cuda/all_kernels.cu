// Every kernel in one translation unit, so that a device loads one module; a kernel file is one line here.
#include "kernels/cuda/dense_mat.cu"
#include "kernels/cuda/elementwise.cu"
#include "kernels/cuda/get_rows.cu"
#include "kernels/cuda/i2s_mma.cu"
#include "kernels/cuda/i2s_vec.cu"
#include "kernels/cuda/pack_acts.cu"
#include "kernels/cuda/tq_mat.cu"
