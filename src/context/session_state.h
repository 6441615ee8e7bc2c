// All sequences of a context as bytes, what they share stored once. The layout is little-endian and fixed:
//   "BNSES001"  u64 fingerprint of the model and of the adapters of each sequence  u32 n_layer  u32 row_width and types
//   u32 n_cells  u32 n_nodes  u32 n_tails  u32 version of the library that wrote it
//   {i32 position  i32 token}[n_cells]  {i32 parent  i32 cell}[n_nodes]  {i32 sequence  i32 last node}[n_tails]
//   per layer: keys[n_cells], values[n_cells], each row as the cache keeps it (kernels/vec_kernels.h, KvType)
//   u64 checksum of everything before it (FNV-1a)
// See sequence_tree.h for cells, nodes and tails. Files are opened elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "src/context/kv_cache.h"

namespace bitnet {

// Takes the next n_bytes; done / all of the session are behind it then. May throw, which ends the saving.
using SessionSink = std::function<void(const void* data, size_t n_bytes, uint64_t done, uint64_t all)>;

uint64_t session_bytes(const KvCache& cache);
// What a sequence's adapters are, see SequenceAdapters::tag; an empty function: no sequence has any.
using AdapterTag = std::function<uint64_t(bitnet_seq_id)>;
// Gives session_bytes to the sink, in pieces.
void save_session(const KvCache& cache, uint64_t fingerprint, const SessionSink& sink, const AdapterTag& tag_of = {});
// The most that a session which fits this cache can have: nothing larger needs to be read.
uint64_t most_session_bytes(const KvCache& cache);
// Replaces all sequences. Throws Error (BITNET_E_STATE, BITNET_E_KV_FULL) with the cache unchanged.
void load_session(KvCache& cache, uint64_t fingerprint, const uint8_t* data, size_t size,
                  const AdapterTag& tag_of = {});

}  // namespace bitnet
