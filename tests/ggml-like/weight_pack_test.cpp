// Packing at load: every kernel gets its layout whatever the number of threads, and kernels that read the file's layout
// get the file's bytes themselves.
#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "ggml-like/weight_pack.h"
#include "tests/support/graph_fixture.h"

TEST_CASE("packing gives the same bytes with any number of threads, and none where the file's layout will do") {
    int with_layout = 0, in_place = 0;
    for (const kern::KernelSet& kernels : test::runnable_kernel_sets()) {
        for (int t = 0; t < kern::kQuantTypeCount; ++t) {
            const kern::QuantType type = static_cast<kern::QuantType>(t);
            if (kern::quant_type_info(type).dialect) continue;  // no weight has it, see TensorPlacer
            const kern::MulMatKernel& kernel = kernels.for_type(type);
            CAPTURE(kernel.name);
            for (const int64_t n_rows : {1, 2, 7, 33}) {
                const test::Matrix m = test::random_matrix(type, n_rows, 512, 3);
                std::vector<uint8_t> whole;
                if (kernel.pack != nullptr) {
                    whole.assign(kernel.packed_bytes(n_rows, 512), 0);
                    kernel.pack(m.bytes.data(), n_rows, 512, 0, n_rows, whole.data());
                }
                for (int n_threads = 1; n_threads <= 5; ++n_threads) {
                    tg::ThreadPool pool(n_threads);
                    std::vector<tg::Arena> owned;
                    tg::Weight w;
                    w.type = type;
                    w.k = 512;
                    w.n_rows = n_rows;
                    w.file_data = m.bytes.data();
                    tg::pack_weight(w, kernels, pool, &owned);
                    CHECK(w.kernel == &kernel);
                    if (kernel.pack == nullptr) {
                        CHECK(w.data == m.bytes.data());
                        CHECK(owned.empty());
                        ++in_place;
                        continue;
                    }
                    ++with_layout;
                    REQUIRE(owned.size() == 1);
                    CHECK(w.data == owned[0].data());
                    REQUIRE(owned[0].size() == whole.size());
                    CHECK(std::memcmp(w.data, whole.data(), whole.size()) == 0);
                }
            }
        }
    }
    CHECK(in_place > 0);
    CHECK(with_layout > 0);
}
