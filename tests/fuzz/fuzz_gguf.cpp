// libFuzzer target for the GGUF reader. Any bytes must either be refused with an Error or give a file that can be used
// completely; such a file must also survive being written again and read back the same, and be refused or read the same
// way when it comes through callbacks instead of memory.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "src/base/error.h"
#include "src/gguf/gguf_reader.h"
#include "src/gguf/gguf_writer.h"
#include "src/validation/model_validate.h"

namespace {

using namespace bitnet;

void require(bool ok) {
    if (!ok) std::abort();
}

struct Bytes {
    const uint8_t* data;
    size_t size;
};

int32_t read_bytes(void* user, uint64_t offset, void* dst, uint64_t n) {
    const auto& bytes = *static_cast<const Bytes*>(user);
    require(offset <= bytes.size && n <= bytes.size - offset);
    std::memcpy(dst, bytes.data + offset, static_cast<size_t>(n));
    return 0;
}

// nullptr when the bytes are refused; then *status says why.
template <typename Read>
std::shared_ptr<const GgufFile> try_read(Read&& read, bitnet_status* status) {
    *status = BITNET_OK;
    try {
        return read();
    } catch (const Error& error) {
        require(error.status() != BITNET_OK && !error.message().empty());
        require(error.message().find('\n') == std::string::npos);
        *status = error.status();
        return nullptr;
    }
}

size_t use_metadata(const GgufFile& file) {
    size_t sum = 0;
    for (size_t i = 0; i < file.n_keys(); ++i) {
        const GgufValue& value = file.value_at(i);
        require(file.find(file.key_at(i)) == &value);
        sum += value.to_text(64).size() + value.description().size() + value.raw().size();
        for (size_t k = 0; k < std::min<size_t>(value.size(), 256) + 1; ++k) {
            sum += value.as_uint(k).has_value() + value.as_int(k).has_value() + value.as_float(k).has_value();
            sum += value.as_bool(k).has_value();
            if (const auto text = value.as_string(k)) sum += text->size() + (text->empty() ? 0 : text->back() & 1);
        }
        for (const auto get : {+[](const GgufFile&f, std::string_view k) { return f.get_uint(k).has_value(); },
                               +[](const GgufFile&f, std::string_view k) { return f.get_float(k).has_value(); },
                               +[](const GgufFile&f, std::string_view k) { return f.get_string(k).has_value(); }}) {
            try {
                sum += get(file, file.key_at(i));
            } catch (const Error& error) {
                require(error.status() == BITNET_E_GGUF_METADATA);
            }
        }
    }
    return sum;
}

// Every tensor's first and last byte can be read in place, and the extents do not overlap.
void use_tensors(const GgufFile& file, const Bytes& bytes) {
    std::vector<std::pair<uint64_t, uint64_t>> extents;
    size_t sum = 0;
    for (const GgufTensor& tensor : file.tensors()) {
        require(file.find_tensor(tensor.name) == &tensor);
        require(tensor.n_bytes > 0 && tensor.offset <= bytes.size && tensor.n_bytes <= bytes.size - tensor.offset);
        require(tensor.n_elements() > 0);
        const uint8_t* data = file.mapped_data(tensor);
        sum += data[0] + data[tensor.n_bytes - 1];
        extents.emplace_back(tensor.offset, tensor.offset + tensor.n_bytes);
    }
    std::sort(extents.begin(), extents.end());
    for (size_t i = 1; i < extents.size(); ++i) require(extents[i - 1].second <= extents[i].first);
    volatile size_t sink = sum;
    (void)sink;
}

void write_and_read_back(const GgufFile& file) {
    if (file.alignment() > 4096) return;  // a valid file, but writing its padding is all the fuzzer would do
    GgufWriter writer;
    for (size_t i = 0; i < file.n_keys(); ++i) writer.add_value(file.key_at(i), file.value_at(i));
    for (const GgufTensor& tensor : file.tensors()) {
        static constexpr int64_t kOne[1] = {1};  // a scalar is written as a vector of one
        const std::span<const int64_t> ne(tensor.n_dims == 0 ? kOne : tensor.ne,
                                          tensor.n_dims == 0 ? 1 : tensor.n_dims);
        writer.add_tensor(tensor.name, tensor.type, ne, file.mapped_data(tensor));
    }
    const std::vector<uint8_t> copy = writer.to_bytes();
    const auto again = GgufFile::read(open_memory_source(copy.data(), copy.size()));
    require(again->n_keys() == file.n_keys() && again->tensors().size() == file.tensors().size());
    for (size_t i = 0; i < file.n_keys(); ++i)
        require(again->key_at(i) == file.key_at(i) && again->value_at(i).to_text(64) == file.value_at(i).to_text(64));
    for (size_t i = 0; i < file.tensors().size(); ++i) {
        const GgufTensor& a = file.tensors()[i];
        const GgufTensor& b = again->tensors()[i];
        require(a.name == b.name && a.type == b.type && a.n_bytes == b.n_bytes);
        require(std::memcmp(file.mapped_data(a), again->mapped_data(b), static_cast<size_t>(a.n_bytes)) == 0);
    }
}

// Validation goes on where the reader stops, and says so: readable is whether the reader took the bytes.
void validate(const Bytes& bytes, bool readable) {
    ValidationReport report(10);
    bitnet_status status = BITNET_OK;
    const auto file = try_read(
        [&] { return GgufFile::read(open_memory_source(bytes.data, bytes.size), collecting({}, report)); }, &status);
    require(file != nullptr || !readable);
    if (file == nullptr) return;
    require(readable == report.is_valid());
    validate_gguf(*file, nullptr, ValidationOptions(), report);
    require(report.tensors.size() == file->tensors().size() && report.findings.size() <= 10);
    require(!report_json(report).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    Bytes bytes{data, size};
    bitnet_status status = BITNET_OK, other = BITNET_OK;
    const auto file = try_read([&] { return GgufFile::read(open_memory_source(data, size)); }, &status);
    const bitnet_reader reader{sizeof(bitnet_reader), size, &read_bytes, &bytes};
    const auto through = try_read([&] { return GgufFile::read(open_reader_source(reader)); }, &other);
    require(status == other);
    GgufReadOptions options;
    options.metadata_only = true;
    if (const auto head = try_read([&] { return GgufFile::read(open_memory_source(data, size), options); }, &other))
        use_metadata(*head);
    validate(bytes, file != nullptr);
    if (file == nullptr) return 0;
    require(other == BITNET_OK);  // less is read, so nothing more can be wrong
    require(use_metadata(*file) == use_metadata(*through));
    use_tensors(*file, bytes);
    write_and_read_back(*file);
    return 0;
}
