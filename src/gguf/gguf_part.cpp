// The GGUF parser: header, metadata, tensor table, in the order of the file. Everything a count or a length asks for is
// compared with the limits and with the bytes that remain before anything is reserved for it.
#include "src/gguf/gguf_part.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

#include "src/base/checked_math.h"
#include "src/base/error.h"
#include "src/gguf/gguf_cursor.h"
#include "src/gguf/gguf_keys.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

// Beginnings that people really meet where a GGUF file should be.
struct Lookalike {
    std::string_view start;
    const char* what;
};
constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr Lookalike kLookalikes[] = {
    {"lmgg", "this is an old GGML file; convert the original model to GGUF"},
    {"fmgg", "this is an old GGML file; convert the original model to GGUF"},
    {"tjgg", "this is an old GGML file; convert the original model to GGUF"},
    {"PK\x03\x04", "this is a zip archive or PyTorch checkpoint; convert it to GGUF"},
    {"version https://git-lfs", "this is a Git LFS pointer, not the file itself; run git lfs pull"},
    {"<!DOCTYPE", "this is a web page; download the file itself"},
    {"<html", "this is a web page; download the file itself"},
};

// The smallest encodings: a key of one byte with a one-byte value, and a tensor without name and dimensions.
constexpr uint64_t min_key_bytes(bool wide) { return wide ? 8 + 1 + 4 + 1 : 4 + 1 + 4 + 1; }
constexpr uint64_t min_tensor_bytes(bool wide) { return (wide ? 8 : 4) + 4 + 4 + 8; }

// A metadata entry while the head may still move in memory.
struct RawKey {
    HeadSpan name;
    GgufType type = GgufType::u8;
    bool is_array = false;
    uint64_t count = 1;
    uint64_t data = 0;            // offset of the first element
    int64_t string_offsets = -1;  // index into GgufPart::string_offsets
};

class PartParser {
public:
    PartParser(GgufPart& part, const GgufReadOptions& options, const GgufPartContext& context)
        : part_(part), limits_(options.limits), options_(options), context_(context),
          head_(*part.source, options.limits.max_owned_head_bytes), cursor_(head_) {}

    void parse() {
        read_header();
        raw_keys_.reserve(static_cast<size_t>(n_keys_));
        for (uint64_t i = 0; i < n_keys_; ++i) read_key(i);
        bind_keys();
        index_keys();
        read_alignment();
        read_file_type();
        if (!options_.metadata_only) read_tensors();  // moves the head: no view is used from here on
        const uint64_t used = cursor_.position();
        part_.head = head_.release(used);
        if (!part_.head.empty()) bind_keys();
    }

private:
    void read_header() {
        check_magic();
        cursor_.skip(4);
        part_.version = cursor_.number<uint32_t>();
        check_version();
        const bool wide = part_.version >= 2;
        cursor_.set_wide_lengths(wide);
        n_tensors_ = cursor_.length();
        n_keys_ = cursor_.length();
        const uint64_t tensors_left = limits_.max_tensors - std::min(limits_.max_tensors, context_.tensors_before);
        check_count("tensors", n_tensors_, tensors_left, min_tensor_bytes(wide), BITNET_E_GGUF_TENSOR_COUNT);
        check_allowed_tensors();
        check_count("metadata keys", n_keys_, limits_.max_keys, min_key_bytes(wide), BITNET_E_GGUF_KV_COUNT);
    }

    void check_magic() {
        constexpr uint64_t kEnough = 24;  // for the header, and to recognise every lookalike
        const uint64_t n = std::min(kEnough, part_.source->size());
        head_.need(n);
        const std::string_view text(reinterpret_cast<const char*>(head_.base()), static_cast<size_t>(n));
        // A file of less than four bytes that begins right is truncated, not of another kind.
        if (text.substr(0, 4) == std::string_view("GGUF").substr(0, text.size())) return;
        const char* what = n > 8 && text[8] == '{' ? "this is a safetensors checkpoint; convert it to GGUF"
                                                   : "check the path, or convert the model to GGUF";
        for (const Lookalike& row : kLookalikes)
            if (text.substr(0, row.start.size()) == row.start) what = row.what;
        uint32_t found = 0;
        std::memcpy(&found, text.data(), std::min<size_t>(4, text.size()));
        throw Error(BITNET_E_GGUF_MAGIC,
                    "not a GGUF file: it begins with '" + for_message(text.substr(0, 4)) + "'; " + what)
            .with_numbers(kMagic, found);
    }

    void check_version() const {
        const uint32_t version = part_.version;
        if (version >= 1 && version <= 3) return;
        // There is no flag for the byte order. A small number seen from the other end has its low half empty.
        if (version != 0 && (version & 0xffff) == 0) {
            const uint32_t swapped =
                version >> 24 | (version >> 8 & 0xff00) | (version << 8 & 0xff0000) | version << 24;
            throw Error(BITNET_E_GGUF_VERSION, "this is a big-endian file of GGUF version " + std::to_string(swapped) +
                                                   "; this build reads little-endian files only; convert "
                                                   "the original model on a little-endian machine")
                .with_numbers(3, swapped)
                .with_offset(4);
        }
        throw Error(BITNET_E_GGUF_VERSION,
                    "GGUF version " + std::to_string(version) + " is not supported; this build reads 1, 2 and 3; " +
                        (version == 0 ? "the file is corrupt" : "update bitnet, or the file is corrupt"))
            .with_numbers(3, version)
            .with_offset(4);
    }

    void check_count(const char* what, uint64_t count, uint64_t limit, uint64_t min_bytes, bitnet_status status) const {
        if (count > limit) {
            throw Error(status, "the file claims " + std::to_string(count) + " " + what + "; the limit is " +
                                    std::to_string(limit) + "; the file is corrupt, download it again")
                .with_numbers(limit, count)
                .with_offset(8);
        }
        const uint64_t fitting = cursor_.remaining() / min_bytes;
        if (count <= fitting) return;
        throw Error(status, "the file claims " + std::to_string(count) + " " + what + ", but its remaining " +
                                std::to_string(cursor_.remaining()) + " bytes hold at most " + std::to_string(fitting) +
                                "; the file is truncated or corrupt, download it again")
            .with_numbers(fitting, count)
            .with_offset(8);
    }

    // The caller's own limit. Other than the one above it says nothing against the file.
    void check_allowed_tensors() const {
        const uint64_t count = context_.tensors_before + n_tensors_;
        if (count <= limits_.allowed_tensors) return;
        throw Error(BITNET_E_SECURITY_TENSOR_COUNT,
                    "the model has " + std::to_string(count) + " tensors or more, the limit is " +
                        std::to_string(limits_.allowed_tensors) + "; raise max_tensors if you trust the file")
            .with_numbers(limits_.allowed_tensors, count)
            .with_offset(8);
    }

    // A name that people and programs can use: not empty, no control characters (a NUL would cut it in C).
    void check_name(HeadSpan name, bitnet_status status) const {
        const uint8_t* bytes = cursor_.base() + name.offset;
        const uint8_t* end = bytes + name.length;
        const uint8_t* bad = std::find_if(bytes, end, [](uint8_t c) { return c < 0x20 || c == 0x7f; });
        if (name.length > 0 && bad == end) return;
        throw Error(status, "the name of " + cursor_.where() +
                                (name.length == 0 ? " is empty" : " contains a control character") +
                                "; the file is corrupt, download it again")
            .with_offset(name.offset)
            .with_subject(name.length == 0 ? "" : cursor_.name());
    }

    [[noreturn]] void fail_metadata(const std::string& what, uint64_t expected, uint64_t actual) const {
        throw Error(BITNET_E_GGUF_METADATA, cursor_.where() + " " + what)
            .with_numbers(expected, actual)
            .with_offset(cursor_.position())
            .with_subject(cursor_.name());
    }

    void read_key(uint64_t i) {
        cursor_.enter("metadata key", i + 1, n_keys_);
        RawKey key;
        key.name = cursor_.string(limits_.max_key_bytes);
        cursor_.set_name(key.name);
        check_name(key.name, BITNET_E_GGUF_METADATA);
        key.type = read_type();
        key.is_array = key.type == GgufType::array;
        if (key.is_array) {
            key.type = read_type();
            if (key.type == GgufType::array) fail_metadata("is an array of arrays, which no reader accepts", 0, 9);
            key.count = cursor_.length();
            if (key.count > limits_.max_array_elements) {
                throw Error(BITNET_E_SECURITY_INPUT,
                            cursor_.where() + " claims " + std::to_string(key.count) + " elements; the limit is " +
                                std::to_string(limits_.max_array_elements) + "; the file is corrupt, download it again")
                    .with_numbers(limits_.max_array_elements, key.count)
                    .with_offset(cursor_.position())
                    .with_subject(cursor_.name());
            }
        }
        key.data = cursor_.position();
        if (key.type == GgufType::string)
            read_strings(key);
        else
            cursor_.skip(saturated_mul(key.count, gguf_type_bytes(key.type)));
        if (key.type == GgufType::boolean) check_booleans(key);
        raw_keys_.push_back(key);
    }

    GgufType read_type() {
        const uint32_t type = cursor_.number<uint32_t>();
        if (type > static_cast<uint32_t>(GgufType::f64))
            fail_metadata("has unknown value type " + std::to_string(type) + "; update bitnet, or the file is corrupt",
                          static_cast<uint64_t>(GgufType::f64), type);
        return static_cast<GgufType>(type);
    }

    void read_strings(RawKey& key) {
        if (!key.is_array) {
            cursor_.string(limits_.max_string_bytes);
            return;
        }
        if (key.count > cursor_.remaining() / cursor_.length_bytes())
            cursor_.skip(saturated_mul(key.count, cursor_.length_bytes()));  // throws: the file ends before
        const uint64_t max_offset = std::min<uint64_t>(limits_.max_string_array_bytes, UINT32_MAX);
        std::vector<uint32_t> offsets;
        // A size claimed by a read callback proves nothing, so large arrays earn their memory by being there.
        constexpr uint64_t kReserve = uint64_t{1} << 20;
        offsets.reserve(static_cast<size_t>(std::min(key.count, kReserve)));
        for (uint64_t i = 0; i < key.count; ++i) {
            const uint64_t offset = cursor_.position() - key.data;
            if (offset > max_offset) {
                throw Error(BITNET_E_SECURITY_INPUT, cursor_.where() + " has more than " + std::to_string(max_offset) +
                                                " bytes of strings; convert the model again")
                    .with_numbers(max_offset, offset)
                    .with_offset(cursor_.position())
                    .with_subject(cursor_.name());
            }
            offsets.push_back(static_cast<uint32_t>(offset));
            cursor_.string(limits_.max_string_bytes);
        }
        key.string_offsets = static_cast<int64_t>(part_.string_offsets.size());
        part_.string_offsets.push_back(std::move(offsets));
    }

    void check_booleans(const RawKey& key) const {
        const uint8_t* bytes = cursor_.base() + key.data;
        const uint8_t* end = bytes + key.count;
        const uint8_t* bad = std::find_if(bytes, end, [](uint8_t b) { return b > 1; });
        if (bad != end)
            fail_metadata("holds the byte " + std::to_string(*bad) + " as a bool; only 0 and 1 are valid", 1, *bad);
    }

    // Turns offsets into views; again after the head has moved for the last time.
    void bind_keys() {
        const uint8_t* base = part_.head.empty() ? cursor_.base() : part_.head.data();
        part_.keys.clear();
        part_.keys.reserve(raw_keys_.size());
        for (const RawKey& key : raw_keys_) {
            const uint32_t* offsets =
                key.string_offsets < 0 ? nullptr : part_.string_offsets[static_cast<size_t>(key.string_offsets)].data();
            part_.keys.push_back(
                {{reinterpret_cast<const char*>(base) + key.name.offset, static_cast<size_t>(key.name.length)},
                 GgufValue(key.type, key.is_array, static_cast<size_t>(key.count), base + key.data, offsets,
                           cursor_.length_bytes())});
        }
    }

    // A sorted index instead of a hash table: its time cannot be spoiled by chosen keys, and equal keys become
    // neighbours.
    void index_keys() {
        std::vector<uint32_t>& order = part_.keys_by_name;
        order.resize(part_.keys.size());
        std::iota(order.begin(), order.end(), 0u);
        const auto name = [&](uint32_t i) { return part_.keys[i].name; };
        std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return name(a) < name(b); });
        const auto same =
            std::adjacent_find(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return name(a) == name(b); });
        if (same == order.end()) return;
        const std::string shown = for_message(name(*same));
        throw Error(BITNET_E_GGUF_METADATA, "metadata key '" + shown + "' is there twice; convert the model again")
            .with_offset(raw_keys_[*same].name.offset)
            .with_subject(shown);
    }

    void read_alignment() {
        const GgufValue* value = part_.find(gguf_key::kAlignment);
        if (value == nullptr) return;
        if (value->type() != GgufType::u32 || value->is_array())
            throw Error(BITNET_E_GGUF_METADATA, "metadata key 'general.alignment' is " + value->description() +
                                                    "; it must be a u32; convert the model again")
                .with_subject(gguf_key::kAlignment);
        part_.alignment = *value->as_uint();
        if (is_power_of_two(part_.alignment)) return;
        throw Error(BITNET_E_GGUF_ALIGNMENT, "general.alignment is " + std::to_string(part_.alignment) +
                                                 ", which is not a power of two; convert the model again")
            .with_numbers(32, part_.alignment)
            .with_subject(gguf_key::kAlignment);
    }

    void read_file_type() {
        file_type_ = context_.file_type;
        if (const GgufValue* value = part_.find(gguf_key::kFileType)) file_type_ = value->as_uint();
    }

    void read_tensors() {
        part_.tensors.reserve(static_cast<size_t>(n_tensors_));
        for (uint64_t i = 0; i < n_tensors_; ++i) read_tensor(i);
        GgufDataSection section;
        section.file_size = part_.source->size();
        section.alignment = part_.alignment;
        section.file_type = file_type_;
        section.on_bad_tensor = options_.on_bad_tensor;
        if (!checked_align_up(cursor_.position(), section.alignment, &section.start)) section.start = UINT64_MAX;
        part_.data_start = section.start;
        place_tensors(part_.tensors, section);
    }

    void read_tensor(uint64_t i) {
        cursor_.enter("tensor", i + 1, n_tensors_);
        GgufTensor tensor{};
        const HeadSpan name = cursor_.string(limits_.max_tensor_name_bytes);
        cursor_.set_name(name);
        check_name(name, BITNET_E_GGUF_TENSOR_DATA);
        tensor.name.assign(reinterpret_cast<const char*>(cursor_.base()) + name.offset,
                           static_cast<size_t>(name.length));
        tensor.n_dims = cursor_.number<uint32_t>();
        if (tensor.n_dims > std::min<uint64_t>(limits_.max_dims, 4))
            fail_shape(std::to_string(tensor.n_dims) + " dimensions", 4, tensor.n_dims);
        uint64_t elements = 1;
        for (uint32_t d = 0; d < 4; ++d) {
            const uint64_t n = d < tensor.n_dims ? cursor_.length() : 1;  // dimensions are as wide as lengths
            if (n == 0) fail_shape("no weights: dimension " + std::to_string(d) + " is 0", 1, 0);
            constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
            if (!checked_mul(elements, n, &elements) || elements > kMax)
                fail_overflow(kMax, n);
            tensor.ne[d] = static_cast<int64_t>(n);
        }
        tensor.file_type_id = cursor_.number<uint32_t>();
        tensor.offset = cursor_.number<uint64_t>();
        tensor.part = context_.part;
        part_.tensors.push_back(std::move(tensor));
    }

    [[noreturn]] void fail_shape(const std::string& what, uint64_t expected, uint64_t actual) const {
        throw Error(BITNET_E_GGUF_TENSOR_SHAPE,
                    cursor_.where() + " has " + what + "; the file is corrupt or not a language model")
            .with_numbers(expected, actual)
            .with_offset(cursor_.position())
            .with_subject(cursor_.name());
    }

    // Whoever multiplies such dimensions without a check gets a small number, and reads and writes where it leads.
    [[noreturn]] void fail_overflow(uint64_t expected, uint64_t actual) const {
        throw Error(BITNET_E_SECURITY_OPERATION,
                    cursor_.where() + " has more weights than any file holds; the file is corrupt or made to do harm")
            .with_numbers(expected, actual)
            .with_offset(cursor_.position())
            .with_subject(cursor_.name());
    }

    static uint64_t saturated_mul(uint64_t a, uint64_t b) {
        uint64_t product = UINT64_MAX;
        return checked_mul(a, b, &product) ? product : UINT64_MAX;
    }

    GgufPart& part_;
    const GgufLimits& limits_;
    const GgufReadOptions& options_;
    const GgufPartContext& context_;
    HeadBytes head_;
    GgufCursor cursor_;
    uint64_t n_tensors_ = 0;
    uint64_t n_keys_ = 0;
    std::optional<uint64_t> file_type_;
    std::vector<RawKey> raw_keys_;
};

}  // namespace

const GgufValue* GgufPart::find(std::string_view key) const noexcept {
    const auto at = std::lower_bound(keys_by_name.begin(), keys_by_name.end(), key,
                                     [&](uint32_t i, std::string_view wanted) { return keys[i].name < wanted; });
    if (at == keys_by_name.end() || keys[*at].name != key) return nullptr;
    return &keys[*at].value;
}

std::unique_ptr<GgufPart> read_gguf_part(std::shared_ptr<const ByteSource> source, const GgufReadOptions& options,
                                         const GgufPartContext& context) {
    auto part = std::make_unique<GgufPart>();
    part->source = std::move(source);
    const std::string& name = part->source->name();
    try {
        PartParser(*part, options, context).parse();
    } catch (Error& error) {
        // Failures of the source itself name it already.
        if (error.message().compare(0, name.size() + 2, name + ": ") != 0) error.prefix(name);
        if (error.subject().empty()) std::move(error).with_subject(name);
        throw;
    }
    return part;
}

}  // namespace bitnet
