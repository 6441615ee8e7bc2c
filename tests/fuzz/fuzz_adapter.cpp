// libFuzzer target for LoRA adapters: any bytes are either refused with an Error, or give pairs that fit the matrices of
// the model and hold finite numbers.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cpu/kernel_select.h"
#include "src/arch/arch.h"
#include "src/base/error.h"
#include "src/gguf/byte_source.h"
#include "src/gguf/gguf_reader.h"
#include "src/load/adapter_load.h"
#include "tests/support/gguf_bytes.h"

namespace {

using namespace bitnet;

void require(bool ok) {
    if (!ok) std::abort();
}

void shape(tg::Weight& weight, const std::string& name, int64_t k, int64_t n_rows) {
    weight.name = name;
    weight.k = k;
    weight.n_rows = n_rows;
}

// A model as far as an adapter looks at it: names and shapes of one layer and a head.
std::shared_ptr<const Model> make_model() {
    static const std::vector<uint8_t> file = test::small_gguf();
    const auto model = std::make_shared<Model>();
    model->file = GgufFile::read(open_memory_source(file.data(), file.size()));
    model->arch = find_arch("llama");
    model->hparams.n_layer = 1;
    require(kern::select_kernels("scalar", &model->kernels) == kern::KernelChoice::ok);
    model->weights.layers.resize(1);
    LayerWeights& layer = model->weights.layers[0];
    shape(layer.attn_q, "blk.0.attn_q.weight", 8, 8);
    shape(layer.attn_k, "blk.0.attn_k.weight", 8, 4);
    shape(layer.attn_v, "blk.0.attn_v.weight", 8, 4);
    shape(layer.attn_output, "blk.0.attn_output.weight", 8, 8);
    shape(layer.ffn_gate, "blk.0.ffn_gate.weight", 8, 12);
    shape(layer.ffn_up, "blk.0.ffn_up.weight", 8, 12);
    shape(layer.ffn_down, "blk.0.ffn_down.weight", 12, 8);
    shape(model->weights.output, "output.weight", 8, 20);
    return model;
}

void check(const tg::Weight& half, int64_t k, int64_t n_rows) {
    require(half.k == k && half.n_rows == n_rows && half.kernel != nullptr);
    std::vector<float> row(static_cast<size_t>(k));
    for (int64_t i = 0; i < n_rows; ++i) {
        const uint8_t* at =
            static_cast<const uint8_t*>(half.data) + static_cast<uint64_t>(i) * kern::quant_row_bytes(half.type, k);
        kern::quant_type_info(half.type).decode(at, 1.0f, k, row.data());
        for (const float value : row) require(std::isfinite(value));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const std::shared_ptr<const Model> model = make_model();
    try {
        const auto file = GgufFile::read(open_memory_source(data, size));
        const std::shared_ptr<const Adapter> adapter = load_adapter(*file, model);
        require(adapter->pairs.size() == 8 && adapter->rank >= 1 && adapter->rank <= kMaxAdapterRank);
        for (size_t i = 0; i < adapter->pairs.size(); ++i) {
            const tg::LoraPair& pair = adapter->pairs[i];
            require(pair.a.present() == pair.b.present());
            if (!pair.a.present()) continue;
            const tg::Weight& matrix = i == 7 ? model->weights.output : model->weights.layers[0].*kAdaptedMatrices[i];
            require(pair.a.n_rows >= 1 && pair.a.n_rows <= adapter->rank && std::isfinite(pair.factor));
            check(pair.a, matrix.k, pair.a.n_rows);
            check(pair.b, pair.a.n_rows, matrix.n_rows);
        }
    } catch (const Error& error) {
        require(error.status() != BITNET_OK && !error.message().empty());
        require(error.message().find('\n') == std::string::npos);
    }
    return 0;
}
