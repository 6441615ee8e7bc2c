// A GGUF model file (v1 read-only, v2, v3), or all parts of a split one: metadata and tensor table, every limit checked
// before any allocation and before any tensor data is touched. The layout of the file is in gguf_part.h; one newcomer's
// trap: a tensor's size depends on its type, and fork dialects give one type id several meanings (tensor_type.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/quant_types.h"
#include "src/gguf/byte_source.h"
#include "src/gguf/gguf_keys.h"
#include "src/gguf/gguf_limits.h"
#include "src/gguf/gguf_part.h"
#include "src/gguf/gguf_tensors.h"
#include "src/gguf/gguf_value.h"

namespace bitnet {

// Never changes after it is read, so threads share it freely. Everything it returns lives as long as it does.
// Failures: BITNET_E_GGUF_*, BITNET_E_SECURITY_*, BITNET_E_IO, and those of opening a file.
class GgufFile {
public:
    // One file that is a whole model. A part of a split model is refused here, because its siblings cannot be found;
    // with options.metadata_only a first part will do.
    static std::shared_ptr<const GgufFile> read(std::shared_ptr<const ByteSource> source,
                                                const GgufReadOptions& options = {});
    // The same from a path, which may name the first part of a split model: name-00001-of-00005.gguf. The other parts
    // are looked for beside it.
    static std::shared_ptr<const GgufFile> open(const std::string& path, bool use_mmap,
                                                const GgufReadOptions& options = {});

    // Of the file, or of the first part.
    uint32_t version() const noexcept { return parts_.front()->version; }
    uint64_t alignment() const noexcept { return parts_.front()->alignment; }

    // Metadata, of the first part if there are several: only that one describes the model. Keys in file order.
    size_t n_keys() const noexcept { return parts_.front()->keys.size(); }
    std::string_view key_at(size_t i) const { return parts_.front()->keys.at(i).name; }
    const GgufValue& value_at(size_t i) const { return parts_.front()->keys.at(i).value; }
    const GgufValue* find(std::string_view key) const noexcept { return parts_.front()->find(key); }

    // A scalar as the wanted type, converted where nothing is lost. nullopt when the key is absent;
    // BITNET_E_GGUF_METADATA when it is there with another type or a value out of range.
    std::optional<uint64_t> get_uint(std::string_view key) const;
    std::optional<int64_t> get_int(std::string_view key) const;
    std::optional<double> get_float(std::string_view key) const;
    std::optional<bool> get_bool(std::string_view key) const;
    std::optional<std::string_view> get_string(std::string_view key) const;
    // The same for keys that must be there: absence is BITNET_E_GGUF_METADATA too.
    uint64_t require_uint(std::string_view key) const;
    int64_t require_int(std::string_view key) const;
    double require_float(std::string_view key) const;
    bool require_bool(std::string_view key) const;
    std::string_view require_string(std::string_view key) const;
    // An array of the element type; nullptr when the key is absent. BITNET_E_GGUF_METADATA when it is something else.
    const GgufValue* get_array(std::string_view key, GgufType element) const;

    // Tensors of all parts, part after part in table order. Their extents lie inside their files and do not overlap.
    const std::vector<GgufTensor>& tensors() const noexcept { return tensors_; }
    const GgufTensor* find_tensor(std::string_view name) const noexcept;

    size_t n_parts() const noexcept { return parts_.size(); }
    const ByteSource& source(size_t part = 0) const { return *parts_.at(part)->source; }
    std::shared_ptr<const ByteSource> shared_source(size_t part = 0) const { return parts_.at(part)->source; }
    // Where the data section of a part begins; 0 after metadata_only.
    uint64_t data_start(size_t part = 0) const { return parts_.at(part)->data_start; }

    // The tensor's bytes in place; nullptr when its source is not mapped. Aligned as the file and the source are.
    const uint8_t* mapped_data(const GgufTensor& tensor) const noexcept;
    // For those who will rarely look there again: gives the memory of n of its bytes from offset on back where they are a
    // mapped file's. They stay what they are, and readable by any thread.
    void give_back(const GgufTensor& tensor, uint64_t offset, uint64_t n) const noexcept;
    // Copies n bytes of the tensor's data that begin at offset (counted from the tensor's first byte) to dst.
    void read_data(const GgufTensor& tensor, uint64_t offset, void* dst, uint64_t n) const;

private:
    GgufFile(std::vector<std::unique_ptr<GgufPart>> parts, const GgufReadOptions& options);

    std::vector<std::unique_ptr<GgufPart>> parts_;
    std::vector<GgufTensor> tensors_;
    std::vector<uint32_t> tensors_by_name_;
};

}  // namespace bitnet
