// At load: gives each weight its kernel and, where that kernel has a layout of its own, packs the rows in parallel.
// Kernels that read the file's layout get the mapped bytes themselves: there is never a second copy.
#pragma once

#include <vector>

#include "ggml-like/arena.h"
#include "ggml-like/thread_pool.h"
#include "ggml-like/weight.h"
#include "kernels/cpu/kernel_select.h"

namespace tg {

// Sets weight.kernel and weight.data (from weight.file_data). Packed copies are appended to *owned.
// Throws tg::Error(out_of_memory).
void pack_weight(Weight& weight, const kern::KernelSet& kernels, ThreadPool& pool, std::vector<Arena>* owned);

}  // namespace tg
