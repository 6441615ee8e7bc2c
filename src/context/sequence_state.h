// A sequence as bytes: saved games, prompt caches, branches of a dialogue. The layout is little-endian and fixed:
//   "BNSEQ002"  u64 fingerprint of the model and the sequence's adapters  u32 n_layer  u32 row_width and types  u32 n_tokens  u32 n_base
//   only where n_base > 0: u64 hash of the n_base tokens before (FNV-1a of their i32 ids)
//   i32 positions[n_tokens]  i32 tokens[n_tokens]
//   per layer: keys[n_tokens], values[n_tokens], each row as the cache keeps it (kernels/vec_kernels.h, KvType)
//   u64 checksum of everything before it (FNV-1a)
// With n_base > 0 it is a delta: it goes on from n_base tokens at positions 0 .. n_base-1. The same model computes the same
// keys and values for the same tokens, so their hash says whether a sequence has that beginning.
#pragma once

#include <cstddef>
#include <cstdint>

#include "src/context/kv_cache.h"

namespace bitnet {

// Of the sequence from position n_base on; 0 or less: all of it. Throws BITNET_E_STATE where it does not hold positions
// 0 .. n_base-1 without a gap.
uint64_t sequence_state_bytes(const KvCache& cache, bitnet_seq_id id, bitnet_pos n_base = 0);
// out holds sequence_state_bytes.
void save_sequence(const KvCache& cache, bitnet_seq_id id, bitnet_pos n_base, uint64_t fingerprint, uint8_t* out);
// Replaces the sequence, or for a delta what it holds behind its base. Throws Error (BITNET_E_STATE, BITNET_E_KV_FULL) with
// the cache unchanged.
void load_sequence(KvCache& cache, bitnet_seq_id id, uint64_t fingerprint, const uint8_t* data, size_t size);

}  // namespace bitnet
