// The bounds-checked reader under the GGUF parser: HeadBytes brings the file's beginning into memory as far as it is
// needed, GgufCursor walks over it. No byte is looked at and no size believed without a check against what remains.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "src/base/checked_math.h"
#include "src/base/error.h"
#include "src/gguf/byte_source.h"
#include "src/gguf/gguf_text.h"
#include "src/gguf/little_endian.h"

namespace bitnet {

// A mapped source is used in place; any other is read in growing pieces into one block, which moves when it grows:
// offsets stay valid, pointers do not.
class HeadBytes {
public:
    HeadBytes(const ByteSource& source, uint64_t max_owned_bytes)
        : source_(source), max_owned_bytes_(max_owned_bytes), base_(source.mapped()) {
        if (base_ != nullptr) available_ = source.size();
    }

    uint64_t size() const noexcept { return source_.size(); }
    const uint8_t* base() const noexcept { return base_; }

    // Makes [0, end) present; end is at most size().
    void need(uint64_t end) {
        if (end > available_) grow(end);
    }
    // The block, cut to what was used; empty for a mapped source. base() of this object is not valid afterwards.
    std::vector<uint8_t> release(uint64_t used) {
        if (source_.mapped() == nullptr) {
            owned_.resize(static_cast<size_t>(std::min(used, available_)));
            owned_.shrink_to_fit();
        }
        return std::move(owned_);
    }

private:
    void grow(uint64_t end) {
        if (end > max_owned_bytes_) {
            throw Error(BITNET_E_SECURITY_MEMORY, "the metadata needs more than the limit of " +
                                            std::to_string(max_owned_bytes_) +
                                            " bytes of memory; load the file by its path with use_mmap = 1")
                .with_numbers(max_owned_bytes_, end);
        }
        // Doubling keeps the number of reads small for a vocabulary of megabytes; the cap keeps a tiny head cheap.
        constexpr uint64_t kFirst = uint64_t{64} << 10, kMost = uint64_t{4} << 20;
        const uint64_t ahead = std::clamp(available_, kFirst, kMost);
        const uint64_t target = std::min({std::max(end, available_ + ahead), size(), max_owned_bytes_});
        owned_.resize(static_cast<size_t>(target));
        base_ = owned_.data();
        source_.read(available_, owned_.data() + available_, target - available_);
        available_ = target;
    }

    const ByteSource& source_;
    uint64_t max_owned_bytes_;
    std::vector<uint8_t> owned_;
    const uint8_t* base_;
    uint64_t available_ = 0;
};

// Where a piece of the head lies. Offsets, because the block may still move.
struct HeadSpan {
    uint64_t offset = 0;
    uint64_t length = 0;
};

class GgufCursor {
public:
    explicit GgufCursor(HeadBytes& bytes) : bytes_(bytes) {}

    uint64_t position() const noexcept { return position_; }
    uint64_t remaining() const noexcept { return bytes_.size() - position_; }
    const uint8_t* base() const noexcept { return bytes_.base(); }

    // Version 1 has 32-bit counts and lengths.
    void set_wide_lengths(bool wide) noexcept { wide_ = wide; }
    uint8_t length_bytes() const noexcept { return wide_ ? 8 : 4; }
    // What is being read, for the message when the file ends there: "metadata entry 3 of 24".
    void enter(const char* part, uint64_t number, uint64_t count) noexcept {
        part_ = part;
        number_ = number;
        count_ = count;
        name_ = {};
    }
    // Its name, once that is read: a key or a tensor's name.
    void set_name(HeadSpan name) noexcept { name_ = name; }
    std::string name() const {
        return for_message({reinterpret_cast<const char*>(base()) + name_.offset, static_cast<size_t>(name_.length)});
    }

    template <typename T>
    T number() {
        skip(sizeof(T));
        return load_le<T>(bytes_.base() + position_ - sizeof(T));
    }
    uint64_t length() { return wide_ ? number<uint64_t>() : number<uint32_t>(); }

    // Steps over n bytes and makes them present.
    void skip(uint64_t n) {
        if (n > remaining()) fail_truncated(n);
        bytes_.need(position_ + n);
        position_ += n;
    }
    // Steps over a string; its length is checked against the limit, then against the file.
    HeadSpan string(uint64_t max_bytes) {
        const uint64_t n = length();
        if (n > max_bytes) fail_long_string(n, max_bytes);
        skip(n);
        return {position_ - n, n};
    }
    std::string where() const {
        if (count_ == 0) return part_;
        const std::string text = part_ + (" " + std::to_string(number_)) + " of " + std::to_string(count_);
        return name_.length == 0 ? text : text + " ('" + name() + "')";
    }

private:
    [[noreturn]] void fail_truncated(uint64_t n) const {
        const uint64_t wanted = saturated_add(position_, n);
        throw Error(BITNET_E_GGUF_TRUNCATED, "the file is truncated: it ends inside " + where() + ", which needs " +
                                                 std::to_string(wanted) + " bytes of file, but there are " +
                                                 std::to_string(bytes_.size()) + "; download it again")
            .with_numbers(wanted, bytes_.size())
            .with_offset(position_)
            .with_subject(name_.length == 0 ? "" : name());
    }
    [[noreturn]] void fail_long_string(uint64_t n, uint64_t max_bytes) const {
        throw Error(BITNET_E_SECURITY_INPUT, "a string in " + where() + " claims " + std::to_string(n) +
                                        " bytes; the limit is " + std::to_string(max_bytes) +
                                        "; the file is corrupt, download it again")
            .with_numbers(max_bytes, n)
            .with_offset(position_)
            .with_subject(name_.length == 0 ? "" : name());
    }

    HeadBytes& bytes_;
    uint64_t position_ = 0;
    bool wide_ = true;
    const char* part_ = "the header";
    uint64_t number_ = 0;
    uint64_t count_ = 0;
    HeadSpan name_;
};

}  // namespace bitnet
