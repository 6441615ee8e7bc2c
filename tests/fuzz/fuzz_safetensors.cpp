// libFuzzer target for what a Hugging Face folder brings: any bytes as a safetensors file are refused with an Error, or
// give tensors that cover the file's data without a gap; as config.json they are refused, or give numbers within bounds.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "src/base/error.h"
#include "src/convert/hf_config.h"
#include "src/safetensors/safetensors_file.h"

namespace {

using namespace bitnet;

void require(bool ok) {
    if (!ok) std::abort();
}

template <typename Read>
void refused_or(Read&& read) {
    try {
        read();
    } catch (const Error& error) {
        require(error.status() != BITNET_OK && error.status() != BITNET_E_INTERNAL && !error.message().empty());
        require(error.message().find('\n') == std::string::npos);
    }
}

void use_file(const uint8_t* data, size_t size) {
    const SafetensorsFile file = SafetensorsFile::read(open_memory_source(data, size));
    uint64_t n_bytes = 0;
    for (const SafetensorsTensor& tensor : file.tensors()) {
        require(file.find(tensor.name) == &tensor);
        uint64_t bytes = safetensors_type_bytes(tensor.type);
        for (const uint64_t n : tensor.shape) bytes *= n;
        require(bytes == tensor.n_bytes);
        std::vector<uint8_t> content(static_cast<size_t>(tensor.n_bytes));
        file.read_data(tensor, 0, content.data(), content.size());
        n_bytes += tensor.n_bytes;
    }
    require(file.tensors().empty() || file.tensors().back().offset + file.tensors().back().n_bytes == size);
    require(n_bytes < size);
}

void use_config(std::string_view text) {
    const HfConfig config = parse_hf_config(text, "config.json");
    require(config.n_embd >= 1 && config.n_layer >= 1 && config.n_ff >= 1 && config.n_vocab >= 1 && config.n_ctx >= 1);
    require(config.head_dim >= 2 && config.head_dim % 2 == 0 && config.n_head % config.n_head_kv == 0);
    require(config.n_q() <= 1 << 20 && config.rms_norm_eps >= 0 && config.rms_norm_eps <= 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    if (data[0] == '{') {
        refused_or([&] { use_config({reinterpret_cast<const char*>(data), size}); });
    } else {
        refused_or([&] { use_file(data, size); });
    }
    return 0;
}
