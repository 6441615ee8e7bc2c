// Length, header, then the extents: together they must be the bytes behind the header, from the first to the last.
#include "src/safetensors/safetensors_file.h"

#include <algorithm>
#include <utility>

#include "src/base/error.h"
#include "src/gguf/gguf_text.h"
#include "src/gguf/little_endian.h"
#include "src/safetensors/safetensors_header.h"

namespace bitnet {
namespace {

constexpr uint64_t kLengthBytes = 8;

// What stands where a safetensors file was expected, by its first bytes; nullptr for nothing that we know.
const char* lookalike(std::string_view start) {
    if (start.starts_with("version ")) return "it is a Git LFS pointer, not the file itself; run git lfs pull";
    if (start.starts_with("<")) return "it is a web page; download the file itself";
    if (start.starts_with("PK\x03\x04")) return "it is a PyTorch checkpoint; save the model as safetensors";
    if (start.starts_with("GGUF")) return "it is a GGUF file already";
    return nullptr;
}

std::string read_header(const ByteSource& source, const SafetensorsLimits& limits) {
    const std::string& name = source.name();
    uint8_t length_bytes[kLengthBytes] = {};
    source.read(0, length_bytes, std::min(source.size(), kLengthBytes));
    if (const char* what = lookalike({reinterpret_cast<const char*>(length_bytes), kLengthBytes}))
        throw Error(BITNET_E_GGUF_METADATA, name + ": not a safetensors file: " + what).with_subject(name);
    if (source.size() < kLengthBytes) {
        throw Error(BITNET_E_GGUF_TRUNCATED,
                    name + ": the file ends inside the length of its header; download it again")
            .with_numbers(kLengthBytes, source.size())
            .with_subject(name);
    }
    const auto length = load_le<uint64_t>(length_bytes);
    if (length > limits.max_header_bytes) {
        throw Error(BITNET_E_SECURITY_INPUT, name + ": the header claims " + std::to_string(length) +
                                                 " bytes; the limit is " + std::to_string(limits.max_header_bytes) +
                                                 "; this is no safetensors file, or it is damaged")
            .with_numbers(limits.max_header_bytes, length)
            .with_subject(name);
    }
    if (length > source.size() - kLengthBytes) {
        throw Error(BITNET_E_GGUF_TRUNCATED, name + ": the file ends inside its header of " + std::to_string(length) +
                                                 " bytes; download it again")
            .with_numbers(kLengthBytes + length, source.size())
            .with_subject(name);
    }
    std::string text(static_cast<size_t>(length), '\0');
    source.read(kLengthBytes, text.data(), length);
    // The format lets no white space precede the object, so that a header can be told by its first byte.
    if (text.empty() || text[0] != '{')
        throw Error(BITNET_E_GGUF_METADATA, name + ": not a safetensors file: the header does not begin with '{'")
            .with_subject(name);
    return text;
}

[[noreturn]] void misplaced(const ByteSource& source, const SafetensorsTensor& tensor, uint64_t expected,
                            const char* what) {
    const std::string shown = for_message(tensor.name);
    throw Error(BITNET_E_GGUF_TENSOR_DATA, source.name() + ": tensor '" + shown + "' begins at byte " +
                                               std::to_string(tensor.offset) + " of the data, where " + what +
                                               " byte " + std::to_string(expected) +
                                               "; the file is damaged, download it again")
        .with_numbers(expected, tensor.offset)
        .with_subject(shown);
}

// Sorted by their bytes, tensors follow each other without a gap up to the end of the file.
void check_extents(const ByteSource& source, const std::vector<SafetensorsTensor>& tensors, uint64_t data_bytes) {
    uint64_t end = 0;
    for (const SafetensorsTensor& tensor : tensors) {
        if (tensor.offset < end) misplaced(source, tensor, end, "it overlaps another that ends at");
        if (tensor.offset > end) misplaced(source, tensor, end, "bytes of no tensor lie before it, from");
        end = tensor.offset + tensor.n_bytes;  // both come from one extent, so the sum fits
    }
    if (end > data_bytes) {
        throw Error(BITNET_E_GGUF_TRUNCATED, source.name() + ": the file is truncated: its tensors have " +
                                                 std::to_string(end) + " bytes, but " + std::to_string(data_bytes) +
                                                 " follow the header; download it again")
            .with_numbers(end, data_bytes)
            .with_subject(source.name());
    }
    if (end < data_bytes) {
        throw Error(BITNET_E_GGUF_TENSOR_DATA,
                    source.name() + ": " + std::to_string(data_bytes - end) +
                        " bytes behind the last tensor belong to nothing; download the file again")
            .with_numbers(end, data_bytes)
            .with_subject(source.name());
    }
}

}  // namespace

SafetensorsFile SafetensorsFile::read(std::unique_ptr<ByteSource> source, const SafetensorsLimits& limits) {
    const std::string text = read_header(*source, limits);
    const uint64_t data_start = kLengthBytes + text.size();
    SafetensorsHeader header = parse_safetensors_header(text, source->name(), limits);
    std::sort(header.tensors.begin(), header.tensors.end(), [](const SafetensorsTensor& a, const SafetensorsTensor& b) {
        return std::pair(a.offset, a.n_bytes) < std::pair(b.offset, b.n_bytes);
    });
    check_extents(*source, header.tensors, source->size() - data_start);
    SafetensorsFile file;
    for (size_t i = 0; i < header.tensors.size(); ++i) {
        header.tensors[i].offset += data_start;
        header.by_name.find(header.tensors[i].name)->second = i;
    }
    file.source_ = std::move(source);
    file.tensors_ = std::move(header.tensors);
    file.by_name_ = std::move(header.by_name);
    file.metadata_ = std::move(header.metadata);
    return file;
}

const SafetensorsTensor* SafetensorsFile::find(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

void SafetensorsFile::read_data(const SafetensorsTensor& tensor, uint64_t offset, void* dst, uint64_t n) const {
    if (offset > tensor.n_bytes || n > tensor.n_bytes - offset)
        throw Error(BITNET_E_INTERNAL, name() + ": tensor '" + for_message(tensor.name) + "' is read past its end");
    source_->read(tensor.offset + offset, dst, n);
}

}  // namespace bitnet
