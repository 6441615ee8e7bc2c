// libFuzzer target for saved sequences, deltas and sessions. The first byte says which; the checksum at the end is made right,
// so that the fuzzer gets behind it. Bytes are either refused with an Error and nothing changed, or taken; then the state can
// be used, and what it is saved as loads again to the same bytes.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "ggml-like/graph_trace.h"
#include "kernels/cpu/kernel_select.h"
#include "src/base/error.h"
#include "src/context/kv_cache.h"
#include "src/context/sequence_state.h"
#include "src/context/session_state.h"

namespace {

using namespace bitnet;
using Bytes = std::vector<uint8_t>;

constexpr uint64_t kFingerprint = 0x0123456789abcdefull;
constexpr int32_t kCells = 12, kSequences = 4;

void require(bool ok) {
    if (!ok) std::abort();
}

Bytes session_of(const KvCache& cache) {
    Bytes bytes;
    save_session(cache, kFingerprint, [&](const void* data, size_t n, uint64_t, uint64_t) {
        const auto* from = static_cast<const uint8_t*>(data);
        bytes.insert(bytes.end(), from, from + n);
    });
    require(bytes.size() == session_bytes(cache) && bytes.size() <= most_session_bytes(cache));
    return bytes;
}

// Magic and fingerprint cannot be guessed, and the checksum should not have to be.
Bytes repaired(const uint8_t* data, size_t size, const char* magic) {
    Bytes bytes(data, data + size);
    if (size < 24) return bytes;
    std::memcpy(bytes.data(), magic, 8);
    std::memcpy(bytes.data() + 8, &kFingerprint, 8);
    const uint64_t checksum = tg::checksum_bytes(bytes.data(), size - 8);
    std::memcpy(bytes.data() + size - 8, &checksum, 8);
    return bytes;
}

void use(KvCache& cache) {
    std::vector<int32_t> cells(kCells);
    for (bitnet_seq_id id = 0; id < kSequences; ++id) {
        const auto entries = cache.entries(id);
        require(entries.size() <= static_cast<size_t>(kCells));
        cache.list_cells(cache.sequence(id).last, cache.size(id), -1, cells.data());
        for (size_t i = 0; i < entries.size(); ++i) {
            require(entries[i].cell >= 0 && entries[i].cell < kCells && cells[i] == entries[i].cell);
            require(entries[i].position >= 0 && (i == 0 || entries[i].position > entries[i - 1].position));
        }
    }
    for (bitnet_seq_id id = 0; id < kSequences; ++id) {
        if (cache.end(id) < INT32_MAX && cache.n_free() > 0) cache.append(id, cache.end(id), 1);
        cache.remove(id, 1, 3);
    }
    cache.remove_from_all(-1, -1);
    require(cache.n_free() == kCells);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    kern::KernelSet kernels;
    kern::select_kernels("", &kernels);
    const auto backend = tg::make_cpu_backend(*kernels.vec, 1, 16, 1);
    KvCache cache(*backend, {1, 1, 2}, kCells, kSequences);
    for (const tg::KvLayer& layer : cache.layers()) {
        std::memset(layer.k, 0, kCells * 2 * sizeof(uint16_t));
        std::memset(layer.v, 0, kCells * 2 * sizeof(uint16_t));
    }
    for (bitnet_pos p = 0; p < 4; ++p) cache.append(0, p, p);
    cache.copy(0, 1, -1, -1);
    cache.append(1, 4, 9);
    const Bytes before = session_of(cache);
    const bool whole = (data[0] & 1) != 0;
    const Bytes bytes = repaired(data + 1, size - 1, whole ? "BNSES001" : "BNSEQ002");
    try {
        if (whole) {
            load_session(cache, kFingerprint, bytes.data(), bytes.size());
        } else {
            load_sequence(cache, 1, kFingerprint, bytes.data(), bytes.size());
        }
    } catch (const Error& error) {
        require(error.status() == BITNET_E_STATE || error.status() == BITNET_E_KV_FULL);
        require(session_of(cache) == before);
        return 0;
    }
    const Bytes after = session_of(cache);
    load_session(cache, kFingerprint, after.data(), after.size());
    require(session_of(cache) == after);
    use(cache);
    return 0;
}
