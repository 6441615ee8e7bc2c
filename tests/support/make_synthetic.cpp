// make_synthetic SHAPE OUT.gguf [--head f16|q8_0|q6_k] [--seed N]: writes a model of random weights in a real shape, to
// measure speed and memory where the real model is not at hand.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "src/base/error.h"
#include "src/bench/synthetic_model.h"

int main(int argc, char** argv) {
    bitnet::SyntheticOptions options;
    std::string shape_name, path;
    for (int i = 1; i < argc; ++i) {
        const std::string arg = argv[i];
        if (arg == "--head" && i + 1 < argc) {
            const kern::QuantTypeInfo* type = kern::find_quant_type_by_name(argv[++i]);
            if (type == nullptr || type->ternary || type->encode == nullptr) {
                std::fprintf(stderr, "make_synthetic: --head %s: use f16, q8_0 or q6_k\n", argv[i]);
                return 2;
            }
            options.embedding = type->type;
        } else if (arg == "--seed" && i + 1 < argc) {
            options.seed = std::strtoull(argv[++i], nullptr, 10);
        } else if (shape_name.empty()) {
            shape_name = arg;
        } else {
            path = arg;
        }
    }
    const bitnet::SyntheticShape* shape = bitnet::find_synthetic_shape(shape_name);
    if (shape == nullptr || path.empty()) {
        std::fprintf(stderr, "usage: make_synthetic SHAPE OUT.gguf [--head f16|q8_0|q6_k] [--seed N]; shapes: %s\n",
                     bitnet::synthetic_shape_names().c_str());
        return 2;
    }
    try {
        bitnet::write_synthetic_model(path, *shape, options);
    } catch (const bitnet::Error& error) {
        std::fprintf(stderr, "make_synthetic: %s\n", error.what());
        return 1;
    }
    return 0;
}
