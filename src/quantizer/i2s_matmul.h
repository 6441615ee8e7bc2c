// Products of int8 activations with I2_S weights on the CPU: checks what comes from outside, then runs the kernel that the
// engine itself decodes with.
#pragma once

#include <cstdint>
#include <string>

#include "bitnet.h"
#include "ggml-like/thread_pool.h"
#include "kernels/mul_mat_kernel.h"
#include "src/device/device_driver.h"

namespace bitnet {

// Throws BITNET_E_QUANT_INPUT, _OUTPUT_SIZE, _SCALE_COUNT, _SCALE; where begins the message: "product 2: ", or "".
DeviceMatmulI2s checked_matmul(const bitnet_i2s_matmul& asked, const std::string& where);
// Bytes of the activations in the kernel's order that are held at a time.
uint64_t matmul_scratch_bytes(const kern::MulMatKernel& kernel, const DeviceMatmulI2s& work);
// pool may be null: one thread. Throws std::bad_alloc or tg::Error where there is no memory.
void run_matmul(const kern::MulMatKernel& kernel, const DeviceMatmulI2s& work, tg::ThreadPool* pool);

}  // namespace bitnet
