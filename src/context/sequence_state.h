// A sequence as bytes: saved games, prompt caches. The layout is little-endian and fixed:
//   "BNSEQ001"  u64 model fingerprint  u32 n_layer  u32 row_width  u32 n_tokens  u32 0
//   i32 positions[n_tokens]
//   per layer: f16 keys[n_tokens][row_width], f16 values[n_tokens][row_width]
//   u64 checksum of everything before it (FNV-1a)
#pragma once

#include <cstddef>
#include <cstdint>

#include "src/context/kv_cache.h"

namespace bitnet {

uint64_t sequence_state_bytes(const KvCache& cache, bitnet_seq_id id);
// out holds sequence_state_bytes.
void save_sequence(const KvCache& cache, bitnet_seq_id id, uint64_t fingerprint, uint8_t* out);
// Replaces the sequence. Throws Error (BITNET_E_STATE, BITNET_E_KV_FULL) with the cache unchanged.
void load_sequence(KvCache& cache, bitnet_seq_id id, uint64_t fingerprint, const uint8_t* data, size_t size);

}  // namespace bitnet
